//! What of a `podTemplate` would break the contract, each with its reason.

use serde_json::Value;

/// Fields of the pod's spec that are not the user's, and why.
const FIXED: [(&str, &str); 6] = [
    ("restartPolicy", "a migration that failed is never started again by the kubelet"),
    ("activeDeadlineSeconds", "the Job has the deadline: write migrate.timeout or spec.startTimeout"),
    ("hostPID", "a migration needs no sight of the node's processes"),
    ("hostIPC", "a migration needs no share of the node's memory"),
    ("hostNetwork", "a migration needs no network but the pod's"),
    ("ephemeralContainers", "they are added to running pods, not to templates"),
];

/// Fields of our own containers that are not the template's, and where they are written instead.
const OURS: [(&str, &str); 5] = [
    ("command", "write migrate.command or check.command"),
    ("args", "write migrate.args"),
    ("image", "write migrate.image"),
    ("restartPolicy", "the step runs once"),
    ("lifecycle", "a hook would run beside the migration"),
];

/// Why the template is refused, if it is.
#[must_use]
pub fn refusal(template: &Value) -> Option<String> {
    let Some(fields) = template.as_object() else {
        return Some("podTemplate must be an object with metadata and spec".into());
    };
    if let Some(field) = fields.keys().find(|field| !["metadata", "spec"].contains(&field.as_str())) {
        return Some(format!("podTemplate.{field} does not exist: a pod template has metadata and spec"));
    }
    label(template).or_else(|| fixed(template)).or_else(|| containers(template)).or_else(|| directive(template))
}

fn label(template: &Value) -> Option<String> {
    let labels = template.pointer("/metadata/labels")?.as_object()?;
    let taken = labels.keys().find(|key| key.starts_with("sluice.dev/") || *key == crate::api::labels::MANAGED_BY)?;
    Some(format!(
        "podTemplate.metadata.labels[{taken}] is written by Sluice, which finds its pods by it: use a key of your own"
    ))
}

fn fixed(template: &Value) -> Option<String> {
    let spec = template.get("spec")?.as_object()?;
    let (field, why) = FIXED.iter().find(|(field, _)| spec.contains_key(*field))?;
    Some(format!("podTemplate.spec.{field} is not allowed: {why}"))
}

fn containers(template: &Value) -> Option<String> {
    let ours = |container: &&Value| {
        container.get("name").and_then(Value::as_str).is_some_and(|name| ["migrate", "check"].contains(&name))
    };
    let list = |field: &str| template.pointer(&format!("/spec/{field}")).and_then(Value::as_array);
    if list("initContainers").into_iter().flatten().any(|container| ours(&container)) {
        return Some(
            "podTemplate.spec.initContainers may not be called migrate or check: those are the steps' own containers"
                .into(),
        );
    }
    let container = list("containers").into_iter().flatten().filter(ours);
    container.into_iter().find_map(|container| {
        let (field, way) = OURS.iter().find(|(field, _)| container.get(*field).is_some())?;
        Some(format!("podTemplate.spec.containers[{}].{field} is not allowed: {way}", container.get("name")?))
    })
}

/// Patch directives would be stored as fields that nobody obeys.
fn directive(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(field, value)| {
            let directive = field.starts_with("$patch")
                || field.starts_with("$retainKeys")
                || field.starts_with("$setElementOrder");
            if directive {
                return Some(format!(
                    "podTemplate has the patch directive {field}: write the fields themselves, null takes one away"
                ));
            }
            super::refuse::directive(value)
        }),
        Value::Array(items) => items.iter().find_map(directive),
        _ => None,
    }
}
