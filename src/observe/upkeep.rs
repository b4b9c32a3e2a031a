//! A gated Deployment with its ReplicaSets and with what is kept of its releases.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::targets::{release, selector, sets};
use super::{Error, Observer, fence};
use crate::api::{labels, names};
use crate::decide::upkeep::{Gated, Revision, Set};
use crate::gate::Workload;

impl Observer {
    /// All that the upkeep of a gated Deployment is decided by.
    ///
    /// # Errors
    /// When the cache is behind our own writes, or the API server does not answer.
    pub async fn gated(&self, deployment: &Deployment) -> Result<Gated, Error> {
        if self.watermarks.is_behind(deployment) {
            return Err(Error::Stale(deployment.name_any()));
        }
        let workload = Workload::from(deployment);
        let containers = workload.named_containers();
        let (sets, revisions) = futures::try_join!(
            sets(&self.client, deployment, ListParams::default()),
            self.revisions(deployment, &containers)
        )?;
        let spec = deployment.spec.as_ref();
        let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        Ok(Gated {
            fence: fence(deployment),
            wanted,
            complete: is_complete(deployment, wanted),
            sets: sets.iter().map(|each| set(each, &containers)).collect(),
            revisions,
            enforcement: self.enforcement,
            workload: workload.clone(),
        })
    }

    async fn revisions(&self, deployment: &Deployment, containers: &[&str]) -> Result<Vec<Revision>, Error> {
        let name = deployment.name_any();
        let selector = selector(deployment);
        let api: Api<ControllerRevision> =
            Api::namespaced(self.client.clone(), &deployment.namespace().unwrap_or_default());
        let params = ListParams::default().labels(&format!("{}={}", labels::DEPLOYMENT, names::label(&name)));
        let listed = api.list(&params).await.map_err(|error| Error::ReadTarget(Box::new(error), name))?;
        let mut revisions: Vec<Revision> =
            listed.items.iter().filter_map(|kept| revision(kept, selector.as_ref(), containers)).collect();
        revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
        Ok(revisions)
    }
}

/// Whether the Deployment controller has seen the newest spec, and all pods that are wanted are of it and available.
fn is_complete(deployment: &Deployment, wanted: i32) -> bool {
    let Some(status) = &deployment.status else { return false };
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    status.observed_generation >= deployment.metadata.generation
        && counts.iter().all(|count| count.unwrap_or_default() == wanted)
}

fn set(set: &ReplicaSet, containers: &[&str]) -> Set {
    let labels = set.metadata.labels.clone();
    Set {
        fence: fence(set),
        release: release(set, containers).into_iter().collect(),
        wanted: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
        present: set.status.as_ref().map_or(0, |status| status.replicas),
        ready: set.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default(),
        manifest: json!({
            "metadata": { "name": set.name_any(), "labels": labels, "annotations": gate_of(set) },
            "spec": set.spec,
        }),
    }
}

/// What of a ReplicaSet's annotations the policy on ReplicaSets judges it by, but for the list, which is the Deployment's.
fn gate_of(set: &ReplicaSet) -> BTreeMap<&str, &str> {
    let its = [labels::CONTAINERS, labels::BYPASS];
    its.into_iter().filter_map(|key| Some((key, set.annotations().get(key)?.as_str()))).collect()
}

/// What is kept of a release. Its images are read from what would be started, so nothing that somebody else has written beside
/// it counts; what is no ReplicaSet is nothing.
fn revision(kept: &ControllerRevision, selector: Option<&Selector>, containers: &[&str]) -> Option<Revision> {
    let manifest = kept.data.as_ref()?.0.get("replicaSet")?.clone();
    let set: ReplicaSet = serde_json::from_value(manifest.clone()).ok()?;
    Some(Revision {
        fence: fence(kept),
        number: kept.revision,
        release: release(&set, containers).into_iter().collect(),
        manifest,
        fits: selector.is_some_and(|selector| selector.matches(set.labels())),
    })
}
