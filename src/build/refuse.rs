//! What of a `podTemplate` would break the contract, each with its reason.

use serde_json::Value;

/// Fields of the pod's spec that are not the user's, the value that changes nothing, and why another would.
const FIXED: [(&str, &str, &str); 6] = [
    ("restartPolicy", "Never", "a migration that failed is never started again by the kubelet"),
    ("activeDeadlineSeconds", "", "the Job has the deadline: write migrate.timeout or spec.startTimeout"),
    ("hostPID", "false", "a migration needs no sight of the node's processes"),
    ("hostIPC", "false", "a migration needs no share of the node's memory"),
    ("hostNetwork", "false", "a migration needs no network but the pod's"),
    ("ephemeralContainers", "[]", "they are added to running pods, not to templates"),
];

/// Fields of our own containers that are not the template's, and where they are written instead.
const OURS: [(&str, &str); 8] = [
    ("command", "write migrate.command or check.command"),
    ("args", "write migrate.args, or all of it into check.command"),
    ("image", "write migrate.image"),
    ("restartPolicy", "the step runs once"),
    ("restartPolicyRules", "the step runs once"),
    ("lifecycle", "a hook would run beside the migration"),
    ("livenessProbe", "a probe that fails would kill a migration that runs: write migrate.timeout"),
    ("startupProbe", "a probe that fails would kill a migration that runs: write spec.startTimeout"),
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
    metadata(template)
        .or_else(|| taken_away(template))
        .or_else(|| fixed(template))
        .or_else(|| containers(template))
        .or_else(|| directive(template))
}

/// Labels and annotations are the user's, but for those that Sluice finds and keeps its pods by.
fn metadata(template: &Value) -> Option<String> {
    let fields = template.get("metadata")?.as_object()?;
    if let Some(field) = fields.keys().find(|field| !["labels", "annotations"].contains(&field.as_str())) {
        return Some(format!("podTemplate.metadata.{field} is not allowed: write labels and annotations only"));
    }
    fields.iter().find_map(|(kind, entries)| {
        let ours = |key: &&String| key.starts_with("sluice.dev/") || *key == crate::api::labels::MANAGED_BY;
        let key = entries.as_object()?.keys().find(ours)?;
        Some(format!(
            "podTemplate.metadata.{kind}[{key}] is written by Sluice, which finds and keeps its pods by it: use a key of your own"
        ))
    })
}

/// A null takes a field away; without these there is no pod, or none that is found again.
fn taken_away(template: &Value) -> Option<String> {
    let needed = ["/metadata", "/metadata/labels", "/spec", "/spec/containers"];
    let field = needed.iter().find(|field| template.pointer(field).is_some_and(Value::is_null))?;
    Some(format!("podTemplate{} may not be null: leave it out to change nothing there", field.replace('/', ".")))
}

fn fixed(template: &Value) -> Option<String> {
    let spec = template.get("spec")?.as_object()?;
    let (field, _, why) = FIXED.iter().find(|(field, harmless, _)| {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        spec.get(*field).is_some_and(|value| text(value) != *harmless)
    })?;
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
    for field in ["containers", "initContainers"] {
        let named = |container: &Value| container.get("name").is_some_and(Value::is_string);
        if !list(field).into_iter().flatten().all(named) {
            return Some(format!(
                "podTemplate.spec.{field} has one without a name: containers are merged by their names"
            ));
        }
    }
    let container = list("containers").into_iter().flatten().filter(ours);
    container.into_iter().find_map(|container| {
        let (field, way) = OURS.iter().find(|(field, _)| container.get(*field).is_some())?;
        let name = container.get("name").and_then(Value::as_str)?;
        Some(format!("podTemplate.spec.containers[{name}].{field} is not allowed: {way}"))
    })
}

/// Patch directives would be stored as fields that nobody obeys.
fn directive(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(field, value)| {
            let directs = field.starts_with("$patch")
                || field.starts_with("$retainKeys")
                || field.starts_with("$setElementOrder");
            if directs {
                return Some(format!(
                    "podTemplate has the patch directive {field}: write the fields themselves, null takes one away"
                ));
            }
            directive(value)
        }),
        Value::Array(items) => items.iter().find_map(directive),
        _ => None,
    }
}

/// A field of the template that was lost when it was made into a pod: Kubernetes would drop it without a word, too.
#[must_use]
pub fn unknown(written: &Value, read: &Value, path: &str) -> Option<String> {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => written.iter().find_map(|(field, value)| {
            let path = format!("{path}.{field}");
            match read.get(field) {
                Some(read) => unknown(value, read, &path),
                None if value.is_null() => None,
                None => Some(format!(
                    "{path} is not known: it is misspelt, in the wrong place, or newer than Kubernetes 1.33"
                )),
            }
        }),
        (Value::Array(written), Value::Array(read)) => {
            written.iter().zip(read).enumerate().find_map(|(at, (written, read))| {
                let name = written.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                unknown(written, read, &format!("{path}[{name}]"))
            })
        }
        _ => None,
    }
}
