//! Back to the last good release: the pods of a release that was rolled back go as those of the one before come.
//!
//! Its ReplicaSet is taken into *custody*: the labels by which the Deployment knows it leave it, its pods keep theirs. So the
//! Deployment controller fills the release before to its full number at once, while what it no longer sees goes on serving behind
//! the same Service, and is scaled down as the others become available. The Deployment's template is never touched. What is in
//! custody is found by its label and says itself since when and for what, so that no step hangs on a run or on an operator.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::release::since;
use super::upkeep::{Custody, Gated, Revision, Set, Upkeep, is_approved, is_outdated};
use crate::api::labels;

/// How long pods may find no room before others make it.
pub const NO_ROOM: Duration = Duration::from_secs(30);

/// How long until it is looked again whether the last pods are gone of what is in the way: a matter of a moment, mostly.
const ENDING: Duration = Duration::from_secs(5);

/// What a rollback of a Deployment has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing of the release runs any more.
    Done,
    /// Pods are replaced; how far that is, in words.
    UnderWay(String),
    /// The release before did not become available in time; what was rolled back serves in full again, held.
    Failed,
    /// Somebody has taken a ReplicaSet out of custody: who, as far as the API tells. It is left alone.
    Contested(Option<String>),
    /// There is nothing to go back to, in words that say why.
    Impossible(String),
}

/// How a rollback would go, or goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayBack {
    /// The images of the last good release, in its gated containers.
    pub images: Vec<String>,
    /// Pods that run beside those that are wanted, at most.
    pub extra_pods: i32,
    /// After how long it is given up.
    pub deadline: Option<Duration>,
    /// Whether all pods end before others start, since the Deployment's strategy is Recreate.
    pub recreate: bool,
}

/// What to write now; nothing where nothing is rolled back, or its pods are waited for.
#[must_use]
pub fn go_on(gated: &Gated) -> Vec<Upkeep> {
    let taken = take(gated);
    if taken.is_empty() { drain(gated) } else { taken }
}

/// When to look again, though nothing that is watched has changed.
#[must_use]
pub fn look_again(gated: &Gated) -> Option<Duration> {
    // ReplicaSets of the Deployment's own are not watched.
    let ending = ending(gated).map(|_| ENDING);
    next_term(gated).into_iter().chain(ending).min()
}

fn next_term(gated: &Gated) -> Option<Duration> {
    let begun = begun(gated)?;
    let passed = since(begun, gated.now);
    let room = NO_ROOM.saturating_sub(since(stepped(gated).unwrap_or(begun), gated.now));
    let deadline = gated.deadline.map(|deadline| deadline.saturating_sub(passed));
    let next = deadline.into_iter().chain([room]).filter(|left| !left.is_zero()).min();
    Some(next.unwrap_or(NO_ROOM).max(Duration::from_secs(1)))
}

/// How far the rollback of `image` is.
#[must_use]
pub fn progress(gated: &Gated, image: &str) -> Progress {
    if gated.workload.approved().has(image) {
        return Progress::UnderWay("its image is taken off the list of approved ones".to_owned());
    }
    let own: Vec<&Set> = bad(gated).filter(|set| set.release.contains(image)).collect();
    if gated.workload.bypassed().contains(&image) {
        return Progress::Contested(Some(labels::BYPASS.to_owned()));
    }
    if let Some(set) = own.iter().find(|set| is_contested(gated, set)) {
        return Progress::Contested(set.relabelled_by.clone());
    }
    if own.iter().any(|set| has_failed(gated, set)) {
        return Progress::Failed;
    }
    match way_back(gated, image) {
        Err(why) if !own.is_empty() => Progress::Impossible(why),
        _ if own.is_empty() && gated.custody.iter().all(|set| !set.release.contains(image)) => Progress::Done,
        _ => Progress::UnderWay(under_way(gated)),
    }
}

