//! Keeps a gated Deployment fit to go on serving while it is held: the release that serves stays to hand, and the one that is
//! held has nothing that could be started by accident.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::custody;
use super::effect::Right;
use super::observed::Fence;
use crate::api::labels;
use crate::api::status::Enforcement;
use crate::gate::{Approved, Change, Request, Workload, judge};

/// Releases whose templates are kept for a Deployment.
pub const KEPT: usize = 3;

/// A gated Deployment with what belongs to it, as seen.
#[derive(Clone, Debug, Default)]
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
    /// The time of this look.
    pub now: Timestamp,
    /// Releases that were rolled back.
    pub revoked: Vec<Revoked>,
    /// Its ReplicaSets in custody, which it does not see.
    pub custody: Vec<Set>,
    /// Labels that its selector asks for; none where it would select a ReplicaSet without them as well.
    pub selected_by: Option<BTreeSet<String>>,
    /// Why it is held, in the words of the runs that hold it; none where nobody knows.
    pub held_for: Option<String>,
    /// How many pods may be unavailable.
    pub max_unavailable: i32,
    /// Whether no two releases run at once.
    pub recreate: bool,
    /// How long a release may take to become available; none: for ever.
    pub deadline: Option<Duration>,
    /// Whether pods of its own cannot be created or scheduled. Looked for only while something is in custody.
    pub no_room: bool,
}

/// A release that was rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Its image.
    pub image: String,
    /// By what: run, generation and token.
    pub why: String,
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
    /// How many of them have been for as long as the Deployment asks.
    pub available: i32,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// Its own labels, not its pods'.
    pub labels: BTreeMap<String, String>,
    /// Its own annotations.
    pub annotations: BTreeMap<String, String>,
    /// Who wrote its labels last, of those who are not Sluice, as far as the API tells.
    pub relabelled_by: Option<String>,
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

impl Revision {
    /// Name of the ReplicaSet.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        name(&self.manifest)
    }
}

/// A ReplicaSet on its way into custody, in it, or out of it: what becomes of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Custody {
    /// Which one.
    pub set: Fence,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// All its annotations.
    pub annotations: BTreeMap<String, String>,
    /// How many pods it is to have.
    pub replicas: i32,
}

impl Custody {
    /// As it is.
    #[must_use]
    pub fn of(set: &Set) -> Self {
        Self {
            set: set.fence.clone(),
            labels: set.labels.clone(),
            annotations: set.annotations.clone(),
            replicas: set.wanted,
        }
    }
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
    /// Takes a ReplicaSet out of the Deployment's sight. Its pods go on serving.
    TakeCustody(Box<Custody>),
    /// Scales down what is in custody.
    ScaleCustody(Box<Custody>),
    /// Gives a ReplicaSet back to its Deployment, with as many pods as are wanted.
    GiveBack(Box<Custody>),
    /// Writes on the Deployment why it is held, or takes that off.
    ExplainHold(Option<String>),
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
            Self::TakeCustody(_) => "TakeCustody",
            Self::ScaleCustody(_) => "ScaleCustody",
            Self::GiveBack(_) => "GiveBack",
            Self::ExplainHold(_) => "ExplainHold",
        }
    }

    /// The right that it needs.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Self::WriteRule(_) | Self::ExplainHold(_) => ("apps", "deployments", "patch"),
            Self::DeleteReplicaSet(_) => ("apps", "replicasets", "delete"),
            Self::RestoreReplicaSet { .. } => ("apps", "replicasets", "create"),
            Self::KeepRevision { .. } => ("apps", "controllerrevisions", "create"),
            Self::DropRevision(_) => ("apps", "controllerrevisions", "delete"),
            Self::TakeCustody(_) | Self::ScaleCustody(_) | Self::GiveBack(_) => ("apps", "replicasets", "patch"),
        }
    }
}

/// What to do for a gated Deployment now. After `WriteRule` nothing else is decided: the next look is at what it made.
#[must_use]
pub fn upkeep(gated: &Gated) -> Vec<Upkeep> {
    if let Some(change) = overdue(gated) {
        return vec![Upkeep::WriteRule(change)];
    }
    let back = custody::go_on(gated);
    let mut writes = match gated.workload.is_held() {
        _ if !back.is_empty() => back,
        true => while_held(gated),
        false => while_open(gated),
    };
    // Last: nothing rests on it, and it gives the Deployment another version.
    writes.extend(explain(gated));
    writes
}

