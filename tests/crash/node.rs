//! A scripted node: does to the pods of one namespace what a kubelet would, and remembers every pod there ever was.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use sluice::api::{MigrationRun, labels};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::scene::RUN;
use crate::story::{Story, TARGET};

/// What an attempt's pod is for, such as `migrate-1`.
pub type Duty = String;

/// The node of one namespace; ends with its value.
pub struct Node {
    shared: Arc<Shared>,
    tasks: [JoinHandle<()>; 2],
}

struct Shared {
    client: Client,
    namespace: String,
    story: Story,
    /// UIDs of all pods that ever were.
    pods: Mutex<BTreeMap<Duty, BTreeSet<String>>>,
    hurry: watch::Sender<bool>,
}

impl Node {
    pub fn start(client: &Client, namespace: &str, story: Story) -> Self {
        let shared = Arc::new(Shared {
            client: client.clone(),
            namespace: namespace.to_owned(),
            story,
            pods: Mutex::default(),
            hurry: watch::Sender::new(false),
        });
        let tasks = [tokio::spawn(shared.clone().run()), tokio::spawn(shared.clone().serve())];
        Self { tasks, shared }
    }

    /// How many pods each duty has had.
    pub fn pods(&self) -> BTreeMap<Duty, usize> {
        self.shared.pods.lock().unwrap().iter().map(|(duty, uids)| (duty.clone(), uids.len())).collect()
    }

    /// From now on a migration ends without waiting until the operator has seen it run.
    pub fn hurry(&self) {
        self.shared.hurry.send_replace(true);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Duty of an object, from the labels that Sluice gave it.
pub fn duty(object: &impl ResourceExt) -> Duty {
    let label = |key: &str| object.labels().get(key).cloned().unwrap_or_default();
    format!("{}-{}", label(labels::STEP), label(labels::ATTEMPT))
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let ours = watcher::Config::default().labels(labels::RUN);
        let mut pods = pin!(watcher(api, ours).default_backoff().applied_objects());
        while let Some(pod) = pods.next().await {
            let Ok(pod) = pod else { continue };
            let known = self.pods.lock().unwrap().entry(duty(&pod)).or_default().insert(pod.uid().unwrap_or_default());
            if known {
                tokio::spawn(self.clone().live(pod));
            }
        }
    }

    /// The Deployment's pods are ready as soon as they are there.
    async fn serve(self: Arc<Self>) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let its = watcher::Config::default().labels(&format!("app={TARGET}"));
        let mut pods = pin!(watcher(api.clone(), its).default_backoff().applied_objects());
        while let Some(pod) = pods.next().await {
            let Ok(pod) = pod else { continue };
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            if phase == Some("Running") || pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let ready =
                json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
            // One that is gone by then is of no use.
            let _ = api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(ready)).await;
        }
    }

    /// A pod's life: it runs, it is seen to run, it ends.
    async fn live(self: Arc<Self>, pod: Pod) {
        let (step, attempt) = (pod.labels()[labels::STEP].clone(), pod.labels()[labels::ATTEMPT].parse().unwrap_or(0));
        let started = json!(jiff::Timestamp::now().to_string());
        self.say(&pod, "Running", &step, json!({ "running": { "startedAt": started } })).await;
        if step == "migrate" {
            let mut hurry = self.hurry.subscribe();
            tokio::select! {
                () = self.seen_to_run(attempt) => {}
                _ = hurry.wait_for(|hurry| *hurry) => {}
            }
        }
        let (code, last_lines) = self.story.end_of(&step, attempt);
        let (phase, reason) = if code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
        let ended = json!({ "exitCode": code, "reason": reason, "startedAt": started,
            "finishedAt": jiff::Timestamp::now().to_string(), "message": last_lines });
        self.say(&pod, phase, &step, json!({ "terminated": ended })).await;
    }

    async fn seen_to_run(&self, attempt: i32) {
        let runs: Api<MigrationRun> = Api::namespaced(self.client.clone(), &self.namespace);
        let seen = move |run: Option<&MigrationRun>| {
            let status = run.and_then(|run| run.status.as_ref());
            status.is_some_and(|status| {
                let mut attempts = status.attempts.iter();
                attempts.any(|other| other.number == attempt && other.migrate.started_at.is_some())
            })
        };
        let _ = await_condition(runs, RUN, seen).await;
    }

    async fn say(&self, pod: &Pod, phase: &str, container: &str, state: Value) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let status = json!({ "status": { "phase": phase, "containerStatuses": [{ "name": container, "image": "i",
            "imageID": "", "ready": phase == "Running", "restartCount": 0, "state": state }] } });
        let said = api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status)).await;
        if let Err(error) = said {
            eprintln!("{}: the node failed to report {}: {error}", self.namespace, pod.name_any());
        }
    }
}
