//! Migrations that are ended from outside after they had started: never tried again by themselves.

use serde_json::json;

use crate::cluster::undisturbed;
use crate::world::{World, condition, failure};
use kube::ResourceExt;

#[tokio::test]
async fn out_of_memory_in_the_middle() {
    let _operator = undisturbed().await;
    let world = World::new("oom").await;
    let limit = json!({ "podTemplate": { "spec": { "containers": [
        { "name": "migrate", "resources": { "requests": { "memory": "16Mi" }, "limits": { "memory": "16Mi" } } },
    ] } } });
    world.script("app", "echo begun; exec tail /dev/zero", limit);
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Interrupted".into(), "OomMidway".into()), "{:?}", status.failure);
    assert_eq!(world.pods("app", "migrate").await.len(), 1);
}

#[tokio::test]
async fn a_timeout_in_the_middle() {
    let _operator = undisturbed().await;
    let world = World::new("timeout").await;
    let more = json!({ "migrate": { "timeout": "2s" }, "startTimeout": "4s", "podTemplate": { "spec": { "terminationGracePeriodSeconds": 1 } } });
    world.script("app", "echo begun; sleep 600", more);
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Interrupted".into(), "Deadline".into()), "{:?}", status.failure);
    assert!(!status.failure.unwrap().retryable);
    assert_eq!(status.attempts.len(), 1);
}

#[tokio::test]
async fn a_pod_deleted_in_the_middle_by_somebody_who_forces_it() {
    let _operator = undisturbed().await;
    let world = World::new("podgone").await;
    world.script("app", "trap 'exit 143' TERM; echo begun; sleep 600 & wait", json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    world.kubectl(&["annotate", "pod", &pod, "sluice.dev/force-delete=true"]);
    world.kubectl(&["delete", "pod", &pod, "--wait=false"]);
    let status = world.stalled("app").await;
    assert_eq!(failure(&status).0, "Interrupted", "{:?}", status.failure);
    assert_eq!(condition(&status, "Ready"), "False");
    assert_eq!(world.pods("app", "migrate").await.len().max(1), 1, "a second migrate pod");
    assert_eq!(status.attempts.len(), 1);
}
