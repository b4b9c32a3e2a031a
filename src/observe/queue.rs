//! Whose turn it is on a database.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::caches::Caches;
use super::{finished, pod};
use crate::api::{MigrationRun, labels};
use crate::classify::Step;
use crate::decide::Observed;

/// A run of the same database that queued earlier and still waits; first come, first served.
pub fn ahead(caches: &Caches, observed: &Observed) -> Option<String> {
    let mine = observed.status.release.as_ref()?;
    let place = (mine.queued_at.0, observed.run.uid.clone());
    let first = caches.runs.find(|run| {
        run.0.as_ref().is_ok_and(|run| {
            waits(run).is_some_and(|(database, queued_at)| {
                database == mine.database_id && (queued_at, run.uid().unwrap_or_default()) < place
            })
        })
    })?;
    Some(format!("{}/{}", first.namespace().unwrap_or_default(), first.name_any()))
}

/// Database and place in the queue of a run that waits its turn.
fn waits(run: &MigrationRun) -> Option<(&str, jiff::Timestamp)> {
    let status = run.status.as_ref()?;
    let release = status.release.as_ref()?;
    let idle = status.active_attempt().is_none()
        && !status.is_clean()
        && !status.is_stalled()
        && status.next_attempt_at.is_none();
    let wants = idle && !run.spec.suspended() && run.metadata.deletion_timestamp.is_none();
    wants.then_some((release.database_id.as_str(), release.queued_at.0))
}

/// A Job of another run that works on the database, or may be let go by a replica that has not heard yet.
pub fn rival(caches: &Caches, observed: &Observed, database: &str, jobs: &[Arc<Job>]) -> Option<String> {
    let job = jobs.iter().find(|job| {
        let label = |key: &str| job.labels().get(key).map(String::as_str);
        label(labels::DATABASE) == Some(database)
            && label(labels::RUN_UID) != Some(observed.run.uid.as_str())
            && finished(job).is_none()
            && !container_ended(caches, job)
    })?;
    Some(format!("{}/{}", job.namespace().unwrap_or_default(), job.name_any()))
}

/// A pod whose step may still run on the database and that is not of the attempt under way: its Job may be gone already, by
/// force, while it takes its time to end.
pub fn lingering(observed: &Observed, database: &str, pods: &[Arc<Pod>]) -> Option<String> {
    let active =
        observed.status.active_attempt().map(|attempt| (attempt.number.to_string(), attempt.generation.to_string()));
    let pod = pods.iter().find(|pod| {
        let label = |key: &str| pod.labels().get(key).map(String::as_str);
        let under_way = active.as_ref().is_some_and(|(number, generation)| {
            label(labels::RUN_UID) == Some(observed.run.uid.as_str())
                && label(labels::ATTEMPT) == Some(number)
                && label(labels::GENERATION) == Some(generation)
        });
        label(labels::DATABASE) == Some(database) && !under_way && pod::may_run(pod)
    })?;
    Some(format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any()))
}

fn container_ended(caches: &Caches, job: &Job) -> bool {
    let step =
        if job.labels().get(labels::STEP).is_some_and(|step| step == "check") { Step::Check } else { Step::Migrate };
    let pod = caches.pod_of(job);
    matches!(pod::container(pod.as_deref(), job, step, None), pod::Seen::Ended(_))
}