fn under_way(gated: &Gated) -> String {
    let approved = gated.workload.approved();
    let good = gated.sets.iter().filter(|set| is_approved(&set.release, &approved));
    let good: i32 = good.map(staying).sum();
    let left: i32 = gated.custody.iter().map(|set| set.present).sum();
    let room = if gated.no_room { "; its pods find no room, so others make it, a step every 30 s" } else { "" };
    let failing =
        if gated.custody.iter().any(is_failing) { "; it was not in time, and the others come back" } else { "" };
    let ending = ending(gated).map(|set| format!("; it waits until the last pods of {} are gone", set.fence.name));
    format!(
        "{good} of {} pods of the release before are available, {left} others are left{room}{failing}{}",
        gated.wanted,
        ending.unwrap_or_default()
    )
}

/// How a rollback of `image` would go.
///
/// # Errors
/// In words, where there is no way back.
pub fn way_back(gated: &Gated, image: &str) -> Result<WayBack, String> {
    let good = last_good(gated, |release| !release.contains(image)).ok_or_else(|| {
        format!("no release before {image} is known to have been complete, so there is nothing better to serve")
    })?;
    if gated.selected_by.is_none() {
        return Err(
            "its selector would still know a ReplicaSet without its labels: write it with matchLabels".to_owned()
        );
    }
    Ok(WayBack {
        images: good.release.iter().cloned().collect(),
        extra_pods: if gated.recreate { 0 } else { gated.wanted },
        deadline: gated.deadline,
        recreate: gated.recreate,
    })
}

/// The newest release that was complete, is approved, and passes `fits`.
fn last_good(gated: &Gated, fits: impl Fn(&BTreeSet<String>) -> bool) -> Option<&Revision> {
    let approved = gated.workload.approved();
    let revoked = |release: &BTreeSet<String>| gated.revoked.iter().any(|each| release.contains(&each.image));
    gated.revisions.iter().find(|kept| {
        kept.fits && is_approved(&kept.release, &approved) && !revoked(&kept.release) && fits(&kept.release)
    })
}

/// The Deployment's own ReplicaSets of releases that were rolled back and are not approved again, with pods.
fn bad(gated: &Gated) -> impl Iterator<Item = &Set> {
    let approved = gated.workload.approved();
    let active = gated.sets.iter().filter(|set| set.wanted > 0 || set.present > 0);
    active.filter(move |set| is_revoked(gated, set) && !is_approved(&set.release, &approved))
}

/// Whether a release was rolled back.
#[must_use]
pub fn is_revoked(gated: &Gated, set: &Set) -> bool {
    why(gated, set).is_some()
}

/// By what a release was rolled back.
fn why<'a>(gated: &'a Gated, set: &Set) -> Option<&'a str> {
    gated.revoked.iter().find(|each| set.release.contains(&each.image)).map(|each| each.why.as_str())
}

fn marked(set: &Set, key: &str, why: Option<&str>) -> bool {
    why.is_some() && set.annotations.get(key).map(String::as_str) == why
}

fn has_failed(gated: &Gated, set: &Set) -> bool {
    marked(set, labels::CUSTODY_FAILED, why(gated, set))
}

/// Its labels are back, and it was not Sluice that gave them back.
fn is_contested(gated: &Gated, set: &Set) -> bool {
    marked(set, labels::CUSTODY_FOR, why(gated, set)) && !has_failed(gated, set)
}

/// Takes what is bad into custody, all of it in a row: the controller would grow one that is left. The template's own comes
/// last. Before it goes what the controller would fill instead of the release to go back to; while a pod of that is left,
/// nothing is taken, since it could be neither deleted nor passed over.
fn take(gated: &Gated) -> Vec<Upkeep> {
    let mut bad = to_be_taken(gated);
    let (Some(selected_by), false, None) = (&gated.selected_by, bad.is_empty(), ending(gated)) else {
        return Vec::new();
    };
    let mut writes: Vec<Upkeep> =
        in_the_way(gated).map(|other| Upkeep::DeleteReplicaSet(other.fence.clone())).collect();
    bad.sort_by_key(|set| is_of_template(gated, set));
    writes.extend(bad.into_iter().map(|set| {
        let mut custody = Custody::of(set);
        custody.labels.retain(|key, _| !selected_by.contains(key));
        custody.labels.insert(labels::CUSTODY.to_owned(), crate::api::names::label(&gated.fence.name));
        custody.annotations.insert(labels::CUSTODY_SINCE.to_owned(), gated.now.to_string());
        custody.annotations.insert(labels::CUSTODY_FOR.to_owned(), why(gated, set).unwrap_or_default().to_owned());
        custody.annotations.remove(labels::CUSTODY_STEP);
        if gated.recreate {
            custody.replicas = 0;
        }
        Upkeep::TakeCustody(Box::new(custody))
    }));
    writes
}

