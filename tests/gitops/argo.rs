//! An Application of Argo CD: what it shows, and every operation that it has begun.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, CustomResource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::cluster;
use crate::world::World;

/// Namespace of Argo CD.
pub const ARGOCD: &str = "argocd";

#[derive(CustomResource, Serialize, Deserialize, Clone, Debug)]
#[kube(group = "argoproj.io", version = "v1alpha1", kind = "Application", namespaced, schema = "disabled")]
#[kube(status = "ApplicationStatus")]
pub struct ApplicationSpec {
    #[serde(flatten)]
    pub all: Value,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationStatus {
    pub sync: Said,
    pub health: Said,
    pub operation_state: Option<OperationState>,
    pub resources: Vec<Resource>,
    pub conditions: Vec<Value>,
}

/// A status and what belongs to it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Said {
    pub status: String,
    pub revision: String,
    pub message: String,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct OperationState {
    pub phase: String,
    pub message: String,
    pub started_at: String,
    pub operation: Value,
}

#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(default)]
pub struct Resource {
    pub kind: String,
    pub name: String,
    pub status: String,
    pub health: Option<Said>,
}

impl OperationState {
    /// What tells it from others: two can begin in one second.
    fn name(&self) -> String {
        let sync = &self.operation["sync"];
        format!(
            "{} of {} (attempt {} to heal itself)",
            self.started_at, sync["revision"], sync["autoHealAttemptsCount"]
        )
    }
}

/// One Application, and who notes each of its operations.
pub struct App {
    pub argo: World,
    pub name: String,
    operations: Arc<Mutex<BTreeSet<String>>>,
    noting: JoinHandle<()>,
}

impl App {
    /// Applies the manifest of one; an earlier one of its name goes first, and leaves what it had.
    pub async fn new(mut manifest: Value) -> Self {
        let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
        let client = cluster::client().await;
        let argo = World { client, namespace: ARGOCD.to_owned() };
        let (there, _) = argo.try_kubectl(&["get", "application", &name]);
        if there {
            argo.kubectl(&["patch", "application", &name, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
            argo.kubectl(&["delete", "application", &name]);
        }
        manifest["metadata"]["namespace"] = json!(ARGOCD);
        let app = Self::watched(argo, name);
        cluster::apply(ARGOCD, &manifest);
        app
    }

    /// One that something else applies.
    pub async fn named(name: &str) -> Self {
        Self::watched(World { client: cluster::client().await, namespace: ARGOCD.to_owned() }, name.to_owned())
    }

    fn watched(argo: World, name: String) -> Self {
        let operations: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let api: Api<Application> = argo.api();
        let mut events = watcher(api, watcher::Config::default().fields(&format!("metadata.name={name}")))
            .default_backoff()
            .applied_objects()
            .boxed();
        let noted = operations.clone();
        let noting = tokio::spawn(async move {
            while let Ok(event) = events.try_next().await {
                let state = event.and_then(|app| app.status).and_then(|status| status.operation_state);
                noted.lock().unwrap().extend(state.iter().map(OperationState::name));
            }
        });
        Self { argo, name, operations, noting }
    }

    /// How many operations it has begun so far, retries and attempts to heal itself among them.
    pub fn operations(&self) -> usize {
        self.operations.lock().unwrap().len()
    }

    /// Waits until the Application satisfies.
    pub async fn until(
        &self,
        step: &str,
        what: &str,
        satisfied: impl Fn(&ApplicationStatus) -> bool,
    ) -> ApplicationStatus {
        let satisfied = |app: Option<&Application>| app.and_then(|app| app.status.as_ref()).is_some_and(&satisfied);
        let app = self.argo.until(&self.name, &format!("{what} (step: {step})"), satisfied).await;
        app.and_then(|app: Application| app.status).unwrap()
    }

    /// Waits until Git's commit is what it compares with, and it shows this with no operation under way.
    pub async fn shows(&self, step: &str, commit: &str, sync: &str, health: &str) -> ApplicationStatus {
        self.until(step, &format!("{sync} and {health}"), |status| {
            let done = status.operation_state.as_ref().is_none_or(|operation| operation.phase == "Succeeded");
            done && status.sync.revision == commit && status.sync.status == sync && status.health.status == health
        })
        .await
    }

    /// Waits until it says this of one object.
    pub async fn says(&self, step: &str, kind: &str, health: &str, words: &str) {
        self.until(step, &format!("{kind} to be {health}: {words}"), |status| {
            let found = status.resources.iter().find(|each| each.kind == kind).and_then(|each| each.health.as_ref());
            found.is_some_and(|said| said.status == health && said.message.contains(words))
        })
        .await;
    }

    /// It is told that there is something new, and looks at once; waits until it has looked.
    pub async fn looks(&self, how: &str) {
        const REFRESH: &str = "argocd.argoproj.io/refresh";
        self.argo.kubectl(&["annotate", "--overwrite", "application", &self.name, &format!("{REFRESH}={how}")]);
        let looked = |app: Option<&Application>| {
            let annotations = app.and_then(|app| app.metadata.annotations.as_ref());
            app.is_some() && annotations.is_none_or(|annotations| !annotations.contains_key(REFRESH))
        };
        self.argo.until(&self.name, "it to look", looked).await;
    }

    /// Waits until it is gone.
    pub async fn gone(&self, step: &str) {
        let gone = |app: Option<&Application>| app.is_none();
        self.argo.until(&self.name, &format!("the Application to be gone (step: {step})"), gone).await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.noting.abort();
    }
}

/// A manifest of examples/gitops/argocd, from another repository.
pub fn example(file: &str, url: &str) -> Value {
    let path = format!("{}/examples/gitops/argocd/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap().replace("https://git.example.org/acme/shop.git", url);
    assert!(text.contains(url), "{file} names another repository");
    serde_saphyr::from_str(&text).unwrap()
}
