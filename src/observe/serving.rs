//! How a Deployment serves, as its controller says; what its pods run; and who writes what the gate writes.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::Error;
use super::pod::image_id;
use super::targets::selector;
use crate::api::labels;
use crate::decide::observed::Serving;
use crate::gate::BY_ADMISSION;

/// Where `kubectl apply` keeps the manifest that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

pub(super) fn serving(deployment: &Deployment) -> Serving {
    let (spec, status) = (deployment.spec.as_ref(), deployment.status.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let not = |kind: &str| conditions.iter().find(|it| it.type_ == kind && it.status == "False");
    // What is said of an older spec says nothing of this one.
    let current = status.and_then(|status| status.observed_generation) == deployment.metadata.generation;
    let overdue = |it: &&DeploymentCondition| current && it.reason.as_deref() == Some("ProgressDeadlineExceeded");
    Serving {
        wanted: spec.and_then(|spec| spec.replicas).unwrap_or(1),
        available: status.and_then(|status| status.available_replicas).unwrap_or_default(),
        short_since: not("Available").and_then(|it| Some(it.last_transition_time.as_ref()?.0)),
        failed: not("Progressing").filter(overdue).map(|it| it.message.clone().unwrap_or_default()),
        running: Vec::new(),
        unpaused_by: unpaused_by(deployment),
    }
}

/// Whether its pods are all there, and of its template. In the middle of a rollout it changes with every pod, and is not asked
/// about them all each time.
pub(super) fn rests(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let counts = deployment.status.as_ref().map(|it| [it.replicas, it.updated_replicas, it.available_replicas]);
    counts.is_some_and(|counts| counts.iter().all(|count| count.unwrap_or_default() == wanted))
}

/// The Deployment's pods that run this image, each with what that is for the kubelet. From the API server's cache: who is
/// warned a moment later is warned.
pub(super) async fn running_as(
    client: &Client,
    deployment: &Deployment,
    image: &str,
) -> Result<Vec<(String, String)>, Error> {
    let Some(selector) = selector(deployment) else { return Ok(Vec::new()) };
    let api: Api<Pod> = Api::namespaced(client.clone(), &deployment.namespace().unwrap_or_default());
    let listed = api.list(&ListParams::default().match_any().labels_from(&selector)).await;
    let pods = listed.map_err(|error| Error::ReadTarget(Box::new(error), deployment.name_any()))?.items;
    Ok(pods.iter().flat_map(|pod| ids(pod, image)).collect())
}

/// What `image` is in each container of the pod that has it.
fn ids(pod: &Pod, image: &str) -> Vec<(String, String)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let its = containers.filter(|container| container.image.as_deref() == Some(image));
    let id = |name: &str| pod.status.as_ref().and_then(|status| image_id(status, name));
    its.filter_map(|container| Some((pod.name_any(), id(&container.name)?))).collect()
}

/// Who applies a manifest with `paused: false`. Of server-side apply only the field is known: while its value is the gate's, or
/// false, the manifest cannot say true.
fn unpaused_by(deployment: &Deployment) -> Option<String> {
    let paused = deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true));
    let by_gate = deployment.annotations().get(labels::HELD_BY).is_some_and(|by| by == BY_ADMISSION);
    let applied = deployment.managed_fields().iter().find(|entry| applies_pause(entry));
    if let Some(entry) = applied.filter(|_| !paused || by_gate) {
        return Some(entry.manager.clone().unwrap_or_default());
    }
    let manifest: Value = serde_json::from_str(deployment.annotations().get(LAST_APPLIED)?).ok()?;
    (manifest.pointer("/spec/paused") == Some(&Value::Bool(false))).then(|| "kubectl apply".to_owned())
}