/// What is bad and not in custody yet, where there is a release to go back to.
fn to_be_taken(gated: &Gated) -> Vec<&Set> {
    let possible = gated.selected_by.is_some() && gated.workload.is_held() && last_good(gated, |_| true).is_some();
    let bad = bad(gated).filter(|set| possible && !has_failed(gated, set) && !is_contested(gated, set));
    bad.collect()
}

/// What is to have no pods and is not older than the release to go back to: the controller fills the newest of those. Where
/// that release is gone, or its ReplicaSet could not be scaled up, it is created again when the others are out of sight: beside them
/// the controller would empty it, and with a history of none delete it.
fn in_the_way(gated: &Gated) -> impl Iterator<Item = &Set> {
    let (good, taken) = (last_good(gated, |_| true).and_then(Revision::name), to_be_taken(gated));
    let set = gated.sets.iter().find(|set| Some(set.fence.name.as_str()) == good && !is_outdated(gated, set));
    let idle = gated.sets.iter().filter(move |other| other.wanted == 0 && !taken.contains(other));
    idle.filter(move |other| set.is_none_or(|set| other.fence != set.fence && other.created >= set.created))
}

/// One of those whose last pods are not gone yet, while something is to be taken.
fn ending(gated: &Gated) -> Option<&Set> {
    in_the_way(gated).find(|other| other.present > 0 && !to_be_taken(gated).is_empty())
}

fn is_of_template(gated: &Gated, set: &Set) -> bool {
    gated.workload.gated_images().into_iter().eq(set.release.iter().map(String::as_str))
}

/// Scales what is in custody down as other pods become available, deletes what has none left, and brings back what there is
/// nothing better than.
fn drain(gated: &Gated) -> Vec<Upkeep> {
    let serving: i32 = gated.custody.iter().map(|set| set.wanted).sum();
    let needed = gated.wanted.saturating_sub(available(gated)).max(0);
    let enough = !gated.workload.is_held() || available(gated) >= bearable(gated);
    if let Some(set) = gated.custody.iter().find(|set| is_failing(set)).filter(|_| gated.wanted > 0) {
        return bring_back(gated, set);
    }
    // What is approved again is made again, if it is wanted, under the name that this one has.
    let approved = gated.workload.approved();
    let goes = |set: &Set| enough || is_approved(&set.release, &approved);
    let empty = |set: &&Set| set.wanted == 0 && set.present == 0 && goes(set);
    let mut writes: Vec<Upkeep> =
        gated.custody.iter().filter(empty).map(|set| Upkeep::DeleteReplicaSet(set.fence.clone())).collect();
    if serving > needed {
        writes.extend(lower(gated, serving - needed, None));
    } else if has_run_out(gated) {
        // As many as the Deployment asks for is as good as it gets.
        writes.extend(if enough { lower(gated, serving, None) } else { fail(gated) });
    } else if gated.no_room && waited_for_room(gated) {
        let step = gated.max_unavailable.max(1);
        let spare = available(gated) + serving - gated.wanted.saturating_sub(step);
        writes.extend(lower(gated, step.min(spare), Some(gated.now)));
    }
    writes
}

/// How many pods the Deployment wants available at least.
fn bearable(gated: &Gated) -> i32 {
    gated.wanted.saturating_sub(gated.max_unavailable)
}

