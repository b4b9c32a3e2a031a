//! An operator that is killed in every step, and objects that it cannot read.

use std::sync::atomic::{AtomicU32, Ordering};

use kube::ResourceExt;
use serde_json::json;

use crate::cluster::{self, alone, kill_operator};
use crate::world::{World, condition, failure};

static ROUND: AtomicU32 = AtomicU32::new(0);

async fn killed_when(
    what: &str,
    spec: serde_json::Value,
    script: &str,
    at: impl Fn(&sluice::api::MigrationRunStatus) -> bool,
) -> (World, sluice::api::MigrationRunStatus) {
    let world = World::new(&format!("restart-{}", ROUND.fetch_add(1, Ordering::Relaxed))).await;
    world.script("app", script, spec);
    world.status("app", what, at).await;
    kill_operator().await;
    let status = world.status("app", "the end", |status| condition(status, "Finished") == "True").await;
    (world, status)
}

#[tokio::test]
async fn an_operator_that_is_killed_in_any_step_goes_on_where_it_was() {
    let _operator = alone().await;
    let step =
        |wanted: &'static str| move |status: &sluice::api::MigrationRunStatus| status.step.as_deref() == Some(wanted);
    // While the Job is made, while it runs, while the database is asked.
    for (what, wanted) in [("Migrate", "Migrate"), ("Check", "Check")] {
        let slow_check = json!({ "check": { "command": ["sleep", "3"] } });
        let (world, status) = killed_when(what, slow_check, "sleep 3", step(wanted)).await;
        assert_eq!(condition(&status, "Ready"), "True", "killed in {what}: {status:#?}");
        assert_eq!(world.pods("app", "migrate").await.len(), 1, "killed in {what}");
        assert_eq!(world.pods("app", "check").await.len(), 1, "killed in {what}");
    }
    // As soon as the release is taken up.
    let (world, status) = killed_when("taken up", json!({}), "sleep 1", |status| status.release.is_some()).await;
    assert_eq!((condition(&status, "Ready").as_str(), world.pods("app", "migrate").await.len()), ("True", 1));
    // While the delay before a retry runs.
    let unreachable =
        "echo 'psql: error: connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused'; exit 2";
    let backoff = json!({ "recovery": { "retry": { "limit": 1, "initialDelay": "3s" } } });
    let (world, status) = killed_when("Backoff", backoff, unreachable, step("Backoff")).await;
    assert_eq!(failure(&status).0, "Connectivity");
    assert_eq!((status.attempts.len(), world.pods("app", "migrate").await.len()), (2, 2));
    // While a person is awaited.
    let (world, status) =
        killed_when("Stalled", json!({}), "exit 3", |status| condition(status, "Stalled") == "True").await;
    assert_eq!((condition(&status, "Stalled").as_str(), world.pods("app", "migrate").await.len()), ("True", 1));
    let version = world.kubectl(&["get", "mrun", "app", "-o", "jsonpath={.metadata.resourceVersion}"]);
    kill_operator().await;
    world.script("other", "true", json!({}));
    world.clean("other").await;
    assert_eq!(
        world.kubectl(&["get", "mrun", "app", "-o", "jsonpath={.metadata.resourceVersion}"]),
        version,
        "a settled run was written to"
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_so_and_stops_no_other() {
    let _operator = alone().await;
    let world = World::new("malformed").await;
    let at = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
    let loosened = json!([
        { "op": "remove", "path": format!("{at}/x-kubernetes-validations") },
        { "op": "replace", "path": format!("{at}/properties/database"), "value": { "x-kubernetes-preserve-unknown-fields": true } },
    ]);
    let crd = concat!(env!("CARGO_MANIFEST_DIR"), "/crds/migrationruns.sluice.dev.yaml");
    cluster::kubectl(&["patch", "crd", "migrationruns.sluice.dev", "--type=json", "-p", &loosened.to_string()]);
    // The looser schema is served a moment later.
    let file = std::env::temp_dir().join("sluice-e2e-malformed.json");
    let run = json!({ "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "odd" }, "spec": { "image": "a", "database": "postgres://u:hunter2hunter2@h/d" } });
    std::fs::write(&file, run.to_string()).unwrap();
    let mut created = false;
    for _ in 0..100 {
        created = world.try_kubectl(&["create", "--validate=false", "-f", file.to_str().unwrap()]).0;
        if created {
            break;
        }
    }
    cluster::kubectl(&["apply", "--server-side", "--force-conflicts", "-f", crd]);
    assert!(created, "the looser schema is not served");
    world.script("app", "true", json!({}));
    world.clean("app").await;
    let told = world.kubectl(&["wait", "mrun", "odd", "--for=condition=Stalled", "--timeout=60s"]);
    assert!(told.contains("condition met"));
    let status = world.kubectl(&["get", "mrun", "odd", "-o", "jsonpath={.status}"]);
    assert!(status.contains("kubectl explain mrun.spec") && !status.contains("hunter2"), "{status}");
    kill_operator().await;
    world.script("after", "true", json!({}));
    world.clean("after").await;
    let pods = world.pods("after", "migrate").await;
    assert_eq!(pods.iter().map(ResourceExt::name_any).count(), 1);
}
