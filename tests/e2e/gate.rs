//! The gate: no pod of a release before its database is clean, while the release before it serves.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;
use sluice::api::status::TargetState;

use crate::cluster::{self, undisturbed};
use crate::customers::Customers;
use crate::world::{World, condition, failure};

/// The shop's own Deployment and Service, gated, with the image of a release.
fn serve(world: &World, release: &str) {
    let manifests = include_str!("../../examples/shop/kubernetes/shop.yaml");
    for document in manifests.split("\n---\n") {
        let mut object: Value = serde_saphyr::from_str(document).unwrap();
        if object["kind"] == "Deployment" {
            object["metadata"]["labels"] = json!({ "sluice.dev/gated": "true" });
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(format!("localhost/shop:{release}"));
        }
        cluster::apply(&world.namespace, &object);
    }
}

fn release(world: &World, version: &str) {
    world.shop("shop", version, json!({ "targets": [{ "kind": "Deployment", "name": "shop" }] }));
    serve(world, version);
}

/// Waits until all pods that are wanted run this image and are available.
async fn rolled_out(world: &World, name: &str, image: &str) {
    let out = |deployment: Option<&Deployment>| {
        let Some((spec, status)) = deployment.and_then(|d| d.spec.as_ref().zip(d.status.as_ref())) else {
            return false;
        };
        let wanted = spec.replicas.unwrap_or(1);
        let template = spec.template.spec.as_ref().and_then(|pod| pod.containers[0].image.as_deref());
        let counts = [status.updated_replicas, status.replicas, status.available_replicas];
        template == Some(image)
            && status.observed_generation == deployment.and_then(|d| d.metadata.generation)
            && counts.iter().all(|count| count.unwrap_or_default() == wanted)
    };
    world.until(name, &format!("{image} to be rolled out"), out).await;
}

fn state(status: &MigrationRunStatus) -> Option<TargetState> {
    status.targets.first().map(|target| target.state)
}

fn images_that_run(world: &World, app: &str) -> Vec<String> {
    let path = "jsonpath={range .items[*]}{.spec.containers[0].image}{\"\\n\"}{end}";
    let text = world.kubectl(&["get", "pods", "-l", &format!("app={app}"), "-o", path]);
    let mut images: Vec<String> = text.lines().map(str::to_owned).collect();
    images.sort();
    images.dedup();
    images
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_comes_through_when_its_database_is_clean_and_is_held_when_it_is_not() {
    let _operator = undisturbed().await;
    let world = World::with_database("gate").await;
    release(&world, "1.0");
    world.clean("shop").await;
    rolled_out(&world, "shop", "localhost/shop:1.0").await;
    let customers = Customers::ask(world.client.clone(), &world.namespace, "shop");

    release(&world, "1.1");
    rolled_out(&world, "shop", "localhost/shop:1.1").await;
    let clean = world.clean("shop").await;
    assert_eq!((state(&clean), condition(&clean, "GateOpen").as_str()), (Some(TargetState::Open), "True"));

    release(&world, "1.2");
    let stalled = world.stalled("shop").await;
    assert_eq!(failure(&stalled).0, "DataConflict");
    assert_eq!((state(&stalled), condition(&stalled, "GateOpen").as_str()), (Some(TargetState::Held), "False"));
    world.kubectl(&["scale", "deployment/shop", "--replicas=3"]);
    let three = |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.is_some_and(|status| status.available_replicas == Some(3))
    };
    world.until("shop", "three pods that serve", three).await;
    assert_eq!(images_that_run(&world, "shop"), ["localhost/shop:1.1"]);
    let told = world.kubectl(&["get", "events", "--field-selector", "involvedObject.kind=Deployment,reason=Held"]);
    assert!(told.contains("MigrationRun shop") && told.contains("localhost/shop:1.2"), "{told}");

    // What a person does by the runbook: the failed migration is taken off the record, and the next release goes forward.
    cluster::sql("gate", "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL");
    release(&world, "1.4");
    rolled_out(&world, "shop", "localhost/shop:1.4").await;
    let heard = customers.listen().wait_for(|answers| answers.contains_key("1.4")).await.is_ok();
    let answers = customers.heard();
    assert!(heard, "{answers:?}");
    let served: Vec<&str> = answers.keys().map(String::as_str).collect();
    assert_eq!(served, ["1.0", "1.1", "1.4"], "{answers:?}");
}

