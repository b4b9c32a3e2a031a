//! The writes for a gated Deployment.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::api::{DeleteParams, Patch, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Applier, Error, patch_refusal, refusal};
use crate::build;
use crate::decide::upkeep::{Gated, Seen, Upkeep};

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
                let sent = serde_json::to_value(deployment).map_err(build)?;
                self.write_rule(&namespace, &deployment.name_any(), gated, change.operations(&sent)).await
            }
            Upkeep::DeleteReplicaSet(set) => {
                let api: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &namespace);
                api.delete(&set.name, &fenced(set)).await.map(drop).map_err(|error| refusal(name, error))
            }
            Upkeep::RestoreReplicaSet { manifest, replicas } => {
                let set = build::kept::replica_set(deployment, gated, manifest, *replicas).map_err(build)?;
                // One of this name that is there is the last one of a Deployment that was deleted: it goes, and this one comes.
                self.create(&namespace, &set, name).await?.then_some(()).ok_or(Error::Conflict { effect: name })
            }
            Upkeep::KeepRevision { number, manifest } => {
                let kept = build::kept::revision(deployment, *number, manifest).map_err(build)?;
                self.create(&namespace, &kept, name).await.map(drop)
            }
            Upkeep::DropRevision(revision) => {
                let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &namespace);
                api.delete(&revision.name, &fenced(revision)).await.map(drop).map_err(|error| refusal(name, error))
            }
        }
    }

    async fn write_rule(
        &self,
        namespace: &str,
        name: &str,
        gated: &Gated,
        operations: Vec<Value>,
    ) -> Result<(), Error> {
        const EFFECT: &str = "WriteRule";
        let mut patch = vec![
            json!({ "op": "test", "path": "/metadata/uid", "value": gated.uid }),
            json!({ "op": "test", "path": "/metadata/resourceVersion", "value": gated.resource_version }),
        ];
        patch.extend(operations);
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(patch)).map_err(|source| Error::Build { effect: EFFECT, source })?;
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
        match api.patch(name, &Default::default(), &Patch::Json::<()>(patch)).await {
            Ok(patched) => {
                self.watermarks.wrote(&patched);
                Ok(())
            }
            Err(error) => Err(patch_refusal(EFFECT, error)),
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

fn fenced(seen: &Seen) -> DeleteParams {
    DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions {
            uid: Some(seen.uid.clone()),
            resource_version: Some(seen.resource_version.clone()),
        }),
        ..DeleteParams::default()
    }
}
