//! Migrations that fail: read from the real tool's log, kept on record, with their way on.

use k8s_openapi::api::batch::v1::Job;
use serde_json::json;

use crate::cluster::{self, undisturbed};
use crate::world::{World, condition, failure};

#[tokio::test]
async fn rows_in_the_way_are_a_data_conflict_and_block_the_run_after() {
    let _operator = undisturbed().await;
    let world = World::with_database("conflict").await;
    world.shop("shop", "1.1", json!({}));
    world.clean("shop").await;
    world.shop("shop", "1.2", json!({}));
    let status = world.stalled("shop").await;
    let failed = status.failure.clone().unwrap();
    assert_eq!(failure(&status), ("DataConflict".into(), "UniqueViolation".into()));
    assert_eq!(failed.migration.as_deref(), Some("20260302090000_unique_sku"));
    assert_eq!(failed.branch.as_deref(), Some("B"));
    assert_eq!(failed.exit_code, Some(1));
    assert!(failed.triage.is_some(), "the database was not asked");
    assert_eq!(failed_by(&status, "DataConflict"), 1, "{:?}", status.attempts);
    world.event("shop", "UniqueViolation").await;

    // The evidence outlives its Jobs.
    for job in world.job_names("shop").await {
        world.until::<Job>(&job, "the Job to end", ended).await;
        world.kubectl(&["delete", "job", &job]);
        world.until::<Job>(&job, "the Job to be gone", |job| job.is_none()).await;
    }
    let status = world.stalled("shop").await;
    assert!(!status.failure.unwrap().evidence.is_empty());

    world.retry("shop", "once");
    let blocked = world
        .status("shop", "Blocked", |status| failure(status).0 == "Blocked" && condition(status, "Stalled") == "True")
        .await;
    assert_eq!(failure(&blocked).1, "FailedMigrationRecorded");
    let failed = blocked.failure.unwrap();
    assert_eq!(failed.branch.as_deref(), Some("B"), "the way on is that of the first failure");
    assert_eq!(failed.code.as_deref(), Some("P3009"));
    assert_eq!(failed.migration.as_deref(), Some("20260302090000_unique_sku"), "the blocker is named");
}

#[tokio::test]
async fn invalid_sql_is_a_script_error() {
    let _operator = undisturbed().await;
    let world = World::with_database("invalid").await;
    world.shop("shop", "1.3", json!({}));
    let status = world.stalled("shop").await;
    assert_eq!(failure(&status).0, "ScriptError", "{:?}", status.failure);
    let failed = status.failure.clone().unwrap();
    assert_eq!(failed.migration.as_deref(), Some("20260316090000_add_stock"));
    assert_eq!(failed.branch.as_deref(), Some("C"));
    assert_eq!(status.step.as_deref(), Some("AwaitRelease"));
}

#[tokio::test]
async fn a_database_that_is_down_is_waited_for() {
    let _operator = undisturbed().await;
    let world = World::new("down").await;
    let namespace = world.namespace.clone();
    tokio::task::spawn_blocking(move || cluster::start_database(&namespace)).await.unwrap();
    world.kubectl(&["scale", "deployment/database", "--replicas=0"]);
    world.kubectl(&["wait", "pod", "-l", "app=database", "--for=delete", "--timeout=60s"]);
    world.shop("shop", "1.0", json!({ "recovery": { "retry": { "initialDelay": "2s", "maxDelay": "4s" } } }));
    let status = world.status("shop", "Backoff", |status| status.step.as_deref() == Some("Backoff")).await;
    assert_eq!(failure(&status).0, "Connectivity", "{:?}", status.failure);
    assert_eq!((condition(&status, "Reconciling").as_str(), condition(&status, "Stalled").as_str()), ("True", ""));
    assert!(status.next_attempt_at.is_some());
    world.kubectl(&["scale", "deployment/database", "--replicas=1"]);
    let status = world.clean("shop").await;
    assert!(status.attempts.len() >= 2 && status.failure.is_none());
}

#[tokio::test]
async fn retries_end_at_their_limit() {
    let _operator = undisturbed().await;
    let world = World::with_database("limit").await;
    world.secret(&cluster::url("limit", cluster::PASSWORD).replace(":5432", ":5433"));
    world.shop("shop", "1.0", json!({ "recovery": { "retry": { "limit": 1, "initialDelay": "1s" } } }));
    let status = world.stalled("shop").await;
    assert_eq!(failure(&status).0, "Connectivity");
    assert_eq!(status.attempts.len(), 2);
    assert!(status.summary.unwrap().contains("sluice.dev/retry"), "the way out is named");
}

#[tokio::test]
async fn a_wrong_password_waits_for_a_person_who_repairs_the_secret() {
    let _operator = undisturbed().await;
    let world = World::with_database("password").await;
    world.secret(&cluster::url("password", "a-wrong-password"));
    world.shop("shop", "1.0", json!({}));
    let status = world.stalled("shop").await;
    assert_eq!(failure(&status), ("Permission".into(), "AuthenticationFailed".into()), "{:?}", status.failure);
    assert_eq!(failed_by(&status, "Permission"), 1, "a wrong password was tried again");
    world.secret(&cluster::url("password", cluster::PASSWORD));
    world.retry("shop", "repaired");
    let status = world.clean("shop").await;
    assert_eq!(status.retries[0].token, "repaired");
    assert_eq!(status.retries[0].by.as_deref(), Some("kubectl-annotate"));
}

/// Attempts of this class. On a busy machine the database may not have answered before, which is tried again by itself.
fn failed_by(status: &sluice::api::MigrationRunStatus, class: &str) -> usize {
    status
        .attempts
        .iter()
        .filter_map(|attempt| attempt.failure.as_ref())
        .filter(|failure| failure.class == class)
        .count()
}

/// A Job that has not ended is not deleted, even if all its containers have.
fn ended(job: Option<&Job>) -> bool {
    let conditions = job.and_then(|job| job.status.as_ref()).and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| ["Complete", "Failed"].contains(&condition.type_.as_str()))
}
