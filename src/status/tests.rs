//! What people and GitOps tools read, for each row of the contract's table.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::announce::announcements;
use super::{Applied, next};
use crate::api::MigrationRunSpec;
use crate::api::migration_run::Database;
use crate::classify::{Reason, Step};
use crate::decide::observed::{ContainerSeen, Fence, JobSeen, JobView, Lock, Observed, RunIdentity, Trouble};
use crate::decide::tests::ended;
use crate::decide::{Effect, decide};

const APPLIED: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260101000000_init`\n\n\
    The following migration(s) have been applied:\n\nmigrations/\n  └─ 20260101000000_init/\n    └─ migration.sql\n\n\
    All migrations have been successfully applied.\n";
const UP_TO_DATE: &str = "1 migration found in prisma/migrations\n\nDatabase schema is up to date!\n";
const UNREACHABLE: &str = "Error: P1001: Can't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.\n";
const DENIED: &str = "Error: P1000: Authentication failed against database server, the provided database credentials for `shop` are not valid.\n";
const UNIQUE: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260102000000_unique`\nError: P3018\n\n\
    A migration failed to apply. New migrations cannot be applied before the error is recovered from. \
    Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve\n\n\
    Migration name: 20260102000000_unique\n\nDatabase error code: 23505\n\nDatabase error:\n\
    ERROR: could not create unique index \"users_email_key\"\nDETAIL: Key (email)=(x@example.org) is duplicated.\n";
const FAILED: &str = "Following migration have failed:\n20260102000000_unique\n";

fn spec() -> MigrationRunSpec {
    MigrationRunSpec {
        image: "ghcr.io/acme/shop:2.41.0".into(),
        database: Database { id: Some("prod/shop".into()), ..Database::default() },
        ..MigrationRunSpec::default()
    }
}

fn lease() -> Lock {
    Lock::Mine(Fence { name: "l".into(), uid: "lu".into(), resource_version: "1".into() })
}

fn unseen() -> Observed {
    Observed {
        now: Timestamp::from_second(1_800_000_000).unwrap(),
        run: RunIdentity {
            namespace: "shop".into(),
            name: "shop".into(),
            uid: "u".into(),
            generation: 1,
            ..RunIdentity::default()
        },
        spec: Arc::new(spec()),
        ..Observed::default()
    }
}

/// A pass, a second later than the one before; and what is announced of it.
fn pass(seen: &mut Observed) -> Vec<String> {
    seen.now = seen.now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
    let decision = decide(seen);
    let created = decision.effects.iter().filter_map(|effect| match effect {
        Effect::CreateMigrateJob { name, .. } | Effect::CreateCheckJob { name, .. } => Some(name.clone()),
        _ => None,
    });
    let applied = Applied { jobs: created.map(|name| (name.clone(), format!("uid-{name}"))).collect() };
    let before = seen.status.clone();
    seen.status = Arc::new(next(seen, &decision, &applied));
    let said = announcements(&decision.facts, &before, &seen.status);
    said.into_iter()
        .map(|said| format!("{} {}: {}", if said.warning { "Warning" } else { "Normal" }, said.reason, said.note))
        .collect()
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

fn queued() -> Observed {
    let mut seen = unseen();
    pass(&mut seen);
    seen
}

fn starting() -> Observed {
    let mut seen = queued();
    seen.lock = lease();
    pass(&mut seen);
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), true);
    pass(&mut seen);
    seen
}

fn migrating() -> Observed {
    let mut seen = starting();
    seen.migrate = job(&seen, "migrate", ContainerSeen::Running(None), false);
    pass(&mut seen);
    seen
}

fn migrated(text: &str, exit: i32) -> Observed {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(text, exit, Step::Migrate), false);
    pass(&mut seen);
    seen
}

/// A run that may not try again by itself.
fn exhausted() -> Observed {
    let mut seen = migrating();
    let mut status = (*seen.status).clone();
    status.release.as_mut().unwrap().retries = 10;
    seen.status = Arc::new(status);
    seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
    pass(&mut seen);
    seen
}

fn checked(text: &str, exit: i32) -> Observed {
    let mut seen = migrated(APPLIED, 0);
    seen.check = job(&seen, "check", ended(text, exit, Step::Check), false);
    pass(&mut seen);
    seen
}

