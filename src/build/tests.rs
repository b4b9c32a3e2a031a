//! What is built, and what is refused.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::{budget, job};
use crate::api::migration_run::{Database, SecretKeyRef, UrlFrom};
use crate::api::{MigrationRunSpec, MigrationRunStatus, labels};
use crate::decide::observed::{JobRef, JobSeen, Lock, Observed, RunIdentity};

fn observed(pod_template: Option<serde_json::Value>) -> Observed {
    let url_from = UrlFrom { secret_key_ref: SecretKeyRef { name: "shop-db".into(), key: "DATABASE_URL".into() } };
    let spec = MigrationRunSpec {
        image: "shop:1".into(),
        database: Database { url_from: Some(url_from), ..Database::default() },
        pod_template,
        ..MigrationRunSpec::default()
    };
    Observed {
        now: Timestamp::UNIX_EPOCH,
        run: RunIdentity {
            namespace: "a".into(),
            name: "shop".into(),
            uid: "u".into(),
            generation: 1,
            ..RunIdentity::default()
        },
        spec: Arc::new(spec),
        refusal: None,
        status: Arc::new(MigrationRunStatus::default()),
        migrate: JobSeen::Absent,
        check: JobSeen::Absent,
        lock: Lock::Free,
        ahead: None,
        rival: None,
        expired: Vec::new(),
    }
}

#[test]
fn the_migrate_job_is_suspended_once_and_has_a_deadline() {
    insta::assert_yaml_snapshot!(job::migrate(&observed(None), "shop-1-migrate-1", 1).unwrap());
}

#[test]
fn the_check_job() {
    insta::assert_yaml_snapshot!(job::check(&observed(None), "shop-1-check-1", 1).unwrap());
}

#[test]
fn the_budget_selects_the_attempts_pod_alone() {
    let owner = JobRef { name: "shop-1-migrate-1".into(), uid: "j".into(), resource_version: "1".into() };
    insta::assert_yaml_snapshot!(budget::budget(&observed(None), 1, &owner).unwrap());
}

#[test]
fn a_template_is_merged_over_the_steps_own_pod() {
    let template = json!({
        "metadata": { "labels": { "team": "shop" } },
        "spec": {
            "serviceAccountName": "migrator",
            "containers": [
                { "name": "migrate", "resources": { "limits": { "memory": "1Gi" } } },
                { "name": "check", "resources": { "limits": { "memory": "64Mi" } } },
            ],
            "initContainers": [{ "name": "cloud-sql-proxy", "image": "p", "restartPolicy": "Always" }],
        },
    });
    let seen = observed(Some(template));
    assert_eq!(job::refusal(&seen), None);
    let built = job::migrate(&seen, "m", 1).unwrap();
    let template = built.spec.unwrap().template;
    let pod = template.spec.unwrap();
    assert_eq!(pod.service_account_name.as_deref(), Some("migrator"));
    assert_eq!(pod.containers.len(), 1);
    assert_eq!(pod.containers[0].command.as_ref().unwrap()[0], "npx");
    assert!(pod.containers[0].resources.as_ref().unwrap().limits.is_some());
    assert_eq!(pod.init_containers.unwrap().len(), 1);
    let metadata = template.metadata.unwrap().labels.unwrap();
    assert!(metadata.contains_key("team") && metadata.contains_key(labels::RUN_UID));
}

#[test]
fn what_would_break_the_contract_is_refused_with_its_reason() {
    let refused = [
        json!({ "spec": { "restartPolicy": "OnFailure" } }),
        json!({ "spec": { "hostPID": true } }),
        json!({ "spec": { "hostNetwork": true } }),
        json!({ "spec": { "containers": [{ "name": "migrate", "command": ["true"] }] } }),
        json!({ "spec": { "containers": [{ "name": "migrate", "image": "other" }] } }),
        json!({ "spec": { "initContainers": [{ "name": "migrate", "image": "x" }] } }),
        json!({ "metadata": { "labels": { "sluice.dev/run": "x" } } }),
        json!({ "spec": { "containers": [{ "name": "x", "$patch": "delete" }] } }),
        json!({ "spec": { "containers": "x" } }),
        json!({ "specs": {} }),
        json!("x"),
    ];
    for template in refused {
        let refusal = job::refusal(&observed(Some(template.clone())));
        assert!(refusal.as_ref().is_some_and(|reason| reason.contains("podTemplate")), "{template}: {refusal:?}");
    }
}
