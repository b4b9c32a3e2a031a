//! Each effect's one write.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Applier, Error, refusal, unchanged};
use crate::api::{MigrationRun, labels};
use crate::build;
use crate::decide::observed::Fence;
use crate::decide::{Effect, Observed};
use crate::gate::Approved;
use crate::status::Applied;

/// Carries out one effect.
pub async fn apply(
    applier: &Applier,
    observed: &Observed,
    effect: &Effect,
    applied: &mut Applied,
) -> Result<(), Error> {
    let (name, namespace) = (effect.name(), observed.run.namespace.as_str());
    match effect {
        Effect::AcquireLock { database } => acquire(applier, observed, database).await,
        Effect::ReleaseLock(lease) => applier.delete::<Lease>(&applier.namespace, lease, name).await,
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
            // The Job controller writes to it all the time; what counts is that it is this one and still suspended.
            let operations = vec![
                json!({ "op": "test", "path": "/metadata/uid", "value": job.uid }),
                json!({ "op": "test", "path": "/spec/suspend", "value": true }),
                json!({ "op": "replace", "path": "/spec/suspend", "value": false }),
            ];
            applier.patch::<Job>(namespace, job, name, operations).await
        }
        Effect::EndJob(job) => {
            let mut operations = unchanged(job);
            operations.push(json!({ "op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1 }));
            applier.patch::<Job>(namespace, job, name, operations).await
        }
        Effect::CreateBudget { attempt, job } => create_budget(applier, observed, *attempt, job).await,
        Effect::DeleteBudget { name: budget } => {
            let api: Api<PodDisruptionBudget> = Api::namespaced(applier.client.clone(), &observed.run.namespace);
            match api.delete(budget, &DeleteParams::default()).await {
                Err(error) if !is(&error, 404) => Err(refusal(name, error)),
                _ => Ok(()),
            }
        }
        Effect::ApproveImages { deployment, approved } => {
            confirm(applier, observed, name).await?;
            let mut operations = listing(deployment, approved);
            operations.extend(without_reason());
            applier.patch::<Deployment>(namespace, deployment, name, operations).await
        }
        Effect::RevokeImages { deployment, approved } => {
            applier.patch::<Deployment>(namespace, deployment, name, listing(deployment, approved)).await
        }
        Effect::DeleteJob(job) => applier.delete::<Job>(namespace, job, name).await,
    }
}

/// The list of a gated Deployment, which has annotations: the rule writes its list at every pass.
fn listing(deployment: &Fence, approved: &Approved) -> Vec<Value> {
    let path = format!("/metadata/annotations/{}", labels::APPROVED_IMAGES.replace('/', "~1"));
    let mut operations = unchanged(deployment);
    operations.push(json!({ "op": "add", "path": path, "value": approved.text() }));
    operations
}

/// What is let go is held for nothing any more. A patch cannot take off what may not be there, so it comes and goes.
fn without_reason() -> [Value; 2] {
    let path = format!("/metadata/annotations/{}", labels::HELD_FOR.replace('/', "~1"));
    [json!({ "op": "add", "path": path, "value": "" }), json!({ "op": "remove", "path": path })]
}

/// Asks the API server whether the run is there still and wants the same. The Deployment's version says nothing of the run: a
/// cache that has the Deployment created again may yet have a run that was deleted with its database.
async fn confirm(applier: &Applier, observed: &Observed, effect: &'static str) -> Result<(), Error> {
    let run = &observed.run;
    let api: Api<MigrationRun> = Api::namespaced(applier.client.clone(), &run.namespace);
    let found = api.get_metadata_opt(&run.name).await.map_err(|error| refusal(effect, error))?.map(|it| it.metadata);
    let same = found.is_some_and(|it| {
        let live = it.deletion_timestamp.is_none();
        live && it.uid.as_ref() == Some(&run.uid) && it.generation.unwrap_or_default() == run.generation
    });
    same.then_some(()).ok_or(Error::Conflict { effect })
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
    let api: Api<Job> = Api::namespaced(applier.client.clone(), &observed.run.namespace);
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

async fn create_budget(applier: &Applier, observed: &Observed, attempt: i32, job: &Fence) -> Result<(), Error> {
    const EFFECT: &str = "CreateBudget";
    let budget =
        build::budget::budget(observed, attempt, job).map_err(|source| Error::Build { effect: EFFECT, source })?;
    applier.create(&observed.run.namespace, &budget, EFFECT).await.map(drop)
}

fn is(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}