fn conflict() -> Observed {
    let mut seen = migrated(UNIQUE, 1);
    pass(&mut seen);
    seen.check = job(&seen, "check", ended(FAILED, 1, Step::Check), false);
    pass(&mut seen);
    seen
}

fn with(mut seen: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
    change(&mut seen);
    pass(&mut seen);
    seen
}

fn suspend(seen: &mut Observed) {
    seen.spec = Arc::new(MigrationRunSpec { suspend: Some(true), ..spec() });
    seen.run.generation = 2;
}

/// What people see: step, summary, and the conditions in a line each.
fn reads(seen: &Observed) -> Value {
    let conditions: Vec<String> = seen
        .status
        .conditions
        .iter()
        .map(|condition| format!("{}={} {}", condition.type_, condition.status, condition.reason))
        .collect();
    let waiting = seen.status.waiting.as_ref().map(|waiting| format!("{}: {}", waiting.reason, waiting.message));
    json!({ "step": seen.status.step, "summary": seen.status.summary, "conditions": conditions, "waiting": waiting })
}

#[test]
fn what_people_read_in_each_situation() {
    let trouble =
        |reason: Reason, message: &str| ContainerSeen::Waiting(Some(Trouble { reason, message: message.to_owned() }));
    let secret = |seen: &mut Observed| {
        let container = trouble(Reason::SECRET_MISSING, "container migrate: secret \"shop-db\" not found");
        seen.migrate = job(seen, "migrate", container, false);
    };
    let held = |seen: &mut Observed| seen.lock = Lock::Held { by: "shop/other".into(), abandoned: None };
    let refused = |seen: &mut Observed| seen.refusal = Some("podTemplate.spec.hostPID is not allowed: because".into());
    let interrupted = |seen: &mut Observed| seen.migrate = JobSeen::Absent;
    let retry = |seen: &mut Observed| seen.run.retry = Some(("t1".into(), Some("kubectl-annotate".into())));
    let table = [
        ("taken up", queued()),
        ("queued behind another", with(queued(), held)),
        ("starting", starting()),
        ("waiting for a Secret", with(starting(), secret)),
        ("migrating", migrating()),
        ("migrating, suspended meanwhile", with(migrating(), suspend)),
        ("checking", migrated(APPLIED, 0)),
        ("clean", checked(UP_TO_DATE, 0)),
        ("clean, and suspended", with(checked(UP_TO_DATE, 0), suspend)),
        ("retrying by itself", migrated(UNREACHABLE, 1)),
        ("retrying by itself, suspended", with(migrated(UNREACHABLE, 1), suspend)),
        ("no retry is left", exhausted()),
        (
            "the retry is due, another has the database",
            with(migrated(UNREACHABLE, 1), |seen| {
                (seen.migrate, seen.now) = (JobSeen::Absent, seen.status.next_attempt_at.as_ref().unwrap().0);
                held(seen);
            }),
        ),
        ("suspended", with(queued(), suspend)),
        ("asking the database after a failure", migrated(UNIQUE, 1)),
        ("data conflict", conflict()),
        ("permission", migrated(DENIED, 1)),
        ("the check disagrees", checked(FAILED, 1)),
        (
            "interrupted",
            with(with(migrating(), interrupted), |seen| {
                seen.check = job(seen, "check", ended("", 1, Step::Check), false)
            }),
        ),
        ("the spec is refused", with(queued(), refused)),
        ("a retry was asked for", with(migrated(DENIED, 1), retry)),
    ];
    let page: serde_json::Map<String, Value> =
        table.iter().map(|(name, seen)| ((*name).to_owned(), reads(seen))).collect();
    insta::assert_yaml_snapshot!(page);
}

#[test]
fn the_whole_status_of_a_conflict() {
    insta::assert_yaml_snapshot!(*conflict().status);
}

#[test]
fn the_whole_status_of_a_clean_run() {
    insta::assert_yaml_snapshot!(*checked(UP_TO_DATE, 0).status);
}

