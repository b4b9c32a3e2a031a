//! A run's life, told pass by pass; each rule as a table beside it, and the properties that hold for all that can be seen.

mod attempt;
pub(crate) mod gate;
mod objects;
mod properties;
pub(crate) mod release;
mod rollback;
mod world;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::observed::*;
use super::*;
use crate::api::migration_run::Database;
use crate::api::status::AttemptOutcome;
use crate::api::{MigrationRunSpec, MigrationRunStatus};
use crate::classify::{Confidence, Ending, Outcome, Reason, Step, Tool, Verdict};
use crate::status::{self, Applied};

fn spec() -> MigrationRunSpec {
    MigrationRunSpec {
        image: "shop:1".into(),
        database: Database { id: Some("shop".into()), ..Database::default() },
        ..MigrationRunSpec::default()
    }
}

pub(crate) fn observed() -> Observed {
    Observed {
        now: Timestamp::from_second(1_000_000).unwrap(),
        run: RunIdentity {
            namespace: "a".into(),
            name: "shop".into(),
            uid: "u".into(),
            generation: 1,
            ..RunIdentity::default()
        },
        spec: Arc::new(spec()),
        ..Observed::default()
    }
}

fn lease() -> Lock {
    Lock::Mine(Fence { name: "l".into(), uid: "lu".into(), resource_version: "1".into() })
}

/// One pass: decide, pretend that the API server acknowledged, put on record.
fn pass(seen: &mut Observed) -> Decision {
    let decision = decide(seen);
    let mut applied = Applied::default();
    for effect in &decision.effects {
        match effect {
            Effect::CreateMigrateJob { name, .. } | Effect::CreateCheckJob { name, .. } => {
                applied.jobs.insert(name.clone(), format!("uid-{name}"));
            }
            _ => {}
        }
    }
    seen.status = Arc::new(status::next(seen, &decision, &applied));
    decision
}

fn job(seen: &Observed, step: &str, container: ContainerSeen, suspended: bool) -> JobSeen {
    let number = seen.status.active_attempt().map_or(1, |attempt| attempt.number);
    let name = seen.job_name(step, number);
    JobSeen::Ours(Box::new(JobView {
        job: Fence { uid: format!("uid-{name}"), name, resource_version: "7".into() },
        suspended,
        resumed_at: (!suspended).then_some(seen.now),
        deadline: Some(2400),
        finished: false,
        failed: None,
        container,
    }))
}

pub(crate) fn ended(tool_says: &str, exit: i32, step: Step) -> ContainerSeen {
    let mut classifier = crate::classify::Classifier::new(Tool::Prisma, step);
    classifier.push(tool_says.as_bytes());
    let verdict = classifier.finish(Ending::Exited(exit));
    ContainerSeen::Ended(Box::new(Ended {
        started_at: None,
        ended_at: None,
        exit_code: Some(exit),
        image_id: None,
        verdict,
    }))
}

/// A run whose migrate Job was let go.
fn migrating() -> Observed {
    let mut seen = observed();
    pass(&mut seen);
    seen.lock = lease();
    pass(&mut seen);
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), true);
    let decision = pass(&mut seen);
    assert!(decision.effects.iter().any(Effect::irreversible));
    seen
}

/// A decision in a line: its effects, then its facts.
fn says(decision: &Decision) -> String {
    let effects = decision.effects.iter().map(|effect| effect.name().to_owned());
    let facts = decision.facts.iter().map(|fact| match fact {
        Fact::Waits(reason, _) => format!("Waits {reason}"),
        Fact::Failed(failure) => {
            format!("Failed {}/{}", failure.class, failure.reason.as_deref().unwrap_or("-"))
        }
        Fact::Concluded(outcome) => format!("Concluded {outcome:?}"),
        Fact::Triaged(triage) => format!("Triaged {}", triage.outcome),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    });
    effects.chain(facts).collect::<Vec<_>>().join(", ")
}

