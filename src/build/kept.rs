//! What is kept of a release that was complete, and the ReplicaSet that is made of it again.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::{labels, names};
use crate::decide::upkeep::Gated;

/// Longest name of what is kept, before its number.
const NAME: usize = 200;

/// A release's ReplicaSet, kept. Nothing owns it: Deployments are created again, and runs are pruned.
///
/// # Errors
/// When it is no ControllerRevision, which a test rules out.
pub fn revision(
    deployment: &Deployment,
    number: i64,
    manifest: &Value,
) -> Result<ControllerRevision, serde_json::Error> {
    let set = manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let stem = names::cut(set, NAME);
    serde_json::from_value(json!({
        "metadata": {
            "name": format!("{stem}-{number}"),
            "namespace": deployment.namespace(),
            "annotations": { labels::DEPLOYMENT: deployment.name_any() },
            "labels": {
                labels::MANAGED_BY: labels::MANAGED_BY_SLUICE,
                labels::DEPLOYMENT: names::label(&deployment.name_any()),
            },
        },
        "revision": number,
        "data": { "replicaSet": manifest },
    }))
}

/// The ReplicaSet as it was: same name, labels and template, so that the Deployment controller knows it for its own.
///
/// # Errors
/// When what is kept is no ReplicaSet: somebody has changed it.
pub fn replica_set(
    deployment: &Deployment,
    gated: &Gated,
    manifest: &Value,
    replicas: i32,
) -> Result<ReplicaSet, serde_json::Error> {
    let mut set: ReplicaSet = serde_json::from_value(manifest.clone())?;
    set.metadata.namespace = deployment.namespace();
    set.metadata.owner_references = deployment.controller_owner_ref(&()).map(|owner| vec![owner]);
    // The policy on ReplicaSets reads the list from here, where the Deployment controller would have copied it.
    let approved = gated.workload.approved().text();
    set.annotations_mut().insert(labels::APPROVED_IMAGES.to_owned(), approved);
    if let Some(spec) = &mut set.spec {
        spec.replicas = Some(replicas);
    }
    Ok(set)
}
