//! The PodDisruptionBudget of an attempt: while its migration runs, a drain waits.

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde_json::json;

use super::labels_of;
use crate::api::labels;
use crate::decide::Observed;
use crate::decide::observed::Fence;

/// The budget, under the Job's name and owned by it.
///
/// # Errors
/// Never in practice: the manifest is our own.
pub fn budget(observed: &Observed, attempt: i32, job: &Fence) -> Result<PodDisruptionBudget, serde_json::Error> {
    let own = labels_of(observed, "migrate", attempt);
    let selected = [labels::RUN_UID, labels::STEP, labels::ATTEMPT, labels::GENERATION];
    let selector: serde_json::Map<_, _> = own
        .iter()
        .filter(|(key, _)| selected.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    serde_json::from_value(json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {
            "name": job.name,
            "namespace": observed.run.namespace,
            "labels": own,
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": job.uid, "controller": false }],
        },
        "spec": { "minAvailable": 1, "selector": { "matchLabels": selector } },
    }))
}