fn idles(image: &str) -> Value {
    if image.contains("shop") { json!(["node", "-e", "setInterval(() => {}, 1e6)"]) } else { json!(["sleep", "3600"]) }
}

/// A gated Deployment whose two pods do nothing; `more` is laid over it.
fn put(world: &World, name: &str, image: &str, more: Value) {
    let mut deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": name, "labels": { "sluice.dev/gated": "true" } },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{ "name": "app", "image": image, "command": idles(image) }],
                },
            },
        },
    });
    json_patch::merge(&mut deployment, &more);
    cluster::apply(&world.namespace, &deployment);
}

/// The annotation by which a Deployment names its runs.
fn requires(runs: &str) -> Value {
    json!({ "metadata": { "annotations": { "sluice.dev/required-runs": runs } } })
}

const BUSYBOX: &str = "localhost/busybox:1";
const SHOP: &str = "localhost/shop:1.0";

fn targets(names: &[&str]) -> Value {
    let targets: Vec<Value> = names.iter().map(|name| json!({ "kind": "Deployment", "name": name })).collect();
    json!({ "targets": targets })
}

#[tokio::test]
async fn no_target_is_let_go_before_all_can_be_and_one_that_is_created_again_is_let_go_again() {
    let _operator = undisturbed().await;
    let world = World::new("gate-two").await;
    put(&world, "app", BUSYBOX, json!({}));
    world.script("app", "true", targets(&["app", "worker"]));
    let missing =
        |status: &MigrationRunStatus| status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "TargetMissing");
    let waits = world.status("app", "TargetMissing", missing).await;
    assert_eq!((waits.targets[0].state, waits.targets[1].state), (TargetState::Held, TargetState::Missing));
    assert!(images_that_run(&world, "app").is_empty());
    put(&world, "worker", BUSYBOX, json!({}));
    world.clean("app").await;
    for name in ["app", "worker"] {
        rolled_out(&world, name, BUSYBOX).await;
    }
    let attempts = world.jobs("app", "migrate").await.len();
    world.kubectl(&["delete", "deployment", "app"]);
    put(&world, "app", BUSYBOX, json!({}));
    rolled_out(&world, "app", BUSYBOX).await;
    assert_eq!(world.jobs("app", "migrate").await.len(), attempts, "it was migrated again");
}

#[tokio::test]
async fn a_deployment_behind_two_databases_waits_for_both() {
    let _operator = undisturbed().await;
    let world = World::new("gate-both").await;
    // By the annotation, which knows of a run that has yet to come, and without it.
    put(&world, "app", BUSYBOX, requires("one,two"));
    put(&world, "worker", BUSYBOX, json!({}));
    world.script("two", "sleep 2; exit 1", targets(&["worker"]));
    world.script("one", "true", targets(&["app", "worker"]));
    let waits =
        |status: &MigrationRunStatus| status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "RequiredRun");
    world.status("one", "RequiredRun", waits).await;
    world.stalled("two").await;
    for app in ["app", "worker"] {
        assert!(images_that_run(&world, app).is_empty());
    }
    world.script("two", "true", targets(&["app", "worker"]));
    for run in ["one", "two"] {
        world.clean(run).await;
    }
    for app in ["app", "worker"] {
        rolled_out(&world, app, BUSYBOX).await;
    }
}

