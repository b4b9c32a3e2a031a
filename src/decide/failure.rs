//! From a verdict to a failure on record, and to what follows from it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::observed::{Ended, Observed, Trouble};
use crate::api::status::Failure;
use crate::classify::{Class, Confidence, Outcome, Reason, Verdict};

/// What a check that was ended from outside means, and the way on.
const LOST_ANSWER: &str = "The check was ended from outside and its answer is lost; migrate had ended well. Set the annotation \
                           sluice.dev/retry to a new token to run both again.";

/// The failure that a step's end means.
#[must_use]
pub fn of_step(step: &str, attempt: i32, ended: &Ended, now: Timestamp) -> Failure {
    Failure {
        exit_code: ended.exit_code,
        at: Some(Time(ended.ended_at.unwrap_or(now))),
        ..of_verdict(step, attempt, &ended.verdict)
    }
}

/// The failure of a pod that did not start in time.
#[must_use]
pub fn of_start(step: &str, attempt: i32, trouble: Option<&Trouble>, now: Timestamp) -> Failure {
    let (reason, message) = match trouble {
        Some(trouble) => (trouble.reason.clone(), trouble.message.clone()),
        None => (Reason::START_DEADLINE, "the pod did not start in time, and nothing says why".to_owned()),
    };
    let verdict = Verdict::failed(reason, Confidence::High, vec![message]);
    Failure { at: Some(Time(now)), ..of_verdict(step, attempt, &verdict) }
}

/// The failure of a migration whose end nobody saw.
#[must_use]
pub fn unseen_end(reason: Reason, attempt: i32, what: &str, now: Timestamp) -> Failure {
    let verdict = Verdict::failed(reason, Confidence::Low, vec![what.to_owned()]);
    Failure { at: Some(Time(now)), ..of_verdict("Migrate", attempt, &verdict) }
}

/// The same of a check, which changes nothing: an answer that is lost, no more.
#[must_use]
pub fn as_check(failure: Failure) -> Failure {
    Failure { step: "Check".to_owned(), message: LOST_ANSWER.to_owned(), ..failure }
}

/// The failure of a spec that cannot be obeyed.
#[must_use]
pub fn of_spec(message: &str, now: Timestamp) -> Failure {
    Failure {
        class: Class::Config.to_string(),
        reason: Some("InvalidSpec".to_owned()),
        branch: Some("A".to_owned()),
        confidence: Some(Confidence::High.to_string()),
        message: message.to_owned(),
        step: "Preflight".to_owned(),
        at: Some(Time(now)),
        ..Failure::default()
    }
}

/// The failure of a Job's name that is taken by something else.
#[must_use]
pub fn of_taken_name(step: &str, job: &str, attempt: i32, now: Timestamp) -> Failure {
    Failure {
        class: Class::Config.to_string(),
        reason: Some("JobNameTaken".to_owned()),
        branch: Some("A".to_owned()),
        confidence: Some(Confidence::High.to_string()),
        message: format!(
            "a Job named {job} exists that this run does not own; it is left alone. Delete or rename it, then set the annotation \
             sluice.dev/retry to a new token"
        ),
        step: step.to_owned(),
        attempt,
        at: Some(Time(now)),
        ..Failure::default()
    }
}

/// A migration that the tool has on record as failed without a word was cut off by something, unless this run saw it fail
/// and knows why: then it blocks, and the way on is that of its first failure.
#[must_use]
pub fn with_what_is_known(observed: &Observed, failed: Failure) -> Failure {
    let silent = failed.reason.as_deref() == Some(Reason::FAILED_WITHOUT_LOG.as_str()) && failed.migration.is_some();
    let earlier = observed.status.attempts.iter().rev().filter_map(|attempt| attempt.failure.as_ref());
    let mut judged = earlier.filter(|earlier| earlier.migration == failed.migration && first_cause(earlier));
    let Some(earlier) = judged.next().filter(|_| silent) else { return failed };
    let blocked = Verdict::failed(Reason::FAILED_MIGRATION_RECORDED, Confidence::High, Vec::new());
    let blocked = of_verdict(&failed.step, failed.attempt, &blocked);
    let name = earlier.reason.as_deref().unwrap_or(&earlier.class);
    let message = format!("{} It failed before, in attempt {}: {name}.", blocked.message, earlier.attempt);
    Failure {
        class: blocked.class,
        reason: blocked.reason,
        branch: earlier.branch.clone(),
        confidence: blocked.confidence,
        message,
        ..failed
    }
}

/// What a migration fails by itself, as opposed to what ends it or follows from an earlier failure.
fn first_cause(failure: &Failure) -> bool {
    [Class::DataConflict, Class::ScriptError, Class::Permission].iter().any(|class| failure.class == class.to_string())
}

/// Whether Sluice tries again by itself: only where nothing but time was missing and no SQL can have been executed.
#[must_use]
pub fn retried(failure: &Failure) -> bool {
    failure.retryable && [Class::Connectivity, Class::Runtime].iter().any(|class| failure.class == class.to_string())
}

/// A failure that would be tried again by itself, but has been often enough.
#[must_use]
pub fn exhausted(failure: Failure) -> Failure {
    const BY_ITSELF: &str = "the same release is tried again by itself.";
    const NO_MORE: &str = "no retry is left, so set the annotation sluice.dev/retry to a new token.";
    let message = match failure.message.strip_suffix(BY_ITSELF) {
        Some(before) => format!("{before}{NO_MORE}"),
        None => format!("{} Here {NO_MORE}", failure.message),
    };
    Failure { message, ..failure }
}

