//! The Deployments that a run gates, and the other runs that name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::ListParams;
use kube::core::Selector;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource, ResourceExt};

use super::caches::GuardedRun;
use super::{Error, Observer, fence};
use crate::api::target::{GateMode, Target};
use crate::api::{MigrationRun, MigrationRunStatus, labels};
use crate::decide::gate::needs_approval;
use crate::decide::observed::{DeploymentSeen, TargetSeen};
use crate::gate::Workload;

impl Observer {
    /// All targets of the run, as they are.
    pub(super) async fn targets(&self, run: &MigrationRun) -> Result<Vec<TargetSeen>, Error> {
        let each = run.spec.targets().iter().map(|target| self.target(run, target));
        futures::future::try_join_all(each).await
    }

    async fn target(&self, run: &MigrationRun, target: &Target) -> Result<TargetSeen, Error> {
        let image = target.image(&run.spec).to_owned();
        let mut seen = TargetSeen { name: target.name.clone(), image, ..TargetSeen::default() };
        let Some(found) = self.deployment(run, &target.name).await? else { return Ok(seen) };
        let workload = Workload::from(found.as_ref());
        let required = workload.required_runs();
        seen.required = required.is_empty() || required.contains(&run.name_any().as_str());
        seen.successor = self.successor(run, &target.name);
        seen.unready = self.unready(run, &seen, &workload)?;
        let mut deployment = DeploymentSeen { fence: fence(found.as_ref()), workload, running: Vec::new() };
        if needs_approval(&seen, &deployment) {
            deployment.running = self.running(&found).await?;
        }
        seen.deployment = Some(deployment);
        Ok(seen)
    }

