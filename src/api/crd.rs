//! The CustomResourceDefinitions, as they are installed: what kube derives, and what it does not know.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::MigrationRun;

/// The definition of MigrationRun.
///
/// # Errors
/// When the derived definition is not JSON, which a test rules out.
pub fn migration_run() -> Result<Value, serde_json::Error> {
    let mut crd = serde_json::to_value(MigrationRun::crd())?;
    default_status(&mut crd);
    read_well(&mut crd);
    Ok(crd)
}

/// A run that no operator has seen says so: without this, kstatus and Argo CD read a new object without status as done.
fn default_status(crd: &mut Value) {
    let status =
        crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status").and_then(Value::as_object_mut);
    if let Some(status) = status {
        status.insert("default".to_owned(), json!({ "observedGeneration": -1 }));
    }
}

/// For `kubectl explain`: descriptions flow, since it breaks lines itself. And a null, as templates leave behind, is no value
/// of its own: the API server drops it where a field is not nullable, so that it reads as absent, to the rules too.
fn read_well(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                let paragraphs =
                    text.split("\n\n").map(|paragraph| paragraph.split('\n').collect::<Vec<_>>().join(" "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            if let Some(Value::Array(values)) = fields.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
            }
            fields.values_mut().for_each(read_well);
        }
        Value::Array(items) => items.iter_mut().for_each(read_well),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
