//! Pods that cannot start: named within seconds, waited for, and told apart from failed migrations.

use std::time::Duration;

use k8s_openapi::api::core::v1::ResourceQuota;
use serde_json::json;
use sluice::api::MigrationRunStatus;

use crate::cluster::{self, undisturbed};
use crate::world::{World, condition, failure};

#[tokio::test]
async fn a_secret_that_comes_late_is_named_and_waited_for() {
    let _operator = undisturbed().await;
    let world = World::with_database("late").await;
    world.kubectl(&["delete", "secret", "shop-db"]);
    world.shop("shop", "1.0", json!({}));
    let status = world.status("shop", "SecretMissing", |status| {
        status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "SecretMissing")
    });
    let waiting = status.await.waiting.unwrap();
    assert!(waiting.message.contains("shop-db"), "{waiting:?}");
    named_in_time(&world, "shop", waiting.since.0).await;
    world.secret(&cluster::url("late", cluster::PASSWORD));
    let status = world.clean("shop").await;
    assert!(status.attempts[0].failure.as_ref().is_none_or(|failure| failure.class == "Connectivity"), "{status:#?}");
}

/// Within five seconds of the kubelet's own Event.
async fn named_in_time(world: &World, run: &str, since: jiff::Timestamp) {
    let pods = world.pods(run, "migrate").await;
    let created = pods[0].metadata.creation_timestamp.as_ref().unwrap().0;
    let took = since.duration_since(created);
    assert!(took <= jiff::SignedDuration::from_secs(5), "named {took:?} after the pod was made");
}

#[tokio::test]
async fn a_missing_key_fails_as_config_at_the_start_deadline() {
    let _operator = undisturbed().await;
    let world = World::new("key").await;
    world.kubectl(&["create", "secret", "generic", "shop-db", "--from-literal=OTHER=x"]);
    world.shop("shop", "1.0", json!({ "startTimeout": "4s" }));
    let status = world.stalled("shop").await;
    assert_eq!(failure(&status), ("Config".into(), "SecretMissing".into()), "{:?}", status.failure);
    assert!(status.failure.unwrap().evidence.join(" ").contains("DATABASE_URL"));
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_named() {
    let _operator = undisturbed().await;
    let world = World::new("image").await;
    let more = json!({ "image": "localhost/nowhere:9", "startTimeout": "5s", "recovery": { "retry": { "limit": 0 } } });
    world.script("app", "true", more);
    world
        .status("app", "ImagePull", |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "ImagePull")
        })
        .await;
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Runtime".into(), "ImagePull".into()));
    assert!(status.failure.unwrap().retryable);
}

#[tokio::test]
async fn a_pod_that_finds_no_node_is_named() {
    let _operator = undisturbed().await;
    let world = World::new("unschedulable").await;
    let more = json!({ "startTimeout": "4s", "podTemplate": { "spec": { "nodeSelector": { "no": "such-node" } } } });
    world.script("app", "true", more);
    world
        .status("app", "Unschedulable", |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "Unschedulable")
        })
        .await;
    assert_eq!(failure(&world.stalled("app").await), ("Runtime".into(), "Unschedulable".into()));
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_named_and_waited_for() {
    let _operator = undisturbed().await;
    let world = World::new("quota").await;
    world.kubectl(&["create", "quota", "none", "--hard=pods=0"]);
    world
        .until::<ResourceQuota>("none", "the quota in force", |quota| {
            quota.and_then(|quota| quota.status.as_ref()).is_some_and(|status| status.hard.is_some())
        })
        .await;
    world.script("app", "true", json!({}));
    world
        .status("app", "QuotaExceeded", |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "QuotaExceeded")
        })
        .await;
    world.kubectl(&["delete", "quota", "none"]);
    world.clean("app").await;
}

#[tokio::test]
async fn a_job_that_the_cluster_refuses_is_named_and_what_ran_before_it_stays_on_record() {
    let _operator = undisturbed().await;
    let world = World::new("no-jobs").await;
    let jobs = |count: u8| format!(r#"{{"spec":{{"hard":{{"count/jobs.batch":"{count}"}}}}}}"#);
    world.kubectl(&["create", "quota", "jobs", "--hard=count/jobs.batch=0"]);
    let in_force = |quota: Option<&ResourceQuota>| {
        quota.and_then(|quota| quota.status.as_ref()).is_some_and(|status| status.hard.is_some())
    };
    world.until("jobs", "the quota in force", in_force).await;
    world.script("app", "true", json!({}));
    let refused =
        |status: &MigrationRunStatus| status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "QuotaExceeded");
    let none = world.status("app", "QuotaExceeded before the migration", refused).await;
    assert!(none.attempts.is_empty());
    world.kubectl(&["patch", "quota", "jobs", "--type=merge", "-p", &jobs(1)]);
    let ran = |status: &MigrationRunStatus| {
        status.attempts.last().is_some_and(|attempt| attempt.migrate.exit_code == Some(0)) && refused(status)
    };
    world.status("app", "QuotaExceeded before the check", ran).await;
    world.kubectl(&["delete", "quota", "jobs"]);
    assert_eq!(world.clean("app").await.attempts.len(), 1);
}

#[tokio::test]
async fn a_pod_that_admission_refuses_is_named() {
    let _operator = undisturbed().await;
    let world = World::new("admission").await;
    cluster::kubectl(&["label", "namespace", &world.namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    let privileged = json!({ "spec": { "volumes": [{ "name": "root", "hostPath": { "path": "/" } }] } });
    world.script("app", "true", json!({ "startTimeout": "4s", "podTemplate": privileged }));
    world
        .status("app", "AdmissionRefused", |status| {
            status.waiting.as_ref().is_some_and(|waiting| waiting.reason == "AdmissionRefused")
        })
        .await;
    assert_eq!(failure(&world.stalled("app").await), ("Runtime".into(), "AdmissionRefused".into()));
    // Without the volume the same pod meets the restricted standard.
    world.kubectl(&["patch", "mrun", "app", "--type=json", "-p", r#"[{"op":"remove","path":"/spec/podTemplate"}]"#]);
    world.clean("app").await;
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_a_runtime_failure() {
    let _operator = undisturbed().await;
    let world = World::new("command").await;
    world.script("app", "true", json!({ "migrate": { "command": ["no-such-tool"] } }));
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Runtime".into(), "CommandNotFound".into()), "{:?}", status.failure);
}

#[tokio::test]
async fn a_pod_template_that_breaks_the_contract_is_refused_in_words() {
    let _operator = undisturbed().await;
    let world = World::new("refused").await;
    world.script("app", "true", json!({ "podTemplate": { "spec": { "hostPID": true } } }));
    let status = world.stalled("app").await;
    assert_eq!(failure(&status), ("Config".into(), "InvalidSpec".into()));
    assert!(status.summary.as_ref().unwrap().contains("hostPID"));
    assert_eq!(condition(&status, "Ready"), "False");
    assert!(world.job_names("app").await.is_empty());
    tokio::time::timeout(Duration::from_secs(60), async {
        world.kubectl(&[
            "patch",
            "mrun",
            "app",
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/spec/podTemplate"}]"#,
        ]);
        world.clean("app").await;
    })
    .await
    .unwrap();
}