/// Says on the Deployment why it is held, once for each reason. What is open says nothing.
fn explain(gated: &Gated) -> Option<Upkeep> {
    let says = gated.workload.annotations.get(labels::HELD_FOR);
    if !gated.workload.is_held() {
        return says.map(|_| Upkeep::ExplainHold(None));
    }
    let wanted = gated.held_for.as_ref().filter(|wanted| says != Some(wanted))?;
    Some(Upkeep::ExplainHold(Some(wanted.clone())))
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
/// for the one that served last (a person may have let it go); while nothing runs, all but the last good one, since the
/// controller starts the newest by creation; and what can never start, and is kept to be made again.
fn unwanted<'a>(gated: &'a Gated, approved: &'a Approved) -> impl Iterator<Item = &'a Set> {
    // What was rolled back is nobody's wish any more.
    let revoked = |kept: &&Revision| gated.revoked.iter().all(|each| !kept.release.contains(&each.image));
    let served = gated.revisions.first().filter(revoked).and_then(Revision::name);
    let good = gated.revisions.iter().find(|kept| is_approved(&kept.release, approved));
    let good = good.and_then(Revision::name);
    let good = good.filter(|good| gated.sets.iter().any(|set| set.fence.name == *good));
    let nothing_runs = gated.wanted == 0 && gated.sets.iter().all(|set| set.wanted == 0 && set.present == 0);
    gated.sets.iter().filter(|set| set.wanted == 0 && set.present == 0).filter(move |set| {
        let is = |name: Option<&str>| name == Some(set.fence.name.as_str());
        let stale = nothing_runs && good.is_some() && !is(good) && !is(served);
        let kept = || gated.revisions.iter().any(|kept| kept.fits && is(kept.name()));
        stale || (!is_approved(&set.release, approved) && !is(served)) || (is_outdated(gated, set) && kept())
    })
}

/// Whether a ReplicaSet's copy of the list is from when its release was not approved, which it is by now: the Deployment controller
/// gives a new copy to that of the template alone, and by the old one nobody may scale it up.
pub(super) fn is_outdated(gated: &Gated, set: &Set) -> bool {
    let lacks = !is_approved(&set.release, &Approved::of(&set.annotations));
    set.annotations.contains_key(labels::APPROVED_IMAGES)
        && lacks
        && is_approved(&set.release, &gated.workload.approved())
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
    let approved = gated.workload.approved();
    let unlisted = unlisted(gated).filter(|set| set.release != its && !is_approved(&set.release, &approved));
    let mut effects: Vec<Upkeep> = unlisted.map(|set| Upkeep::DeleteReplicaSet(set.fence.clone())).collect();
    effects.extend(keep(gated, serving(gated).filter(|set| gated.complete && set.release == its)));
    effects
}

/// ReplicaSets without pods from before the gate: without a copy of the list the policies do not know them. When a hold comes,
/// the controller could start the newest of them before it is looked at again.
fn unlisted(gated: &Gated) -> impl Iterator<Item = &Set> {
    let sets = gated.sets.iter().filter(|set| set.wanted == 0 && set.present == 0);
    sets.filter(|set| gated.workload.is_taken_up() && !set.annotations.contains_key(labels::APPROVED_IMAGES))
}

/// The one ReplicaSet that has all pods that are wanted, and no other has any.
fn serving(gated: &Gated) -> Option<&Set> {
    let mut active = gated.sets.iter().filter(|set| set.wanted > 0 || set.present > 0);
    let set = active.next().filter(|set| [set.wanted, set.present, set.ready] == [gated.wanted; 3])?;
    active.next().is_none().then_some(set)
}

/// Keeps the release that is complete, and drops what a newer one of the same release replaces, and what is beyond three
/// releases.
fn keep(gated: &Gated, complete: Option<&Set>) -> Vec<Upkeep> {
    let newest = gated.revisions.first();
    let known = |set: &&Set| newest.is_some_and(|newest| newest.name() == name(&set.manifest));
    let new = complete.filter(|set| !known(set));
    let mut releases: Vec<&BTreeSet<String>> = new.map(|set| &set.release).into_iter().collect();
    let mut writes: Vec<Upkeep> = new.into_iter().map(|set| keep_revision(newest, set)).collect();
    for kept in &gated.revisions {
        if releases.contains(&&kept.release) || releases.len() >= KEPT {
            writes.push(Upkeep::DropRevision(kept.fence.clone()));
        } else {
            releases.push(&kept.release);
        }
    }
    writes
}

fn keep_revision(newest: Option<&Revision>, set: &Set) -> Upkeep {
    Upkeep::KeepRevision {
        number: newest.map_or(1, |newest| newest.number.saturating_add(1)),
        manifest: set.manifest.clone(),
    }
}

fn name(manifest: &Value) -> Option<&str> {
    manifest.pointer("/metadata/name").and_then(Value::as_str)
}

/// Whether all of a release is approved.
pub(super) fn is_approved(release: &BTreeSet<String>, approved: &Approved) -> bool {
    !release.is_empty() && release.iter().all(|image| approved.has(image))
}

#[cfg(test)]
pub(crate) mod tests;
