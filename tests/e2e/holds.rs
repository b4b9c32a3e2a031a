//! A hold that lasts: what serves goes on serving and scaling, whatever happens to its pods and to its Deployment.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{self, undisturbed};
use crate::scene::Scene;
use crate::world::World;

/// How long what serves is worn before the hold ends.
const LONG: Duration = Duration::from_secs(150);

/// A HorizontalPodAutoscaler's write: the scale subresource, as its controller's ServiceAccount.
fn autoscaled(scene: &Scene, pods: usize) {
    let (namespace, app) = (&scene.world.namespace, &scene.app);
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{app}/scale");
    let scale = json!({ "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": { "name": app, "namespace": namespace }, "spec": { "replicas": pods } });
    let controller = "--as=system:serviceaccount:kube-system:horizontal-pod-autoscaler";
    let (written, text) = cluster::try_send(&["replace", "--raw", &path, "-f", "-", controller], &scale);
    assert!(written, "a scale write of an autoscaler: {text}");
}

/// Scaled to 0, and up again when the last pod is gone: customers have left.
async fn to_nothing_and_back(scene: &Scene, step: &str) {
    scene.scaled(&format!("{step}, at 0"), "1.0", 0).await;
    scene.scaled(&format!("{step}, back from 0"), "1.0", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_lasts_through_scaling_deletion_eviction_and_a_way_to_nothing_and_back() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("gate-lasts", json!({})).await;
    scene.fails("1.1").await;
    let held_since = Instant::now();
    scene.serve("1.1 is held", "1.0", 2).await;
    scene.scaled("scaled up by a person", "1.0", 3).await;
    scene.one_deleted("a pod is deleted", "1.0", 3).await;
    scene.drained("every pod is evicted, one by one", "1.0", 3).await;
    autoscaled(&scene, 4);
    scene.serve("scaled up by an autoscaler", "1.0", 4).await;
    autoscaled(&scene, 2);
    scene.serve("scaled down by an autoscaler", "1.0", 2).await;
    scene.deploy("1.1", json!({ "spec": { "template": { "metadata": { "annotations": { "commit": "2" } } } } }));
    scene.held("another commit of what is held").await;
    scene.deploy("1.1", json!({ "spec": { "revisionHistoryLimit": 0 } }));
    scene.held("no ReplicaSets of old releases are kept").await;
    scene.one_deleted("a pod is deleted, with history limit 0", "1.0", 2).await;
    for round in 0.. {
        scene.drained(&format!("eviction {round}"), "1.0", 2).await;
        scene.scaled(&format!("scaled up {round}"), "1.0", 3).await;
        scene.scaled(&format!("scaled down {round}"), "1.0", 2).await;
        if held_since.elapsed() > LONG {
            break;
        }
    }
    assert_eq!(scene.heard("the hold"), ["1.0"]);

    scene.leave("nobody serves at 0");
    // With the limit of 0 its ReplicaSet goes at 0, and the operator brings it back.
    to_nothing_and_back(&scene, "history limit 0").await;
    scene.deploy("1.1", json!({ "spec": { "revisionHistoryLimit": 10 } }));
    to_nothing_and_back(&scene, "history limit 10").await;
    scene.ask();

    // A later release, the fix, is not kept back by what was held.
    scene.run("1.2", "true", json!({}));
    scene.deploy("1.2", json!({}));
    scene.comes_through("the fix", "1.2", 2).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.2"]);
}

fn strategy(spec: Value) -> Value {
    json!({ "spec": spec })
}

/// Deployments of one run, each with its own way to roll out.
async fn cast(world: &World) -> Vec<(Scene, Value)> {
    let ways = [
        ("recreate", json!({ "replicas": 1, "strategy": { "type": "Recreate", "rollingUpdate": null } })),
        ("no-surge", json!({ "strategy": { "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } } })),
        ("slow", json!({ "replicas": 1, "minReadySeconds": 2 })),
        ("nobody", json!({ "replicas": 0 })),
        ("paused", json!({ "replicas": 1 })),
    ];
    let mut cast = Vec::new();
    for (app, spec) in ways {
        cast.push((Scene::empty(world, app).await, strategy(spec)));
    }
    cast
}

fn pods_of(way: &Value) -> usize {
    way["spec"]["replicas"].as_u64().map_or(2, |pods| usize::try_from(pods).unwrap())
}

fn release(cast: &[(Scene, Value)], version: &str, migrate: &str) {
    let targets: Vec<Value> =
        cast.iter().map(|(scene, _)| json!({ "kind": "Deployment", "name": scene.app })).collect();
    cast[0].0.run(version, migrate, json!({ "targets": targets }));
    for (scene, way) in cast {
        scene.deploy(version, way.clone());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_lasts_whatever_the_way_to_roll_out_and_a_pause_of_the_users_own_outlives_it() {
    let _operator = undisturbed().await;
    let world = World::new("gate-ways").await;
    let cast = cast(&world).await;
    release(&cast, "1.0", "true");
    for (scene, way) in &cast {
        scene.comes_through("the first release", "1.0", pods_of(way)).await;
    }
    let [(recreate, _), (no_surge, _), (slow, _), (nobody, _), (paused, _)] = &cast[..] else { unreachable!() };
    for scene in [recreate, no_surge, slow, paused] {
        scene.ask();
    }
    world.kubectl(&["rollout", "pause", "deployment/paused"]);

    let before: Vec<Vec<String>> = cast.iter().map(|(scene, _)| scene.pods()).collect();
    release(&cast, "1.1", "exit 1");
    world.stalled("app").await;
    for ((scene, way), before) in cast.iter().zip(&before) {
        scene.held("1.1 fails").await;
        scene.serve("1.1 fails", "1.0", pods_of(way)).await;
        assert_eq!(&scene.pods(), before, "{}: a hold touches no pod", scene.app);
    }
    no_surge.drained("no surge: every pod is evicted", "1.0", 2).await;
    slow.scaled("minReadySeconds: scaled up", "1.0", 2).await;
    nobody.scaled("from 0, where 1.0 never had a pod", "1.0", 1).await;
    recreate.scaled("Recreate: scaled up", "1.0", 2).await;
    recreate.one_deleted("Recreate: a pod is deleted", "1.0", 2).await;
    let held_by =
        world.kubectl(&["get", "deployment", "paused", "-o", "jsonpath={.metadata.annotations.sluice\\.dev/held-by}"]);
    assert_eq!(held_by, "admission+user");
    assert_eq!(recreate.heard("the hold"), ["1.0"]);
    recreate.leave("to recreate is to have a gap");

    for scene in [recreate, no_surge, slow, nobody, paused] {
        scene.fit("1.1");
    }
    // The commit of before, its number of pods included.
    release(&cast, "1.1", "true");
    for scene in [recreate, no_surge, slow] {
        let pods = if scene.app == "no-surge" { 2 } else { 1 };
        scene.comes_through("1.1 is clean", "1.1", pods).await;
    }
    nobody.comes_through("1.1 is clean", "1.1", 0).await;
    let approved = |deployment: &k8s_openapi::api::apps::v1::Deployment| {
        let held = deployment.metadata.annotations.iter().flatten().any(|(key, _)| key == "sluice.dev/held-by");
        !held && deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true))
    };
    paused.until("1.1 is clean", "the user's own pause alone", approved).await;
    paused.serve("the user's own pause", "1.0", 1).await;
    world.kubectl(&["rollout", "resume", "deployment/paused"]);
    paused.comes_through("the user resumes", "1.1", 1).await;
    for scene in [no_surge, slow, paused] {
        assert_eq!(scene.heard("the end"), ["1.0", "1.1"], "{}", scene.app);
    }
}
