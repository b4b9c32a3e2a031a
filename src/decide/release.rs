//! Between attempts: what is wanted now, whether it is done, and whose turn it is.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::effect::Effect;
use super::fact::Fact;
use super::observed::{JobSeen, Lock, Observed};
use super::{Decision, failure, gate, rollback};
use crate::api::names;
use crate::api::release::{inputs_digest, release_digest};
use crate::api::status::{ReleaseRecord, TokenTaken};

/// The chain of rules, in order; the first that applies decides.
#[must_use]
pub fn go_on(observed: &Observed) -> Decision {
    rollback::revoke(observed)
        .or_else(|| take_up(observed))
        .or_else(|| take_retry(observed))
        .or_else(|| rollback::take(observed))
        .or_else(|| rest_when_rolled_back(observed))
        .or_else(|| rest_when_clean(observed))
        .or_else(|| rest_when_stalled(observed))
        .or_else(|| hold_when_suspended(observed))
        .or_else(|| refuse_spec(observed))
        .or_else(|| back_off(observed))
        .or_else(|| withdraw_leftover(observed))
        .unwrap_or_else(|| attempt(observed))
}

/// A release that is not the one on record is taken up; one that is clean already is not migrated again.
fn take_up(observed: &Observed) -> Option<Decision> {
    let namespace = &observed.run.namespace;
    let inputs = inputs_digest(&observed.spec, namespace);
    let digest = release_digest(&observed.spec, namespace);
    if let Some(record) = &observed.status.release {
        if record.inputs == inputs {
            return None;
        }
        if record.digest == digest && observed.status.is_clean() {
            return Some(Decision::rest().fact(Fact::InputsChanged(inputs)));
        }
    }
    let record = ReleaseRecord {
        image: observed.spec.image.clone(),
        database_id: observed.spec.database_id(namespace),
        digest,
        inputs,
        generation: observed.run.generation,
        queued_at: Time(observed.now),
        retries: 0,
    };
    Some(release_lock(observed).fact(Fact::TakenUp(record)))
}

/// A token is taken once, whatever comes of it.
fn take_retry(observed: &Observed) -> Option<Decision> {
    let (wish, by) = observed.run.retry.as_ref()?;
    let token = names::token(wish);
    if token.is_empty() || observed.status.has_taken(&token) {
        return None;
    }
    let rolled_back = observed.status.rolled_back().is_some();
    let accepted = rolled_back || !observed.status.is_clean();
    let result = if accepted { "Accepted" } else { "NothingToRetry: the release is clean" };
    let taken =
        Fact::RetryTaken(TokenTaken { token, at: Time(observed.now), by: by.clone(), result: result.to_owned() });
    let decision = Decision::rest().fact(taken);
    let decision = if rolled_back { decision.fact(Fact::RollbackLifted) } else { decision };
    let again = accepted && !observed.status.is_clean();
    Some(if again { decision.fact(Fact::RetryAt(observed.now)) } else { decision })
}

/// Clean is where a run rests: the lock goes, old Jobs go, nothing else is written.
fn rest_when_clean(observed: &Observed) -> Option<Decision> {
    observed.status.is_clean().then(|| tidy(observed).and(gate::open(observed)))
}

/// Stalled rests too, until a retry or another release.
fn rest_when_stalled(observed: &Observed) -> Option<Decision> {
    observed.status.is_stalled().then(|| rollback::by_itself(observed).unwrap_or_else(|| tidy(observed)))
}

/// So does a release that was rolled back, clean or not.
fn rest_when_rolled_back(observed: &Observed) -> Option<Decision> {
    observed.status.rolled_back().map(|_| tidy(observed))
}

/// Nothing starts. A Job that was made and never let go would keep other runs from the database for as long as this one is
/// suspended.
fn hold_when_suspended(observed: &Observed) -> Option<Decision> {
    let leftover = match &observed.migrate {
        JobSeen::Ours(job) if job.suspended && !job.finished => Some(Effect::DeleteJob(job.job.clone())),
        _ => None,
    };
    observed.spec.suspended().then(|| leftover.into_iter().fold(release_lock(observed), Decision::effect))
}

fn refuse_spec(observed: &Observed) -> Option<Decision> {
    let refusal = observed.refusal.as_ref()?;
    Some(release_lock(observed).fact(Fact::Failed(Box::new(failure::of_spec(refusal, observed.now)))))
}

fn back_off(observed: &Observed) -> Option<Decision> {
    let at = observed.status.next_attempt_at.as_ref()?.0;
    let left = Duration::try_from(at.duration_since(observed.now)).ok().filter(|left| !left.is_zero())?;
    Some(Decision::rest().after(left))
}

/// A Job of ours under the next attempt's name that is not on record: a crash came between its creation and its record, and it
/// never ran, since it is let go only when it is on record. It is taken over by `attempt`; one that was let go by somebody
/// else is nobody's attempt and must end first.
fn withdraw_leftover(observed: &Observed) -> Option<Decision> {
    match &observed.migrate {
        JobSeen::Ours(job) if !job.suspended && !job.finished => Some(Decision::wait(
            "JobNotOnRecord",
            format!("Job {} runs without an attempt on record; the run goes on when it has ended", job.job.name),
        )),
        _ => None,
    }
}

/// One's turn, the lock, the Job: each in a pass of its own, so that a crash in between is found by looking.
fn attempt(observed: &Observed) -> Decision {
    let database = names::digest_hex(&[&observed.spec.database_id(&observed.run.namespace)]);
    match &observed.lock {
        Lock::Held { by, abandoned: Some(lease) } if observed.rival.is_none() => {
            waits_for(by).effect(Effect::ReleaseLock(lease.clone()))
        }
        Lock::Held { by, .. } => waits_for(by),
        Lock::Free => match (&observed.rival, &observed.ahead) {
            (Some(job), _) => waits_for_job(job),
            (None, Some(run)) => waits_for(run),
            (None, None) => Decision::rest().effect(Effect::AcquireLock { database }),
        },
        Lock::Mine(_) => match &observed.rival {
            Some(job) => waits_for_job(job),
            None => begin(observed),
        },
    }
}

fn begin(observed: &Observed) -> Decision {
    let number = observed.next_attempt();
    let name = observed.job_name("migrate", number);
    if let JobSeen::Stranger(job) = &observed.migrate {
        let failure = failure::of_taken_name("Migrate", job, number, observed.now);
        return Decision::rest().fact(Fact::Failed(Box::new(failure)));
    }
    Decision::rest()
        .effect(Effect::CreateMigrateJob { name: name.clone(), attempt: number })
        .fact(Fact::AttemptBegun { number, job: name })
}

fn waits_for(run: &str) -> Decision {
    Decision::wait("DatabaseBusy", format!("run {run} has the database; this one goes on when it is done"))
}

fn waits_for_job(job: &str) -> Decision {
    Decision::wait("DatabaseBusy", format!("Job {job} still works on the database; this run goes on when it has ended"))
}

/// Gives the lock back and lets Jobs beyond the history's limit go.
fn tidy(observed: &Observed) -> Decision {
    observed
        .expired
        .iter()
        .fold(release_lock(observed), |decision, job| decision.effect(Effect::DeleteJob(job.clone())))
}

fn release_lock(observed: &Observed) -> Decision {
    match &observed.lock {
        Lock::Mine(lease) => Decision::rest().effect(Effect::ReleaseLock(lease.clone())),
        _ => Decision::rest(),
    }
}

/// Seconds from `from` to `now`, zero where the clock went back.
#[must_use]
pub fn since(from: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(from)).unwrap_or_default()
}
