//! The cluster of `KUBECONFIG`, with one namespace for all that is measured.

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::PostParams;
use kube::runtime::{wait::await_condition, watcher};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use sluice::api::target::Target;
use sluice::api::{MigrationRun, MigrationRunStatus};

use crate::node::Node;
use crate::watch::Watch;

/// Calls of the test under way at once, so that it is not what limits.
pub const AT_ONCE: usize = 16;

/// What all that needs no node works with.
pub struct World {
    pub client: Client,
    pub namespace: &'static str,
    pub runs: Watch<MigrationRun>,
    pub jobs: Watch<Job>,
    pub pods: Watch<Pod>,
    pub node: Node,
}

impl World {
    pub async fn open() -> Self {
        let client = Client::try_default().await.expect("KUBECONFIG names no cluster");
        let namespace = "bench";
        create_namespace(&client, namespace).await;
        let runs = Watch::start(Api::namespaced(client.clone(), namespace), watcher::Config::default());
        let jobs = Watch::start(Api::namespaced(client.clone(), namespace), watcher::Config::default());
        let pods = Watch::start(Api::namespaced(client.clone(), namespace), watcher::Config::default());
        let node = Node::start(&client, namespace, runs.clone(), &pods);
        Self { client, namespace, runs, jobs, pods, node }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// Creates a run with a database of its own. The scripted node goes by the first word of its name.
    pub async fn create_run(&self, name: &str) {
        self.api().create(&PostParams::default(), &run(name)).await.unwrap();
    }

    /// The same, with a Deployment that it lets go.
    pub async fn create_run_for(&self, name: &str, deployment: &str) {
        let mut run = run(name);
        run.spec.targets = Some(vec![Target { name: deployment.to_owned(), ..Target::default() }]);
        self.api().create(&PostParams::default(), &run).await.unwrap();
    }

    pub async fn create_runs(&self, names: &[String]) {
        futures::stream::iter(names).for_each_concurrent(AT_ONCE, |name| self.create_run(name)).await;
    }
}

/// A run. Its pods are nobody's to schedule, so that a scheduler without nodes does not call them unschedulable.
pub fn run(name: &str) -> MigrationRun {
    let spec = json!({
        "image": "shop:1",
        "database": { "id": name },
        "recovery": { "retry": { "limit": 100, "initialDelay": "10s", "maxDelay": "10s" } },
        "podTemplate": { "spec": { "schedulerName": "scripted" } },
    });
    MigrationRun::new(name, serde_json::from_value(spec).unwrap())
}

/// A namespace with its service account, without which pods are refused.
pub async fn create_namespace(client: &Client, name: &str) {
    let wanted: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    Api::all(client.clone()).create(&PostParams::default(), &wanted).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), name);
    await_condition(accounts, "default", |found: Option<&ServiceAccount>| found.is_some()).await.unwrap();
}

/// Pods that nobody schedules and that have nothing to do with Sluice.
pub async fn create_strangers(client: &Client, namespace: &str, count: usize) {
    create_namespace(client, namespace).await;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    futures::stream::iter(0..count)
        .for_each_concurrent(AT_ONCE, |number| {
            let api = api.clone();
            async move {
                let pod: Value = json!({
                    "metadata": { "name": format!("stranger-{number}"), "labels": { "app": "stranger" } },
                    "spec": { "schedulerName": "scripted", "containers": [{ "name": "app", "image": "app:1" }] },
                });
                api.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
            }
        })
        .await;
}

/// Status of a condition, empty where it is absent.
pub fn condition<'a>(status: Option<&'a MigrationRunStatus>, kind: &str) -> &'a str {
    let mut conditions = status.iter().flat_map(|status| &status.conditions);
    conditions.find(|condition| condition.type_ == kind).map_or("", |condition| &condition.status)
}

pub fn is_finished(run: &MigrationRun) -> bool {
    condition(run.status.as_ref(), "Finished") == "True"
}
