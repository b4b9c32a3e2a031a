//! How new a list has to be. An exact answer waits until the API server's cache has caught up with the store, up to 100 ms; most
//! of what is decided rests on less.

use kube::api::{ListParams, VersionMatch};
use kube::{Resource, ResourceExt};

use crate::apply::Watermarks;

/// How new a list has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// As it is now.
    Now,
    /// Not older than this version of an object, nor than our own writes.
    Since(u64),
    /// Not older than our own writes.
    Ours,
}

impl Freshness {
    /// Not older than the object as it is seen.
    pub(super) fn since(object: &impl Resource) -> Self {
        let version = object.resource_version().and_then(|version| version.parse().ok());
        version.map_or(Self::Now, Self::Since)
    }

    /// The parameters that ask for it. What we have written is known by versions only after one exact list of the kind.
    pub(super) fn ask<K: Resource<DynamicType = ()>>(self, params: ListParams, written: &Watermarks) -> ListParams {
        let version = match (self, written.all_of::<K>()) {
            (Self::Now, _) | (_, None) => return params,
            (Self::Since(version), Some(ours)) => version.max(ours),
            (Self::Ours, Some(ours)) => ours,
        };
        params.at(&version.to_string()).matching(VersionMatch::NotOlderThan)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

    use super::*;

    #[test]
    fn a_list_is_as_new_as_what_it_is_compared_with() {
        let written = Watermarks::default();
        let asks = |freshness: Freshness| {
            let params = freshness.ask::<ReplicaSet>(ListParams::default(), &written);
            assert_eq!(params.version_match.is_some(), params.resource_version.is_some());
            params.resource_version
        };
        assert_eq!(asks(Freshness::Ours), None, "others of us may have written");
        written.listed::<ReplicaSet>(Some("7"));
        let mut deployment = Deployment::default();
        assert_eq!(asks(Freshness::since(&deployment)), None, "what has no version says nothing");
        deployment.metadata.resource_version = Some("9".into());
        assert_eq!(asks(Freshness::since(&deployment)).as_deref(), Some("9"));
        assert_eq!(asks(Freshness::Ours).as_deref(), Some("7"));
        assert_eq!(asks(Freshness::Now), None);
        written.listed::<ReplicaSet>(Some("12"));
        assert_eq!(asks(Freshness::since(&deployment)).as_deref(), Some("12"), "a write of ours came after it");
    }
}
