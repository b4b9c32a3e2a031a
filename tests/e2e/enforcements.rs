//! The gate where the API server cannot hold by itself: by the operator's webhook, and by the operator after the fact.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sluice::api::status::Enforcement as Enforces;

use crate::attacks::Editor;
use crate::cluster::{self, Enforcement, OPERATOR, alone, scale_operator};
use crate::scene::{Scene, image};

async fn enforced_by(scene: &Scene, enforcement: Enforces) {
    let status = scene.world.clean("app").await;
    assert_eq!(status.gate.map(|gate| gate.enforcement), Some(enforcement));
}

/// Writes to the held Deployment without a pause, as dry runs, until it is asked what was refused.
struct Writer {
    stop: Arc<AtomicBool>,
    writing: tokio::task::JoinHandle<(usize, Vec<String>)>,
}

impl Writer {
    fn of(scene: &Scene) -> Self {
        let (stop, world) = (Arc::new(AtomicBool::new(false)), scene.world.clone());
        let stopped = stop.clone();
        let writing = tokio::task::spawn_blocking(move || {
            let note = ["annotate", "--overwrite", "deployment", "app", "--dry-run=server", "note=x"];
            let (mut written, mut refused) = (0, Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                match world.try_kubectl(&note) {
                    (true, _) => written += 1,
                    (false, text) => refused.push(text),
                }
            }
            (written, refused)
        });
        Self { stop, writing }
    }

    async fn refused(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let (written, refused) = self.writing.await.unwrap();
        assert!(written > 0, "{refused:?}");
        refused
    }
}

const AUTHORITIES: &str = "jsonpath={.webhooks[0].clientConfig.caBundle}";

fn authorities() -> String {
    cluster::kubectl(&["get", "mutatingwebhookconfiguration", "sluice-gate", "-o", AUTHORITIES])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_holds_and_what_is_gated_is_not_written_while_it_is_down() {
    let _operator = alone().await;
    let _webhook = Enforcement::of("Webhook", 2);
    let scene = Scene::serving("gate-webhook", json!({})).await;
    enforced_by(&scene, Enforces::Webhook).await;
    scene.fails("1.1").await;
    scene.serve("1.1 is held", "1.0", 2).await;

    let paused = ["--dry-run=server", "-o", "jsonpath={.spec.paused} {.spec.template.spec.containers[0].image}"];
    let set = |version: &str| format!("web={}", image(version));
    let shown = scene.world.kubectl(&[&["set", "image", "deployment/app", &set("1.2")], &paused[..]].concat());
    assert!(shown.starts_with("true localhost/shop:1.2"), "a dry run shows that it would be held: {shown}");

    let editor = Editor::of(&scene);
    editor.does(&["rollout", "resume", "deployment/app"]);
    scene.held("rollout resume").await;
    editor.annotates(&["sluice.dev/approved-images=localhost/shop:1.1", "sluice.dev/held-by-"]);
    scene.held("planted annotations").await;
    editor.may_not(&["label", "deployment", "app", "sluice.dev/gated-"], "does not come off");
    let its = scene.set("1.0").await.unwrap();
    editor.may_not(&["set", "image", &format!("rs/{its}"), &set("1.1")], "is not approved");
    scene.serve("an editor's attacks", "1.0", 2).await;

    // Every certificate is another: new replicas take the places of the old ones, and somebody drops what is published.
    let (before, writer) = (authorities(), Writer::of(&scene));
    cluster::kubectl(&["-n", OPERATOR, "rollout", "restart", "deployment/sluice"]);
    cluster::kubectl(&["-n", OPERATOR, "rollout", "status", "deployment/sluice", "--timeout=60s"]);
    assert_ne!(authorities(), before);
    assert_eq!(writer.refused().await, Vec::<String>::new(), "while every replica was replaced");
    scene.held("new certificates").await;

    scale_operator(0).await;
    let (written, told) = scene.world.try_kubectl(&["set", "image", "deployment/app", &set("1.2")]);
    assert!(!written && told.contains("hold.sluice.dev"), "{told}");
    scene.drained("every pod is evicted, the webhook down", "1.0", 2).await;
    scene.scaled("scaled, the webhook down", "1.0", 3).await;
    let free =
        scene.manifest("1.0", json!({ "metadata": { "name": "free", "labels": null }, "spec": { "replicas": 0 } }));
    cluster::apply(&scene.world.namespace, &free);
    assert_eq!(scene.heard("the webhook down"), ["1.0"]);

    scale_operator(2).await;
    let none = json!([{ "op": "remove", "path": "/webhooks/0/clientConfig/caBundle" }]);
    cluster::kubectl(&["patch", "mutatingwebhookconfiguration", "sluice-gate", "--type=json", "-p", &none.to_string()]);
    scene.run("1.2", "true", json!({}));
    published().await;
    scene.deploy("1.2", json!({ "spec": { "replicas": 2 } }));
    scene.comes_through("the webhook is back, and 1.2 clean", "1.2", 2).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.2"]);
}

/// Waits until the API server knows an authority again: the operator looks every ten seconds.
async fn published() {
    use futures::StreamExt;
    use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
    use kube::runtime::{WatchStreamExt, watcher};
    let api = kube::Api::<MutatingWebhookConfiguration>::all(cluster::client().await);
    let config = watcher::Config::default().fields("metadata.name=sluice-gate");
    let known = watcher(api, config).applied_objects().any(async |found| {
        let webhooks = found.into_iter().flat_map(|found| found.webhooks.into_iter().flatten());
        webhooks.into_iter().any(|webhook| webhook.client_config.ca_bundle.is_some())
    });
    let waited = tokio::time::timeout(crate::world::PATIENCE, known).await;
    assert_eq!(waited.ok(), Some(true), "nothing is published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_admission_the_operator_holds_after_the_fact_and_says_so() {
    let _operator = alone().await;
    let _reactive = Enforcement::of("Reactive", 1);
    let scene = Scene::serving("gate-reactive", json!({})).await;
    enforced_by(&scene, Enforces::Reactive).await;

    // It can be late: a pod of 1.1 may have begun. None of them counts before minutes are over, so all that served goes on.
    scene.fit("1.1");
    scene.deploy("1.1", json!({ "spec": { "minReadySeconds": 300 } }));
    scene.run("1.1", "exit 1", json!({}));
    scene.world.stalled("app").await;
    scene.held("1.1, whose migration fails").await;
    let editor = Editor::of(&scene);
    editor.does(&["rollout", "resume", "deployment/app"]);
    scene.held("rollout resume").await;
    let sets = scene.sets().await;
    let serving = sets.iter().find(|(_, found, _)| *found == image("1.0"));
    assert!(serving.is_some_and(|(.., pods)| *pods == 2), "what served has lost a pod: {sets:?}");

    scene.deploy("1.0", json!({}));
    scene.comes_through("Git goes back", "1.0", 2).await;
    scene.deploy("1.2", json!({}));
    scene.fit("1.2");
    scene.held("1.2, before its run").await;
    scene.run("1.2", "true", json!({}));
    // Its pods may have come before the hold did.
    scene.let_go("1.2 is clean").await;
    scene.comes_through("1.2 is clean", "1.2", 2).await;

    // Without an operator nothing is held, as docs/gate.md says.
    scale_operator(0).await;
    scene.deploy("1.3", json!({}));
    scene.comes_through("no operator, no gate", "1.3", 2).await;
    scale_operator(1).await;
    scene.held("the operator is back").await;
    assert!(scene.heard("the end").contains(&"1.3".to_owned()));
}
