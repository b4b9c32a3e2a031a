//! `sluice crds`: the CustomResourceDefinitions, as `kubectl apply` takes them.

use std::process::ExitCode;

/// Prints the CustomResourceDefinitions as YAML, for `kubectl apply -f -`.
#[derive(clap::Args)]
pub struct Args {}

/// Prints them.
#[must_use]
pub fn run(_: &Args) -> ExitCode {
    match yaml() {
        Ok(text) => super::print("crds", text.as_bytes()),
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
    Ok(serde_saphyr::to_string(&crate::api::crd::migration_run()?)?)
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