const APPLIED: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260101000000_init`\n\n\
    The following migration(s) have been applied:\n\nmigrations/\n  └─ 20260101000000_init/\n    └─ migration.sql\n\n\
    All migrations have been successfully applied.\n";
const UP_TO_DATE: &str = "1 migration found in prisma/migrations\n\nDatabase schema is up to date!\n";
const UNREACHABLE: &str = "Error: P1001: Can't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.\n";
const UNIQUE: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260102000000_unique`\nError: P3018\n\n\
    A migration failed to apply. New migrations cannot be applied before the error is recovered from. \
    Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n\
    Migration name: 20260102000000_unique\n\nDatabase error code: 23505\n\nDatabase error:\n\
    ERROR: could not create unique index \"users_email_key\"\nDETAIL: Key (email)=(x@example.org) is duplicated.\n";

#[test]
fn a_clean_run_takes_its_lock_and_lets_its_job_go_only_with_its_uid_on_record() {
    let mut seen = observed();
    let first = pass(&mut seen);
    assert!(first.effects.is_empty(), "the first pass only says that the run was seen");
    let lock = pass(&mut seen);
    assert!(matches!(lock.effects.as_slice(), [Effect::AcquireLock { .. }]));
    seen.lock = lease();
    let create = pass(&mut seen);
    assert!(matches!(create.effects.as_slice(), [Effect::CreateMigrateJob { attempt: 1, .. }]));
    let attempt = seen.status.active_attempt().unwrap().clone();
    assert_eq!(attempt.migrate.uid, format!("uid-{}", attempt.migrate.job));
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), true);
    assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::CreateBudget { .. }, Effect::ResumeJob(_)]));
}

#[test]
fn clean_is_believed_only_after_the_check_and_is_not_migrated_again() {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(APPLIED, 0, Step::Migrate), false);
    let check = pass(&mut seen);
    assert!(check.effects.iter().any(|effect| matches!(effect, Effect::CreateCheckJob { .. })));
    assert!(!seen.status.is_clean());
    seen.check = job(&seen, "check", ended(UP_TO_DATE, 0, Step::Check), false);
    pass(&mut seen);
    assert!(seen.status.is_clean());
    assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::ReleaseLock(_)]));
    seen.lock = Lock::Free;
    let before = seen.status.clone();
    let rest = pass(&mut seen);
    assert!(rest.effects.is_empty() && *before == *seen.status, "a converged run costs no writes");
}

#[test]
fn a_data_conflict_is_triaged_then_waits_for_a_person() {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(UNIQUE, 1, Step::Migrate), false);
    pass(&mut seen);
    let failure = seen.status.failure.clone().unwrap();
    assert_eq!((failure.class.as_str(), failure.migration.as_deref()), ("DataConflict", Some("20260102000000_unique")));
    assert!(!failure.evidence.join("\n").contains("x@example.org"));
    assert!(pass(&mut seen).effects.iter().any(|effect| matches!(effect, Effect::CreateCheckJob { .. })), "triage");
    seen.check =
        job(&seen, "check", ended("Following migration have failed:\n20260102000000_unique\n", 1, Step::Check), false);
    pass(&mut seen);
    assert!(seen.status.is_stalled());
    assert_eq!(seen.status.attempts[0].outcome, Some(AttemptOutcome::Failed));
    assert_eq!(seen.status.failure.as_ref().unwrap().triage.as_ref().unwrap().outcome, "Failed");
}

#[test]
fn an_unreachable_database_is_tried_again_by_itself_up_to_the_limit() {
    let mut seen = migrating();
    for number in 1..=10 {
        seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
        pass(&mut seen);
        assert_eq!(seen.status.release.as_ref().unwrap().retries, number);
        assert!(!seen.status.is_stalled());
        seen.migrate = JobSeen::Absent;
        assert!(pass(&mut seen).effects.is_empty(), "it waits");
        seen.now = seen.status.next_attempt_at.as_ref().unwrap().0;
        assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::CreateMigrateJob { .. }]));
        seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), true);
        pass(&mut seen);
    }
    seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
    pass(&mut seen);
    assert!(seen.status.is_stalled());
}

#[test]
fn what_was_interrupted_is_never_tried_again_by_itself() {
    for ending in [Ending::OomKilled, Ending::DeadlineExceeded, Ending::Signalled(9), Ending::Deleted, Ending::NodeLost]
    {
        let mut seen = migrating();
        let verdict = crate::classify::Classifier::new(Tool::Prisma, Step::Migrate).finish(ending);
        assert_eq!(verdict.outcome, Outcome::Failed, "{ending:?}");
        let end = Ended { started_at: None, ended_at: None, exit_code: None, image_id: None, verdict };
        seen.migrate = job(&seen, "migrate", ContainerSeen::Ended(Box::new(end)), false);
        pass(&mut seen);
        assert_eq!(seen.status.failure.as_ref().unwrap().class, "Interrupted", "{ending:?}");
        assert!(seen.status.next_attempt_at.is_none());
    }
}

