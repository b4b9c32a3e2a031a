//! What was written last, so that nothing is decided on a cache that is older than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::{Resource, ResourceExt};

/// The newest resourceVersions that our writes were answered with.
///
/// Resource versions of one kind are compared as numbers, which Kubernetes promises since 1.35 and etcd always gave.
#[derive(Clone, Debug, Default)]
pub struct Watermarks(Arc<Mutex<Marks>>);

#[derive(Debug, Default)]
struct Marks {
    /// Of each object, by UID; `u64::MAX` for what we deleted.
    objects: BTreeMap<String, u64>,
    /// Of each kind, or that of a list that was exact. None where nothing was read yet, or something deleted since: the answer to
    /// that has no version.
    kinds: BTreeMap<String, u64>,
}

/// How many UIDs are remembered: a cache is seconds behind at most, so the newest thousands are plenty.
const KEPT: usize = 16_384;

impl Watermarks {
    /// A write was answered with this object.
    pub fn wrote<K: Resource<DynamicType = ()>>(&self, object: &K) {
        let version = object.resource_version().and_then(|version| version.parse().ok());
        if let (Some(uid), Some(version)) = (object.uid(), version) {
            let mut marks = self.marks();
            marks.set(uid, version);
            // Without a version of the kind not all of our writes are known.
            if let Some(mark) = marks.kinds.get_mut(K::kind(&()).as_ref()) {
                *mark = version.max(*mark);
            }
        }
    }

    /// This object was deleted by us.
    pub fn deleted<K: Resource<DynamicType = ()>>(&self, uid: &str) {
        let mut marks = self.marks();
        marks.set(uid.to_owned(), u64::MAX);
        marks.kinds.remove(K::kind(&()).as_ref());
    }

    /// Objects of the kind were listed exactly, as of this version.
    pub fn listed<K: Resource<DynamicType = ()>>(&self, version: Option<&str>) {
        if let Some(version) = version.and_then(|version| version.parse::<u64>().ok()) {
            let mut marks = self.marks();
            let mark = marks.kinds.entry(K::kind(&()).into_owned()).or_default();
            *mark = version.max(*mark);
        }
    }

    /// The version from which on a list of the kind has all that we wrote; none where only an exact one is known to.
    #[must_use]
    pub fn all_of<K: Resource<DynamicType = ()>>(&self) -> Option<u64> {
        self.marks().kinds.get(K::kind(&()).as_ref()).copied()
    }

    /// Whether a cached object is older than our last write to it.
    #[must_use]
    pub fn is_behind<K: Resource>(&self, cached: &K) -> bool {
        let Some(uid) = cached.uid() else { return false };
        let marks = self.marks();
        let Some(mark) = marks.objects.get(&uid) else { return false };
        cached.resource_version().and_then(|version| version.parse::<u64>().ok()).is_some_and(|version| version < *mark)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Marks {
    fn set(&mut self, uid: String, version: u64) {
        if self.objects.len() >= KEPT {
            self.objects.clear();
        }
        let mark = self.objects.entry(uid).or_default();
        *mark = version.max(*mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::Pod;

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
        marks.deleted::<Job>("u");
        assert!(marks.is_behind(&job("13")));
    }

    #[test]
    fn a_list_has_all_of_ours_from_the_last_write_on_unless_something_was_deleted() {
        let marks = Watermarks::default();
        marks.wrote(&job("12"));
        assert_eq!(marks.all_of::<Job>(), None, "another of ours may have written before");
        marks.listed::<Job>(Some("20"));
        marks.wrote(&job("24"));
        assert_eq!(marks.all_of::<Job>(), Some(24));
        marks.listed::<Job>(Some("22"));
        assert_eq!(marks.all_of::<Job>(), Some(24));
        assert_eq!(marks.all_of::<Pod>(), None, "of another kind");
        marks.deleted::<Job>("u");
        assert_eq!(marks.all_of::<Job>(), None);
    }
}
