//! Step, summary and conditions: derived from the record, for people and for kstatus, Argo CD and Flux; never read back.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::MigrationRunStatus;
use crate::api::conditions::{
    FINISHED, GATE_OPEN, READY, RECONCILING, ROLLED_BACK, STALLED, SUCCEEDED, condition, merge,
};
use crate::api::labels;
use crate::api::status::{Failure, RollbackRecord, RollbackState, TargetRollback};
use crate::decide::Observed;

/// Where a run is, one of seven: the table of conditions has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// Something goes on, or is awaited that comes by itself.
    Working,
    /// Nothing new starts, since the user says so.
    Suspended,
    /// A person or a new release is needed.
    Stalled,
    /// The database is clean with this release, and not every target is let go yet.
    Opening,
    /// The database is clean with this release, and the gate is open.
    Clean,
    /// The pods of this release are replaced by those of the one before.
    RollingBack,
    /// They were, as far as that was possible.
    RolledBack,
}

/// The run's situation.
#[must_use]
pub fn of(status: &MigrationRunStatus, suspended: bool) -> Situation {
    if status.active_attempt().is_some() {
        Situation::Working
    } else if status.is_rolling_back() {
        Situation::RollingBack
    } else if status.rolled_back().is_some() {
        Situation::RolledBack
    } else if status.is_clean() && status.is_gate_open() {
        Situation::Clean
    } else if status.is_clean() && !suspended {
        Situation::Opening
    } else if status.is_stalled() {
        Situation::Stalled
    } else if suspended {
        Situation::Suspended
    } else {
        Situation::Working
    }
}

/// Fills in what is derived.
pub fn describe(status: &mut MigrationRunStatus, observed: &Observed) {
    let situation = of(status, observed.spec.suspended());
    let (step, reason, summary) = words(status, situation, observed.now);
    status.step = Some(step.to_owned());
    status.conditions = merge(&status.conditions, conditions(status, situation, &reason, &summary, observed));
    status.summary = Some(summary);
}

fn words(status: &MigrationRunStatus, situation: Situation, now: Timestamp) -> (&'static str, String, String) {
    match situation {
        Situation::Working => working(status, now),
        Situation::Opening => opening(status),
        Situation::Suspended => {
            ("Suspended", "Suspended".into(), "Suspended: nothing new starts until spec.suspend is false.".into())
        }
        Situation::Stalled => stalled(status),
        Situation::RollingBack | Situation::RolledBack => rolled_back(status),
        Situation::Clean => {
            let image = status.clean.as_ref().map_or("the release", |clean| clean.image.as_str());
            ("Succeeded", "Clean".into(), format!("The database is clean with {image}."))
        }
    }
}

fn opening(status: &MigrationRunStatus) -> (&'static str, String, String) {
    let awaits =
        |(reason, message): (String, String)| ("Release", reason, format!("The database is clean; {message}."));
    let waiting = status.waiting.as_ref().map(|waiting| (waiting.reason.clone(), waiting.message.clone()));
    awaits(waiting.unwrap_or_else(|| ("Release".into(), "the targets are let go".into())))
}

fn working(status: &MigrationRunStatus, now: Timestamp) -> (&'static str, String, String) {
    let waiting = status.waiting.as_ref().map(|waiting| (waiting.reason.clone(), waiting.message.clone()));
    if let Some(attempt) = status.active_attempt() {
        let triage = attempt.failure.is_some();
        let (step, what) = match (&attempt.check, triage) {
            (_, true) => ("Check", "asking the database what the failure has left"),
            (Some(_), false) => ("Check", "asking the database whether all is applied"),
            (None, false) if attempt.migrate.started_at.is_some() => ("Migrate", "migrating"),
            (None, false) => ("Migrate", "starting"),
        };
        return match waiting {
            Some((reason, message)) => {
                let summary = format!("Attempt {} of {}: cannot start: {message}", attempt.number, attempt.image);
                (step, reason, summary)
            }
            None => (step, step.into(), format!("Attempt {} of {}: {what}.", attempt.number, attempt.image)),
        };
    }
    match (waiting, &status.failure, &status.next_attempt_at) {
        (Some((reason, message)), ..) => ("Queued", reason, format!("Queued: {message}.")),
        (None, Some(failure), Some(at)) if at.0 > now => {
            let summary = format!("{}; the next attempt starts by itself at {}.", name_of(failure), at.0);
            ("Backoff", "RetryScheduled".into(), summary)
        }
        (None, Some(failure), _) => {
            ("Queued", "RetryAccepted".into(), format!("{}; the next attempt starts now.", name_of(failure)))
        }
        (None, None, _) => ("Queued", "Queued".into(), "Queued.".into()),
    }
}

/// How a retry is asked for, where the failure's own words do not say it.
const ASK: &str = "A retry is asked for by the annotation sluice.dev/retry with a new token.";