    /// A Deployment. One without the label is in no cache, and that one is not there is believed from the API server alone.
    async fn deployment(&self, run: &MigrationRun, name: &str) -> Result<Option<Arc<Deployment>>, Error> {
        let namespace = run.namespace().unwrap_or_default();
        let cached = self.caches.deployments.get(&ObjectRef::new(name).within(&namespace));
        if let Some(cached) = cached {
            if self.watermarks.is_behind(cached.as_ref()) {
                return Err(Error::Stale(name.to_owned()));
            }
            return Ok(Some(cached));
        }
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &namespace);
        let found = api.get_opt(name).await.map_err(|error| Error::ReadTarget(Box::new(error), name.to_owned()))?;
        Ok(found.map(Arc::new))
    }

    /// The releases that have replicas, the newest first.
    async fn running(&self, deployment: &Deployment) -> Result<Vec<Vec<String>>, Error> {
        // From the API server's cache: an exact answer can take it 100 ms, and what is approved already stays so anyway.
        let mut sets = sets(&self.client, deployment, ListParams::default().match_any()).await?;
        sets.retain(|set| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0);
        sets.sort_by_key(|set| std::cmp::Reverse(set.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        let workload = Workload::from(deployment);
        let names = workload.named_containers();
        Ok(sets.iter().map(|set| release(set, &names)).collect())
    }

    /// The other runs of the namespace that name this Deployment.
    pub fn peers(&self, run: &MigrationRun, deployment: &str) -> Vec<Arc<GuardedRun>> {
        let (namespace, uid) = (run.namespace(), run.uid());
        self.caches.runs.state_filter(|other| {
            other.namespace() == namespace
                && other.uid() != uid
                && other.meta().deletion_timestamp.is_none()
                && readable(other).is_some_and(|other| other.spec.targets().iter().any(|t| t.name == deployment))
        })
    }

    /// A run of the same database that names the Deployment too and has taken a release up later: of runs that are created once
    /// a release, the newest decides.
    fn successor(&self, run: &MigrationRun, deployment: &str) -> Option<String> {
        let namespace = run.namespace().unwrap_or_default();
        let place = |run: &MigrationRun| {
            let release = run.status.as_ref()?.release.as_ref()?;
            Some((release.queued_at.0, run.uid()))
        };
        let mine = place(run);
        let peers = self.peers(run, deployment);
        let newer = peers.iter().filter_map(|other| readable(other)).filter(|other| {
            other.spec.database_id(&namespace) == run.spec.database_id(&namespace) && place(other) > mine
        });
        newer.max_by_key(|other| place(other)).map(ResourceExt::name_any)
    }

    /// The other runs that must be clean for the image and are not yet: those that the Deployment requires; where it names
    /// none, all of other databases that name it.
    fn unready(&self, run: &MigrationRun, seen: &TargetSeen, workload: &Workload) -> Result<Vec<String>, Error> {
        let mut unready = Vec::new();
        for (name, other) in self.others(run, &seen.name, &workload.required_runs()) {
            let Some(other) = other.as_deref().and_then(readable) else {
                unready.push(format!("run {name}, which is not there"));
                continue;
            };
            if self.watermarks.is_behind(other) {
                return Err(Error::Stale(name));
            }
            unready.extend(lacks(other, seen).map(|lack| format!("run {name}, which {lack}")));
        }
        Ok(unready)
    }

    /// The runs that a run has to agree with about a Deployment, by name; nothing where there is none of that name.
    fn others(&self, run: &MigrationRun, name: &str, required: &[&str]) -> Vec<(String, Option<Arc<GuardedRun>>)> {
        let (mine, namespace) = (run.name_any(), run.namespace().unwrap_or_default());
        let database = |run: &MigrationRun| run.spec.database_id(&namespace);
        if required.is_empty() {
            let of_another = |other: &GuardedRun| readable(other).is_some_and(|other| database(other) != database(run));
            let peers = self.peers(run, name).into_iter().filter(|other| of_another(other));
            return peers.map(|other| (other.name_any(), Some(other))).collect();
        }
        let find = |name: &str| self.caches.runs.get(&ObjectRef::new(name).within(&namespace));
        required.iter().filter(|name| **name != mine).map(|name| ((*name).to_owned(), find(name))).collect()
    }
}

/// What a run lacks to agree to the image on the Deployment; nothing where it does not hold it back.
fn lacks(run: &MigrationRun, seen: &TargetSeen) -> Option<String> {
    let target = run.spec.targets().iter().find(|target| target.name == seen.name);
    match target.map(|target| target.image(&run.spec)) {
        None => Some("does not name it in spec.targets".to_owned()),
        Some(_) if run.spec.gate_mode() != GateMode::Hold => None,
        Some(image) if image != seen.image => Some(format!("is for {image}")),
        Some(_) => (!is_clean(run)).then(|| "is not clean yet".to_owned()),
    }
}

/// Whether a run is clean with what its spec says now.
fn is_clean(run: &MigrationRun) -> bool {
    let namespace = run.namespace().unwrap_or_default();
    let inputs = crate::api::release::inputs_digest(&run.spec, &namespace);
    let clean = |status: &MigrationRunStatus| {
        status.is_clean() && status.release.as_ref().is_some_and(|release| release.inputs == inputs)
    };
    run.status.as_ref().is_some_and(clean)
}

fn readable(run: &GuardedRun) -> Option<&MigrationRun> {
    run.0.as_ref().ok()
}

/// What the Deployment selects; none where that cannot be read, which the API server refuses.
pub(super) fn selector(deployment: &Deployment) -> Option<Selector> {
    deployment.spec.as_ref()?.selector.clone().try_into().ok()
}

/// The Deployment's ReplicaSets.
pub(super) async fn sets(
    client: &Client,
    deployment: &Deployment,
    params: ListParams,
) -> Result<Vec<ReplicaSet>, Error> {
    let Some(selector) = selector(deployment) else { return Ok(Vec::new()) };
    let api: Api<ReplicaSet> = Api::namespaced(client.clone(), &deployment.namespace().unwrap_or_default());
    let listed = api.list(&params.labels_from(&selector)).await;
    let mut sets = listed.map_err(|error| Error::ReadTarget(Box::new(error), deployment.name_any()))?.items;
    sets.retain(|set| set.owner_references().iter().any(|owner| Some(&owner.uid) == deployment.metadata.uid.as_ref()));
    Ok(sets)
}

/// The images of a ReplicaSet's gated containers: by the names that the Deployment had when the Deployment controller copied its
/// annotations there, else by those that it has now.
pub(super) fn release(set: &ReplicaSet, names: &[&str]) -> Vec<String> {
    let mut workload = Workload::from(set);
    let copied = [labels::APPROVED_IMAGES, labels::CONTAINERS].iter().any(|key| set.annotations().contains_key(*key));
    if !copied {
        workload.annotations = BTreeMap::from([(labels::CONTAINERS.to_owned(), names.join(","))]);
    }
    workload.gated_images().into_iter().map(str::to_owned).collect()
}
