//! Writes to the API server as several people, and its whole answer.

use http::Method;
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Value, json};

/// The user name that the policies know as the operator.
pub fn operator() -> String {
    std::env::var("OPERATOR").unwrap_or_else(|_| "system:serviceaccount:sluice-system:sluice".to_owned())
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Has the built-in role `edit`.
    Editor,
    /// May do everything, `bypass` included.
    Admin,
    /// The operator with the role `edit`.
    Operator,
    /// The operator where it may do everything.
    MightyOperator,
}

impl Writer {
    pub const ALL: [Self; 4] = [Self::Editor, Self::Admin, Self::Operator, Self::MightyOperator];

    pub fn is_operator(self) -> bool {
        matches!(self, Self::Operator | Self::MightyOperator)
    }

    pub fn may_bypass(self) -> bool {
        matches!(self, Self::Admin | Self::MightyOperator)
    }

    pub fn user(self) -> String {
        if self.is_operator() { operator() } else { "ann".to_owned() }
    }
}

/// What the API server answered.
pub enum Asked {
    Refused(String),
    Admitted { object: Value, warnings: Vec<String> },
}

impl Asked {
    /// For whoever reads how two answers differ.
    pub fn brief(&self) -> String {
        match self {
            Self::Refused(message) => format!("refused: {message}"),
            Self::Admitted { object, warnings } => {
                let (annotations, paused) = (&object["metadata"]["annotations"], &object["spec"]["paused"]);
                format!("admitted: {annotations} paused {paused} {warnings:?}")
            }
        }
    }
}

/// A way to the cluster for each of the writers.
pub struct Cluster {
    pub client: Client,
    pub namespace: String,
    writers: Vec<Client>,
}

impl Cluster {
    /// With a namespace of that name and this process.
    pub async fn connect(name: &str) -> Self {
        let config = Config::infer().await.expect("KUBECONFIG names no cluster: see tests/cluster/up");
        let writers = Writer::ALL.map(|writer| {
            let mut config = config.clone();
            config.auth_info.impersonate = Some(writer.user());
            config.auth_info.impersonate_groups = writer.may_bypass().then(|| vec!["system:masters".to_owned()]);
            Client::try_from(config).unwrap()
        });
        let namespace = format!("gate-{name}-{}", std::process::id());
        Self { client: Client::try_from(config).unwrap(), namespace, writers: writers.into() }
    }

    pub fn deployments(&self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments", self.namespace)
    }

    pub async fn dry_run(&self, writer: Writer, new: &Value, update: bool) -> Asked {
        let at = Writer::ALL.iter().position(|each| *each == writer).unwrap();
        let name = new["metadata"]["name"].as_str().unwrap();
        let (method, path) = if update {
            (Method::PUT, format!("{}/{name}", self.deployments()))
        } else {
            (Method::POST, self.deployments())
        };
        send(&self.writers[at], method, &format!("{path}?dryRun=All"), new).await
    }

    /// A request that must succeed.
    pub async fn must(&self, method: Method, path: &str, body: &Value) -> Value {
        match send(&self.client, method.clone(), path, body).await {
            Asked::Admitted { object, .. } => object,
            Asked::Refused(why) => panic!("{method} {path}: {why}"),
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.must(Method::GET, path, &json!(null)).await
    }
}

async fn send(client: &Client, method: Method, path: &str, body: &Value) -> Asked {
    let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = client.send(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let warnings = response.headers().get_all("warning").iter().map(|w| w.to_str().unwrap().replace("\\\"", "\""));
    let warnings = warnings.filter(|text| text.contains("-gate-notices")).collect();
    let object: Value = serde_json::from_slice(&response.into_body().collect_bytes().await.unwrap()).unwrap();
    if status.is_success() {
        Asked::Admitted { object, warnings }
    } else {
        Asked::Refused(object["message"].as_str().unwrap_or_default().to_owned())
    }
}
