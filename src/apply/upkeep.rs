//! The writes for a gated Deployment.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::{Applier, Error, refusal, tests};
use crate::build;
use crate::decide::upkeep::{Gated, Upkeep};

impl Applier {
    /// Carries out one write for a gated Deployment.
    ///
    /// # Errors
    /// When the world has changed since it was read, or the API server refuses or does not answer.
    pub async fn keep(&self, deployment: &Deployment, gated: &Gated, upkeep: &Upkeep) -> Result<(), Error> {
        let name = upkeep.name();
        self.lead(name)?;
        let namespace = deployment.namespace().unwrap_or_default();
        let build = |source| Error::Build { effect: name, source };
        match upkeep {
            Upkeep::WriteRule(change) => {
                let mut operations = tests(&gated.fence);
                operations.extend(change.operations(&serde_json::to_value(deployment).map_err(build)?));
                self.patch::<Deployment>(&namespace, &gated.fence, name, operations).await
            }
            Upkeep::DeleteReplicaSet(set) => self.delete::<ReplicaSet>(&namespace, set, name).await,
            Upkeep::RestoreReplicaSet { manifest, replicas } => {
                let set = build::kept::replica_set(deployment, gated, manifest, *replicas).map_err(build)?;
                // One of this name that is there is the last one of a Deployment that was deleted: it goes, and this one comes.
                self.create(&namespace, &set, name).await?.then_some(()).ok_or(Error::Conflict { effect: name })
            }
            Upkeep::KeepRevision { number, manifest } => {
                let kept = build::kept::revision(deployment, *number, manifest).map_err(build)?;
                self.create(&namespace, &kept, name).await.map(drop)
            }
            Upkeep::DropRevision(revision) => self.delete::<ControllerRevision>(&namespace, revision, name).await,
        }
    }

    /// Whether it was created; one of its name is there otherwise.
    async fn create<K>(&self, namespace: &str, object: &K, effect: &'static str) -> Result<bool, Error>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            created => created.map(|_| true).map_err(|error| refusal(effect, error)),
        }
    }
}