/// Whether the database is asked after the failure, before a person is.
#[must_use]
pub fn needs_triage(failure: &Failure) -> bool {
    const ASKED: [Class; 5] =
        [Class::DataConflict, Class::ScriptError, Class::Blocked, Class::Interrupted, Class::Unknown];
    failure.step == "Migrate" && ASKED.iter().any(|class| failure.class == class.to_string())
}

/// Whether `migrate` may be believed so far: it ended well, or it found nothing to do and that is allowed.
#[must_use]
pub fn migrate_ended_well(observed: &Observed, ended: &Ended) -> bool {
    match ended.verdict.outcome {
        Outcome::Succeeded => true,
        _ => {
            observed.spec.allow_empty()
                && ended.exit_code == Some(0)
                && ended.verdict.reason == Some(Reason::NO_MIGRATIONS)
        }
    }
}

/// Whether `check` says that the database is clean.
#[must_use]
pub fn check_is_clean(observed: &Observed, ended: &Ended) -> bool {
    migrate_ended_well(observed, ended)
}

fn of_verdict(step: &str, attempt: i32, verdict: &Verdict) -> Failure {
    let class = verdict.class.unwrap_or(Class::Unknown);
    let branch = verdict.branch.unwrap_or_else(|| class.branch());
    Failure {
        class: class.to_string(),
        reason: verdict.reason.as_ref().map(|reason| reason.as_str().to_owned()),
        code: verdict.code.clone(),
        sql_state: verdict.sql_state.clone(),
        migration: verdict.migration.clone(),
        retryable: verdict.retryable,
        branch: Some(branch.to_string()),
        confidence: Some(verdict.confidence.to_string()),
        message: if step == "Check" && class == Class::Interrupted { LOST_ANSWER.to_owned() } else { message(verdict) },
        evidence: verdict.evidence.clone(),
        step: step.to_owned(),
        attempt,
        ..Failure::default()
    }
}

/// What it means, and the way on.
fn message(verdict: &Verdict) -> String {
    match (&verdict.outcome, &verdict.reason) {
        (Outcome::Pending, _) => "check says that migrations are still pending after migrate ended with 0: compare what both \
                                  commands look at, then set the annotation sluice.dev/retry to a new token"
            .to_owned(),
        (_, Some(reason)) => {
            let entry = reason.entry();
            format!("{} {}", entry.meaning, entry.way_out)
        }
        (_, None) => "The log does not say what failed, or contradicts itself. Read the evidence, look at the database, then ship \
                      a corrected release or set the annotation sluice.dev/retry to a new token."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::reason::REASONS;

    #[test]
    fn no_failure_that_is_not_tried_again_says_that_it_is() {
        for entry in REASONS {
            let verdict = Verdict::failed(Reason::custom(entry.name), Confidence::High, Vec::new());
            let failure = of_verdict("Migrate", 1, &verdict);
            let by_itself = |failure: &Failure| failure.message.contains("by itself");
            assert!(retried(&failure) || !by_itself(&failure), "{}", failure.message);
            let last = exhausted(failure);
            assert!(!by_itself(&last) && last.message.contains("sluice.dev/retry"), "{}", last.message);
        }
    }

    #[test]
    fn a_silent_record_of_a_migration_that_this_run_saw_fail_blocks_by_the_first_cause() {
        let of = |reason: Reason, migration: &str| Failure {
            migration: Some(migration.into()),
            ..of_verdict("Migrate", 1, &Verdict::failed(reason, Confidence::High, Vec::new()))
        };
        let seen = |earlier: Failure| {
            let mut seen = crate::decide::tests::observed();
            let attempt = crate::api::status::Attempt {
                number: 1,
                generation: 1,
                image: String::new(),
                migrate: Default::default(),
                check: None,
                outcome: None,
                failure: Some(earlier),
            };
            std::sync::Arc::make_mut(&mut seen.status).attempts.push(attempt);
            seen
        };
        let silent = || of(Reason::FAILED_WITHOUT_LOG, "a");
        let known = with_what_is_known(&seen(of(Reason::UNIQUE_VIOLATION, "a")), silent());
        assert_eq!((known.class.as_str(), known.branch.as_deref()), ("Blocked", Some("B")));
        for earlier in [of(Reason::UNIQUE_VIOLATION, "b"), of(Reason::KILLED, "a")] {
            assert_eq!(with_what_is_known(&seen(earlier), silent()), silent());
        }
    }

    #[test]
    fn only_what_cannot_have_executed_sql_is_tried_again() {
        for entry in REASONS {
            let verdict = Verdict::failed(Reason::custom(entry.name), Confidence::High, Vec::new());
            let failure = of_verdict("Migrate", 1, &verdict);
            let outside = matches!(entry.class, Class::Connectivity | Class::Runtime);
            assert_eq!(retried(&failure), entry.retryable && outside, "{}", entry.name);
            assert_eq!(needs_triage(&failure), !outside && !matches!(entry.class, Class::Permission | Class::Config));
            assert!(!needs_triage(&of_verdict("Check", 1, &verdict)), "a check is not asked about itself");
        }
    }
}
