//! A scripted node: does to the pods of Jobs what a kubelet would, and remembers when it told of each end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use sluice::api::{MigrationRun, labels};
use tokio::sync::{Semaphore, watch};

use crate::watch::{Sightings, Watch};
use crate::world::AT_ONCE;

const APPLIED: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260101000000_init`\n\n\
                       All migrations have been successfully applied.";
const UP_TO_DATE: &str = "1 migration found in prisma/migrations\n\nDatabase schema is up to date!";
const UNREACHABLE: &str = "Error: P1001: Can't reach database server at `db:5432`\n\n\
                           Please make sure your database server is running at `db:5432`.";
pub const CONFLICT: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260102000000_unique`\n\
                        Error: P3018\n\nA migration failed to apply. New migrations cannot be applied before the error is \
                        recovered from.\n\nMigration name: 20260102000000_unique\n\nDatabase error code: 23505\n\n\
                        Database error:\nERROR: could not create unique index \"users_email_key\"";
const HAS_FAILED: &str = "Following migration have failed:\n20260102000000_unique";
/// The label of Jobs that stand for themselves, with which the floors are measured.
pub const BARE: &str = "bench/bare";

/// The node; it works until the program ends.
#[derive(Clone)]
pub struct Node(Arc<Shared>);

struct Shared {
    api: Api<Pod>,
    runs: Watch<MigrationRun>,
    calls: Semaphore,
    /// By pod: the instant at which its end was sent.
    ends: Mutex<BTreeMap<String, Instant>>,
    known: Mutex<BTreeSet<String>>,
    slow_end: watch::Sender<bool>,
}

impl Node {
    pub fn start(client: &Client, namespace: &str, runs: Watch<MigrationRun>, pods: &Watch<Pod>) -> Self {
        let shared = Arc::new(Shared {
            api: Api::namespaced(client.clone(), namespace),
            runs,
            calls: Semaphore::new(AT_ONCE),
            ends: Mutex::default(),
            known: Mutex::default(),
            slow_end: watch::Sender::new(false),
        });
        tokio::spawn(shared.clone().run(pods.sightings()));
        Self(shared)
    }

    /// When the end of a run's latest migrate pod was sent.
    pub fn ended_at(&self, run: &str) -> Instant {
        *self.0.ends.lock().unwrap().get(run).expect("the pod has not ended")
    }

    /// What runs for long ends now.
    pub fn let_slow_end(&self) {
        self.0.slow_end.send_replace(true);
    }

    /// How many pods there ever were.
    pub fn pods(&self) -> usize {
        self.0.known.lock().unwrap().len()
    }
}

impl Shared {
    async fn run(self: Arc<Self>, mut pods: Sightings<Pod>) {
        loop {
            let (_, pod) = pods.next("pods").await;
            if self.known.lock().unwrap().insert(pod.uid().unwrap_or_default()) {
                tokio::spawn(self.clone().live(pod));
            }
        }
    }

    /// A pod's life: it runs, it ends.
    async fn live(self: Arc<Self>, pod: Arc<Pod>) {
        let label = |key: &str| pod.labels().get(key).cloned();
        let Some(run) = label(labels::RUN).or_else(|| label(BARE)) else { return };
        let step = label(labels::STEP).unwrap_or_else(|| "migrate".to_owned());
        let kind = run.split('-').next().unwrap_or_default();
        let started = jiff::Timestamp::now().to_string();
        let mut runs = self.runs.sightings();
        self.say(&pod, "Running", &step, json!({ "running": { "startedAt": started } })).await;
        match kind {
            "slow" if step == "migrate" => drop(self.slow_end.subscribe().wait_for(|end| *end).await),
            // Measured one by one: the operator is at rest when the end comes.
            "fail" | "clean" if step == "migrate" => seen_to_run(&mut runs, &run).await,
            _ => {}
        }
        drop(runs);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let (code, last_lines) = match (kind, step.as_str()) {
            ("fail" | "crowdfail", "migrate") => (1, CONFLICT),
            ("fail" | "crowdfail", _) => (1, HAS_FAILED),
            ("unreachable", _) => (1, UNREACHABLE),
            (_, "migrate") => (0, APPLIED),
            _ => (0, UP_TO_DATE),
        };
        let (phase, reason) = if code == 0 { ("Succeeded", "Completed") } else { ("Failed", "Error") };
        let ended = json!({ "exitCode": code, "reason": reason, "startedAt": started,
            "finishedAt": jiff::Timestamp::now().to_string(), "message": last_lines });
        if step == "migrate" {
            self.ends.lock().unwrap().insert(run, Instant::now());
        }
        self.say(&pod, phase, &step, json!({ "terminated": ended })).await;
    }

    async fn say(&self, pod: &Pod, phase: &str, container: &str, state: Value) {
        let _turn = self.calls.acquire().await.unwrap();
        let status = Patch::Merge(status(phase, container, state));
        if let Err(error) = self.api.patch_status(&pod.name_any(), &PatchParams::default(), &status).await {
            crate::say!("the node failed to report {}: {error}", pod.name_any());
        }
    }
}

/// A pod's status with one container.
pub fn status(phase: &str, container: &str, state: Value) -> Value {
    json!({ "status": { "phase": phase, "containerStatuses": [{ "name": container, "image": "i",
        "imageID": "", "ready": phase == "Running", "restartCount": 0, "state": state }] } })
}

async fn seen_to_run(runs: &mut Sightings<MigrationRun>, name: &str) {
    let started = |run: &MigrationRun| {
        let attempts = run.status.iter().flat_map(|status| &status.attempts).last();
        run.name_any() == name && attempts.is_some_and(|attempt| attempt.migrate.started_at.is_some())
    };
    runs.first("the run to be seen running", started).await;
}
