//! The way back: the pods of a release that was let go are replaced by those of the one before, while both serve.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;
use sluice::api::status::{RollbackState, TargetRollback};

use crate::cluster::{alone, scale_operator, undisturbed};
use crate::gate::{
    BUSYBOX, Customers, SHOP, images_that_run, next, put, release, rolled_out, serve, served_by, serving, targets,
};
use crate::world::{World, condition, reason};

fn ask(world: &World, run: &str, token: &str) {
    world.kubectl(&["annotate", "--overwrite", "mrun", run, &format!("sluice.dev/rollback={token}")]);
}

fn way_back(status: &MigrationRunStatus) -> Option<&TargetRollback> {
    status.targets.first().and_then(|target| target.rollback.as_ref())
}

async fn until_rollback(world: &World, run: &str, state: RollbackState) -> MigrationRunStatus {
    let is = |status: &MigrationRunStatus| {
        way_back(status).is_some_and(|rollback| rollback.state == state) && condition(status, "RolledBack") != ""
    };
    world.status(run, &format!("rollback {state:?}"), is).await
}

/// Waits until a release is kept to go back to, and says which.
async fn planned(world: &World, run: &str, to: &str) {
    let is = |status: &MigrationRunStatus| {
        way_back(status).is_some_and(|rollback| rollback.state == RollbackState::Planned && rollback.to == [to])
    };
    world.status(run, "a way back to be planned", is).await;
}

async fn in_custody(world: &World) -> Vec<ReplicaSet> {
    let params = ListParams::default().labels("sluice.dev/custody");
    world.api::<ReplicaSet>().list(&params).await.unwrap().items
}

/// A Deployment that serves the second release, with `more` laid over it, and a way back to the first. It is named app.
async fn second_release(name: &str, more: Value) -> World {
    let world = serving(name).await;
    put(&world, "app", BUSYBOX, more.clone());
    rolled_out(&world, "app", BUSYBOX).await;
    world.script("app", "true", next());
    put(&world, "app", SHOP, more);
    rolled_out(&world, "app", SHOP).await;
    planned(&world, "app", BUSYBOX).await;
    world
}

#[tokio::test]
async fn a_release_goes_back_on_request_while_customers_ask_and_comes_again_by_a_retry() {
    let _operator = undisturbed().await;
    let world = World::with_database("rollback").await;
    release(&world, "1.0");
    world.clean("shop").await;
    rolled_out(&world, "shop", "localhost/shop:1.0").await;
    release(&world, "1.1");
    rolled_out(&world, "shop", "localhost/shop:1.1").await;
    planned(&world, "shop", "localhost/shop:1.0").await;
    let customers = Customers::ask(world.client.clone(), &world.namespace);

    ask(&world, "shop", "night-1");
    // As Argo CD and Flux do: what Git says is applied again and again.
    serve(&world, "1.1");
    let done = until_rollback(&world, "shop", RollbackState::Done).await;
    assert_eq!(images_that_run(&world, "shop"), ["localhost/shop:1.0"]);
    assert_eq!((condition(&done, "RolledBack").as_str(), condition(&done, "Ready").as_str()), ("True", "False"));
    assert_eq!(done.rollbacks[0].result, "Accepted");
    let answers = customers.leave().await;
    assert!(answers.keys().all(|release| ["1.0", "1.1"].contains(&release.as_str())), "{answers:?}");

    let customers = Customers::ask(world.client.clone(), &world.namespace);
    serve(&world, "1.1");
    world.kubectl(&["scale", "deployment/shop", "--replicas=3"]);
    let three = |deployment: Option<&Deployment>| {
        deployment.and_then(|found| found.status.as_ref()).is_some_and(|status| status.available_replicas == Some(3))
    };
    world.until("shop", "three pods that serve", three).await;
    let answers = customers.leave().await;
    assert_eq!(answers.keys().collect::<Vec<_>>(), ["1.0"], "none of what was rolled back, none without an answer");

    world.kubectl(&["annotate", "mrun", "shop", "sluice.dev/retry=morning-1"]);
    rolled_out(&world, "shop", "localhost/shop:1.1").await;
    assert_eq!(condition(&world.clean("shop").await, "RolledBack"), "");
}

