//! Releases that come through the gate, and those that do not: customers are answered by what their database is clean with.

use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;

use crate::cluster::{alone, scale_operator, undisturbed};
use crate::scene::{Scene, image};
use crate::world::{World, condition};

/// A migration that lasts until `go` is called, half a minute at most.
pub const SLOW: &str = "for i in $(seq 300); do [ -e /tmp/go ] && exit; sleep 0.1; done; exit 1";

/// Lets the migration of the run end.
pub async fn go(world: &World, run: &str) {
    let started =
        |status: &MigrationRunStatus| status.active_attempt().is_some_and(|active| active.migrate.started_at.is_some());
    let status = world.status(run, "migrate to run", started).await;
    let job = format!("job/{}", status.active_attempt().unwrap().migrate.job);
    world.kubectl(&["exec", &job, "-c", "migrate", "--", "touch", "/tmp/go"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_install_waits_and_a_third_release_waits_in_the_middle_of_a_rollout() {
    let _operator = undisturbed().await;
    let scene = Scene::empty(&World::new("gate-third").await, "app").await;
    scene.deploy("1.0", json!({}));
    scene.run("1.0", SLOW, json!({}));
    scene.held("a first install").await;
    assert_eq!(scene.sets().await, [], "a first install that is held has no ReplicaSet");
    go(&scene.world, "app").await;
    scene.comes_through("its database is clean", "1.0", 2).await;
    scene.ask();

    // New pods count after minutes only: the rollout of 1.1 stays in its middle.
    scene.fit("1.1");
    scene.deploy("1.1", json!({ "spec": { "minReadySeconds": 300 } }));
    scene.run("1.1", "true", json!({}));
    scene.serve_all("1.1 begins to roll out", &["1.0", "1.1"], 3).await;

    scene.deploy("1.2", json!({ "spec": { "minReadySeconds": 300 } }));
    scene.run("1.2", "exit 1", json!({}));
    scene.world.stalled("app").await;
    scene.held("1.2 fails in the middle of the rollout of 1.1").await;
    let new = scene.set("1.1").await.unwrap();
    scene.world.kubectl(&["delete", "pods", "-l", &format!("pod-template-hash={}", &new[4..]), "--wait=false"]);
    scene.serve_all("the pod of 1.1 is deleted", &["1.0", "1.1"], 3).await;
    scene.world.kubectl(&["scale", "deployment/app", "--replicas=3"]);
    scene.serve_all("scaled up with two releases", &["1.0", "1.1"], 4).await;
    assert_eq!(scene.set("1.2").await, None, "what is held has no ReplicaSet");

    scene.deploy("1.3", json!({ "spec": { "minReadySeconds": 0 } }));
    scene.run("1.3", "true", json!({}));
    scene.comes_through("1.3, the fix", "1.3", 2).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.1", "1.3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_two_databases_one_that_fails_holds_and_git_goes_back_without_anybody() {
    let _operator = undisturbed().await;
    let scene = Scene::empty(&World::new("gate-databases").await, "app").await;
    let both = json!({ "metadata": { "annotations": { "sluice.dev/required-runs": "one,two" } } });
    let run = |name: &str, version: &str, migrate: &str| {
        let spec = json!({ "image": image(version), "migrate": { "image": "localhost/busybox:1" },
            "targets": [{ "kind": "Deployment", "name": "app" }] });
        scene.world.script(name, migrate, spec);
    };
    let release = |version: &str, two: &str| {
        scene.deploy(version, both.clone());
        run("one", version, "true");
        run("two", version, two);
    };
    release("1.0", "true");
    scene.comes_through("both databases are clean", "1.0", 2).await;
    scene.ask();

    release("1.1", "exit 1");
    scene.world.stalled("two").await;
    let waits =
        |status: &MigrationRunStatus| status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "RequiredRun");
    scene.world.status("one", "run one to wait for run two", waits).await;
    scene.held("one database is clean with 1.1, the other failed").await;
    scene.serve("one database is clean with 1.1, the other failed", "1.0", 2).await;

    // The Deployment alone goes back: what is approved needs no run.
    scene.deploy("1.0", both.clone());
    scene.comes_through("Git goes back", "1.0", 2).await;
    assert_eq!(scene.heard("Git went back"), ["1.0"]);
    release("1.0", "true");
    for run in ["one", "two"] {
        let status = scene.world.clean(run).await;
        assert_eq!(condition(&status, "GateOpen"), "True", "run {run}");
    }

    release("1.1", "true");
    scene.comes_through("both databases are clean with 1.1", "1.1", 2).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.1"]);
}

/// A second container, which carries no release.
fn beside(scene: &Scene, version: &str, beside: &str) -> Value {
    let mut deployment = scene.manifest(version, json!({}));
    let log = json!({ "name": "log", "image": beside, "command": ["sleep", "3600"] });
    deployment["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().push(log);
    json!({ "metadata": { "annotations": { "sluice.dev/containers": "web" } }, "spec": deployment["spec"] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deployments_with_images_of_their_own_go_together_and_an_ungated_container_goes_alone() {
    let _operator = undisturbed().await;
    let world = World::new("gate-own").await;
    let [app, worker] = [Scene::empty(&world, "app").await, Scene::empty(&world, "worker").await];
    let run = |version: &str, its: &str, migrate: &str| {
        let targets = json!([{ "kind": "Deployment", "name": "app" },
            { "kind": "Deployment", "name": "worker", "image": image(its) }]);
        app.run(version, migrate, json!({ "targets": targets }));
    };
    app.deploy("1.0", json!({}));
    worker.deploy("1.1", beside(&worker, "1.1", "localhost/shop:1.4"));
    run("1.0", "1.1", "true");
    app.comes_through("the first release", "1.0", 2).await;
    worker.comes_through("the first release", "1.1", 2).await;
    [&app, &worker].into_iter().for_each(Scene::ask);

    app.deploy("1.2", json!({}));
    worker.deploy("1.3", beside(&worker, "1.3", "localhost/shop:1.4"));
    run("1.2", "1.3", SLOW);
    for scene in [&app, &worker] {
        scene.held("the migration runs").await;
    }
    // While its migration runs, another image of the container that is not gated waits with it.
    worker.deploy("1.3", beside(&worker, "1.3", "localhost/busybox:1"));
    worker.held("another image beside what is held").await;
    app.serve("the migration runs", "1.0", 2).await;
    worker.serve("the migration runs", "1.1", 2).await;
    go(&world, "app").await;
    app.comes_through("the migration is clean", "1.2", 2).await;
    worker.comes_through("the migration is clean", "1.3", 2).await;

    // Nothing is held, and what is not gated goes at once, with no run.
    let before = worker.pods();
    worker.deploy("1.3", beside(&worker, "1.3", "localhost/shop:1.0"));
    worker.comes_through("another image beside what is approved", "1.3", 2).await;
    assert!(worker.pods().iter().all(|pod| !before.contains(pod)), "{before:?} run on");
    assert_eq!((app.heard("the end"), worker.heard("the end")), (words(&["1.0", "1.2"]), words(&["1.1", "1.3"])));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_operator_a_release_waits_and_with_one_again_it_comes_through() {
    let _operator = alone().await;
    let scene = Scene::serving("gate-absent", json!({})).await;
    scale_operator(0).await;
    scene.run("1.1", "true", json!({}));
    scene.deploy("1.1", json!({}));
    scene.held("a release without an operator").await;
    scene.drained("every pod is evicted without an operator", "1.0", 2).await;
    let (resumed, _) = scene.world.try_kubectl(&["rollout", "resume", "deployment/app"]);
    assert!(resumed, "it is answered, and without effect");
    scene.held("resumed without an operator").await;
    scene.scaled("scaled without an operator", "1.0", 3).await;
    scale_operator(1).await;
    scene.comes_through("the operator is back", "1.1", 3).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.1"]);
}
