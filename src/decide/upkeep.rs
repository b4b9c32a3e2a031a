//! Keeps a gated Deployment fit to go on serving while it is held: the release that serves stays to hand, and the one that is
//! held has nothing that could be started by accident.

use std::collections::BTreeSet;

use serde_json::Value;

use super::effect::Right;
use super::observed::Fence;
use crate::api::status::Enforcement;
use crate::gate::{Approved, Change, Request, Workload, judge};

/// Releases whose templates are kept for a Deployment.
pub const KEPT: usize = 3;

/// A gated Deployment with what belongs to it, as seen.
#[derive(Clone, Debug)]
pub struct Gated {
    /// What the gate's rule looks at.
    pub workload: Workload,
    /// Which one, in which version.
    pub fence: Fence,
    /// How many pods are wanted.
    pub wanted: i32,
    /// Whether all pods that are wanted are those of its template, and available.
    pub complete: bool,
    /// Its ReplicaSets.
    pub sets: Vec<Set>,
    /// What is kept of releases that were complete, the newest first.
    pub revisions: Vec<Revision>,
    /// What enforces the gate.
    pub enforcement: Enforcement,
}

/// A ReplicaSet of the Deployment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Which one.
    pub fence: Fence,
    /// The images of its gated containers.
    pub release: BTreeSet<String>,
    /// How many pods it is to have.
    pub wanted: i32,
    /// How many it has.
    pub present: i32,
    /// How many of them are ready.
    pub ready: i32,
    /// What it would be made of again: name, labels and spec.
    pub manifest: Value,
}

/// A release that was complete once, with the ReplicaSet that it had.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Revision {
    /// The ControllerRevision.
    pub fence: Fence,
    /// Its number: a later release has a higher one.
    pub number: i64,
    /// The images of its gated containers.
    pub release: BTreeSet<String>,
    /// The ReplicaSet.
    pub manifest: Value,
    /// Whether the Deployment selects it, and so would know it for its own.
    pub fits: bool,
}

/// One write for a gated Deployment.
#[derive(Clone, Debug, PartialEq)]
pub enum Upkeep {
    /// Writes what the rule says, where no admission does.
    WriteRule(Change),
    /// Deletes a ReplicaSet without pods whose release is not approved: the controller would start it when the Deployment is
    /// scaled up again.
    DeleteReplicaSet(Fence),
    /// Creates the ReplicaSet of the last release that was complete again, with as many pods as are wanted.
    RestoreReplicaSet {
        /// Name, labels and spec as they were.
        manifest: Value,
        /// How many pods.
        replicas: i32,
    },
    /// Keeps the ReplicaSet of a release that is complete.
    KeepRevision {
        /// Its number.
        number: i64,
        /// The ReplicaSet.
        manifest: Value,
    },
    /// Drops what is kept beyond the newest three.
    DropRevision(Fence),
}

impl Upkeep {
    /// Its name, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::WriteRule(_) => "WriteRule",
            Self::DeleteReplicaSet(_) => "DeleteReplicaSet",
            Self::RestoreReplicaSet { .. } => "RestoreReplicaSet",
            Self::KeepRevision { .. } => "KeepRevision",
            Self::DropRevision(_) => "DropRevision",
        }
    }

    /// The right that it needs.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Self::WriteRule(_) => ("apps", "deployments", "patch"),
            Self::DeleteReplicaSet(_) => ("apps", "replicasets", "delete"),
            Self::RestoreReplicaSet { .. } => ("apps", "replicasets", "create"),
            Self::KeepRevision { .. } => ("apps", "controllerrevisions", "create"),
            Self::DropRevision(_) => ("apps", "controllerrevisions", "delete"),
        }
    }
}

/// What to do for a gated Deployment now. After `WriteRule` nothing else is decided: the next look is at what it made.
#[must_use]
pub fn upkeep(gated: &Gated) -> Vec<Upkeep> {
    if let Some(change) = overdue(gated) {
        return vec![Upkeep::WriteRule(change)];
    }
    if gated.workload.is_held() { while_held(gated) } else { while_open(gated) }
}