#[test]
fn the_table_of_conditions_is_kept() {
    // Ready, Reconciling, Stalled, Succeeded, Finished; a dash: absent.
    let table = [
        ("taken up", queued(), "? T - ? F"),
        ("starting", starting(), "? T - ? F"),
        ("migrating", migrating(), "? T - ? F"),
        ("retrying by itself", migrated(UNREACHABLE, 1), "? T - ? F"),
        ("suspended", with(queued(), suspend), "F - - ? F"),
        ("suspended while it runs", with(migrating(), suspend), "? T - ? F"),
        ("stalled", conflict(), "F - T F T"),
        ("clean", checked(UP_TO_DATE, 0), "T - - T T"),
    ];
    for (situation, seen, wanted) in table {
        let row = ["Ready", "Reconciling", "Stalled", "Succeeded", "Finished"].map(|kind| {
            let condition = seen.status.conditions.iter().find(|condition| condition.type_ == kind);
            condition.map_or("-", |condition| match condition.status.as_str() {
                "True" => "T",
                "False" => "F",
                _ => "?",
            })
        });
        assert_eq!(row.join(" "), wanted, "{situation}");
        for condition in &seen.status.conditions {
            assert_eq!(condition.observed_generation, Some(seen.run.generation), "{situation}");
            assert!(condition.reason.starts_with(|first: char| first.is_ascii_alphabetic()), "{situation}");
            assert!(condition.reason.chars().all(|each| each.is_ascii_alphanumeric()), "{situation}");
        }
        let ready = seen.status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        let class = seen.status.failure.as_ref().map(|failure| failure.class.clone());
        assert!(!seen.status.is_stalled() || class == Some(ready.reason.clone()), "{situation}");
    }
}

#[test]
fn a_condition_keeps_the_time_of_its_last_change() {
    let time = |seen: &Observed, kind: &str| {
        let condition = seen.status.conditions.iter().find(|condition| condition.type_ == kind).cloned();
        condition.unwrap().last_transition_time
    };
    let mut seen = queued();
    let first = time(&seen, "Ready");
    seen.lock = lease();
    pass(&mut seen);
    assert_eq!(time(&seen, "Ready"), first, "Unknown still");
    let done = checked(UP_TO_DATE, 0);
    assert_eq!(time(&done, "Ready"), Time(done.now));
    assert_ne!(time(&done, "Ready"), first);
}

#[test]
fn what_is_awaited_is_dated_from_its_beginning() {
    let held = |by: &'static str| move |seen: &mut Observed| seen.lock = Lock::Held { by: by.into(), abandoned: None };
    let seen = with(queued(), held("shop/a"));
    let since = seen.status.waiting.as_ref().unwrap().since.clone();
    let seen = with(seen, held("shop/b"));
    let waiting = seen.status.waiting.as_ref().unwrap();
    assert_eq!(waiting.since, since);
    assert!(waiting.message.contains("shop/b"));
    assert!(with(seen, |seen| seen.lock = lease()).status.waiting.is_none());
}

#[test]
fn only_the_last_attempts_are_kept() {
    let mut seen = migrating();
    for number in 1..=15 {
        seen.migrate = job(&seen, "migrate", ended(DENIED, 1, Step::Migrate), false);
        pass(&mut seen);
        seen.migrate = JobSeen::Absent;
        seen.run.retry = Some((format!("t{number}"), None));
        pass(&mut seen);
        pass(&mut seen);
    }
    assert_eq!(seen.status.attempts.len(), 10);
    assert_eq!(seen.status.attempts.last().map(|attempt| attempt.number), Some(16));
    assert_eq!(seen.status.retries.len(), 15);
}

#[test]
fn each_fact_is_announced_once() {
    let mut seen = queued();
    let held = Lock::Held { by: "shop/other".into(), abandoned: None };
    seen.lock = held;
    let mut said = vec![pass(&mut seen), pass(&mut seen)];
    seen.lock = lease();
    said.push(pass(&mut seen));
    seen.migrate = job(&seen, "migrate", ContainerSeen::Running(None), false);
    said.push(pass(&mut seen));
    said.push(pass(&mut seen));
    seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
    said.push(pass(&mut seen));
    insta::assert_yaml_snapshot!(said);
}

#[test]
fn no_row_value_reaches_the_status_or_an_event() {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(UNIQUE, 1, Step::Migrate), false);
    let said = pass(&mut seen).join("\n");
    let status = serde_json::to_string(&*seen.status).unwrap();
    assert!(!said.contains("x@example.org") && !status.contains("x@example.org"));
}
