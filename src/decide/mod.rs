//! Decides what to do next about one run, from what was observed and what is on record. Pure: no client, no async, no clock.
//!
//! Invariants, each held by a property test: every observation has a decision; at most one irreversible effect a pass; a
//! migration is let go only when its Job's UID is on record and the lock is held; what is clean or stalled stays so until
//! somebody asks for more.

pub mod attempt;
pub mod backoff;
pub mod custody;
pub mod effect;
pub mod fact;
pub mod failure;
pub mod gate;
pub mod observed;
pub mod pace;
pub mod release;
pub mod rollback;
pub mod sweep;
pub mod upkeep;
pub mod warnings;

use std::time::Duration;

pub use effect::Effect;
pub use fact::Fact;
pub use observed::Observed;

/// What to write, what to put on record, and when to look again if nothing changes before.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Writes, in this order. The record is written after them, and only if all were acknowledged.
    pub effects: Vec<Effect>,
    /// What goes on record.
    pub facts: Vec<Fact>,
    /// When to look again.
    pub requeue: Option<Duration>,
}

impl Decision {
    /// Nothing to do until something changes.
    #[must_use]
    pub fn rest() -> Self {
        Self::default()
    }

    /// Waits for something that the caller is told of, and says so.
    #[must_use]
    pub fn wait(reason: &str, message: impl Into<String>) -> Self {
        Self { facts: vec![Fact::Waits(reason.to_owned(), message.into())], ..Self::default() }
    }

    /// Adds an effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    /// Both: this one's effects and facts first, and the earlier of the two times.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.effects.extend(other.effects);
        self.facts.extend(other.facts);
        other.requeue.into_iter().fold(self, Self::after)
    }

    /// Looks again after `delay`.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.requeue = Some(self.requeue.map_or(delay, |other| other.min(delay)));
        self
    }
}

/// The decision: an attempt under way is brought to its end first, whatever the spec says by now; then the release.
#[must_use]
pub fn decide(observed: &Observed) -> Decision {
    if observed.run.deleting {
        // Its Jobs end by themselves and the garbage collector does the rest; nothing new may start.
        return Decision::rest();
    }
    let decision = match observed.status.active_attempt() {
        Some(active) => attempt::go_on(observed, active),
        None => release::go_on(observed),
    };
    let decision = with_gate(observed, decision);
    // A sidecar that does not end by itself would keep the Job open until its deadline.
    observed.kept_open.iter().fold(decision, |decision, job| decision.effect(Effect::EndJob(job.clone())))
}

/// The targets are looked at in every pass, whatever the run does.
fn with_gate(observed: &Observed, decision: Decision) -> Decision {
    if observed.targets.is_empty() && observed.status.targets.is_empty() {
        return decision;
    }
    // Only where nothing else is written or learned: a Deployment that cannot be must not keep a migration from its record.
    let idle = decision.effects.is_empty() && decision.facts.iter().all(|fact| matches!(fact, Fact::Waits(..)));
    let decision = match (idle, observed.status.rolled_back(), rollback::revoke(observed)) {
        (true, _, Some(revoked)) => decision.and(revoked),
        // A release that was rolled back is not let through either.
        (true, None, None) => decision.and(gate::let_through(observed)),
        _ => decision,
    };
    let decision = decision.fact(gate::seen(observed));
    warnings::look_again(observed).into_iter().fold(decision, Decision::after)
}

#[cfg(test)]
pub(crate) mod tests;
