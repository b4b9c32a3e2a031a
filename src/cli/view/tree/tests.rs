use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::*;
use crate::cli::view::screenshot;

const NOW: &str = "2026-03-01T02:03:04Z";

fn read<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn attempt(number: i32, image: &str, outcome: &str, exit: i32, failure: Option<Value>) -> Value {
    let mut attempt = json!({
        "number": number, "generation": number, "image": image, "outcome": outcome,
        "migrate": { "job": format!("shop-1a2b3c4d-migrate-{number}"), "uid": format!("job-{number}"),
            "createdAt": "2026-03-01T02:00:00Z", "startedAt": "2026-03-01T02:00:02Z",
            "endedAt": "2026-03-01T02:00:06Z", "exitCode": exit },
    });
    if let Some(failure) = failure {
        attempt["failure"] = failure;
    }
    attempt
}

fn failed() -> MigrationRun {
    let failure = json!({
        "class": "DataConflict", "reason": "UniqueViolation", "code": "23505", "migration": "20260301_unique_email",
        "branch": "B", "message": "Two rows have the same value in a column that is to be unique.", "step": "Migrate", "attempt": 1,
        "evidence": ["Error: P3018", "ERROR: could not create unique index \"User_email_key\""],
    });
    let condition = |kind: &str, status: &str, reason: &str| json!({ "type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-03-01T02:00:08Z" });
    read(json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun",
        "metadata": { "name": "shop", "namespace": "prod", "uid": "u", "generation": 2, "creationTimestamp": "2026-02-01T00:00:00Z" },
        "spec": {
            "image": "ghcr.io/acme/shop:1.2", "targets": [{ "kind": "Deployment", "name": "web" }],
            "database": { "id": "shop-db", "urlFrom": { "secretKeyRef": { "name": "shop", "key": "URL" } } },
        },
        "status": {
            "observedGeneration": 2, "step": "AwaitPatch",
            "summary": "DataConflict/UniqueViolation in migration 20260301_unique_email. Two rows have the same value in a column that is to be unique.",
            "conditions": [condition("Ready", "False", "DataConflict"), condition("Stalled", "True", "DataConflict"), condition("GateOpen", "False", "Held")],
            "release": { "image": "ghcr.io/acme/shop:1.2", "databaseId": "shop-db", "digest": "d", "inputs": "i", "generation": 2, "queuedAt": "2026-03-01T02:00:00Z" },
            "clean": { "image": "ghcr.io/acme/shop:1.1", "databaseId": "shop-db", "digest": "c", "at": "2026-02-20T02:00:00Z" },
            "failure": failure,
            "attempts": [attempt(1, "ghcr.io/acme/shop:1.1", "Clean", 0, None), attempt(2, "ghcr.io/acme/shop:1.2", "Failed", 1, Some(failure.clone()))],
            "gate": { "enforcement": "AdmissionPolicy" },
            "targets": [{ "kind": "Deployment", "name": "web", "image": "ghcr.io/acme/shop:1.2", "state": "Held", "settled": false,
                "message": "held until the database is clean", "since": "2026-03-01T02:00:00Z" }],
        },
    }))
}

/// Deployment `web`, held with 1.2, while 1.1 serves.
pub fn held() -> (Deployment, Vec<ReplicaSet>) {
    let template = |image: &str| json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": image }] } });
    let deployment = json!({
        "metadata": { "name": "web", "namespace": "prod", "uid": "web-uid", "labels": { "sluice.dev/gated": "true" },
            "annotations": { "sluice.dev/approved-images": "ghcr.io/acme/shop:1.1", "sluice.dev/held-by": "admission" } },
        "spec": { "paused": true, "replicas": 2, "selector": { "matchLabels": { "app": "web" } }, "template": template("ghcr.io/acme/shop:1.2") },
    });
    let set = |name: &str, image: &str, revision: &str, wanted: i32| {
        read(json!({
            "metadata": { "name": name, "annotations": { "deployment.kubernetes.io/revision": revision },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "web-uid", "controller": true }] },
            "spec": { "replicas": wanted, "selector": { "matchLabels": { "app": "web" } }, "template": template(image) },
            "status": { "replicas": wanted, "availableReplicas": wanted },
        }))
    };
    (
        read(deployment),
        vec![set("web-66f9", "ghcr.io/acme/shop:1.1", "4", 2), set("web-7d85", "ghcr.io/acme/shop:1.2", "5", 0)],
    )
}

fn picture() -> Picture {
    let owner = json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "job-2", "controller": true }]);
    let job: Job = read(json!({ "metadata": { "name": "shop-1a2b3c4d-migrate-2", "uid": "job-2" } }));
    let pod: Pod = read(
        json!({ "metadata": { "name": "shop-1a2b3c4d-migrate-2-x7k2p", "ownerReferences": owner }, "status": { "phase": "Failed" } }),
    );
    let (deployment, sets) = held();
    Picture { jobs: vec![job], pods: vec![pod], deployments: vec![deployment], sets, unread: Vec::new() }
}

#[test]
fn a_run_that_needs_a_person_is_told_on_one_screen() {
    let page = page(&failed(), &picture(), " -n prod", NOW.parse().unwrap(), Style::default());
    insta::assert_snapshot!(page);
    assert!(page.lines().all(|line| line.chars().count() <= 80), "it does not fit into 80 columns");
    let coloured = super::page(&failed(), &picture(), " -n prod", NOW.parse().unwrap(), Style { colour: true });
    screenshot::check("status.svg", "kubectl sluice status shop -n prod", &coloured);
}

#[test]
fn a_run_that_nobody_has_seen_says_what_to_look_at() {
    let mut run = failed();
    run.status = None;
    let unread = vec!["pods: not allowed to list pods".to_owned()];
    let page = page(&run, &Picture { unread, ..Picture::default() }, "", NOW.parse().unwrap(), Style::default());
    insta::assert_snapshot!(page);
}

#[test]
fn a_branch_ends_where_nothing_follows_on_its_level() {
    let node = |depth, name: &str| node(depth, name.to_owned(), (Tone::Plain, String::new()), String::new());
    let nodes = [node(0, "a"), node(1, "b"), node(2, "c"), node(2, "d"), node(1, "e"), node(2, "f")];
    let drawn: Vec<String> =
        (0..nodes.len()).map(|place| format!("{}{}", branches(&nodes, place), nodes[place].name)).collect();
    assert_eq!(drawn, ["a", "├─ b", "│  ├─ c", "│  └─ d", "└─ e", "   └─ f"]);
}
