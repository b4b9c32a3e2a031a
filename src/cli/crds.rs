//! `sluice crds`: the CustomResourceDefinitions, as `kubectl apply` takes them.

use std::io::Write;
use std::process::ExitCode;

use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::api::MigrationRun;

/// Prints the CustomResourceDefinitions as YAML, for `kubectl apply -f -`.
#[derive(clap::Args)]
pub struct Args {}

/// Prints them.
#[must_use]
pub fn run(_: &Args) -> ExitCode {
    match yaml() {
        Ok(text) => {
            // A reader that has gone (`| head`) is not a failure.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("sluice: failed to write the definitions as YAML: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The definitions as one YAML document.
///
/// # Errors
/// When the schema cannot be written as YAML, which a test rules out.
pub fn yaml() -> Result<String, Box<dyn std::error::Error>> {
    let mut crd = serde_json::to_value(MigrationRun::crd())?;
    default_status(&mut crd);
    Ok(serde_saphyr::to_string(&crd)?)
}

/// A run that no operator has seen says so: without this, kstatus and Argo CD read a new object without status as done.
fn default_status(crd: &mut Value) {
    let status =
        crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status").and_then(Value::as_object_mut);
    if let Some(status) = status {
        status.remove("nullable");
        status.insert("default".to_owned(), json!({ "observedGeneration": -1 }));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_definitions_are_what_the_code_prints() {
        let committed =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/migrationruns.sluice.dev.yaml"));
        assert_eq!(committed.unwrap(), super::yaml().unwrap(), "run `make generate`");
    }

    #[test]
    fn a_run_that_nobody_has_seen_says_so() {
        assert!(super::yaml().unwrap().contains("observedGeneration: -1"));
    }
}
