//! The writes for a gated Deployment.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::ResourceExt;

use super::{Applier, Error, unchanged};
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
                let mut operations = unchanged(&gated.fence);
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
}
