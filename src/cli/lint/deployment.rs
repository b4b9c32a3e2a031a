//! A gated Deployment, by the gate's own rule.

use serde_json::Value;

use super::Fault;
use crate::api::labels;
use crate::gate::{Answer, Request, Workload, admit};

/// What the gate would refuse, and what has no effect, or not the one that is meant.
pub fn faults(deployment: &Value) -> Vec<Fault> {
    let workload = Workload::read(deployment);
    let mut faults = Vec::new();
    let request = Request { old: None, new: &workload, by_operator: false, may_bypass: true };
    if let Answer::Refused(message) = admit(&request) {
        faults.push(Fault::at("metadata", message));
    }
    let own = [labels::REQUIRED_RUNS, labels::CONTAINERS];
    if !workload.is_gated()
        && let Some(key) = own.into_iter().find(|key| workload.annotations.contains_key(*key))
    {
        let message = format!("has no effect without the label {}: \"true\"", labels::GATED);
        faults.push(Fault::at(format!("metadata.annotations.{key}"), message));
    }
    if workload.is_gated() {
        faults.extend(gated(deployment, &workload));
    }
    faults
}

fn gated(deployment: &Value, workload: &Workload) -> Vec<Fault> {
    let mut faults = Vec::new();
    let missing: Vec<&str> = workload
        .named_containers()
        .into_iter()
        .filter(|name| !workload.containers.iter().any(|container| container.name == *name))
        .collect();
    if !missing.is_empty() {
        let field = format!("metadata.annotations.{}", labels::CONTAINERS);
        faults.push(Fault::at(
            field,
            format!("no container has the name {}: it would never be let go", missing.join(", ")),
        ));
    }
    if deployment.pointer("/spec/paused").is_some_and(|paused| !paused.is_null()) {
        let message = "is written by the gate, too: leave it out of the manifest";
        faults.push(Fault::at("spec.paused", message));
    }
    for key in [labels::APPROVED_IMAGES, labels::HELD_BY] {
        if workload.annotations.contains_key(key) {
            faults.push(Fault::at(
                format!("metadata.annotations.{key}"),
                "is Sluice's: what others write there has no effect",
            ));
        }
    }
    faults
}
