//! What is built, and what is refused.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use serde_json::json;

use super::{budget, job, lease};
use crate::api::migration_run::{Check, Database, Migrate, SecretKeyRef, UrlFrom};
use crate::api::{MigrationRunSpec, labels};
use crate::classify::Tool;
use crate::decide::observed::{Fence, Observed, RunIdentity};

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
        ..Observed::default()
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
    let owner = Fence { name: "shop-1-migrate-1".into(), uid: "j".into(), resource_version: "1".into() };
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

/// A run with every field that bears on its objects.
fn everything() -> Observed {
    let template = json!({
        "metadata": {
            "labels": { "team": "shop", "env": "production" },
            "annotations": { "vault.hashicorp.com/agent-inject": "true" },
        },
        "spec": {
            "serviceAccountName": "migrator",
            "automountServiceAccountToken": true,
            "terminationGracePeriodSeconds": 60,
            "restartPolicy": "Never",
            "priorityClassName": "release",
            "nodeSelector": { "pool": "jobs" },
            "tolerations": [{ "key": "jobs", "operator": "Exists", "effect": "NoSchedule" }],
            "imagePullSecrets": [{ "name": "registry" }],
            "securityContext": { "runAsUser": 1000, "fsGroup": 1000 },
            "initContainers": [{
                "name": "cloud-sql-proxy", "image": "proxy:2", "restartPolicy": "Always", "args": ["--port=5432", "prod:eu:shop"],
            }],
            "containers": [
                {
                    "name": "migrate",
                    "env": [{ "name": "STATEMENT_TIMEOUT", "value": "60s" }, { "name": "NODE_ENV", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } }],
                    "resources": { "requests": { "cpu": 1 }, "limits": { "memory": "1Gi" } },
                    "securityContext": { "readOnlyRootFilesystem": null },
                    "volumeMounts": [{ "name": "ca", "mountPath": "/etc/ca", "readOnly": true }],
                },
                { "name": "check", "resources": { "limits": { "memory": "128Mi" } } },
                { "name": "log-shipper", "image": "shipper:1" },
            ],
            "volumes": [
                { "name": "ca", "secret": { "secretName": "db-ca" } },
                { "name": "tmp", "persistentVolumeClaim": { "claimName": "scratch" } },
            ],
        },
    });
    let mut seen = observed(Some(template));
    let mut spec = (*seen.spec).clone();
    let migrate = json!({
        "image": "shop-migrations:1",
        "command": ["node", "migrate.js"],
        "args": ["--verbose"],
        "env": [{ "name": "NODE_ENV", "value": "production" }],
        "envFrom": [{ "configMapRef": { "name": "shop" } }],
        "timeout": "2h",
        "allowEmpty": true,
    });
    spec.tool = Some(Tool::Custom);
    spec.migrate = Some(serde_json::from_value::<Migrate>(migrate).unwrap());
    spec.check =
        Some(serde_json::from_value::<Check>(json!({ "command": ["node", "check.js"], "timeout": "90s" })).unwrap());
    spec.start_timeout = Some(std::time::Duration::from_secs(60).into());
    spec.database.env_name = Some("DB_URL".into());
    spec.database.id = Some("prod/shop".into());
    seen.spec = Arc::new(spec);
    assert_eq!(job::refusal(&seen), None);
    seen
}

#[test]
fn a_migrate_job_with_everything() {
    insta::assert_yaml_snapshot!(job::migrate(&everything(), "shop-1-migrate-2", 2).unwrap());
}

#[test]
fn a_check_job_with_everything() {
    insta::assert_yaml_snapshot!(job::check(&everything(), "shop-1-check-2", 2).unwrap());
}

#[test]
fn the_lease_names_the_database_and_its_run() {
    let mut seen = everything();
    let decision = crate::decide::decide(&seen);
    seen.status = Arc::new(crate::status::next(&seen, &decision, &crate::status::Applied::default()));
    insta::assert_yaml_snapshot!(lease::lease(&seen, "sluice-system", "cc8bd3a3a1af720d").unwrap());
    assert_eq!(lease::holder_uid(&lease::holder("u-1", 3)), "u-1");
    assert_eq!(lease::holder_uid(""), "");
}

