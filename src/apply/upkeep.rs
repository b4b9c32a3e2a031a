//! The writes for a gated Deployment.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::{Applier, Error, unchanged};
use crate::api::labels;
use crate::build;
use crate::decide::sweep::Sweep;
use crate::decide::upkeep::{Custody, Gated, Upkeep};

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
            Upkeep::TakeCustody(to) | Upkeep::ScaleCustody(to) => self.rewrite(deployment, to, false, name).await,
            Upkeep::GiveBack(to) => self.rewrite(deployment, to, true, name).await,
            Upkeep::ExplainHold(text) => {
                let path = format!("/metadata/annotations/{}", labels::HELD_FOR.replace('/', "~1"));
                let mut operations = unchanged(&gated.fence);
                operations.push(match text {
                    Some(text) => json!({ "op": "add", "path": path, "value": text }),
                    None => json!({ "op": "remove", "path": path }),
                });
                self.patch::<Deployment>(&namespace, &gated.fence, name, operations).await
            }
        }
    }

    /// Carries out one write for what is kept of releases.
    ///
    /// # Errors
    /// When it has changed since it was read, or the API server refuses or does not answer.
    pub async fn sweep(&self, namespace: &str, write: &Sweep) -> Result<(), Error> {
        let name = write.name();
        self.lead(name)?;
        match write {
            Sweep::DropCustody(set) => self.delete::<ReplicaSet>(namespace, set, name).await,
            Sweep::Drop(kept) => self.delete::<ControllerRevision>(namespace, kept, name).await,
            Sweep::Mark(kept, since) => {
                let path = format!("/metadata/annotations/{}", labels::GONE_SINCE.replace('/', "~1"));
                let mut operations = unchanged(kept);
                operations.push(match since {
                    Some(since) => json!({ "op": "add", "path": path, "value": since.to_string() }),
                    None => json!({ "op": "remove", "path": path }),
                });
                self.patch::<ControllerRevision>(namespace, kept, name, operations).await
            }
        }
    }

    /// Writes labels, annotations, owner and size of a ReplicaSet at once: whole, which the version allows. One in custody
    /// belongs to the Deployment still, so that it goes with it, but is not controlled by it.
    async fn rewrite(
        &self,
        deployment: &Deployment,
        to: &Custody,
        controlled: bool,
        effect: &'static str,
    ) -> Result<(), Error> {
        let owner =
            deployment.controller_owner_ref(&()).map(|owner| OwnerReference { controller: Some(controlled), ..owner });
        let mut operations = unchanged(&to.set);
        operations.extend([
            json!({ "op": "add", "path": "/metadata/labels", "value": to.labels }),
            json!({ "op": "add", "path": "/metadata/annotations", "value": to.annotations }),
            json!({ "op": "add", "path": "/metadata/ownerReferences", "value": Vec::from_iter(owner) }),
            json!({ "op": "add", "path": "/spec/replicas", "value": to.replicas }),
        ]);
        self.patch::<ReplicaSet>(&deployment.namespace().unwrap_or_default(), &to.set, effect, operations).await
    }
}
