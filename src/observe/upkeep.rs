//! A gated Deployment with its ReplicaSets and with what is kept of its releases.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::targets::{is_owned, release, selector, sets};
use super::{Error, Observer, fence, rollout};
use crate::api::{labels, names};
use crate::decide::sweep::{Abandoned, Kept, Owner};
use crate::decide::upkeep::{Gated, Revision, Set};
use crate::gate::Workload;

impl Observer {
    /// All that the upkeep of a gated Deployment and its rollback are decided by.
    ///
    /// # Errors
    /// When the cache is behind our own writes, or the API server does not answer.
    pub async fn gated(&self, deployment: &Deployment, now: Timestamp) -> Result<Gated, Error> {
        if self.watermarks.is_behind(deployment) {
            return Err(Error::Stale(deployment.name_any()));
        }
        let workload = Workload::from(deployment);
        let containers = workload.named_containers();
        // In this order, so that what is taken into custody meanwhile is in one of both.
        let custody = async {
            let sets = sets(&self.client, deployment, ListParams::default()).await?;
            Ok((sets, self.custody(deployment).await?))
        };
        let ((sets, custody), revisions) = futures::try_join!(custody, self.revisions(deployment, &containers))?;
        let spec = deployment.spec.as_ref();
        let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let no_room = !custody.is_empty() && self.no_room(deployment, &sets).await?;
        let read = |sets: &[ReplicaSet]| sets.iter().map(|each| set(each, &containers)).collect();
        Ok(Gated {
            fence: fence(deployment),
            wanted,
            complete: is_complete(deployment, wanted),
            sets: read(&sets),
            custody: read(&custody),
            revisions,
            enforcement: self.enforcement,
            now,
            revoked: self.revoked(deployment)?,
            held_for: workload.is_held().then(|| self.held_for(deployment, &workload)).flatten(),
            selected_by: rollout::selected_by(deployment),
            max_unavailable: rollout::max_unavailable(deployment, wanted),
            recreate: rollout::is_recreate(deployment),
            deadline: rollout::deadline(deployment),
            no_room,
            workload: workload.clone(),
        })
    }

    /// All that is kept of releases, each with its namespace.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn kept(&self) -> Result<Vec<(String, Kept)>, Error> {
        let params = ListParams::default().labels(&format!("{},{}", labels::MANAGED_BY, labels::DEPLOYMENT));
        let listed = self.metadata_everywhere::<ControllerRevision>(&params).await;
        let listed = listed.map_err(|error| Error::ReadTarget(Box::new(error), "of what is kept".to_owned()))?;
        let mut all = Vec::new();
        for kept in &listed {
            let namespace = kept.namespace().unwrap_or_default();
            let Some(name) =
                kept.annotations().get(labels::DEPLOYMENT).or_else(|| kept.labels().get(labels::DEPLOYMENT))
            else {
                continue;
            };
            let deployment = self.owner(&namespace, name).await?;
            let gone_since = kept.annotations().get(labels::GONE_SINCE).and_then(|since| since.parse().ok());
            all.push((namespace, Kept { fence: fence(kept), gone_since, deployment }));
        }
        Ok(all)
    }

    /// The ReplicaSets in custody of Deployments that are not gated any more, each with its namespace.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn abandoned(&self) -> Result<Vec<(String, Abandoned)>, Error> {
        let params = ListParams::default().labels(labels::CUSTODY);
        let listed = self.metadata_everywhere::<ReplicaSet>(&params).await;
        let listed = listed.map_err(|error| Error::ReadTarget(Box::new(error), "in custody".to_owned()))?;
        let mut all = Vec::new();
        for set in &listed {
            let namespace = set.namespace().unwrap_or_default();
            let owner = set.owner_references().first().map(|owner| owner.name.clone());
            let Some(name) = owner.or_else(|| set.labels().get(labels::CUSTODY).cloned()) else { continue };
            let gated = self.caches.deployments.get(&ObjectRef::new(&name).within(&namespace));
            if gated.is_some_and(|deployment| is_owned(set, deployment.as_ref())) {
                continue;
            }
            let api: Api<Deployment> = Api::namespaced(self.client.clone(), &namespace);
            let found = api.get_opt(&name).await.map_err(|error| Error::ReadTarget(Box::new(error), name))?;
            let Some(deployment) = found else { continue };
            let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            let available = deployment.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default();
            all.push((namespace, Abandoned { fence: fence(set), wanted, available }));
        }
        Ok(all)
    }

    /// What has become of a Deployment. That one is not there is believed from the API server alone.
    async fn owner(&self, namespace: &str, name: &str) -> Result<Owner, Error> {
        if self.caches.deployments.get(&ObjectRef::new(name).within(namespace)).is_some() {
            return Ok(Owner::Gated);
        }
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_metadata_opt(name).await;
        let found = found.map_err(|error| Error::ReadTarget(Box::new(error), name.to_owned()))?;
        Ok(match found {
            None => Owner::Gone,
            Some(found) if found.labels().contains_key(labels::GATED) => Owner::Gated,
            Some(_) => Owner::Ungated,
        })
    }

    /// The Deployment's ReplicaSets in custody.
    async fn custody(&self, deployment: &Deployment) -> Result<Vec<ReplicaSet>, Error> {
        let name = deployment.name_any();
        let api: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &deployment.namespace().unwrap_or_default());
        let params = ListParams::default().labels(&format!("{}={}", labels::CUSTODY, names::label(&name)));
        let mut sets = api.list(&params).await.map_err(|error| Error::ReadTarget(Box::new(error), name))?.items;
        sets.retain(|set| is_owned(set, deployment) && set.metadata.deletion_timestamp.is_none());
        Ok(sets)
    }

    /// Whether pods of the Deployment's own ReplicaSets cannot be created, or found a node for.
    async fn no_room(&self, deployment: &Deployment, sets: &[ReplicaSet]) -> Result<bool, Error> {
        if sets.iter().any(rollout::is_refused_pods) {
            return Ok(true);
        }
        let Some(selector) = selector(deployment) else { return Ok(false) };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &deployment.namespace().unwrap_or_default());
        let listed = api.list(&ListParams::default().labels_from(&selector)).await;
        let pods = listed.map_err(|error| Error::ReadTarget(Box::new(error), deployment.name_any()))?.items;
        let own = |pod: &&Pod| sets.iter().any(|set| is_owned(*pod, set));
        Ok(pods.iter().filter(own).any(rollout::is_unschedulable))
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
        available: set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default(),
        created: set.metadata.creation_timestamp.as_ref().map(|time| time.0),
        labels: set.labels().clone(),
        annotations: set.annotations().clone(),
        relabelled_by: rollout::relabelled_by(set),
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
