//! The only writer, Leases of leader election aside: carries out effects, then puts the record in place.
//!
//! Every write is fenced: by a deterministic name, by UID and resourceVersion, or by a JSON patch that tests what it changes.
//! A late write of a replica that no longer leads changes nothing.

mod effects;
mod upkeep;
mod watermarks;

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::api::{MigrationRun, MigrationRunStatus};
use crate::classify::redact::evidence;
use crate::decide::observed::Fence;
use crate::decide::{Decision, Observed};
use crate::runtime::lease::Leadership;
use crate::status::Applied;
pub use watermarks::Watermarks;

/// Why a write was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The world is not as it was seen: somebody else wrote first. The run is looked at again.
    #[error("{effect}: the object has changed since it was read")]
    Conflict {
        /// The effect's name.
        effect: &'static str,
    },
    /// This replica does not lead any more.
    #[error("{effect}: not the leader any more")]
    NotLeader {
        /// The effect's name.
        effect: &'static str,
    },
    /// The cluster does not allow it: rights, a policy, a webhook, a quota.
    #[error("{effect} was refused: {message}")]
    Refused {
        /// The effect's name.
        effect: &'static str,
        /// What the API server said, redacted.
        message: String,
    },
    /// The API server failed or did not answer.
    #[error("failed to apply {effect}: {source}")]
    Api {
        /// The effect's name.
        effect: &'static str,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// The object could not be built.
    #[error("failed to build {effect}: {source}")]
    Build {
        /// The effect's name.
        effect: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Error {
    /// Its name, for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "Conflict",
            Self::NotLeader { .. } => "NotLeader",
            Self::Refused { effect, .. } | Self::Api { effect, .. } | Self::Build { effect, .. } => effect,
        }
    }
}

/// What writing needs.
#[derive(Clone)]
pub struct Applier {
    /// The client.
    pub client: Client,
    /// What was written last, for the observer.
    pub watermarks: Watermarks,
    /// The operator's namespace, where the Leases are.
    pub namespace: String,
    /// Whether this replica leads; absent in tests of a single replica.
    pub leadership: Option<Leadership>,
}

impl Applier {
    /// Carries out the effects of a decision, in order.
    ///
    /// # Errors
    /// At the first that is not acknowledged; what came before it stands, and is found by the next pass.
    pub async fn apply(&self, observed: &Observed, decision: &Decision) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        for effect in &decision.effects {
            self.lead(effect.name())?;
            effects::apply(self, observed, effect, &mut applied).await?;
        }
        Ok(applied)
    }

    /// Puts the record in place, if it says anything new.
    ///
    /// # Errors
    /// When the run has changed since it was read, or the API server refuses.
    pub async fn record(&self, run: &MigrationRun, next: MigrationRunStatus) -> Result<bool, Error> {
        const EFFECT: &str = "WriteStatus";
        if run.status.as_ref() == Some(&next) {
            return Ok(false);
        }
        self.lead(EFFECT)?;
        let api: Api<MigrationRun> = Api::namespaced(self.client.clone(), &run.namespace().unwrap_or_default());
        let mut wanted = run.clone();
        // The API server keeps these itself; they only make the request large.
        wanted.metadata.managed_fields = None;
        wanted.status = Some(next);
        let written = api.replace_status(&run.name_any(), &PostParams::default(), &wanted).await;
        let written = written.map_err(|error| refusal(EFFECT, error))?;
        self.watermarks.wrote(&written);
        Ok(true)
    }

    /// Creates an object of a deterministic name, and tells whether it did: one of that name is there otherwise.
    async fn create<K>(&self, namespace: &str, object: &K, effect: &'static str) -> Result<bool, Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            created => {
                self.watermarks.wrote(&created.map_err(|error| refusal(effect, error))?);
                Ok(true)
            }
        }
    }

    /// Patches the object that `fence` names. The operations test what they rest on.
    async fn patch<K>(
        &self,
        namespace: &str,
        fence: &Fence,
        effect: &'static str,
        operations: Vec<Value>,
    ) -> Result<(), Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let patch: json_patch::Patch =
            serde_json::from_value(Value::Array(operations)).map_err(|source| Error::Build { effect, source })?;
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patched = api.patch(&fence.name, &Default::default(), &Patch::Json::<()>(patch)).await;
        self.watermarks.wrote(&patched.map_err(|error| patch_refusal(effect, error))?);
        Ok(())
    }

    /// Deletes an object, in the version that `fence` names and in no other.
    async fn delete<K>(&self, namespace: &str, fence: &Fence, effect: &'static str) -> Result<(), Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: Some(fence.uid.clone()),
                resource_version: Some(fence.resource_version.clone()),
            }),
            ..DeleteParams::default()
        };
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        api.delete(&fence.name, &params).await.map_err(|error| refusal(effect, error))?;
        self.watermarks.deleted::<K>(&fence.uid);
        Ok(())
    }

    fn lead(&self, effect: &'static str) -> Result<(), Error> {
        match &self.leadership {
            Some(leadership) if !leadership.holds() => Err(Error::NotLeader { effect }),
            _ => Ok(()),
        }
    }
}

/// The tests by which a JSON patch touches no other version than that which was seen.
fn unchanged(fence: &Fence) -> Vec<Value> {
    vec![
        json!({ "op": "test", "path": "/metadata/uid", "value": fence.uid }),
        json!({ "op": "test", "path": "/metadata/resourceVersion", "value": fence.resource_version }),
    ]
}

/// The same of a JSON patch that tests what it changes: a test that does not hold is answered with 422 as well.
fn patch_refusal(effect: &'static str, error: kube::Error) -> Error {
    match &error {
        kube::Error::Api(status) if status.code == 422 && is_failed_test(&status.message) => Error::Conflict { effect },
        _ => refusal(effect, error),
    }
}

/// Whether the words of a 422 are those of a patch whose test does not hold, and not of a policy, a webhook or the validation
/// of the object.
fn is_failed_test(message: &str) -> bool {
    const REFUSED: [&str; 3] = ["denied request", "denied the request", " is invalid: "];
    !REFUSED.iter().any(|words| message.contains(words))
}

/// 404 and 409 of a fenced write mean that its premise is gone; policies and webhooks refuse with 400, 403 or 422.
fn refusal(effect: &'static str, error: kube::Error) -> Error {
    match &error {
        kube::Error::Api(status) if [404, 409].contains(&status.code) => Error::Conflict { effect },
        kube::Error::Api(status) if [400, 403, 422].contains(&status.code) => {
            Error::Refused { effect, message: evidence(vec![status.message.clone()]).join(" ") }
        }
        _ => Error::Api { effect, source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests;