/// Whether this is a server-side apply of a manifest with `spec.paused`.
#[must_use]
pub fn applies_pause(entry: &ManagedFieldsEntry) -> bool {
    let field = |entry: &ManagedFieldsEntry| entry.fields_v1.as_ref()?.0.pointer("/f:spec/f:paused").cloned();
    entry.operation.as_deref() == Some("Apply") && field(entry).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(change: Value) -> Serving {
        let mut object = json!({
            "metadata": { "name": "shop", "generation": 3, "annotations": {} },
            "spec": { "replicas": 2, "selector": {}, "template": {} },
            "status": { "observedGeneration": 3, "availableReplicas": 1, "conditions": [
                { "type": "Available", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z" },
                { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out." },
            ] },
        });
        json_patch::merge(&mut object, &change);
        serving(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_the_deployment_controller_says_is_read() {
        let found = seen(json!({}));
        assert_eq!((found.wanted, found.available, found.failed.as_deref()), (2, 1, Some("timed out.")));
        assert_eq!(found.short_since.map(|at| at.to_string()).as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(seen(json!({ "metadata": { "generation": 4 } })).failed, None, "of the spec before");
        assert_eq!(seen(json!({ "status": null })), Serving { wanted: 2, ..Serving::default() });
        let going = json!([{ "type": "Available", "status": "True" }, { "type": "Progressing", "status": "True" }]);
        let well = seen(json!({ "status": { "conditions": going } }));
        assert_eq!((well.short_since, well.failed), (None, None));
    }

    #[test]
    fn it_rests_when_its_pods_are_all_there_and_new() {
        let rests = |replicas: i32, updated: i32, available: i32| {
            let status = json!({ "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available });
            let object =
                json!({ "metadata": {}, "spec": { "replicas": 2, "selector": {}, "template": {} }, "status": status });
            super::rests(&serde_json::from_value(object).unwrap())
        };
        assert!(rests(2, 2, 2));
        assert!(!rests(3, 2, 2) && !rests(2, 1, 2) && !rests(2, 2, 1), "a rollout goes on");
    }

    #[test]
    fn who_applies_paused_false_is_known_by_either_way_to_apply() {
        let last = |manifest: Value| json!({ "metadata": { "annotations": { LAST_APPLIED: manifest.to_string() } } });
        let by = |change: Value| seen(change).unpaused_by;
        assert_eq!(by(json!({})), None);
        assert_eq!(by(last(json!({ "spec": { "paused": false } }))).as_deref(), Some("kubectl apply"));
        assert_eq!(by(last(json!({ "spec": { "paused": true } }))), None, "a pause of the user's own");
        assert_eq!(by(last(json!({ "spec": {} }))), None);

        let entry = |operation: &str| json!([{ "manager": "argocd", "operation": operation, "fieldsV1": { "f:spec": { "f:paused": {} } } }]);
        let paused = |held_by: Option<&str>, operation: &str| {
            json!({ "metadata": { "managedFields": entry(operation), "annotations": { labels::HELD_BY: held_by } },
                "spec": { "paused": held_by.is_some() } })
        };
        assert_eq!(by(paused(None, "Apply")).as_deref(), Some("argocd"), "not paused");
        assert_eq!(by(paused(Some("admission"), "Apply")).as_deref(), Some("argocd"), "the gate's pause");
        assert_eq!(by(paused(Some("admission+user"), "Apply")), None, "paused before: the manifest says true");
        assert_eq!(by(paused(None, "Update")), None, "somebody resumed it once");
    }

    #[test]
    fn what_an_image_is_for_the_kubelet_is_read_of_each_container_that_has_it() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "shop-1" },
            "spec": { "containers": [{ "name": "app", "image": "shop:1" }, { "name": "log", "image": "log:1" },
                { "name": "new", "image": "shop:1" }] },
            "status": { "containerStatuses": [
                { "name": "app", "image": "shop:1", "imageID": "r/shop@sha256:1", "ready": true, "restartCount": 0 },
                { "name": "log", "image": "log:1", "imageID": "r/log@sha256:2", "ready": true, "restartCount": 0 },
                { "name": "new", "image": "shop:1", "imageID": "", "ready": false, "restartCount": 0 } ] },
        }))
        .unwrap();
        assert_eq!(
            ids(&pod, "shop:1"),
            [("shop-1".to_owned(), "r/shop@sha256:1".to_owned())],
            "none that has yet to be pulled"
        );
    }
}
