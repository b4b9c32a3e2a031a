//! The Jobs of an attempt.
//!
//! Jobs are at-least-once in Kubernetes; `backoffLimit: 0`, `restartPolicy: Never` and one pod make them as near to once as
//! the API allows, and a deadline ends each without an operator. `migrate` is a regular container, since disruption budgets
//! do not count pods whose init containers still run.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::{labels_of, merge, refuse};
use crate::api::{MigrationRunSpec, labels};
use crate::decide::Observed;

/// Stands for the database's URL in a default command, of a tool that takes it as an argument only: the kubelet puts the
/// variable's value there.
const URL: &str = "$(DATABASE_URL)";

/// Why the spec cannot be made into a Job, if it cannot.
#[must_use]
pub fn refusal(observed: &Observed) -> Option<String> {
    if let Some(template) = &observed.spec.pod_template
        && let Some(refusal) = refuse::refusal(template)
    {
        return Some(refusal);
    }
    if let Err(error) = observed.spec.own_rules() {
        return Some(format!("classification.rules{error}"));
    }
    for step in ["migrate", "check"] {
        if command(observed, step).is_empty() {
            return Some(format!("{step}.command is required: the tool has none of its own"));
        }
        if let Some(refusal) = no_pod(&manifest(observed, step, "preflight", 1)) {
            return Some(refusal);
        }
    }
    None
}

/// Why a manifest does not make a Job as it is written.
fn no_pod(manifest: &Value) -> Option<String> {
    let template = |job: &Value| job.pointer("/spec/template").cloned().unwrap_or_default();
    let read = typed(manifest.clone()).and_then(serde_json::to_value);
    match read {
        Ok(read) => refuse::unknown(&template(manifest), &template(&read), "podTemplate"),
        Err(error) => Some(format!("podTemplate does not make a pod: {error}")),
    }
}

/// The migrate Job, suspended: it is let go when its UID is on record.
///
/// # Errors
/// When the pod template does not make a pod.
pub fn migrate(observed: &Observed, name: &str, attempt: i32) -> Result<Job, serde_json::Error> {
    let mut job = manifest(observed, "migrate", name, attempt);
    if let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("suspend".to_owned(), json!(true));
    }
    typed(job)
}

/// The check Job.
///
/// # Errors
/// When the pod template does not make a pod.
pub fn check(observed: &Observed, name: &str, attempt: i32) -> Result<Job, serde_json::Error> {
    typed(manifest(observed, "check", name, attempt))
}

fn typed(job: Value) -> Result<Job, serde_json::Error> {
    serde_json::from_value(job)
}

fn manifest(observed: &Observed, step: &str, name: &str, attempt: i32) -> Value {
    let spec = &observed.spec;
    let timeout = if step == "migrate" { spec.migrate_timeout() } else { spec.check_timeout() };
    let deadline = timeout.saturating_add(spec.start_timeout()).as_secs().max(2);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": observed.run.namespace,
            "labels": labels_of(observed, step, attempt),
            "ownerReferences": [{
                "apiVersion": "sluice.dev/v1alpha1",
                "kind": "MigrationRun",
                "name": observed.run.name,
                "uid": observed.run.uid,
                "controller": true,
            }],
        },
        "spec": {
            "backoffLimit": 0,
            "parallelism": 1,
            "completions": 1,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": deadline,
            "template": template(observed, step, attempt),
        },
    })
}

fn template(observed: &Observed, step: &str, attempt: i32) -> Value {
    let annotations: serde_json::Map<String, Value> =
        labels::DO_NOT_DISRUPT.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let mut template = json!({
        "metadata": { "labels": labels_of(observed, step, attempt), "annotations": annotations },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [container(observed, step)],
            "volumes": [{ "name": "tmp", "emptyDir": {} }],
        },
    });
    if let Some(patch) = &observed.spec.pod_template {
        merge::merge(&mut template, &for_step(patch, step));
    }
    template
}

/// The other step's container is not in this step's pod.
fn for_step(patch: &Value, step: &str) -> Value {
    let other = if step == "migrate" { "check" } else { "migrate" };
    let mut patch = patch.clone();
    if let Some(containers) = patch.pointer_mut("/spec/containers").and_then(Value::as_array_mut) {
        containers.retain(|container| container.get("name").and_then(Value::as_str) != Some(other));
    }
    patch
}

fn container(observed: &Observed, step: &str) -> Value {
    let spec = &observed.spec;
    let migrate = spec.migrate.as_ref();
    let args = migrate.and_then(|m| m.args.as_ref()).filter(|_| step == "migrate");
    json!({
        "name": step,
        "image": spec.job_image(),
        "command": command(observed, step),
        "args": args.cloned().unwrap_or_default(),
        "env": env(spec),
        "envFrom": migrate.and_then(|m| m.env_from.as_ref()).map(|from| json!(from)).unwrap_or_else(|| json!([])),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": { "requests": { "cpu": "50m", "memory": "128Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": [{ "name": "tmp", "mountPath": "/tmp" }],
    })
}

/// The URL first, so that other variables may refer to it; a variable of the user's own under its name replaces it.
fn env(spec: &MigrationRunSpec) -> Vec<Value> {
    let own = spec.migrate.as_ref().and_then(|migrate| migrate.env.as_deref()).unwrap_or_default();
    let from = spec.database.url_from.as_ref().filter(|_| own.iter().all(|variable| variable.name != spec.env_name()));
    let url = from.map(|from| json!({ "name": spec.env_name(), "valueFrom": { "secretKeyRef": from.secret_key_ref } }));
    url.into_iter().chain(own.iter().map(|variable| json!(variable))).collect()
}

fn command(observed: &Observed, step: &str) -> Vec<String> {
    let spec = &observed.spec;
    let table = spec.tool_or_default().table();
    let (own, default) = match step {
        "migrate" => (spec.migrate.as_ref().and_then(|m| m.command.clone()), table.migrate),
        _ => (spec.check.as_ref().and_then(|c| c.command.clone()), table.check),
    };
    let url = format!("$({})", spec.env_name());
    let word = |word: &&str| if *word == URL { url.clone() } else { (*word).to_owned() };
    own.unwrap_or_else(|| default.unwrap_or_default().iter().map(word).collect())
}
