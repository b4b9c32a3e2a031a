//! The way back: the pods of a release that was let go are replaced by those of the one before, while both serve. Where a test
//! does not say otherwise, customers ask all the time, and each is answered.

use std::time::Duration;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;
use sluice::api::status::{RollbackState, TargetRollback};

use crate::cluster::{alone, scale_operator, undisturbed};
use crate::scene::{Scene, image};
use crate::world::{World, condition, reason};

fn ask(scene: &Scene, token: &str) {
    let wish = format!("sluice.dev/rollback={token}");
    scene.world.kubectl(&["annotate", "--overwrite", "mrun", "app", &wish]);
}

fn way_back(status: &MigrationRunStatus) -> Option<&TargetRollback> {
    status.targets.first().and_then(|target| target.rollback.as_ref())
}

async fn until_rollback(scene: &Scene, state: RollbackState) -> MigrationRunStatus {
    let is = |status: &MigrationRunStatus| {
        way_back(status).is_some_and(|rollback| rollback.state == state)
            && (state == RollbackState::Planned || !condition(status, "RolledBack").is_empty())
    };
    scene.world.status("app", &format!("rollback {state:?}"), is).await
}

async fn in_custody(scene: &Scene) -> Vec<ReplicaSet> {
    let params = ListParams::default().labels("sluice.dev/custody");
    scene.world.api::<ReplicaSet>().list(&params).await.unwrap().items
}

/// Asks for a rollback, and waits until the pods of 1.1 are in custody; the name of their ReplicaSet.
async fn taken(scene: &Scene) -> String {
    let set = scene.set("1.1").await.unwrap();
    ask(scene, "t");
    let taken = |set: Option<&ReplicaSet>| set.is_some_and(|set| set.labels().contains_key("sluice.dev/custody"));
    scene.world.until(&set, "it to be in custody", taken).await;
    set
}