#[test]
fn a_job_that_vanished_is_interrupted_not_repeated() {
    let mut seen = migrating();
    seen.migrate = JobSeen::Absent;
    let decision = pass(&mut seen);
    assert!(decision.effects.is_empty());
    assert_eq!(seen.status.failure.as_ref().unwrap().class, "Interrupted");
}

#[test]
fn a_retry_token_is_taken_once() {
    let mut seen = migrating();
    seen.migrate = JobSeen::Absent;
    pass(&mut seen);
    seen.check = job(&seen, "check", ended(UP_TO_DATE, 0, Step::Check), false);
    pass(&mut seen);
    assert!(seen.status.is_stalled());
    seen.check = JobSeen::Absent;
    seen.run.retry = Some(("t1".into(), Some("kubectl-annotate".into())));
    pass(&mut seen);
    assert_eq!(seen.status.retries[0].by.as_deref(), Some("kubectl-annotate"));
    assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::CreateMigrateJob { attempt: 2, .. }]));
    assert_eq!(seen.status.retries.len(), 1);
}

#[test]
fn a_pod_that_cannot_start_is_named_and_fails_at_the_deadline() {
    let mut seen = migrating();
    let trouble = Trouble { reason: Reason::SECRET_MISSING, message: "secret \"shop-db\" not found".into() };
    let JobSeen::Ours(mut view) = job(&seen, "migrate", ContainerSeen::Waiting(Some(trouble)), false) else {
        unreachable!()
    };
    seen.migrate = JobSeen::Ours(view.clone());
    let decision = pass(&mut seen);
    assert!(decision.effects.is_empty() && decision.requeue.is_some());
    assert_eq!(seen.status.waiting.as_ref().unwrap().reason, "SecretMissing");
    seen.now = seen.now.checked_add(jiff::SignedDuration::from_secs(601)).unwrap();
    assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::EndJob(_)]));
    (view.finished, view.deadline) = (true, Some(1));
    seen.migrate = JobSeen::Ours(view);
    pass(&mut seen);
    let failure = seen.status.failure.as_ref().unwrap();
    assert_eq!((failure.class.as_str(), failure.reason.as_deref()), ("Config", Some("SecretMissing")));
    assert!(seen.status.is_stalled());
}

#[test]
fn nobody_starts_beside_another_run_or_its_job() {
    let mut seen = observed();
    pass(&mut seen);
    seen.ahead = Some("b/first".into());
    assert!(pass(&mut seen).effects.is_empty());
    seen.ahead = None;
    seen.rival = Some("b/old-job".into());
    assert!(pass(&mut seen).effects.is_empty());
    let abandoned = Fence { name: "l".into(), uid: "x".into(), resource_version: "3".into() };
    seen.lock = Lock::Held { by: "b/gone".into(), abandoned: Some(abandoned) };
    assert!(pass(&mut seen).effects.is_empty(), "its Job still works");
    seen.rival = None;
    assert!(matches!(pass(&mut seen).effects.as_slice(), [Effect::ReleaseLock(_)]));
}

#[test]
fn a_new_generation_waits_for_the_running_job() {
    let mut seen = migrating();
    let mut other = spec();
    other.image = "shop:2".into();
    seen.spec = Arc::new(other);
    seen.run.generation = 2;
    seen.migrate = job(&seen, "migrate", ContainerSeen::Running(Some(seen.now)), false);
    pass(&mut seen);
    assert!(pass(&mut seen).effects.is_empty(), "nothing kills it");
    seen.migrate = job(&seen, "migrate", ended(APPLIED, 0, Step::Migrate), false);
    pass(&mut seen);
    assert_eq!(seen.status.attempts[0].outcome, Some(AttemptOutcome::Superseded));
    seen.migrate = JobSeen::Absent;
    pass(&mut seen);
    assert_eq!(seen.status.release.as_ref().unwrap().image, "shop:2");
}

