//! What was written last, so that nothing is decided on a cache that is older than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::{Resource, ResourceExt};

/// The newest resourceVersion that a write of ours was answered with, by UID; `u64::MAX` for what we deleted.
///
/// Resource versions of one object are compared as numbers, which Kubernetes promises since 1.35 and etcd always gave.
#[derive(Clone, Debug, Default)]
pub struct Watermarks(Arc<Mutex<BTreeMap<String, u64>>>);

/// How many UIDs are remembered: a cache is seconds behind at most, so the newest thousands are plenty.
const KEPT: usize = 16_384;

impl Watermarks {
    /// A write was answered with this object.
    pub fn wrote<K: Resource>(&self, object: &K) {
        let version = object.resource_version().and_then(|version| version.parse().ok());
        if let (Some(uid), Some(version)) = (object.uid(), version) {
            self.set(uid, version);
        }
    }

    /// This object was deleted by us.
    pub fn deleted(&self, uid: &str) {
        self.set(uid.to_owned(), u64::MAX);
    }

    /// Whether a cached object is older than our last write to it.
    #[must_use]
    pub fn is_behind<K: Resource>(&self, cached: &K) -> bool {
        let Some(uid) = cached.uid() else { return false };
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mark) = marks.get(&uid) else { return false };
        cached.resource_version().and_then(|version| version.parse::<u64>().ok()).is_some_and(|version| version < *mark)
    }

    fn set(&self, uid: String, version: u64) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= KEPT {
            marks.clear();
        }
        let mark = marks.entry(uid).or_default();
        *mark = version.max(*mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::Job;

    fn job(version: &str) -> Job {
        let mut job = Job::default();
        job.metadata.uid = Some("u".into());
        job.metadata.resource_version = Some(version.into());
        job
    }

    #[test]
    fn a_cache_is_behind_until_it_has_seen_our_write() {
        let marks = Watermarks::default();
        marks.wrote(&job("12"));
        assert!(marks.is_behind(&job("9")));
        assert!(!marks.is_behind(&job("12")));
        marks.deleted("u");
        assert!(marks.is_behind(&job("13")));
    }
}
