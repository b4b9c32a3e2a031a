//! A run that cannot be read.

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Api, Client};
use serde_json::json;

use super::Error;
use crate::api::MigrationRun;

/// A run that cannot be read is told so by name; what it holds is not printed, since it may be a secret put in the wrong place.
pub async fn report(run: &InvalidObject, client: &Client, now: jiff::Timestamp) -> Result<Action, Error> {
    const MESSAGE: &str = "The spec cannot be read by this version of Sluice: compare it with `kubectl explain mrun.spec`, \
                           then apply it again. Nothing is started.";
    tracing::warn!("a run cannot be read");
    let resource = ApiResource::erase::<MigrationRun>(&());
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    let generation = run.metadata.generation.unwrap_or_default();
    let name = run.metadata.name.clone().unwrap_or_default();
    let current = api.get_status(&name).await.map_err(|error| Error::ReportMalformed(Box::new(error)))?;
    if current.data.pointer("/status/summary").and_then(serde_json::Value::as_str) == Some(MESSAGE)
        && current.data.pointer("/status/observedGeneration").and_then(serde_json::Value::as_i64) == Some(generation)
    {
        return Ok(Action::await_change());
    }
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now);
    let set = |kind: &str, value: bool| {
        crate::api::conditions::condition(kind, Some(value), "InvalidSpec", MESSAGE, generation, &now)
    };
    let conditions = [set("Ready", false), set("Stalled", true), set("Succeeded", false), set("Finished", true)];
    let status = json!({
        "metadata": { "resourceVersion": run.metadata.resource_version },
        "status": { "observedGeneration": generation, "step": "AwaitRetry", "summary": MESSAGE, "conditions": conditions },
    });
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .map_err(|error| Error::ReportMalformed(Box::new(error)))?;
    Ok(Action::await_change())
}
