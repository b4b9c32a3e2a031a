//! One run at a time per database, and Jobs that are not ours.

use serde_json::json;

use crate::cluster::undisturbed;
use crate::world::{World, failure};

#[tokio::test]
async fn two_runs_of_one_database_from_two_namespaces_go_one_after_the_other() {
    let _operator = undisturbed().await;
    let (one, two) = (World::new("first").await, World::new("second").await);
    let database = json!({ "database": { "id": "e2e/shared" } });
    let script = "echo begun; sleep 3; echo ended";
    one.script("app", script, database.clone());
    one.migrating("app", 1).await;
    two.script("app", script, database);
    let waiting = two.status("app", "its turn to be awaited", |status| {
        status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "DatabaseBusy")
    });
    assert!(waiting.await.summary.unwrap().contains("e2e-first/app"), "who has the database is named");
    let first = one.clean("app").await;
    let second = two.clean("app").await;
    let ended = first.attempts[0].check.as_ref().unwrap().ended_at.as_ref().unwrap().0;
    let started = second.attempts[0].migrate.started_at.as_ref().unwrap().0;
    assert!(started >= ended, "the second began at {started}, before the first was done at {ended}");
}

#[tokio::test]
async fn a_job_under_our_name_that_is_not_ours_is_left_alone() {
    let _operator = undisturbed().await;
    let world = World::new("stranger").await;
    world.script("app", "true", json!({ "suspend": true }));
    let uid = world.kubectl(&["get", "mrun", "app", "-o", "jsonpath={.metadata.uid}"]);
    // The name of its first Job in its second generation, in which it is no longer suspended.
    let name = sluice::api::names::job("app", &uid, 2, "migrate", 1);
    world.kubectl(&["create", "job", &name, "--image=localhost/busybox:1", "--", "sleep", "600"]);
    let before = world.kubectl(&["get", "job", &name, "-o", "jsonpath={.metadata.uid}{.spec}"]);
    world.kubectl(&[
        "patch",
        "mrun",
        "app",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":false,"migrate":{"command":["echo"]}}}"#,
    ]);
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Config".into(), "JobNameTaken".into()), "{:?}", status.failure);
    assert_eq!(world.kubectl(&["get", "job", &name, "-o", "jsonpath={.metadata.uid}{.spec}"]), before);
    world.kubectl(&["delete", "job", &name]);
    world.retry("app", "renamed");
    world.clean("app").await;
}