pub(super) fn stalled(status: &MigrationRunStatus) -> (&'static str, String, String) {
    let Some(failure) = &status.failure else {
        return ("AwaitRetry", "Unknown".into(), "Nothing is known of the failure.".into());
    };
    let step = match failure.branch.as_deref() {
        Some("B") => "AwaitPatch",
        Some("C") => "AwaitRelease",
        _ => "AwaitRetry",
    };
    let of = failure.migration.as_ref().map(|name| format!(" in migration {name}")).unwrap_or_default();
    let by_spec = failure.reason.as_deref() == Some("InvalidSpec");
    let way = if by_spec || failure.message.contains(labels::RETRY) { String::new() } else { format!(" {ASK}") };
    (step, failure.class.clone(), format!("{}{of}. {}{way}", name_of(failure), failure.message))
}

pub(super) fn name_of(failure: &Failure) -> String {
    match &failure.reason {
        Some(reason) => format!("{}/{reason}", failure.class),
        None => failure.class.clone(),
    }
}

/// The table of design section 11: a condition that is not in a row is absent.
fn conditions(
    status: &MigrationRunStatus,
    situation: Situation,
    reason: &str,
    summary: &str,
    observed: &Observed,
) -> Vec<Condition> {
    let now = Time(observed.now);
    let set =
        |kind: &str, value: Option<bool>| condition(kind, value, reason, summary, status.observed_generation, &now);
    let mut wanted = match situation {
        Situation::Working | Situation::Opening | Situation::RollingBack => {
            vec![set(READY, None), set(RECONCILING, Some(true)), set(SUCCEEDED, None), set(FINISHED, Some(false))]
        }
        Situation::Suspended => vec![set(READY, Some(false)), set(SUCCEEDED, None), set(FINISHED, Some(false))],
        Situation::Stalled | Situation::RolledBack => vec![
            set(READY, Some(false)),
            set(STALLED, Some(true)),
            set(SUCCEEDED, Some(false)),
            set(FINISHED, Some(true)),
        ],
        Situation::Clean => vec![set(READY, Some(true)), set(SUCCEEDED, Some(true)), set(FINISHED, Some(true))],
    };
    wanted.extend(super::warnings::degraded(status, &now));
    wanted.extend(gate(status, &now));
    wanted.extend(status.rolled_back().map(|_| {
        let (done, reason, message) = way_back(status);
        condition(ROLLED_BACK, Some(done), reason, &message, status.observed_generation, &now)
    }));
    wanted
}

/// Whether all targets have gone back; if not, what keeps them.
fn way_back(status: &MigrationRunStatus) -> (bool, &'static str, String) {
    use RollbackState::{Contested, Done, Failed, Impossible, Planned, UnderWay};
    let found = |states: &[RollbackState]| {
        let told = status.targets.iter().filter_map(|target| Some((&target.name, target.rollback.as_ref()?)));
        let told = told.filter(|(_, rollback)| states.contains(&rollback.state)).map(said);
        Some(told.collect::<Vec<_>>().join("; ")).filter(|told| !told.is_empty())
    };
    let order = [
        (&[Failed][..], false, "RollbackFailed"),
        (&[Contested], false, "Contested"),
        (&[Impossible], false, "NoWayBack"),
        (&[Planned, UnderWay], false, "RollingBack"),
        (&[Done], true, "RolledBack"),
    ];
    let first = order.into_iter().find_map(|(states, done, reason)| Some((done, reason, found(states)?)));
    first.unwrap_or_else(|| match status.is_rolling_back() {
        true => (false, "RollingBack", "Its targets are about to go back".to_owned()),
        false => (true, "RolledBack", "No target of this run has it any more".to_owned()),
    })
}

fn said((name, rollback): (&String, &TargetRollback)) -> String {
    let to = rollback.to.join(", ");
    match &rollback.message {
        Some(message) => format!("Deployment {name}: {message}"),
        None if rollback.state == RollbackState::Done => format!("Deployment {name} is back at {to}"),
        None => format!("Deployment {name} goes back to {to}"),
    }
}

pub(super) fn rolled_back(status: &MigrationRunStatus) -> (&'static str, String, String) {
    let (_, reason, message) = way_back(status);
    let image = status.release.as_ref().map_or("This release", |release| release.image.as_str());
    let why = status.rolled_back().map_or("", |record: &RollbackRecord| record.reason.as_str());
    if reason == "RollingBack" {
        return ("RollingBack", reason.into(), format!("{image} is rolled back, {why}. {message}."));
    }
    let way = "A fix is another image; sluice.dev/retry with a new token lets this one go again.";
    ("RolledBack", reason.into(), format!("{image} was rolled back, {why}. {message}. {way}"))
}

/// Whether the targets are let go; absent where there are none.
fn gate(status: &MigrationRunStatus, now: &Time) -> Option<Condition> {
    let mut told = status.targets.iter().filter(|target| target.message.is_some()).map(|target| {
        format!("Deployment {}: {:?}: {}", target.name, target.state, target.message.as_deref().unwrap_or_default())
    });
    let (open, reason) = match (status.is_gate_open(), status.is_clean()) {
        (true, _) => (true, "Approved"),
        (false, true) => (false, "Opening"),
        (false, false) => (false, "NotClean"),
    };
    let message = told.next().unwrap_or_else(|| "Every target may run this release.".to_owned());
    let message = told.fold(message, |all, one| format!("{all}; {one}"));
    let set = || condition(GATE_OPEN, Some(open), reason, &message, status.observed_generation, now);
    (!status.targets.is_empty()).then(set)
}
