//! A MigrationRun: its schema, its rules, and what the operator would refuse.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::cel::Validator;
use serde_json::Value;

use super::{Fault, structure};
use crate::api::{MigrationRun, crd};
use crate::build::job;
use crate::decide::Observed;
use crate::decide::observed::RunIdentity;

/// All that is wrong with it. What does not fit the schema is told first, and alone: no rule can be asked about it.
pub fn faults(run: &Value) -> Vec<Fault> {
    let definition = match crd::migration_run() {
        Ok(definition) => definition,
        Err(error) => return vec![Fault::at("", error.to_string())],
    };
    let Some(schema) = definition.pointer("/spec/versions/0/schema/openAPIV3Schema") else { return Vec::new() };
    let mut found = version(run);
    found.extend(structure::faults(schema, &as_defined(run)));
    if !found.is_empty() {
        return found;
    }
    if let Err(errors) = Validator::new().validate(schema, run, None) {
        return errors.into_iter().map(|error| Fault::at(error.field_path, error.message)).collect();
    }
    match serde_json::from_value::<MigrationRun>(run.clone()) {
        Ok(run) => job::refusal(&unseen(&run)).map(|message| Fault::at("spec", message)).into_iter().collect(),
        Err(error) => vec![Fault::at("", error.to_string())],
    }
}

fn version(run: &Value) -> Vec<Fault> {
    let wanted = format!("{}/{}", crate::api::GROUP, crate::api::VERSION);
    let found = run.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let fault = (found != wanted).then(|| Fault::at("apiVersion", format!("{found:?} is not served: write {wanted}")));
    let name = ["/metadata/name", "/metadata/generateName"].iter().any(|path| run.pointer(path).is_some());
    fault.into_iter().chain((!name).then(|| Fault::at("metadata.name", "is required"))).collect()
}

/// What is no field of the definition's own, and what the operator writes.
fn as_defined(run: &Value) -> Value {
    let mut run = run.clone();
    for field in ["apiVersion", "kind", "metadata", "status"] {
        run.as_object_mut().and_then(|fields| fields.remove(field));
    }
    run
}

/// The run as the operator finds it, before anything has happened.
fn unseen(run: &MigrationRun) -> Observed {
    Observed {
        now: Timestamp::UNIX_EPOCH,
        run: RunIdentity {
            namespace: run.namespace().unwrap_or_else(|| "default".to_owned()),
            name: run.name_any(),
            ..RunIdentity::default()
        },
        spec: Arc::new(run.spec.clone()),
        ..Observed::default()
    }
}
