//! A test's own namespace: its runs, Jobs and pods, and how to wait for them.

use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice::api::{MigrationRun, MigrationRunStatus};

use crate::cluster;

/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub struct World {
    pub client: Client,
    pub namespace: String,
}

impl World {
    /// A new namespace, with its default ServiceAccount.
    pub async fn new(case: &str) -> Self {
        let client = cluster::client().await;
        let namespace = format!("e2e-{case}");
        if cluster::try_kubectl(&["get", "namespace", &namespace]).0 {
            cluster::kubectl(&["delete", "namespace", &namespace, "--timeout=120s"]);
        }
        let wanted: Namespace = serde_json::from_value(json!({ "metadata": { "name": namespace } })).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &wanted).await.unwrap();
        let world = Self { client, namespace };
        world.until::<ServiceAccount>("default", "the service account", |found| found.is_some()).await;
        world
    }

    /// A new namespace with a database of its own on the shared server, and the Secret `shop-db` for it.
    pub async fn with_database(case: &str) -> Self {
        cluster::database_server().await;
        let world = Self::new(case).await;
        cluster::sql("postgres", &format!("DROP DATABASE IF EXISTS \"{case}\" WITH (FORCE)"));
        cluster::sql("postgres", &format!("CREATE DATABASE \"{case}\""));
        world.secret(&cluster::url(case, cluster::PASSWORD));
        world
    }

    pub fn secret(&self, url: &str) {
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "shop-db" }, "stringData": { "DATABASE_URL": url } });
        cluster::apply(&self.namespace, &secret);
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub fn kubectl(&self, args: &[&str]) -> String {
        cluster::kubectl(&[&["-n", self.namespace.as_str()], args].concat())
    }

    pub fn try_kubectl(&self, args: &[&str]) -> (bool, String) {
        cluster::try_kubectl(&[&["-n", self.namespace.as_str()], args].concat())
    }

    /// Applies a run of the shop with the database of this namespace; `more` is laid over its spec.
    pub fn shop(&self, name: &str, release: &str, more: Value) {
        let spec = json!({
            "image": format!("localhost/shop:{release}"),
            "database": { "urlFrom": { "secretKeyRef": { "name": "shop-db", "key": "DATABASE_URL" } } },
        });
        self.run(name, spec, more);
    }

    /// Applies a run whose steps are shell scripts in busybox.
    pub fn script(&self, name: &str, migrate: &str, more: Value) {
        let spec = json!({
            "image": "localhost/busybox:1",
            "tool": "Custom",
            "database": { "id": format!("{}/{name}", self.namespace) },
            "migrate": { "command": ["sh", "-c", migrate] },
            "check": { "command": ["true"] },
        });
        self.run(name, spec, more);
    }

    fn run(&self, name: &str, mut spec: Value, more: Value) {
        json_patch::merge(&mut spec, &more);
        let run = json!({ "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": name }, "spec": spec });
        cluster::apply(&self.namespace, &run);
    }

    /// Waits until the object satisfies, by a watch; fails with all that there is to see.
    pub async fn until<K>(&self, name: &str, what: &str, satisfied: impl Fn(Option<&K>) -> bool) -> Option<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let watched = watcher(self.api::<K>(), watcher::Config::default().fields(&format!("metadata.name={name}")));
        let mut events = watched.default_backoff().boxed();
        let mut last: Option<K> = None;
        let mut listed = false;
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some(event) = events.try_next().await.unwrap_or_default() {
                match event {
                    watcher::Event::Apply(object) | watcher::Event::InitApply(object) => last = Some(object),
                    watcher::Event::Delete(_) | watcher::Event::Init => last = None,
                    watcher::Event::InitDone => listed = true,
                }
                // Before the list is complete, absence proves nothing.
                if (listed || last.is_some()) && satisfied(last.as_ref()) {
                    return;
                }
            }
        });
        if found.await.is_err() {
            panic!("{}/{name}: waited in vain for {what}\n{last:#?}\n{}", self.namespace, self.all_there_is());
        }
        last
    }

    /// Waits until the run's status satisfies.
    pub async fn status(
        &self,
        name: &str,
        what: &str,
        satisfied: impl Fn(&MigrationRunStatus) -> bool,
    ) -> MigrationRunStatus {
        let run: Option<MigrationRun> = self
            .until(name, what, |run: Option<&MigrationRun>| {
                run.and_then(|run| run.status.as_ref()).is_some_and(&satisfied)
            })
            .await;
        run.and_then(|run| run.status).unwrap()
    }

    pub async fn clean(&self, name: &str) -> MigrationRunStatus {
        self.status(name, "Ready", |status| condition(status, "Ready") == "True").await
    }

    pub async fn stalled(&self, name: &str) -> MigrationRunStatus {
        self.status(name, "Stalled", |status| condition(status, "Stalled") == "True").await
    }

    /// Waits until the run's migrate container runs; the pod.
    pub async fn migrating(&self, name: &str, attempt: i32) -> Pod {
        self.status(name, "migrate to run", |status| {
            status
                .active_attempt()
                .is_some_and(|active| active.number == attempt && active.migrate.started_at.is_some())
        })
        .await;
        let mut pods = self.pods(name, "migrate").await;
        pods.pop().expect("a running step has a pod")
    }

    pub async fn jobs(&self, run: &str, step: &str) -> Vec<Job> {
        let selector = format!("sluice.dev/run={run},sluice.dev/step={step}");
        self.api::<Job>().list(&ListParams::default().labels(&selector)).await.unwrap().items
    }

    pub async fn pods(&self, run: &str, step: &str) -> Vec<Pod> {
        let selector = format!("sluice.dev/run={run},sluice.dev/step={step}");
        self.api::<Pod>().list(&ListParams::default().labels(&selector)).await.unwrap().items
    }

    pub async fn job_names(&self, run: &str) -> Vec<String> {
        let selector = format!("sluice.dev/run={run}");
        let jobs = self.api::<Job>().list(&ListParams::default().labels(&selector)).await.unwrap();
        jobs.iter().map(ResourceExt::name_any).collect()
    }

    /// Waits for an Event with this reason about the run.
    pub async fn event(&self, run: &str, reason: &str) {
        let watched = watcher(self.api::<Event>(), watcher::Config::default().fields(&format!("reason={reason}")));
        let mut events = watched.default_backoff().applied_objects().boxed();
        let seen = tokio::time::timeout(PATIENCE, async {
            while let Some(event) = events.try_next().await.unwrap_or_default() {
                if event.involved_object.name.as_deref() == Some(run) {
                    return;
                }
            }
        });
        assert!(seen.await.is_ok(), "no Event {reason} about {run}\n{}", self.all_there_is());
    }

    pub fn retry(&self, name: &str, token: &str) {
        self.kubectl(&["annotate", "--overwrite", "mrun", name, &format!("sluice.dev/retry={token}")]);
    }

    pub fn all_there_is(&self) -> String {
        let list = self.try_kubectl(&["get", "mrun,deployments,replicasets,jobs,pods,events", "-o", "wide"]).1;
        let log = cluster::try_kubectl(&["-n", cluster::OPERATOR, "logs", "deployment/sluice", "--tail=15"]).1;
        format!("{list}\n--- the operator's log\n{log}")
    }
}

pub fn condition(status: &MigrationRunStatus, kind: &str) -> String {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .map_or_else(String::new, |condition| condition.status.clone())
}

pub fn reason(status: &MigrationRunStatus, kind: &str) -> String {
    let condition = status.conditions.iter().find(|condition| condition.type_ == kind);
    condition.map(|condition| condition.reason.clone()).unwrap_or_default()
}

/// Class and reason of the run's failure.
pub fn failure(status: &MigrationRunStatus) -> (String, String) {
    let failure = status.failure.clone().unwrap_or_default();
    (failure.class, failure.reason.unwrap_or_default())
}
