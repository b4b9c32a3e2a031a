//! Nothing ends a running migration by accident.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::cluster::{self, alone, scale_operator, undisturbed};
use crate::world::World;

/// Ends when the file is there, so that a test says when the migration is done.
const UNTIL_TOLD: &str = "echo begun; until [ -e /tmp/go ]; do sleep 0.2; done; echo migrated";

fn go(world: &World, pod: &str) {
    world.kubectl(&["exec", pod, "-c", "migrate", "--", "touch", "/tmp/go"]);
}

/// The migrate container of this pod ended with 0.
async fn ended_well(world: &World, pod: &str) {
    world
        .until::<Pod>(pod, "migrate to end with 0", |pod| {
            let Some(pod) = pod else { return false };
            let containers =
                pod.status.as_ref().and_then(|status| status.container_statuses.clone()).unwrap_or_default();
            let ended = containers.iter().find_map(|container| container.state.as_ref()?.terminated.clone());
            ended.is_some_and(|ended| {
                assert_eq!(ended.exit_code, 0, "the migration was killed");
                true
            })
        })
        .await;
}

async fn refuses_everything(world: &World, pod: &str) {
    let job = world.jobs("app", "migrate").await.pop().unwrap().name_any();
    for refused in [
        vec!["delete", "job", &job, "--wait=false"],
        vec!["delete", "pod", pod, "--wait=false"],
        vec!["patch", "job", &job, "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#],
        vec!["patch", "job", &job, "--type=merge", "-p", r#"{"spec":{"activeDeadlineSeconds":5}}"#],
    ] {
        let (succeeded, said) = world.try_kubectl(&refused);
        assert!(!succeeded && said.contains("sluice"), "kubectl {refused:?}: {said}");
    }
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod } });
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", world.namespace);
    let file = std::env::temp_dir().join(format!("{}-eviction.json", world.namespace));
    std::fs::write(&file, eviction.to_string()).unwrap();
    let (succeeded, said) = cluster::try_kubectl(&["create", "--raw", &path, "-f", file.to_str().unwrap()]);
    assert!(!succeeded && said.contains("disruption budget"), "eviction: {said}");
}

#[tokio::test]
async fn job_pod_deadline_suspension_and_eviction_are_refused_while_it_runs() {
    let _operator = undisturbed().await;
    let world = World::new("refusals").await;
    world.script("app", UNTIL_TOLD, json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    refuses_everything(&world, &pod).await;
    go(&world, &pod);
    world.clean("app").await;
}

#[tokio::test]
async fn deleting_the_run_lets_the_migration_end() {
    let _operator = undisturbed().await;
    for cascade in ["background", "foreground"] {
        let world = World::new(&format!("cascade-{cascade}")).await;
        deleted_run(&world, cascade).await;
    }
}

async fn deleted_run(world: &World, cascade: &str) {
    world.script("app", UNTIL_TOLD, json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    let job = world.jobs("app", "migrate").await.pop().unwrap().name_any();
    world.kubectl(&["delete", "mrun", "app", "--wait=false", &format!("--cascade={cascade}")]);
    go(world, &pod);
    ended_well(world, &pod).await;
    world.until::<Job>(&job, "the Job to be gone after its end", |job| job.is_none()).await;
    assert!(!world.try_kubectl(&["get", "mrun", "app"]).0, "the run is stuck");
}

#[tokio::test]
async fn deleting_the_namespace_lets_the_migration_end() {
    let _operator = undisturbed().await;
    let world = World::new("namespace").await;
    world.script("app", UNTIL_TOLD, json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    cluster::kubectl(&["delete", "namespace", &world.namespace, "--wait=false"]);
    go(&world, &pod);
    ended_well(&world, &pod).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let gone =
        kube::runtime::wait::await_condition(namespaces, &world.namespace, |found: Option<&Namespace>| found.is_none());
    tokio::time::timeout(std::time::Duration::from_secs(120), gone)
        .await
        .expect("the namespace goes by itself")
        .unwrap();
}

#[tokio::test]
async fn without_an_operator_a_migration_ends_just_so() {
    let _operator = alone().await;
    let world = World::new("absent").await;
    world.script("app", UNTIL_TOLD, json!({}));
    world.script("kept", UNTIL_TOLD, json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    let kept = world.migrating("kept", 1).await.name_any();
    scale_operator(0).await;
    refuses_everything(&world, &pod).await;
    let job = world.jobs("app", "migrate").await.pop().unwrap().name_any();
    world.kubectl(&["delete", "mrun", "app", "--wait=false", "--cascade=foreground"]);
    for pod in [&pod, &kept] {
        go(&world, pod);
        ended_well(&world, pod).await;
    }
    world.until::<Job>(&job, "the Job to be gone, with no operator", |job| job.is_none()).await;
    scale_operator(1).await;
    world.clean("kept").await;
    assert_eq!(world.pods("kept", "migrate").await.len(), 1);
}

#[tokio::test]
async fn a_run_created_again_waits_for_the_job_that_still_runs() {
    let _operator = undisturbed().await;
    let world = World::new("recreated").await;
    world.script("app", UNTIL_TOLD, json!({}));
    let pod = world.migrating("app", 1).await.name_any();
    world.kubectl(&["delete", "mrun", "app", "--cascade=background"]);
    world.script("app", "echo again", json!({ "database": { "id": format!("{}/app", world.namespace) } }));
    world
        .status("app", "to wait for the old Job", |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "DatabaseBusy")
        })
        .await;
    assert_eq!(world.pods("app", "migrate").await.len(), 1, "a second migration beside the first");
    go(&world, &pod);
    world.clean("app").await;
}

#[tokio::test]
async fn the_documented_annotation_is_the_way_past_and_nothing_starts_beside_what_still_ends() {
    let _operator = undisturbed().await;
    let world = World::new("force").await;
    let slow = "trap 'sleep 6; exit 1' TERM; echo begun; sleep 600 & wait";
    let database = json!({ "database": { "id": "e2e/force" } });
    world.script("app", slow, database.clone());
    let pod = world.migrating("app", 1).await.name_any();
    world.script("other", "true", database);
    let job = world.jobs("app", "migrate").await.pop().unwrap().name_any();
    world.kubectl(&["annotate", "job", &job, "sluice.dev/force-delete=true"]);
    world.kubectl(&["delete", "job", &job, "--wait=false"]);
    let awaited = |status: &sluice::api::MigrationRunStatus| {
        status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "PodStillRuns")
    };
    world.status("app", "the pod's end to be awaited", awaited).await;
    assert!(world.pods("app", "check").await.is_empty(), "a check beside the migration that still ends");
    let status = world.stalled("app").await;
    assert_eq!(status.failure.unwrap().class, "Interrupted");
    world.until::<Pod>(&pod, "the pod to be gone", |pod| pod.is_none()).await;
    world.clean("other").await;
}