/// What the rule says and nobody has written: where only the operator enforces it, and where a write was judged by the names
/// of containers that it changed itself.
fn overdue(gated: &Gated) -> Option<Change> {
    let now = &gated.workload;
    if gated.enforcement != Enforcement::Reactive && !now.is_taken_up() {
        // Admission takes it up at its next write.
        return None;
    }
    let runs = gated.sets.iter().any(|set| set.present > 0);
    // What ran before there was a gate is approved, as admission would have it.
    let before = if now.is_taken_up() { Some(now.clone()) } else { runs.then(|| now.without_gate()) };
    let change = judge(&Request { old: before.as_ref(), new: now, by_operator: false, may_bypass: true });
    (change.of(now) != *now).then_some(change)
}

fn while_held(gated: &Gated) -> Vec<Upkeep> {
    let approved = gated.workload.approved();
    let mut effects: Vec<Upkeep> =
        unwanted(gated, &approved).map(|set| Upkeep::DeleteReplicaSet(set.fence.clone())).collect();
    effects.extend(lost(gated, &approved));
    effects.extend(keep(gated, serving(gated).filter(|set| is_approved(&set.release, &approved))));
    effects
}

/// ReplicaSets without pods that must not be what the controller starts next: those of releases that are not approved, but
/// for the one that served last (a person may have let it go); and, while nothing runs, all but the last good one, since the
/// controller starts the newest by creation.
fn unwanted<'a>(gated: &'a Gated, approved: &'a Approved) -> impl Iterator<Item = &'a Set> {
    let served = gated.revisions.first().and_then(|last| name(&last.manifest));
    let good = gated.revisions.iter().find(|kept| is_approved(&kept.release, approved));
    let good = good.and_then(|kept| name(&kept.manifest));
    let good = good.filter(|good| gated.sets.iter().any(|set| set.fence.name == *good));
    let nothing_runs = gated.wanted == 0 && gated.sets.iter().all(|set| set.wanted == 0 && set.present == 0);
    gated.sets.iter().filter(|set| set.wanted == 0 && set.present == 0).filter(move |set| {
        let is = |name: Option<&str>| name == Some(set.fence.name.as_str());
        let stale = nothing_runs && good.is_some() && !is(good) && !is(served);
        stale || (!is_approved(&set.release, approved) && !is(served))
    })
}

/// The release that served, where nothing is left to serve.
fn lost(gated: &Gated, approved: &Approved) -> Option<Upkeep> {
    let served = gated.revisions.first().and_then(|last| name(&last.manifest));
    let there = gated.sets.iter().any(|set| {
        let last = served == Some(set.fence.name.as_str());
        last || set.wanted > 0 || set.present > 0 || is_approved(&set.release, approved)
    });
    let fit = |revision: &&Revision| revision.fits && is_approved(&revision.release, approved);
    let last = gated.revisions.iter().find(fit)?;
    (gated.wanted > 0 && !there)
        .then(|| Upkeep::RestoreReplicaSet { manifest: last.manifest.clone(), replicas: gated.wanted })
}

fn while_open(gated: &Gated) -> Vec<Upkeep> {
    let its: BTreeSet<String> = gated.workload.gated_images().into_iter().map(str::to_owned).collect();
    keep(gated, serving(gated).filter(|set| gated.complete && set.release == its))
}

/// The one ReplicaSet that has all pods that are wanted, and no other has any.
fn serving(gated: &Gated) -> Option<&Set> {
    let mut active = gated.sets.iter().filter(|set| set.wanted > 0 || set.present > 0);
    let set = active.next().filter(|set| [set.wanted, set.present, set.ready] == [gated.wanted; 3])?;
    active.next().is_none().then_some(set)
}

