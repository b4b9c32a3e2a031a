//! Kubernetes Events about a run.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt};

use crate::api::{MigrationRun, MigrationRunStatus};
use crate::decide::{Fact, Observed};
use crate::status::announce::{self, Announcement, announcements};
use crate::status::warnings;

/// Events are for people: one that cannot be written is logged, the record stands.
pub async fn tell(
    observed: &Observed,
    run: &MigrationRun,
    facts: &[Fact],
    before: &MigrationRunStatus,
    after: &MigrationRunStatus,
    client: &Client,
) {
    let job = job_of(run, after);
    // Kept for longer, it would remember each Event for minutes to fold what comes again; nothing does.
    let recorder = Recorder::new(client.clone(), Reporter { controller: "sluice".into(), instance: None });
    let about = run.object_ref(&());
    for said in announcements(facts, before, after) {
        publish(&recorder, said, &about, job.clone()).await;
    }
    let warned = warnings::announcements(before, after);
    let targets = announce::of_targets(&run.name_any(), run.spec.gate_mode(), before, after);
    for (deployment, said) in targets.into_iter().chain(warned) {
        let seen = observed.targets.iter().find(|target| target.name == deployment);
        let Some(seen) = seen.and_then(|target| target.deployment.as_ref()) else { continue };
        let its = ObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: Some("Deployment".to_owned()),
            namespace: run.namespace(),
            name: Some(deployment),
            uid: Some(seen.fence.uid.clone()),
            ..ObjectReference::default()
        };
        publish(&recorder, said, &its, Some(about.clone())).await;
    }
}

async fn publish(recorder: &Recorder, said: Announcement, about: &ObjectReference, related: Option<ObjectReference>) {
    tracing::info!(reason = said.reason, "{}", said.note);
    let event = Event {
        type_: if said.warning { EventType::Warning } else { EventType::Normal },
        reason: said.reason,
        note: Some(said.note),
        action: "Reconcile".into(),
        secondary: related,
    };
    if let Err(error) = recorder.publish(&event, about).await {
        tracing::warn!(%error, "failed to write an event");
    }
}

/// The Job of the attempt that an Event speaks of. Events are folded when they agree in all but their note, and each attempt
/// has something else to say.
fn job_of(run: &MigrationRun, status: &MigrationRunStatus) -> Option<ObjectReference> {
    let migrate = &status.current_attempt()?.migrate;
    Some(ObjectReference {
        api_version: Some("batch/v1".to_owned()),
        kind: Some("Job".to_owned()),
        namespace: run.namespace(),
        name: Some(migrate.job.clone()),
        uid: Some(migrate.uid.clone()),
        ..ObjectReference::default()
    })
}