#[test]
fn suspend_lets_nothing_new_start() {
    let mut seen = observed();
    let mut suspended = spec();
    suspended.suspend = Some(true);
    seen.spec = Arc::new(suspended);
    seen.lock = lease();
    for _ in 0..3 {
        assert!(!pass(&mut seen).effects.iter().any(|effect| matches!(effect, Effect::CreateMigrateJob { .. })));
    }
    assert_eq!(seen.status.step.as_deref(), Some("Suspended"));
}

#[test]
fn a_stranger_under_our_name_is_refused_and_reported() {
    let mut seen = observed();
    pass(&mut seen);
    seen.lock = lease();
    seen.migrate = JobSeen::Stranger("shop-migrate-1".into());
    let decision = pass(&mut seen);
    assert!(decision.effects.is_empty());
    assert!(seen.status.is_stalled());
    assert_eq!(seen.status.failure.as_ref().unwrap().reason.as_deref(), Some("JobNameTaken"));
}

#[test]
fn a_start_failure_that_time_mends_is_tried_again() {
    let mut seen = migrating();
    let verdict = Verdict::failed(Reason::IMAGE_PULL, Confidence::High, vec!["not found".into()]);
    let trouble = Trouble { reason: verdict.reason.unwrap(), message: "not found".into() };
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(Some(trouble)), false);
    pass(&mut seen);
    if let JobSeen::Ours(job) = &mut seen.migrate {
        (job.finished, job.deadline) = (true, Some(1));
    }
    pass(&mut seen);
    assert_eq!(seen.status.failure.as_ref().unwrap().reason.as_deref(), Some("ImagePull"));
    assert!(seen.status.next_attempt_at.is_some());
}

#[test]
fn a_job_that_only_a_sidecar_keeps_open_is_ended_whatever_else_is_done() {
    let mut seen = observed();
    seen.kept_open = vec![Fence { name: "open".into(), uid: "o".into(), resource_version: "1".into() }];
    let ends = |decision: &Decision| {
        decision.effects.iter().any(|effect| matches!(effect, Effect::EndJob(job) if job.name == "open"))
    };
    assert!(ends(&decide(&seen)));
    seen.kept_open.clear();
    assert!(!ends(&decide(&seen)));
}

#[test]
fn a_pod_that_outlives_its_job_is_waited_for() {
    let mut seen = observed();
    seen.lock = lease();
    pass(&mut seen);
    pass(&mut seen);
    assert!(seen.status.active_attempt().is_some());
    seen.orphan = Some("pod".into());
    let decision = decide(&seen);
    assert!(decision.effects.is_empty());
    assert!(matches!(decision.facts.as_slice(), [Fact::Waits(reason, _)] if reason == "PodStillRuns"));
    seen.orphan = None;
    assert!(decide(&seen).facts.iter().any(|fact| matches!(fact, Fact::Failed(_))));
}

#[test]
fn clean_is_void_once_another_release_has_started_and_not_ended_clean() {
    let (started, at) = (Some(Time(Timestamp::UNIX_EPOCH)), Time(Timestamp::UNIX_EPOCH));
    let digest = crate::api::release::release_digest(&spec(), "a");
    let attempt = |outcome| crate::api::status::Attempt {
        number: 1,
        generation: 1,
        image: String::new(),
        migrate: crate::api::status::StepRecord { started_at: started.clone(), ..Default::default() },
        check: None,
        outcome: Some(outcome),
        failure: None,
    };
    let mut status = MigrationRunStatus::default();
    let inputs = crate::api::release::inputs_digest(&spec(), "a");
    let record = crate::api::status::ReleaseRecord {
        image: "shop:1".into(),
        database_id: "shop".into(),
        digest: digest.clone(),
        inputs,
        generation: 3,
        queued_at: at.clone(),
        retries: 0,
    };
    status.release = Some(record);
    status.clean =
        Some(crate::api::status::CleanRecord { image: "shop:1".into(), database_id: "shop".into(), digest, at });
    status.attempts = vec![attempt(AttemptOutcome::Clean)];
    assert!(status.is_clean());
    status.attempts.push(attempt(AttemptOutcome::Failed));
    assert!(!status.is_clean(), "what the second release left is not known");
    // One that never started has changed nothing.
    status.attempts[1].migrate.started_at = None;
    assert!(status.is_clean());
}