/// Keeps the release that is complete, and drops what is beyond the newest three.
fn keep(gated: &Gated, complete: Option<&Set>) -> Vec<Upkeep> {
    let newest = gated.revisions.first();
    let known = |set: &&Set| newest.is_some_and(|newest| name(&newest.manifest) == name(&set.manifest));
    let new = complete.filter(|set| !known(set)).map(|set| Upkeep::KeepRevision {
        number: newest.map_or(1, |newest| newest.number.saturating_add(1)),
        manifest: set.manifest.clone(),
    });
    let surplus = gated.revisions.iter().skip(KEPT - usize::from(new.is_some()));
    new.into_iter().chain(surplus.map(|revision| Upkeep::DropRevision(revision.fence.clone()))).collect()
}

fn name(manifest: &Value) -> Option<&str> {
    manifest.pointer("/metadata/name").and_then(Value::as_str)
}

fn is_approved(release: &BTreeSet<String>, approved: &Approved) -> bool {
    !release.is_empty() && release.iter().all(|image| approved.has(image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels;
    use crate::gate::Container;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn set(image: &str, wanted: i32) -> Set {
        Set {
            fence: Fence { name: image.into(), ..Fence::default() },
            release: [image.to_owned()].into(),
            wanted,
            present: wanted,
            ready: wanted,
            manifest: json!({ "metadata": { "name": image } }),
        }
    }

    fn kept(number: i64, image: &str) -> Revision {
        let set = set(image, 0);
        Revision { fence: set.fence, number, release: set.release, manifest: set.manifest, fits: true }
    }

    /// A Deployment whose template has `image`, with `a` approved.
    fn gated(image: &str, sets: Vec<Set>, revisions: Vec<Revision>) -> Gated {
        let held = image != "a";
        let mut annotations = BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), "a".to_owned())]);
        if held {
            annotations.insert(labels::HELD_BY.to_owned(), crate::gate::BY_ADMISSION.to_owned());
        }
        Gated {
            workload: Workload {
                name: "shop".into(),
                labels: BTreeMap::from([(labels::GATED.to_owned(), "true".to_owned())]),
                annotations,
                containers: vec![Container { name: "app".into(), image: image.into(), serves: true }],
                paused: held,
            },
            fence: Fence { name: "shop".into(), ..Fence::default() },
            wanted: 2,
            complete: true,
            sets,
            revisions,
            enforcement: Enforcement::AdmissionPolicy,
        }
    }

    fn says(gated: &Gated) -> String {
        let told = upkeep(gated).into_iter().map(|write| match &write {
            Upkeep::DeleteReplicaSet(fence) | Upkeep::DropRevision(fence) => format!("{} {}", write.name(), fence.name),
            Upkeep::KeepRevision { number, .. } => format!("KeepRevision {number}"),
            Upkeep::RestoreReplicaSet { manifest, replicas } => {
                format!("RestoreReplicaSet {} {replicas}", manifest["metadata"]["name"].as_str().unwrap_or_default())
            }
            Upkeep::WriteRule(_) => "WriteRule".to_owned(),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_held_deployment_keeps_what_serves_and_loses_what_must_not_start() {
        let cases = [
            ("serving", gated("b", vec![set("a", 2)], vec![kept(1, "a")]), ""),
            ("serving, never complete before", gated("b", vec![set("a", 2)], vec![]), "KeepRevision 1"),
            ("scaled to 0", gated("b", vec![set("a", 0)], vec![kept(1, "a")]), ""),
            ("held one planted", gated("b", vec![set("a", 2), set("b", 0)], vec![kept(1, "a")]), "DeleteReplicaSet b"),
            ("what a person let go, at 0", gated("b", vec![set("c", 0)], vec![kept(2, "c"), kept(1, "a")]), ""),
            ("what a person let go serves", gated("b", vec![set("c", 2)], vec![kept(2, "c"), kept(1, "a")]), ""),
            ("a release that was never kept serves", gated("b", vec![set("c", 2)], vec![kept(1, "a")]), ""),
            ("not kept yet", gated("b", vec![set("a", 2)], vec![kept(1, "z")]), "KeepRevision 2"),
            ("held one still running", gated("b", vec![set("a", 2), set("b", 1)], vec![]), ""),
            ("created again", gated("b", vec![], vec![kept(2, "c"), kept(1, "a")]), "RestoreReplicaSet a 2"),
            ("nothing approved is kept", gated("b", vec![], vec![kept(2, "c")]), ""),
            ("first install", gated("b", vec![], vec![]), ""),
        ];
        for (case, gated, expected) in cases {
            assert_eq!(says(&gated), expected, "{case}");
        }
        let mut other = gated("b", vec![], vec![kept(1, "a")]);
        other.revisions[0].fits = false;
        assert_eq!(says(&other), "", "of another selector");
        let mut nobody = gated("b", vec![], vec![kept(1, "a")]);
        nobody.wanted = 0;
        assert_eq!(says(&nobody), "");
        // Of two approved ones at 0 the controller would start the newer, not the one that served.
        nobody.sets = vec![set("a", 0), set("a2", 0)];
        nobody.sets[1].release = ["a".to_owned()].into();
        assert_eq!(says(&nobody), "DeleteReplicaSet a2");
    }

    #[test]
    fn a_hold_that_the_rule_no_longer_wants_ends() {
        let mut renamed = gated("b", vec![set("a", 2)], vec![kept(1, "a")]);
        renamed.workload.containers[0].image = "a".into();
        let writes = upkeep(&renamed);
        let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
        assert_eq!((change.paused, change.held_by.clone()), (Some(false), Some(None)));
        // A label older than the policies: admission takes it up at its next write.
        renamed.workload.annotations.clear();
        assert_eq!(says(&renamed), "");
    }

    #[test]
    fn a_complete_release_is_kept_once_and_no_more_than_three_are() {
        let older = || vec![kept(4, "z"), kept(3, "y"), kept(2, "x")];
        assert_eq!(says(&gated("a", vec![set("a", 2)], vec![])), "KeepRevision 1");
        assert_eq!(says(&gated("a", vec![set("a", 2)], vec![kept(1, "a")])), "");
        assert_eq!(says(&gated("a", vec![set("a", 2), set("z", 0)], older())), "KeepRevision 5, DropRevision x");
        let mut unready = gated("a", vec![set("a", 2)], vec![]);
        unready.sets[0].ready = 1;
        assert_eq!(says(&unready), "", "not all of it is ready");
        assert_eq!(says(&gated("a", vec![set("z", 2)], vec![])), "", "it is not the template's");
        let held = gated("b", vec![set("a", 2)], older());
        assert_eq!(says(&held), "KeepRevision 5, DropRevision x", "held, three are the most as well");
        let mut rolling = gated("a", vec![set("a", 1), set("z", 1)], older());
        rolling.complete = false;
        assert_eq!(says(&rolling), "");
    }

    #[test]
    fn without_admission_the_operator_writes_the_rule() {
        let reactive = |mut gated: Gated| {
            gated.enforcement = Enforcement::Reactive;
            gated.workload.annotations.remove(labels::HELD_BY);
            gated.workload.paused = false;
            gated
        };
        let late = reactive(gated("b", vec![set("a", 2)], vec![]));
        let writes = upkeep(&late);
        let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
        assert_eq!((change.paused, change.approved.as_deref()), (Some(true), Some("a")));
        assert_eq!(says(&reactive(gated("a", vec![set("a", 2)], vec![kept(1, "a")]))), "");
        let mut new = reactive(gated("b", vec![], vec![]));
        new.workload.annotations.clear();
        let writes = upkeep(&new);
        let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
        assert_eq!((change.paused, change.approved.as_deref()), (Some(true), Some("")));
        new.sets = vec![set("b", 1)];
        let writes = upkeep(&new);
        let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
        assert_eq!((change.paused, change.approved.as_deref()), (None, Some("b")), "what ran before is approved");
    }
}