#[tokio::test]
async fn from_the_middle_of_a_rollout_it_goes_back_with_no_pod_fewer() {
    let _operator = undisturbed().await;
    let world = serving("rollback-middle").await;
    let image = "localhost/shop:1.1";
    world.script("app", "true", next());
    // The new pods run and never become ready.
    let never = json!([{ "name": "app", "readinessProbe": { "exec": { "command": ["false"] }, "periodSeconds": 1 } }]);
    let mut more = json!({ "spec": { "template": { "spec": {} } } });
    more["spec"]["template"]["spec"]["containers"] = json!([{
        "name": "app", "image": SHOP, "command": ["node", "-e", "setInterval(() => {}, 1e6)"],
        "readinessProbe": never[0]["readinessProbe"],
    }]);
    put(&world, "app", image, more);
    let stuck = |deployment: Option<&Deployment>| {
        deployment.and_then(|found| found.status.as_ref()).is_some_and(|status| {
            status.updated_replicas == Some(1) && status.unavailable_replicas == Some(1)
        })
    };
    world.until("app", "one pod of the new release that is not ready", stuck).await;
    planned(&world, "app", BUSYBOX).await;
    ask(&world, "app", "t");
    until_rollback(&world, "app", RollbackState::Done).await;
    served_by(&world, BUSYBOX).await;
}

#[tokio::test]
async fn two_deployments_go_back_with_one_wish_and_a_history_of_none_is_no_obstacle() {
    let _operator = undisturbed().await;
    let world = World::new("rollback-two").await;
    let short = json!({ "spec": { "revisionHistoryLimit": 0 } });
    for (image, migrated) in [(BUSYBOX, json!({})), (SHOP, json!({ "image": SHOP, "migrate": { "image": BUSYBOX } }))] {
        let mut spec = targets(&["app", "worker"]);
        json_patch::merge(&mut spec, &migrated);
        world.script("app", "true", spec);
        for name in ["app", "worker"] {
            put(&world, name, image, short.clone());
            rolled_out(&world, name, image).await;
        }
    }
    planned(&world, "app", BUSYBOX).await;
    ask(&world, "app", "t");
    let all = |status: &MigrationRunStatus| condition(status, "RolledBack") == "True";
    world.status("app", "RolledBack", all).await;
    for name in ["app", "worker"] {
        assert_eq!(images_that_run(&world, name), [BUSYBOX]);
    }
}

#[tokio::test]
async fn a_later_migration_that_fails_takes_its_release_back_by_itself_once() {
    let _operator = undisturbed().await;
    let world = second_release("rollback-automatic", json!({})).await;
    let syntax = "psql:m.sql:1: ERROR:  syntax error at or near \\\"FRM\\\"";
    let mut fails = next();
    fails["migrate"]["command"] = json!(["sh", "-c", format!("echo \"{syntax}\" >&2; exit 3")]);
    world.script("app", "", fails.clone());
    let done = until_rollback(&world, "app", RollbackState::Done).await;
    served_by(&world, BUSYBOX).await;
    let record = done.rollback.unwrap();
    assert!(record.id.ends_with("/automatic") && record.reason.contains("ScriptError"), "{record:?}");
}

#[tokio::test]
async fn where_there_is_no_room_it_is_made_by_steps() {
    let _operator = undisturbed().await;
    let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } });
    let world = second_release("rollback-room", json!({ "spec": { "strategy": strategy } })).await;
    world.kubectl(&["create", "quota", "tight", "--hard=pods=2"]);
    ask(&world, "app", "t");
    let said = |status: &MigrationRunStatus| {
        way_back(status).and_then(|rollback| rollback.message.as_ref()).is_some_and(|message| message.contains("no room"))
    };
    world.status("app", "no room", said).await;
    assert_eq!(images_that_run(&world, "app"), [SHOP], "nothing goes before it has waited");
    until_rollback(&world, "app", RollbackState::Done).await;
    served_by(&world, BUSYBOX).await;
}

