//! The writes for a gated Deployment.

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::api::{DeleteParams, Patch, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Applier, Error, refusal};
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
                self.create(&namespace, &set, name).await
            }
            Upkeep::KeepRevision { number, manifest } => {
                let kept = build::kept::revision(deployment, *number, manifest).map_err(build)?;
                self.create(&namespace, &kept, name).await
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
            Err(kube::Error::Api(status)) if status.code == 422 => Err(Error::Conflict { effect: EFFECT }),
            Err(error) => Err(refusal(EFFECT, error)),
        }
    }

    /// One that is there already was created by a pass whose answer was lost.
    async fn create<K>(&self, namespace: &str, object: &K, effect: &'static str) -> Result<(), Error>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            created => created.map(drop).map_err(|error| refusal(effect, error)),
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