/// Release 1.1 has come through after 1.0, and the way back is planned.
async fn second_release(case: &str, more: Value) -> Scene {
    let scene = Scene::serving(case, more.clone()).await;
    scene.fit("1.1");
    scene.run("1.1", "true", json!({}));
    scene.deploy("1.1", more);
    scene.comes_through("the second release", "1.1", 2).await;
    let planned = until_rollback(&scene, RollbackState::Planned).await;
    let plan = way_back(&planned).unwrap();
    assert_eq!(plan.to, [image("1.0")]);
    scene
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_back_on_request_and_comes_again_by_a_retry() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback", json!({})).await;
    let plan = until_rollback(&scene, RollbackState::Planned).await;
    assert_eq!(way_back(&plan).map(|plan| (plan.extra_pods, plan.deadline_seconds)), Some((2, Some(600))));

    ask(&scene, "night-1");
    // As Argo CD and Flux do: what Git says is applied again.
    scene.deploy("1.1", json!({}));
    let done = until_rollback(&scene, RollbackState::Done).await;
    scene.serve("rolled back", "1.0", 2).await;
    assert_eq!((condition(&done, "RolledBack").as_str(), condition(&done, "Ready").as_str()), ("True", "False"));
    assert_eq!(done.rollbacks[0].result, "Accepted");
    scene.ask();
    scene.deploy("1.1", json!({}));
    scene.scaled("up, after the rollback", "1.0", 3).await;
    scene.scaled("and down", "1.0", 2).await;
    assert_eq!(scene.heard("none of what was rolled back"), ["1.0"]);
    scene.leave("nobody serves at 0");
    scene.scaled("to 0", "1.0", 0).await;
    scene.scaled("and back, never as what was rolled back", "1.0", 2).await;
    scene.ask();

    scene.world.kubectl(&["annotate", "mrun", "app", "sluice.dev/retry=morning-1"]);
    scene.comes_through("let go again", "1.1", 2).await;
    assert_eq!(condition(&scene.world.clean("app").await, "RolledBack"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_middle_of_a_rollout_it_goes_back() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("rollback-middle", json!({})).await;
    scene.fit("1.1");
    scene.run("1.1", "true", json!({}));
    scene.deploy("1.1", json!({ "spec": { "minReadySeconds": 300 } }));
    scene.serve_all("in its middle", &["1.0", "1.1"], 3).await;
    ask(&scene, "t");
    until_rollback(&scene, RollbackState::Done).await;
    scene.serve("rolled back", "1.0", 2).await;
}

/// Another commit with the same image was on its way when it is found to be bad: pods of two ReplicaSets are replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_replica_sets_of_a_release_go_back_together() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback-sets", json!({})).await;
    let commit = json!({ "metadata": { "annotations": { "commit": "2" } } });
    scene.deploy("1.1", json!({ "spec": { "minReadySeconds": 300, "template": commit } }));
    scene.serve("between two commits", "1.1", 3).await;
    let sets = scene.sets().await;
    let running = sets.iter().filter(|(_, found, pods)| *found == image("1.1") && *pods > 0);
    assert_eq!(running.count(), 2, "{sets:?}");
    ask(&scene, "t");
    until_rollback(&scene, RollbackState::Done).await;
    scene.serve("rolled back", "1.0", 2).await;
    let left: Vec<_> = scene.sets().await.into_iter().filter(|(_, found, _)| *found == image("1.1")).collect();
    assert_eq!(left, [], "both are gone, for good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deployments_go_back_with_one_wish_and_a_history_of_none_is_no_obstacle() {
    let _operator = undisturbed().await;
    let world = World::new("rollback-two").await;
    let (app, worker) = (Scene::empty(&world, "app").await, Scene::empty(&world, "worker").await);
    let short = json!({ "spec": { "revisionHistoryLimit": 0 } });
    let both =
        json!({ "targets": [{ "kind": "Deployment", "name": "app" }, { "kind": "Deployment", "name": "worker" }] });
    for version in ["1.0", "1.1"] {
        app.run(version, "true", both.clone());
        for scene in [&app, &worker] {
            scene.fit(version);
            scene.deploy(version, short.clone());
        }
        for scene in [&app, &worker] {
            scene.comes_through("released", version, 2).await;
        }
    }
    until_rollback(&app, RollbackState::Planned).await;
    ask(&app, "t");
    let all = |status: &MigrationRunStatus| condition(status, "RolledBack") == "True";
    world.status("app", "RolledBack", all).await;
    for scene in [&app, &worker] {
        scene.serve("rolled back", "1.0", 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_migration_that_fails_takes_its_release_back_by_itself() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback-automatic", json!({})).await;
    // Another migration of the same image, and the database does not say afterwards that all is well.
    let fails = "echo 'psql:m.sql:1: ERROR:  42601: syntax error at or near \"FRM\"' >&2; exit 3";
    scene.run("1.1", fails, json!({ "check": { "command": ["false"] } }));
    let done = until_rollback(&scene, RollbackState::Done).await;
    scene.serve("rolled back", "1.0", 2).await;
    let record = done.rollback.unwrap();
    assert!(record.id.ends_with("/automatic") && record.reason.contains("ScriptError"), "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_no_room_it_is_made_by_steps() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback-room", json!({})).await;
    // Of one pod only: the longer pods are refused, the longer the ReplicaSet controller takes to ask again.
    scene.scaled("down", "1.1", 1).await;
    scene.world.kubectl(&["create", "quota", "tight", "--hard=pods=1"]);
    ask(&scene, "t");
    let said = |status: &MigrationRunStatus| {
        let message = way_back(status).and_then(|rollback| rollback.message.as_ref());
        message.is_some_and(|message| message.contains("no room"))
    };
    scene.world.status("app", "no room", said).await;
    scene.serve("nothing goes before it has waited", "1.1", 1).await;
    scene.leave("a gap: there is room for one");
    let back = scene.set("1.0").await.unwrap();
    let mut done = std::pin::pin!(until_rollback(&scene, RollbackState::Done));
    // The ReplicaSet controller asks again after ever longer times, minutes at last; a change makes it ask at once.
    for note in 0.. {
        scene.world.kubectl(&["annotate", "--overwrite", "replicaset", &back, &format!("note={note}")]);
        if tokio::time::timeout(Duration::from_secs(5), &mut done).await.is_ok() {
            break;
        }
    }
    scene.serve("rolled back", "1.0", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_before_that_does_not_come_up_leaves_this_one_serving_until_it_is_mended() {
    let _operator = undisturbed().await;
    let world = World::new("rollback-failed").await;
    let scene = Scene::empty(&world, "app").await;
    world.kubectl(&["create", "configmap", "flags"]);
    // Only the first release reads the ConfigMap.
    let with = |version: &str| {
        let mut more = json!({ "spec": { "progressDeadlineSeconds": 10 } });
        let mut container = scene.manifest(version, json!({}))["spec"]["template"]["spec"]["containers"][0].clone();
        if version == "1.0" {
            container["envFrom"] = json!([{ "configMapRef": { "name": "flags" } }]);
        }
        more["spec"]["template"]["spec"]["containers"] = json!([container]);
        more
    };
    for version in ["1.0", "1.1"] {
        scene.fit(version);
        scene.run(version, "true", json!({}));
        scene.deploy(version, with(version));
        scene.comes_through("released", version, 2).await;
    }
    until_rollback(&scene, RollbackState::Planned).await;
    scene.ask();
    world.kubectl(&["delete", "configmap", "flags"]);
    ask(&scene, "t");
    let failed = until_rollback(&scene, RollbackState::Failed).await;
    assert_eq!(reason(&failed, "RolledBack"), "RollbackFailed");
    scene.serve("nothing better to serve", "1.1", 2).await;
    assert!(in_custody(&scene).await.is_empty());

    world.kubectl(&["create", "configmap", "flags"]);
    ask(&scene, "u");
    until_rollback(&scene, RollbackState::Done).await;
    scene.serve("mended, and asked for again", "1.0", 2).await;
}

/// Both releases run for as long as the one before takes to be available; what happens meanwhile changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_during_custody_does_not_stop_it() {
    let _operator = alone().await;
    let scene = second_release("rollback-custody", json!({ "spec": { "minReadySeconds": 8 } })).await;
    let name = taken(&scene).await;
    let (allowed, answer) = scene.world.try_kubectl(&["label", "replicaset", &name, "app=app"]);
    assert!(!allowed && answer.contains("rolled back"), "somebody with every right gave it back: {answer}");
    scale_operator(0).await;
    scene.world.kubectl(&["delete", "mrun", "app"]);
    scene.world.kubectl(&["scale", "deployment/app", "--replicas=1"]);
    scene.deploy("1.2", json!({ "spec": { "replicas": 1 } }));
    scale_operator(1).await;
    let gone = |set: Option<&ReplicaSet>| set.is_none();
    scene.world.until(&name, "what was rolled back to be gone", gone).await;
    scene.serve("without its run, scaled, and with another release that waits", "1.0", 1).await;
}

/// The gate comes off in the middle, once Git has gone back: nothing of it stays for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_when_the_gate_comes_off_goes_at_the_next_look() {
    let _operator = alone().await;
    let slow = json!({ "spec": { "minReadySeconds": 5 } });
    let scene = second_release("rollback-ungated", slow.clone()).await;
    let set = taken(&scene).await;
    scale_operator(0).await;
    scene.deploy("1.0", slow);
    scene.world.kubectl(&["label", "deployment", "app", "sluice.dev/gated-"]);
    scene.world.kubectl(&["rollout", "status", "deployment/app", "--timeout=60s"]);
    scale_operator(1).await;
    scene.world.until(&set, "what is in custody to go", |set: Option<&ReplicaSet>| set.is_none()).await;
    scene.serve("without a gate", "1.0", 2).await;
    for kept in scene.world.api::<ControllerRevision>().list(&ListParams::default()).await.unwrap() {
        let gone = |kept: Option<&ControllerRevision>| kept.is_none();
        scene.world.until(&kept.name_any(), "what is kept of its releases to go", gone).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_is_deleted_takes_what_is_in_custody_along() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback-deleted", json!({})).await;
    scene.leave("both serve");
    scene.deploy("1.1", json!({ "spec": { "minReadySeconds": 300 } }));
    let name = taken(&scene).await;
    scene.world.kubectl(&["delete", "deployment", "app", "--wait=false"]);
    let gone = |set: Option<&ReplicaSet>| set.is_none();
    scene.world.until(&name, "it to go with its Deployment", gone).await;
}

/// Customers find nobody for a moment: that is what Recreate means.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recreate_never_runs_two_releases_at_once() {
    let _operator = undisturbed().await;
    let scene = second_release("rollback-recreate", json!({})).await;
    scene.leave("before a gap");
    let recreate = json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": null } } });
    scene.deploy("1.1", recreate);
    ask(&scene, "t");
    until_rollback(&scene, RollbackState::Done).await;
    scene.serve("rolled back", "1.0", 2).await;
}
