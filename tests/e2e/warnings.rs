//! What people are warned of, on the run and on its Deployment, though the run can do nothing about it.

use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;

use crate::cluster::{self, undisturbed};
use crate::scene::Scene;
use crate::world::condition;

/// Waits until the run is degraded for this reason, and the Deployment has an Event that says so.
async fn degraded(scene: &Scene, reason: &str) -> MigrationRunStatus {
    let so = |status: &MigrationRunStatus| {
        let mut found = status.conditions.iter().filter(|found| found.type_ == "Degraded");
        found.any(|found| found.status == "True" && found.reason == reason)
    };
    let status = scene.world.status("app", &format!("to be Degraded: {reason}"), so).await;
    scene.world.event(&scene.app, reason).await;
    status
}

async fn well_again(scene: &Scene) {
    let well = |status: &MigrationRunStatus| condition(status, "Degraded").is_empty();
    scene.world.status("app", "not to be Degraded", well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_fewer_pods_of_what_serves_are_available_is_told_while_a_release_is_held() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("warn-short", json!({})).await;
    scene.fails("1.1").await;
    // No room for the pod that takes the place of one that is deleted.
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "full" }, "spec": { "hard": { "pods": "1" } } });
    cluster::apply(&scene.world.namespace, &quota);
    scene.one_deleted("a pod is deleted where there is no room", "1.0", 1).await;
    let status = degraded(&scene, "AvailabilityFell").await;
    let message = &status.targets[0].warnings[0].message;
    assert!(message.starts_with("1 of 2 pods"), "{message}");
    assert_eq!(condition(&status, "Stalled"), "True", "it says nothing else of the run");
    scene.scaled("as many as there is room for", "1.0", 1).await;
    well_again(&scene).await;
    assert_eq!(scene.heard("the end"), ["1.0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_fails_after_it_was_let_go_is_told_and_the_fix_comes_through() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("warn-rollout", json!({})).await;
    let mut idle = scene.manifest("1.1", json!({ "spec": { "progressDeadlineSeconds": 3 } }));
    idle["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sleep", "3600"]);
    scene.fit("1.1");
    scene.run("1.1", "true", json!({}));
    cluster::apply(&scene.world.namespace, &idle);
    let status = degraded(&scene, "RolloutFailed").await;
    let open = ["Ready", "GateOpen", "Degraded"].map(|kind| condition(&status, kind));
    assert_eq!(open, ["True"; 3], "the database is clean, and the release was let go");
    assert_eq!(scene.heard("1.1 does not come"), ["1.0"]);

    scene.deploy("1.2", json!({ "spec": { "progressDeadlineSeconds": 60 } }));
    scene.run("1.2", "true", json!({}));
    scene.comes_through("the fix", "1.2", 2).await;
    well_again(&scene).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_says_paused_false_is_told_and_has_no_effect() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("warn-paused", json!({})).await;
    scene.fails("1.1").await;
    let resumed = json!({ "spec": { "paused": false } });
    scene.deploy("1.1", resumed.clone());
    degraded(&scene, "PauseInGit").await;
    scene.held("kubectl apply of a manifest that says paused: false").await;
    scene.deploy("1.1", json!({}));
    well_again(&scene).await;

    let apply = |manifest: &Value| {
        let namespace = scene.world.namespace.as_str();
        let by = ["-n", namespace, "apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-"];
        let (applied, text) = cluster::try_send(&by, manifest);
        assert!(applied, "{text}");
    };
    apply(&scene.manifest("1.1", resumed));
    let status = degraded(&scene, "PauseInGit").await;
    assert!(status.targets[0].warnings[0].message.contains("that gitops applies"), "{:?}", status.targets[0].warnings);
    scene.held("server-side apply of a manifest that says paused: false").await;
    scene.serve("server-side apply of a manifest that says paused: false", "1.0", 2).await;
    apply(&scene.manifest("1.1", json!({})));
    well_again(&scene).await;
    scene.held("the manifest says nothing of it any more").await;
    assert_eq!(scene.heard("the end"), ["1.0"]);
}