#[tokio::test]
async fn a_release_before_that_does_not_come_up_leaves_this_one_serving() {
    let _operator = undisturbed().await;
    let world = World::new("rollback-failed").await;
    world.kubectl(&["create", "configmap", "flags"]);
    let with = |image: &str, flags: bool| {
        let command = if flags { json!(["sleep", "3600"]) } else { json!(["node", "-e", "setInterval(() => {}, 1e6)"]) };
        let from = if flags { json!([{ "configMapRef": { "name": "flags" } }]) } else { Value::Null };
        let container = json!({ "name": "app", "image": image, "command": command, "envFrom": from });
        json!({ "spec": { "progressDeadlineSeconds": 8, "template": { "spec": { "containers": [container] } } } })
    };
    world.script("app", "true", targets(&["app"]));
    put(&world, "app", BUSYBOX, with(BUSYBOX, true));
    rolled_out(&world, "app", BUSYBOX).await;
    world.script("app", "true", next());
    put(&world, "app", SHOP, with(SHOP, false));
    rolled_out(&world, "app", SHOP).await;
    planned(&world, "app", BUSYBOX).await;
    world.kubectl(&["delete", "configmap", "flags"]);
    ask(&world, "app", "t");
    let failed = until_rollback(&world, "app", RollbackState::Failed).await;
    assert_eq!(reason(&failed, "RolledBack"), "RollbackFailed");
    served_by(&world, SHOP).await;
    assert!(in_custody(&world).await.is_empty());

    // Mended, and asked for again.
    world.kubectl(&["create", "configmap", "flags"]);
    ask(&world, "app", "u");
    let taken = |status: &MigrationRunStatus| status.rollbacks.len() == 2;
    let taken = world.status("app", "the second token to be taken", taken).await;
    assert!(taken.rollbacks[1].result.starts_with("Accepted"), "{:?}", taken.rollbacks);
    until_rollback(&world, "app", RollbackState::Done).await;
    served_by(&world, BUSYBOX).await;
}

/// Both releases run for as long as the one before takes to be available; what happens meanwhile changes nothing.
#[tokio::test]
async fn what_happens_during_custody_does_not_stop_it() {
    let _operator = alone().await;
    let world = second_release("rollback-custody", json!({ "spec": { "minReadySeconds": 6 } })).await;
    ask(&world, "app", "t");
    let taken = |status: &MigrationRunStatus| way_back(status).is_some_and(|rollback| rollback.state == RollbackState::UnderWay);
    world.status("app", "rollback under way", taken).await;
    let sets = in_custody(&world).await;
    assert_eq!(sets.len(), 1);
    let name = sets[0].name_any();
    // Somebody with every right gives it back: refused. The operator is gone, the run too, and it is scaled.
    let (allowed, answer) = world.try_kubectl(&["label", "replicaset", &name, "app=app"]);
    assert!(!allowed && answer.contains("rolled back"), "{answer}");
    scale_operator(0).await;
    world.kubectl(&["delete", "mrun", "app"]);
    world.kubectl(&["scale", "deployment/app", "--replicas=1"]);
    scale_operator(1).await;
    world.until(&name, "what was rolled back to be gone", |set: Option<&ReplicaSet>| set.is_none()).await;
    let one = |deployment: Option<&Deployment>| {
        deployment.and_then(|found| found.status.as_ref()).is_some_and(|status| status.available_replicas == Some(1))
    };
    world.until("app", "one pod that serves", one).await;
    assert_eq!(images_that_run(&world, "app"), [BUSYBOX]);
}

#[tokio::test]
async fn a_deployment_that_is_deleted_takes_what_is_in_custody_along() {
    let _operator = undisturbed().await;
    let world = second_release("rollback-deleted", json!({ "spec": { "minReadySeconds": 60 } })).await;
    ask(&world, "app", "t");
    let taken = |status: &MigrationRunStatus| way_back(status).is_some_and(|rollback| rollback.state == RollbackState::UnderWay);
    world.status("app", "rollback under way", taken).await;
    let name = in_custody(&world).await[0].name_any();
    world.kubectl(&["delete", "deployment", "app", "--wait=false"]);
    world.until(&name, "it to go with its Deployment", |set: Option<&ReplicaSet>| set.is_none()).await;
}

#[tokio::test]
async fn recreate_never_runs_two_releases_at_once() {
    let _operator = undisturbed().await;
    let strategy = json!({ "type": "Recreate", "rollingUpdate": null });
    let world = second_release("rollback-recreate", json!({ "spec": { "strategy": strategy } })).await;
    ask(&world, "app", "t");
    until_rollback(&world, "app", RollbackState::Done).await;
    served_by(&world, BUSYBOX).await;
}