#[tokio::test]
async fn an_observed_release_is_let_through_and_one_that_nothing_holds_is_told_of() {
    let _operator = undisturbed().await;
    let world = World::new("gate-observe").await;
    put(&world, "app", SHOP, json!({}));
    let mut spec = targets(&["app"]);
    spec["targets"][0]["image"] = json!(SHOP);
    spec["gate"] = json!({ "mode": "Observe" });
    world.script("app", "exit 1", spec);
    rolled_out(&world, "app", SHOP).await;
    world.stalled("app").await;
    world.kubectl(&["label", "deployment", "app", "sluice.dev/gated-"]);
    let told = |status: &MigrationRunStatus| state(status) == Some(TargetState::NotGated);
    let status = world.status("app", "NotGated", told).await;
    assert!(status.targets[0].message.as_ref().is_some_and(|message| message.contains("sluice.dev/gated")));
}

/// A namespace with a Deployment that came through the gate and serves.
async fn serving(name: &str) -> World {
    let world = World::new(name).await;
    put(&world, "app", BUSYBOX, json!({}));
    world.script("app", "true", targets(&["app"]));
    rolled_out(&world, "app", BUSYBOX).await;
    world
}

/// The next release of its run: another image, whose steps run in the first one.
fn next() -> Value {
    json!({ "image": SHOP, "migrate": { "image": BUSYBOX }, "targets": targets(&["app"])["targets"] })
}

/// Waits until two pods of this image, and none of another, are available.
async fn served_by(world: &World, image: &str) {
    let serves = |deployment: Option<&Deployment>| {
        let status = deployment.and_then(|deployment| deployment.status.as_ref());
        status.is_some_and(|status| status.available_replicas == Some(2) && status.replicas == Some(2))
    };
    world.until("app", "two pods that serve", serves).await;
    assert_eq!(images_that_run(world, "app"), [image]);
}

#[tokio::test]
async fn what_served_comes_back_where_its_replica_set_is_gone_and_what_is_held_does_not() {
    let _operator = undisturbed().await;
    let world = serving("gate-lost").await;
    let kept = |kept: Option<&ControllerRevision>| kept.is_some();
    let name = world.kubectl(&["get", "replicasets", "-o", "jsonpath={.items[0].metadata.name}"]);
    world.until(&format!("{name}-1"), "the release to be kept", kept).await;

    // The next release fails, and its Deployment is deleted, created and scaled.
    put(&world, "app", SHOP, json!({}));
    world.script("app", "exit 1", next());
    world.stalled("app").await;
    for again in ["delete", "scale"] {
        if again == "delete" {
            world.kubectl(&["delete", "deployment", "app"]);
            put(&world, "app", SHOP, json!({ "spec": { "revisionHistoryLimit": 0 } }));
        } else {
            world.kubectl(&["scale", "deployment", "app", "--replicas=0"]);
            let none = |deployment: Option<&Deployment>| {
                let status = deployment.and_then(|deployment| deployment.status.as_ref());
                status.is_some_and(|status| status.replicas.unwrap_or_default() == 0)
            };
            world.until("app", "no pod", none).await;
            world.kubectl(&["scale", "deployment", "app", "--replicas=2"]);
        }
        served_by(&world, BUSYBOX).await;
    }
}

#[tokio::test]
async fn a_run_that_is_deleted_opens_nothing_and_closes_nothing() {
    let _operator = undisturbed().await;
    let world = serving("gate-deleted").await;
    world.kubectl(&["delete", "mrun", "app"]);
    put(&world, "app", SHOP, json!({}));
    let held = |deployment: Option<&Deployment>| {
        deployment.and_then(|deployment| deployment.spec.as_ref()).is_some_and(|spec| spec.paused == Some(true))
    };
    world.until("app", "it to be held", held).await;
    world.kubectl(&["delete", "pods", "-l", "app=app", "--wait=true"]);
    served_by(&world, BUSYBOX).await;
    // Git goes back: what is approved needs nobody.
    put(&world, "app", BUSYBOX, json!({}));
    rolled_out(&world, "app", BUSYBOX).await;
}
