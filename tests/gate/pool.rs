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
const BINDINGS: [&str; 3] = [
    "mutatingadmissionpolicybindings/sluice-gate",
    "validatingadmissionpolicybindings/sluice-gate-guard",
    "validatingadmissionpolicybindings/sluice-gate-notices",
];

/// Deployments as they are on the API server.
pub struct Pool {
    pub cluster: Cluster,
    pub objects: Vec<Value>,
}

impl Pool {
    pub async fn fill(chance: &mut Chance) -> Self {
        let cluster = Cluster::connect().await;
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
        wait_until("the policies are not in force", async || !in_force(&cluster).await).await;
        let wanted: Vec<Value> = (0..OBJECTS).map(|n| chance.deployment(&format!("old-{n}"))).collect();
        let path = cluster.deployments();
        stream::iter(&wanted)
            .for_each_concurrent(16, |each| async { drop(cluster.must(Method::POST, &path, each).await) })
            .await;
        let objects = settled(&cluster).await;
        bind(&cluster, &bindings).await;
        wait_until("the policies are in force", async || in_force(&cluster).await).await;
        let pool = Self { cluster, objects };
        pool.is_as_it_was().await;
        pool
    }

    /// Nothing but dry runs has touched the pool.
    pub async fn is_as_it_was(&self) {
        let now = list(&self.cluster).await;
        assert_eq!(versions(&now), versions(&self.objects), "somebody wrote to the old objects");
    }

    pub async fn drain(&self) {
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

async fn bind(cluster: &Cluster, bindings: &[Value]) {
    for (each, found) in BINDINGS.iter().zip(bindings) {
        let metadata = &found["metadata"];
        let binding = json!({
            "metadata": { "name": metadata["name"], "labels": metadata["labels"], "annotations": metadata["annotations"] },
            "spec": found["spec"],
        });
        let (kind, _) = each.split_once('/').unwrap();
        cluster.must(Method::POST, &format!("{ADMISSION}/{kind}"), &binding).await;
    }
}

/// Whether each of the three answers: one pauses, one refuses, one warns. Or whether none of them does.
async fn in_force(cluster: &Cluster) -> bool {
    let probe = |label: &str| {
        json!({
            "metadata": { "name": "probe", "labels": { "sluice.dev/gated": label } },
            "spec": {
                "selector": { "matchLabels": { "app": "x" } },
                "template": { "metadata": { "labels": { "app": "x" } },
                    "spec": { "containers": [{ "name": "app", "image": "a:1" }] } },
            },
        })
    };
    let held = match cluster.dry_run(Writer::Admin, &probe("true"), false).await {
        Asked::Admitted { object, warnings } => (object["spec"]["paused"] == true, !warnings.is_empty()),
        Asked::Refused(why) => panic!("{why}"),
    };
    let refused = matches!(cluster.dry_run(Writer::Admin, &probe("no"), false).await, Asked::Refused(_));
    match (held, refused) {
        ((true, true), true) => true,
        ((false, false), false) => false,
        _ => Box::pin(in_force(cluster)).await,
    }
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
