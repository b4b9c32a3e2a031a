//! A gated Deployment with its ReplicaSets and with what is kept of its releases.

use std::collections::BTreeMap;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::{Selector, SelectorExt};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::fresh::Freshness;
use super::targets::{is_owned, release, selector};
use super::{Error, Observer, fence, rollout};
use crate::api::{labels, names};
use crate::decide::sweep::{Abandoned, Kept, Owner};
use crate::decide::upkeep::{Gated, Revision, Set};
use crate::gate::Workload;

impl Observer {
    /// All that the upkeep of a gated Deployment and its rollback are decided by. How many pods serve is decided by only while
    /// something is in custody: then all is as it is now. Else it is what made the Deployment what it is, or later.
    ///
    /// # Errors
    /// When the cache is behind our own writes, or the API server does not answer.
    pub async fn gated(&self, deployment: &Deployment, now: Timestamp) -> Result<Gated, Error> {
        let custody = self.custody(deployment, Freshness::Ours).await?;
        let freshness = if custody.is_empty() { Freshness::since(deployment) } else { Freshness::Now };
        self.look(deployment, now, freshness).await
    }

    pub(super) async fn look(
        &self,
        deployment: &Deployment,
        now: Timestamp,
        freshness: Freshness,
    ) -> Result<Gated, Error> {
        if self.watermarks.is_behind(deployment) {
            return Err(Error::Stale(deployment.name_any()));
        }
        let revoked = self.revoked(deployment)?;
        let workload = Workload::from(deployment);
        let containers = workload.named_containers();
        // In this order, so that what is taken into custody meanwhile is in one of both.
        let custody = async {
            let sets = self.sets(deployment, freshness).await?;
            Ok((sets, self.custody(deployment, freshness).await?))
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
            revoked,
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

    /// The Deployment's ReplicaSets, those aside that are in custody.
    pub(super) async fn sets(&self, deployment: &Deployment, freshness: Freshness) -> Result<Vec<ReplicaSet>, Error> {
        let Some(selector) = selector(deployment) else { return Ok(Vec::new()) };
        let mut sets: Vec<ReplicaSet> =
            self.list(deployment, ListParams::default().labels_from(&selector), freshness).await?;
        sets.retain(|set| is_owned(set, deployment));
        Ok(sets)
    }

    /// The Deployment's ReplicaSets in custody.
    async fn custody(&self, deployment: &Deployment, freshness: Freshness) -> Result<Vec<ReplicaSet>, Error> {
        let its = format!("{}={}", labels::CUSTODY, names::label(&deployment.name_any()));
        let mut sets: Vec<ReplicaSet> = self.list(deployment, ListParams::default().labels(&its), freshness).await?;
        sets.retain(|set| is_owned(set, deployment) && set.metadata.deletion_timestamp.is_none());
        Ok(sets)
    }

    /// What is listed in the Deployment's namespace.
    async fn list<K>(&self, deployment: &Deployment, params: ListParams, freshness: Freshness) -> Result<Vec<K>, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &deployment.namespace().unwrap_or_default());
        let params = freshness.ask::<K>(params, &self.watermarks);
        let listed = api.list(&params).await;
        let listed = listed.map_err(|error| Error::ReadTarget(Box::new(error), deployment.name_any()))?;
        if params.resource_version.is_none() {
            self.watermarks.listed::<K>(listed.metadata.resource_version.as_deref());
        }
        Ok(listed.items)
    }

    /// Whether pods of the Deployment's own ReplicaSets cannot be created, or found a node for.
    async fn no_room(&self, deployment: &Deployment, sets: &[ReplicaSet]) -> Result<bool, Error> {
        if sets.iter().any(rollout::is_refused_pods) {
            return Ok(true);
        }
        let Some(selector) = selector(deployment) else { return Ok(false) };
        let its = ListParams::default().labels_from(&selector);
        let pods: Vec<Pod> = self.list(deployment, its, Freshness::Now).await?;
        let own = |pod: &&Pod| sets.iter().any(|set| is_owned(*pod, set));
        Ok(pods.iter().filter(own).any(rollout::is_unschedulable))
    }

    async fn revisions(&self, deployment: &Deployment, containers: &[&str]) -> Result<Vec<Revision>, Error> {
        let selector = selector(deployment);
        let its = format!("{}={}", labels::DEPLOYMENT, names::label(&deployment.name_any()));
        // Only Sluice writes them.
        let listed: Vec<ControllerRevision> =
            self.list(deployment, ListParams::default().labels(&its), Freshness::Ours).await?;
        let mut revisions: Vec<Revision> =
            listed.iter().filter_map(|kept| revision(kept, selector.as_ref(), containers)).collect();
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