#[test]
fn the_budget_selects_the_pod_that_the_job_makes_and_no_other() {
    let seen = everything();
    let owner = Fence { name: "shop-1-migrate-2".into(), uid: "j".into(), resource_version: "1".into() };
    let selector = budget::budget(&seen, 2, &owner).unwrap().spec.unwrap().selector.unwrap().match_labels.unwrap();
    let labels = |job: k8s_openapi::api::batch::v1::Job| job.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    let selects = |labels: std::collections::BTreeMap<String, String>| {
        selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    assert!(selects(labels(job::migrate(&seen, "m", 2).unwrap())));
    assert!(!selects(labels(job::migrate(&seen, "m", 1).unwrap())));
    assert!(!selects(labels(job::check(&seen, "c", 2).unwrap())));
}

#[test]
fn a_variable_of_the_users_own_replaces_the_url() {
    let mut seen = observed(None);
    let mut spec = (*seen.spec).clone();
    let own = json!({ "env": [{ "name": "DATABASE_URL", "value": "file:/data/db" }] });
    spec.migrate = Some(serde_json::from_value::<Migrate>(own).unwrap());
    seen.spec = Arc::new(spec);
    let pod = job::migrate(&seen, "m", 1).unwrap().spec.unwrap().template.spec.unwrap();
    let env = pod.containers[0].env.clone().unwrap();
    assert_eq!((env.len(), env[0].value.as_deref()), (1, Some("file:/data/db")));
}

#[test]
fn what_would_break_the_contract_is_refused_with_its_reason() {
    let ours = |field: &str, value: serde_json::Value| json!({ "spec": { "containers": [{ "name": "migrate", field: value }] } });
    let table = [
        (
            json!({ "spec": { "restartPolicy": "OnFailure" } }),
            "podTemplate.spec.restartPolicy is not allowed: a migration",
        ),
        (json!({ "spec": { "activeDeadlineSeconds": 60 } }), "write migrate.timeout or spec.startTimeout"),
        (json!({ "spec": { "hostPID": true } }), "podTemplate.spec.hostPID"),
        (json!({ "spec": { "hostIPC": true } }), "podTemplate.spec.hostIPC"),
        (json!({ "spec": { "hostNetwork": true } }), "podTemplate.spec.hostNetwork"),
        (json!({ "spec": { "ephemeralContainers": [{ "name": "x" }] } }), "podTemplate.spec.ephemeralContainers"),
        (
            ours("command", json!(["true"])),
            "podTemplate.spec.containers[migrate].command is not allowed: write migrate.command",
        ),
        (ours("args", json!(["x"])), "write migrate.args"),
        (ours("image", json!("other")), "write migrate.image"),
        (ours("image", json!(null)), "write migrate.image"),
        (ours("restartPolicy", json!("Always")), "the step runs once"),
        (ours("restartPolicyRules", json!([{ "action": "Restart" }])), "the step runs once"),
        (ours("lifecycle", json!({})), "beside the migration"),
        (ours("livenessProbe", json!({})), "would kill a migration"),
        (ours("startupProbe", json!({})), "would kill a migration"),
        (
            json!({ "spec": { "initContainers": [{ "name": "migrate", "image": "x" }] } }),
            "podTemplate.spec.initContainers",
        ),
        (json!({ "metadata": { "labels": { "sluice.dev/run": "x" } } }), "podTemplate.metadata.labels[sluice.dev/run]"),
        (json!({ "metadata": { "labels": { "app.kubernetes.io/managed-by": "x" } } }), "use a key of your own"),
        (
            json!({ "metadata": { "annotations": { "sluice.dev/force-delete": "true" } } }),
            "podTemplate.metadata.annotations[sluice.dev/force-delete]",
        ),
        (json!({ "metadata": { "finalizers": ["x/y"] } }), "podTemplate.metadata.finalizers is not allowed"),
        (json!({ "metadata": { "name": "x" } }), "podTemplate.metadata.name is not allowed"),
        (json!({ "metadata": null }), "podTemplate.metadata may not be null"),
        (json!({ "metadata": { "labels": null } }), "podTemplate.metadata.labels may not be null"),
        (json!({ "spec": null }), "podTemplate.spec may not be null"),
        (json!({ "spec": { "containers": null } }), "podTemplate.spec.containers may not be null"),
        (json!({ "spec": { "containers": [{ "name": "x", "$patch": "delete" }] } }), "null takes one away"),
        (json!({ "spec": { "$setElementOrder/containers": [] } }), "patch directive"),
        (json!({ "spec": { "containers": "x" } }), "podTemplate does not make a pod"),
        (
            json!({ "spec": { "containers": [{ "image": "nameless" }] } }),
            "podTemplate.spec.containers has one without a name",
        ),
        (json!({ "spec": { "toleration": [] } }), "podTemplate.spec.toleration is not known: it is misspelt"),
        (ours("resource", json!({})), "podTemplate.spec.containers[migrate].resource is not known"),
        (json!({ "specs": {} }), "podTemplate.specs does not exist"),
        (json!("x"), "podTemplate must be an object"),
    ];
    for (template, reason) in table {
        let refusal = job::refusal(&observed(Some(template.clone()))).unwrap_or_default();
        assert!(refusal.starts_with("podTemplate") && refusal.contains(reason), "{template}: {refusal:?}");
    }
}

#[test]
fn what_breaks_nothing_is_allowed() {
    let allowed = [
        json!({}),
        json!({ "metadata": {}, "spec": {} }),
        json!({ "spec": { "restartPolicy": "Never", "hostNetwork": false, "terminationGracePeriodSeconds": 5 } }),
        json!({ "spec": { "shareProcessNamespace": true } }),
        json!({ "spec": { "containers": [{ "name": "migrate", "env": [{ "name": "A", "value": "1" }] }] } }),
        json!({ "spec": { "containers": [{ "name": "migrate", "securityContext": { "privileged": true } }] } }),
        json!({ "spec": { "containers": [{ "name": "proxy", "image": "p", "livenessProbe": { "tcpSocket": { "port": 1 } } }] } }),
        json!({ "spec": { "initContainers": [{ "name": "proxy", "image": "p", "restartPolicy": "Always" }] } }),
        json!({ "spec": { "containers": [{ "name": "check", "resources": { "limits": { "cpu": 2 } } }] } }),
        json!({ "spec": { "securityContext": null, "tolerations": null } }),
    ];
    for template in allowed {
        assert_eq!(job::refusal(&observed(Some(template.clone()))), None, "{template}");
    }
}

#[test]
fn each_tool_brings_its_own_commands_and_takes_those_of_the_user() {
    let commands = |spec: MigrationRunSpec| {
        let mut seen = observed(None);
        seen.spec = Arc::new(spec);
        let of = |job: Job| job.spec.unwrap().template.spec.unwrap().containers[0].command.clone().unwrap_or_default();
        (of(job::migrate(&seen, "m", 1).unwrap()), of(job::check(&seen, "c", 1).unwrap()), job::refusal(&seen))
    };
    for tool in Tool::ALL {
        let mut spec = (*observed(None).spec).clone();
        spec.tool = Some(tool);
        spec.database.env_name = Some("DB_URL".into());
        let words = |command: Option<&[&str]>| -> Vec<String> {
            command.unwrap_or_default().iter().map(|word| word.replace("$(DATABASE_URL)", "$(DB_URL)")).collect()
        };
        let (migrate, check, refusal) = commands(spec.clone());
        assert_eq!((&migrate, &check), (&words(tool.table().migrate), &words(tool.table().check)), "{tool}");
        assert_eq!(refusal.is_some(), migrate.is_empty() || check.is_empty(), "{tool}: {refusal:?}");
        spec.migrate = Some(Migrate { command: Some(vec!["m".into()]), ..Migrate::default() });
        spec.check = Some(Check { command: Some(vec!["c".into()]), ..Check::default() });
        assert_eq!(commands(spec), (vec!["m".to_owned()], vec!["c".to_owned()], None), "{tool}");
    }
}

#[test]
fn a_tool_without_commands_needs_both() {
    let mut seen = observed(None);
    let mut spec = (*seen.spec).clone();
    spec.tool = Some(Tool::Custom);
    spec.migrate = Some(Migrate { command: Some(vec!["m".into()]), ..Migrate::default() });
    seen.spec = Arc::new(spec);
    assert_eq!(job::refusal(&seen).as_deref(), Some("check.command is required: the tool has none of its own"));
}

#[test]
fn a_rule_that_is_no_pattern_is_named_with_its_place() {
    let mut seen = observed(None);
    let mut spec = (*seen.spec).clone();
    let rules = json!({ "rules": [{ "match": "ok", "class": "Config", "reason": "A" },
        { "match": "ab(cd", "class": "Config", "reason": "B" }] });
    spec.classification = serde_json::from_value(rules).unwrap();
    seen.spec = Arc::new(spec);
    let refusal = job::refusal(&seen).unwrap();
    assert!(refusal.starts_with("classification.rules[1].match, column 3: unclosed group"), "{refusal}");
}
