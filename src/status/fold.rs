//! Each fact's mark on the record.

use jiff::{RoundMode, TimestampRound, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Applied;
use crate::api::MigrationRunStatus;
use crate::api::status::{
    ATTEMPTS_KEPT, Attempt, AttemptOutcome, GateStatus, ReleaseRecord, RollbackRecord, StepRecord, TOKENS_KEPT, Triage,
    Waiting,
};
use crate::decide::observed::Ended;
use crate::decide::{Fact, Observed};

/// Puts `facts` on record.
pub fn fold(status: &mut MigrationRunStatus, observed: &Observed, facts: &[Fact], applied: &Applied) {
    status.observed_generation = observed.run.generation;
    let before = status.waiting.take();
    for fact in facts {
        mark(status, observed, fact, applied);
    }
    if let Some(waiting) = &mut status.waiting
        && let Some(before) = before.filter(|before| before.reason == waiting.reason)
    {
        waiting.since = before.since;
    }
    forget(&mut status.attempts);
    for taken in [&mut status.retries, &mut status.rollbacks] {
        let surplus = taken.len().saturating_sub(TOKENS_KEPT);
        taken.drain(..surplus);
    }
}

/// Drops the oldest attempts, but never the last one that has run: what the database is taken for rests on it.
fn forget(attempts: &mut Vec<Attempt>) {
    let last = attempts.iter().rposition(Attempt::has_started);
    let surplus = attempts.len().saturating_sub(ATTEMPTS_KEPT);
    let first = last.filter(|last| *last < surplus).map(|last| attempts.remove(last));
    let surplus = attempts.len().saturating_sub(ATTEMPTS_KEPT - usize::from(first.is_some()));
    attempts.drain(..surplus);
    attempts.splice(..0, first);
}

fn mark(status: &mut MigrationRunStatus, observed: &Observed, fact: &Fact, applied: &Applied) {
    match fact {
        Fact::TakenUp(release) => take_up(status, release),
        Fact::InputsChanged(inputs) => {
            if let Some(release) = &mut status.release {
                release.inputs.clone_from(inputs);
            }
        }
        Fact::Waits(reason, message) => {
            status.waiting =
                Some(Waiting { reason: reason.clone(), message: message.clone(), since: Time(observed.now) });
        }
        Fact::AttemptBegun { number, job } => begin(status, observed, *number, job, applied),
        Fact::MigrateStarted(at) => {
            if let Some(attempt) = active(status) {
                attempt.migrate.started_at = Some(Time(at.unwrap_or(observed.now)));
            }
        }
        Fact::MigrateEnded(ended) => {
            if let Some(attempt) = active(status) {
                end(&mut attempt.migrate, ended, observed);
            }
        }
        Fact::CheckBegun { job } => check_begun(status, observed, job, applied),
        Fact::CheckEnded(ended) => {
            if let Some(check) = active(status).and_then(|attempt| attempt.check.as_mut()) {
                end(check, ended, observed);
            }
        }
        Fact::Failed(failure) => {
            if let Some(attempt) = active(status) {
                attempt.failure = Some((**failure).clone());
            }
            status.failure = Some((**failure).clone());
            status.next_attempt_at = None;
        }
        Fact::Triaged(triage) => triaged(status, triage),
        Fact::Concluded(outcome) => {
            if let Some(attempt) = active(status) {
                attempt.outcome = Some(*outcome);
            }
            if *outcome == AttemptOutcome::Clean {
                status.failure = None;
            }
        }
        Fact::RetryAt(at) => retry_at(status, *at, observed),
        Fact::Clean(clean) => status.clean = Some(clean.clone()),
        Fact::RetryTaken(taken) => status.retries.push(taken.clone()),
        Fact::RollbackTaken(taken) => status.rollbacks.push(taken.clone()),
        Fact::RolledBack(record) => status.rollback = Some(record.clone()),
        Fact::RollbackLifted => {
            if let Some(rollback) = &mut status.rollback {
                rollback.lifted = true;
            }
        }
        Fact::Targets(targets) => {
            status.targets.clone_from(targets);
            let gate = GateStatus { enforcement: observed.enforcement };
            status.gate = (!targets.is_empty()).then_some(gate);
        }
    }
}

fn take_up(status: &mut MigrationRunStatus, release: &ReleaseRecord) {
    status.release = Some(release.clone());
    // Taken up anew, it is wanted anew.
    let again = |record: &&mut RollbackRecord| record.targets.iter().any(|target| target.image == release.image);
    if let Some(record) = status.rollback.as_mut().filter(again) {
        record.lifted = true;
    }
    status.failure = None;
    status.next_attempt_at = None;
}

fn triaged(status: &mut MigrationRunStatus, triage: &Triage) {
    if let Some(failure) = active(status).and_then(|attempt| attempt.failure.as_mut()) {
        failure.triage = Some(triage.clone());
    }
    if let Some(failure) = &mut status.failure {
        failure.triage = Some(triage.clone());
    }
}

fn active(status: &mut MigrationRunStatus) -> Option<&mut Attempt> {
    let generation = status.release.as_ref()?.generation;
    status.attempts.last_mut().filter(|attempt| attempt.generation == generation && attempt.outcome.is_none())
}

fn begin(status: &mut MigrationRunStatus, observed: &Observed, number: i32, job: &str, applied: &Applied) {
    let Some(release) = &status.release else { return };
    let Some(uid) = applied.jobs.get(job) else { return };
    status.attempts.push(Attempt {
        number,
        generation: release.generation,
        image: release.image.clone(),
        migrate: StepRecord {
            job: job.to_owned(),
            uid: uid.clone(),
            created_at: Some(Time(observed.now)),
            ..StepRecord::default()
        },
        check: None,
        outcome: None,
        failure: None,
    });
    status.next_attempt_at = None;
}

fn check_begun(status: &mut MigrationRunStatus, observed: &Observed, job: &str, applied: &Applied) {
    let Some(uid) = applied.jobs.get(job) else { return };
    if let Some(attempt) = active(status) {
        attempt.check = Some(StepRecord {
            job: job.to_owned(),
            uid: uid.clone(),
            created_at: Some(Time(observed.now)),
            ..StepRecord::default()
        });
    }
}

fn end(step: &mut StepRecord, ended: &Ended, observed: &Observed) {
    if step.started_at.is_none() {
        step.started_at = ended.started_at.map(Time);
    }
    step.ended_at = Some(Time(ended.ended_at.unwrap_or(observed.now)));
    step.exit_code = ended.exit_code;
    step.image_id.clone_from(&ended.image_id);
}

/// A retry by Sluice itself counts against the limit; one that a person asked for (at once, now) starts the count again.
fn retry_at(status: &mut MigrationRunStatus, at: jiff::Timestamp, observed: &Observed) {
    status.next_attempt_at = Some(stored(at, observed.now));
    if let Some(release) = &mut status.release {
        release.retries = if at > observed.now { release.retries.saturating_add(1) } else { 0 };
    }
}

/// A time as the API server keeps it, in whole seconds: what the summary says of it must not change when it is read back.
/// What is to come is rounded up, since a database that is down gains nothing from an attempt that is early.
fn stored(at: jiff::Timestamp, now: jiff::Timestamp) -> Time {
    let mode = if at > now { RoundMode::Ceil } else { RoundMode::Floor };
    Time(at.round(TimestampRound::new().smallest(Unit::Second).mode(mode)).unwrap_or(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_attempt_that_ran_is_never_forgotten() {
        let attempt = |number: i32, ran: bool| Attempt {
            number,
            generation: 1,
            image: String::new(),
            migrate: StepRecord {
                started_at: ran.then_some(Time(jiff::Timestamp::UNIX_EPOCH)),
                ..StepRecord::default()
            },
            check: None,
            outcome: None,
            failure: None,
        };
        let kept = |ran: &[i32], count: i32| {
            let mut attempts: Vec<Attempt> = (1..=count).map(|number| attempt(number, ran.contains(&number))).collect();
            forget(&mut attempts);
            attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>()
        };
        assert_eq!(kept(&[1], 3), [1, 2, 3]);
        assert_eq!(kept(&[1, 2], 14), [2, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(kept(&[9], 14), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(kept(&[], 12), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    }

    proptest! {
        #[test]
        fn the_time_of_the_next_attempt_reads_back_as_it_was_written(now in 0_i64..1 << 50, delay in 0_i64..1 << 40) {
            let now = jiff::Timestamp::from_microsecond(now).unwrap();
            let at = now + jiff::SignedDuration::from_micros(delay);
            let on_record = stored(at, now);
            let read: Time = serde_json::from_value(serde_json::json!(on_record)).unwrap();
            prop_assert_eq!(&read, &on_record);
            prop_assert_eq!(on_record.0 > now, delay > 0, "at once stays at once, later stays later");
        }
    }
}