/// Takes so many pods off what is in custody: those first that do not serve, and the template's own last.
fn lower(gated: &Gated, by: i32, step: Option<Timestamp>) -> Vec<Upkeep> {
    let mut sets: Vec<(&Set, i32)> = gated.custody.iter().filter(|set| set.wanted > 0).map(|set| (set, 0)).collect();
    sets.sort_by_key(|(set, _)| is_of_template(gated, set));
    let idle = |set: &Set| set.wanted - staying(set);
    let mut left = by.max(0);
    for pods in [&idle as &dyn Fn(&Set) -> i32, &staying] {
        for (set, off) in &mut sets {
            let more = left.min(pods(set));
            left -= more;
            *off += more;
        }
    }
    let fewer = |(set, off): (&Set, i32)| {
        let mut custody = Custody::of(set);
        custody.replicas = set.wanted - off;
        if let Some(step) = step {
            custody.annotations.insert(labels::CUSTODY_STEP.to_owned(), step.to_string());
        }
        Upkeep::ScaleCustody(Box::new(custody))
    };
    sets.into_iter().filter(|(_, off)| *off > 0).map(fewer).collect()
}

/// Whether the release before has had its time since a pod of it was last given room.
fn has_run_out(gated: &Gated) -> bool {
    let over = |(last, deadline): (Timestamp, Duration)| since(last, gated.now) >= deadline;
    let last = stepped(gated).or_else(|| begun(gated));
    gated.workload.is_held() && last.zip(gated.deadline).is_some_and(over) && !gated.sets.iter().any(is_failing)
}

/// Marks one of those in custody to serve in full again: the template's own, or else the first.
fn fail(gated: &Gated) -> Vec<Upkeep> {
    let set = gated.custody.iter().max_by_key(|set| is_of_template(gated, set));
    let failed = |set: &Set| {
        let mut custody = Custody::of(set);
        let why = set.annotations.get(labels::CUSTODY_FOR).cloned().unwrap_or_default();
        custody.annotations.insert(labels::CUSTODY_FAILED.to_owned(), why);
        custody.replicas = gated.wanted;
        Upkeep::ScaleCustody(Box::new(custody))
    };
    set.map(failed).into_iter().collect()
}

/// Whether a ReplicaSet is marked so, by the rollback that it is in custody for.
fn is_failing(set: &Set) -> bool {
    let mark = set.annotations.get(labels::CUSTODY_FAILED);
    mark.is_some() && mark == set.annotations.get(labels::CUSTODY_FOR)
}

/// It is given back when it is complete, which it is out of sight: of one that is not, the Deployment controller would take pods.
fn bring_back(gated: &Gated, set: &Set) -> Vec<Upkeep> {
    let mut custody = Custody::of(set);
    custody.replicas = gated.wanted;
    if set.wanted != gated.wanted {
        return vec![Upkeep::ScaleCustody(Box::new(custody))];
    }
    if set.available != gated.wanted {
        return Vec::new();
    }
    custody.labels.remove(labels::CUSTODY);
    let pods = gated.selected_by.iter().flatten().filter_map(|key| {
        let value = set.manifest.pointer("/spec/template/metadata/labels")?.get(key)?.as_str()?;
        Some((key.clone(), value.to_owned()))
    });
    custody.labels.extend(pods);
    custody.annotations.insert(labels::DESIRED_REPLICAS.to_owned(), gated.wanted.to_string());
    vec![Upkeep::GiveBack(Box::new(custody))]
}

fn available(gated: &Gated) -> i32 {
    gated.sets.iter().map(staying).sum()
}

/// Its available pods, but for those that go: a rollout that has just ended leaves some, for as long as they take to end.
fn staying(set: &Set) -> i32 {
    set.available.min(set.wanted)
}

fn waited_for_room(gated: &Gated) -> bool {
    let last = stepped(gated).or_else(|| begun(gated));
    last.is_some_and(|last| since(last, gated.now) >= NO_ROOM)
}

/// Since when something is in custody.
fn begun(gated: &Gated) -> Option<Timestamp> {
    times(gated, labels::CUSTODY_SINCE).min()
}

/// When room was made last.
fn stepped(gated: &Gated) -> Option<Timestamp> {
    times(gated, labels::CUSTODY_STEP).max()
}

/// What cannot be read as a time is taken for now: it was not Sluice that wrote it, and nothing is given up early.
fn times<'a>(gated: &'a Gated, key: &'static str) -> impl Iterator<Item = Timestamp> + 'a {
    let written = gated.custody.iter().filter_map(move |set| set.annotations.get(key));
    written.map(|text| text.parse().unwrap_or(gated.now))
}

#[cfg(test)]
mod tests;
