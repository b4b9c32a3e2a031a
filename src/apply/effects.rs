//! Each effect's one write.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, Patch, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::{Applier, Error, patch_refusal, refusal};
use crate::api::labels;
use crate::build;
use crate::decide::observed::JobRef;
use crate::decide::{Effect, Observed};
use crate::status::Applied;

/// Carries out one effect.
pub async fn apply(
    applier: &Applier,
    observed: &Observed,
    effect: &Effect,
    applied: &mut Applied,
) -> Result<(), Error> {
    let name = effect.name();
    match effect {
        Effect::AcquireLock { database } => acquire(applier, observed, database).await,
        Effect::ReleaseLock(lease) => {
            let api: Api<Lease> = Api::namespaced(applier.client.clone(), &applier.namespace);
            let params = fenced(&lease.uid, &lease.resource_version);
            api.delete(&lease.name, &params).await.map_err(|error| refusal(name, error))?;
            applier.watermarks.deleted(&lease.uid);
            Ok(())
        }
        Effect::CreateMigrateJob { name: job, attempt } => {
            let built =
                build::job::migrate(observed, job, *attempt).map_err(|source| Error::Build { effect: name, source })?;
            create_job(applier, observed, effect, &built, applied).await
        }
        Effect::CreateCheckJob { name: job, attempt } => {
            let built =
                build::job::check(observed, job, *attempt).map_err(|source| Error::Build { effect: name, source })?;
            create_job(applier, observed, effect, &built, applied).await
        }
        Effect::ResumeJob(job) => {
            let patch = json!([
                { "op": "test", "path": "/metadata/uid", "value": job.uid },
                { "op": "test", "path": "/spec/suspend", "value": true },
                { "op": "replace", "path": "/spec/suspend", "value": false },
            ]);
            patch_job(applier, observed, effect, job, patch).await
        }
        Effect::EndJob(job) => {
            let patch = json!([
                { "op": "test", "path": "/metadata/uid", "value": job.uid },
                { "op": "test", "path": "/metadata/resourceVersion", "value": job.resource_version },
                { "op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1 },
            ]);
            patch_job(applier, observed, effect, job, patch).await
        }
        Effect::CreateBudget { attempt, job } => create_budget(applier, observed, *attempt, job).await,
        Effect::DeleteBudget { name: budget } => {
            let api: Api<PodDisruptionBudget> = Api::namespaced(applier.client.clone(), &observed.run.namespace);
            match api.delete(budget, &DeleteParams::default()).await {
                Err(error) if !is(&error, 404) => Err(refusal(name, error)),
                _ => Ok(()),
            }
        }
        Effect::ApproveImages { deployment, uid, resource_version, approved } => {
            let path = format!("/metadata/annotations/{}", labels::APPROVED_IMAGES.replace('/', "~1"));
            // A gated Deployment has annotations: the rule writes its list at every pass.
            let patch = json!([
                { "op": "test", "path": "/metadata/uid", "value": uid },
                { "op": "test", "path": "/metadata/resourceVersion", "value": resource_version },
                { "op": "add", "path": path, "value": approved.text() },
            ]);
            patch_deployment(applier, observed, effect, deployment, patch).await
        }
        Effect::DeleteJob(job) => {
            let params = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                ..fenced(&job.uid, &job.resource_version)
            };
            jobs(applier, observed).delete(&job.name, &params).await.map_err(|error| refusal(name, error))?;
            applier.watermarks.deleted(&job.uid);
            Ok(())
        }
    }
}

async fn acquire(applier: &Applier, observed: &Observed, database: &str) -> Result<(), Error> {
    const EFFECT: &str = "AcquireLock";
    let lease = build::lease::lease(observed, &applier.namespace, database)
        .map_err(|source| Error::Build { effect: EFFECT, source })?;
    let api: Api<Lease> = Api::namespaced(applier.client.clone(), &applier.namespace);
    let created = api.create(&PostParams::default(), &lease).await.map_err(|error| refusal(EFFECT, error))?;
    applier.watermarks.wrote(&created);
    Ok(())
}

/// Creates a Job, or finds that it is there already and ours: after a crash, or a write whose answer was lost.
async fn create_job(
    applier: &Applier,
    observed: &Observed,
    effect: &Effect,
    job: &Job,
    applied: &mut Applied,
) -> Result<(), Error> {
    let api = jobs(applier, observed);
    let name = job.name_any();
    let found = match api.create(&PostParams::default(), job).await {
        Err(error) if is(&error, 409) => api.get(&name).await.map_err(|error| refusal(effect.name(), error))?,
        created => created.map_err(|error| refusal(effect.name(), error))?,
    };
    if !found.owner_references().iter().any(|owner| owner.uid == observed.run.uid && owner.controller == Some(true)) {
        return Err(Error::Conflict { effect: effect.name() });
    }
    applier.watermarks.wrote(&found);
    applied.jobs.insert(name, found.uid().unwrap_or_default());
    Ok(())
}

async fn create_budget(applier: &Applier, observed: &Observed, attempt: i32, job: &JobRef) -> Result<(), Error> {
    const EFFECT: &str = "CreateBudget";
    let budget =
        build::budget::budget(observed, attempt, job).map_err(|source| Error::Build { effect: EFFECT, source })?;
    let api: Api<PodDisruptionBudget> = Api::namespaced(applier.client.clone(), &observed.run.namespace);
    match api.create(&PostParams::default(), &budget).await {
        Err(error) if !is(&error, 409) => Err(refusal(EFFECT, error)),
        _ => Ok(()),
    }
}

async fn patch_job(
    applier: &Applier,
    observed: &Observed,
    effect: &Effect,
    job: &JobRef,
    patch: serde_json::Value,
) -> Result<(), Error> {
    let patch: json_patch::Patch =
        serde_json::from_value(patch).map_err(|source| Error::Build { effect: effect.name(), source })?;
    let patched = jobs(applier, observed).patch(&job.name, &Default::default(), &Patch::Json::<()>(patch)).await;
    match patched {
        Ok(patched) => {
            applier.watermarks.wrote(&patched);
            Ok(())
        }
        Err(error) => Err(patch_refusal(effect.name(), error)),
    }
}

async fn patch_deployment(
    applier: &Applier,
    observed: &Observed,
    effect: &Effect,
    name: &str,
    patch: serde_json::Value,
) -> Result<(), Error> {
    let patch: json_patch::Patch =
        serde_json::from_value(patch).map_err(|source| Error::Build { effect: effect.name(), source })?;
    let api: Api<Deployment> = Api::namespaced(applier.client.clone(), &observed.run.namespace);
    match api.patch(name, &Default::default(), &Patch::Json::<()>(patch)).await {
        Ok(patched) => {
            applier.watermarks.wrote(&patched);
            Ok(())
        }
        Err(error) => Err(patch_refusal(effect.name(), error)),
    }
}

fn jobs(applier: &Applier, observed: &Observed) -> Api<Job> {
    Api::namespaced(applier.client.clone(), &observed.run.namespace)
}

fn fenced(uid: &str, resource_version: &str) -> DeleteParams {
    DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: Some(resource_version.to_owned()),
        }),
        ..DeleteParams::default()
    }
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
