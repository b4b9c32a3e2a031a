//! The old objects: real Deployments in every state, those included that the rule does not make. For that they are written
//! while the policies are not bound.

use std::time::Duration;

use futures::{StreamExt, stream};
use http::Method;
use serde_json::{Value, json};

use crate::ask::{Asked, Cluster, Writer, operator};
use crate::chance::Chance;

const OBJECTS: usize = 120;
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const POLICY: &str = "mutatingadmissionpolicybindings/sluice-gate";
const CONFIGURATIONS: &str = "mutatingwebhookconfigurations";
const BINDINGS: [&str; 3] = [
    POLICY,
    "validatingadmissionpolicybindings/sluice-gate-guard",
    "validatingadmissionpolicybindings/sluice-gate-notices",
];

/// What holds.
pub enum Hold {
    /// The MutatingAdmissionPolicy.
    Policy,
    /// The webhook at this address.
    Webhook(String),
}

/// Deployments as they are on the API server.
pub struct Pool {
    pub cluster: Cluster,
    pub objects: Vec<Value>,
    bindings: Vec<Value>,
    hold: Hold,
}

impl Pool {
    pub async fn fill(chance: &mut Chance, hold: Hold) -> Self {
        let cluster = Cluster::connect(if matches!(hold, Hold::Policy) { "policy" } else { "webhook" }).await;
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": cluster.namespace } });
        cluster.must(Method::POST, "/api/v1/namespaces", &namespace).await;
        let roles = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings", cluster.namespace);
        let subjects = ["ann".to_owned(), operator()]
            .map(|name| json!({ "kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io" }));
        let binding = json!({
            "metadata": { "name": "writers" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
            "subjects": subjects,
        });
        cluster.must(Method::POST, &roles, &binding).await;

        let bindings = unbind(&cluster).await;
        wait_until("nothing is in force", async || in_force(&cluster).await == [false; 3]).await;
        let wanted: Vec<Value> = (0..OBJECTS).map(|n| chance.deployment(&format!("old-{n}"))).collect();
        let path = cluster.deployments();
        stream::iter(&wanted)
            .for_each_concurrent(16, |each| async { drop(cluster.must(Method::POST, &path, each).await) })
            .await;
        let objects = settled(&cluster).await;
        match &hold {
            Hold::Policy => bind(&cluster, &BINDINGS, &bindings).await,
            Hold::Webhook(url) => {
                bind(&cluster, &BINDINGS[1..], &bindings[1..]).await;
                cluster.must(Method::POST, &format!("{ADMISSION}/{CONFIGURATIONS}"), &configuration(url)).await;
            }
        }
        wait_until("all is in force", async || in_force(&cluster).await == [true; 3]).await;
        let pool = Self { cluster, objects, bindings, hold };
        pool.is_as_it_was().await;
        pool
    }

    /// Nothing but dry runs has touched the pool.
    pub async fn is_as_it_was(&self) {
        let now = list(&self.cluster).await;
        assert_eq!(versions(&now), versions(&self.objects), "somebody wrote to the old objects");
    }

    /// Removes the pool, and has the policy hold again.
    pub async fn drain(&self) {
        if matches!(self.hold, Hold::Webhook(_)) {
            let path = format!("{ADMISSION}/{CONFIGURATIONS}/sluice-gate");
            self.cluster.must(Method::DELETE, &path, &json!(null)).await;
            bind(&self.cluster, &BINDINGS[..1], &self.bindings[..1]).await;
        }
        let path = format!("/api/v1/namespaces/{}", self.cluster.namespace);
        self.cluster.must(Method::DELETE, &path, &json!(null)).await;
    }
}

async fn unbind(cluster: &Cluster) -> Vec<Value> {
    let mut bindings = Vec::new();
    for each in BINDINGS {
        let path = format!("{ADMISSION}/{each}");
        let found = cluster.get(&path).await;
        cluster.must(Method::DELETE, &path, &json!(null)).await;
        bindings.push(found);
    }
    bindings
}

async fn bind(cluster: &Cluster, names: &[&str], bindings: &[Value]) {
    for (each, found) in names.iter().zip(bindings) {
        let metadata = &found["metadata"];
        let binding = json!({
            "metadata": { "name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"] },
            "spec": found["spec"],
        });
        let (kind, _) = each.split_once('/').unwrap();
        cluster.must(Method::POST, &format!("{ADMISSION}/{kind}"), &binding).await;
    }
}

/// As the chart renders it, but for its address.
fn configuration(url: &str) -> Value {
    json!({
        "metadata": { "name": "sluice-gate" },
        "webhooks": [{
            "name": "hold.sluice.dev",
            "clientConfig": { "url": url },
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "timeoutSeconds": 5,
            "objectSelector": { "matchExpressions": [{ "key": "sluice.dev/gated", "operator": "Exists" }] },
            "rules": [{
                "apiGroups": ["apps"], "apiVersions": ["*"], "resources": ["deployments"], "operations": ["CREATE", "UPDATE"],
            }],
        }],
    })
}

/// Whether each of the three works: one pauses, one refuses, one warns.
async fn in_force(cluster: &Cluster) -> [bool; 3] {
    let probe = |label: &str| {
        json!({
            "metadata": { "name": "probe", "labels": { "sluice.dev/gated": label } },
            "spec": {
                "selector": { "matchLabels": { "app": "x" } },
                "template": { "metadata": { "labels": { "app": "x" } },
                    "spec": { "containers": [{ "name": "app", "image": "a" }] } },
            },
        })
    };
    let (held, told) = match cluster.dry_run(Writer::Admin, &probe("true"), false).await {
        Asked::Admitted { object, warnings } => (object["spec"]["paused"] == true, !warnings.is_empty()),
        // The webhook's certificate is not known yet.
        Asked::Refused(_) => (false, true),
    };
    let refused = cluster.dry_run(Writer::Admin, &probe("no"), false).await;
    [held, told, matches!(refused, Asked::Refused(why) if why.contains("-gate-guard"))]
}

async fn list(cluster: &Cluster) -> Vec<Value> {
    let list = cluster.get(&cluster.deployments()).await;
    list["items"].as_array().unwrap().clone()
}

fn versions(objects: &[Value]) -> Vec<(&str, &str)> {
    objects
        .iter()
        .map(|object| {
            (object["metadata"]["name"].as_str().unwrap(), object["metadata"]["resourceVersion"].as_str().unwrap())
        })
        .collect()
}

/// The pool once the Deployment controller has written all that it will.
async fn settled(cluster: &Cluster) -> Vec<Value> {
    let mut before = list(cluster).await;
    loop {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let now = list(cluster).await;
        let observed = now.iter().all(|each| each["status"]["observedGeneration"] == each["metadata"]["generation"]);
        if observed && versions(&now) == versions(&before) {
            return now;
        }
        before = now;
    }
}

async fn wait_until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..300 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within 30 s: {what}");
}
