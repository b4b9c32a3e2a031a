//! What people do next: a token, another release, suspension.

use serde_json::json;

use crate::cluster::undisturbed;
use crate::world::{World, condition, failure};

#[tokio::test]
async fn each_token_is_taken_once() {
    let _operator = undisturbed().await;
    let world = World::new("token").await;
    world.script("app", "echo broken; exit 3", json!({}));
    world.stalled("app").await;
    world.retry("app", "one");
    let status = world
        .status("app", "a second attempt", |status| {
            status.attempts.len() == 2 && condition(status, "Stalled") == "True"
        })
        .await;
    assert_eq!(status.retries.len(), 1);
    world.retry("app", "two");
    world
        .status("app", "a third attempt", |status| status.attempts.len() == 3 && condition(status, "Stalled") == "True")
        .await;
    // A token that was taken before is not news.
    world.retry("app", "one");
    world.kubectl(&["label", "mrun", "app", "seen=yes"]);
    world.retry("app", "three");
    let status = world
        .status("app", "a fourth attempt", |status| {
            status.attempts.len() == 4 && condition(status, "Stalled") == "True"
        })
        .await;
    assert_eq!(status.retries.iter().map(|taken| taken.token.as_str()).collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[tokio::test]
async fn another_release_is_taken_up_when_the_running_job_has_ended() {
    let _operator = undisturbed().await;
    let world = World::new("newer").await;
    world.script("app", "echo begun; sleep 4", json!({}));
    let pod = world.migrating("app", 1).await;
    world.script("app", "echo second", json!({}));
    let status = world.clean("app").await;
    let outcomes: Vec<String> =
        status.attempts.iter().map(|attempt| format!("{:?}", attempt.outcome.unwrap())).collect();
    assert_eq!(outcomes, ["Superseded", "Clean"]);
    let first = world.kubectl(&["get", "pod", pod.metadata.name.as_deref().unwrap(), "-o", "jsonpath={.status.phase}"]);
    assert_eq!(first, "Succeeded", "the running migration was ended by a change of spec");
}

#[tokio::test]
async fn a_forward_release_leads_out_of_a_script_error() {
    let _operator = undisturbed().await;
    let world = World::with_database("forward").await;
    world.shop("shop", "1.3", json!({}));
    world.stalled("shop").await;
    // By the runbook: the failed migration is resolved as rolled back, then a release without it comes.
    crate::cluster::sql("forward", "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL");
    world.shop("shop", "1.4", json!({}));
    let status = world.clean("shop").await;
    assert!(status.clean.unwrap().image.ends_with(":1.4"));
}

#[tokio::test]
async fn suspended_runs_start_nothing_and_running_ones_go_on() {
    let _operator = undisturbed().await;
    let world = World::new("suspend").await;
    world.script("idle", "true", json!({ "suspend": true }));
    let status = world.status("idle", "Suspended", |status| status.step.as_deref() == Some("Suspended")).await;
    assert_eq!((condition(&status, "Ready").as_str(), condition(&status, "Reconciling").as_str()), ("False", ""));
    assert!(world.job_names("idle").await.is_empty());
    world.script("busy", "sleep 3", json!({}));
    world.migrating("busy", 1).await;
    world.kubectl(&["patch", "mrun", "busy", "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]);
    world.clean("busy").await;
    world.kubectl(&["patch", "mrun", "idle", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    world.clean("idle").await;
}

#[tokio::test]
async fn a_spec_that_cannot_work_is_refused_with_words_that_help() {
    let world = World::new("words").await;
    let refused = |spec: serde_json::Value, words: &str| {
        let run = json!({ "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "bad" }, "spec": spec });
        let file = std::env::temp_dir().join("sluice-e2e-bad.json");
        std::fs::write(&file, run.to_string()).unwrap();
        let (succeeded, said) = world.try_kubectl(&["apply", "-f", file.to_str().unwrap()]);
        assert!(!succeeded && said.contains(words), "wanted {words:?}: {said}");
    };
    refused(json!({ "image": "a", "database": {} }), "database.id is required");
    refused(json!({ "image": "a b", "database": { "id": "x" } }), "an image has no spaces");
    refused(json!({ "image": "a", "tool": "Custom", "database": { "id": "x" } }), "tool Custom has no commands");
    refused(
        json!({ "image": "a", "startTimeout": "0s", "database": { "id": "x" } }),
        "startTimeout must be a duration between 1s and 24h",
    );
    refused(json!({ "image": "a", "tool": "Flyway9", "database": { "id": "x" } }), "Unsupported value");
    assert_eq!(failure(&sluice::api::MigrationRunStatus::default()).0, "");
}
