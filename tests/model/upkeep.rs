//! A pass about the Deployment, and the look at it that a run's rollback takes too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use sluice::api::labels;
use sluice::decide::observed::Fence as Version;
use sluice::decide::sweep::{Abandoned, Sweep, abandoned};
use sluice::decide::upkeep::{Custody, Gated, Revision, Revoked, Set, Upkeep, upkeep};

use super::Mutation;
use super::api::{self, workload};
use super::bits::Bits;
use super::record::{at, now, rollback_of};
use super::state::*;
use super::world::Scene;
use super::write::{Fence, Write};

/// After how long a release that does not come up is given up.
const DEADLINE: Duration = Duration::from_secs(50);

/// The label by which the Deployment knows its ReplicaSets and their pods.
const APP: &str = "app";

/// What is looked at: the Deployment with what belongs to it, and the runs as they are known.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub deployment: &'a Deployment,
    pub state: &'a State,
    pub runs: &'a [Option<Run>],
    pub scene: &'a Scene,
    pub mutation: Mutation,
}

impl View<'_> {
    /// All of it that bears on a decision.
    pub fn key(&self) -> u128 {
        let seen = |set: &&ReplicaSet| [Owner::Deployment, Owner::Custody].contains(&set.owner);
        let key = Bits::default().item(self.deployment).list(&self.state.kept).flag(self.state.overdue);
        let key = self.state.sets.iter().filter(seen).fold(key, |key, set| key.number(1, 1).item(set));
        let revoked = |run: &Option<Run>| run.and_then(|run| run.record.back).map(|back| back.from);
        self.runs.iter().map(revoked).fold(key, |key, from| key.item(&from)).0
    }

    pub fn gated(&self) -> Gated {
        let State { sets, kept, overdue, .. } = self.state;
        let wanted = self.deployment.wanted;
        let is_complete = |set: &ReplicaSet| set.present == wanted;
        let its = self.state.owned().find(|set| set.release == self.deployment.template);
        let total: u8 = self.state.owned().map(|set| set.present).sum();
        let since = if *overdue { at(0) } else { now() };
        let of = |owner: Owner| -> Vec<Set> {
            let each = sets.iter().zip(0..).filter(|(set, _)| set.owner == owner);
            each.map(|(each, place)| set(each, place, &since.to_string())).collect()
        };
        let mut gated = Gated {
            workload: workload(*self.deployment),
            fence: version("shop"),
            wanted: i32::from(wanted),
            complete: total == wanted && its.is_none_or(is_complete),
            sets: of(Owner::Deployment),
            custody: of(Owner::Custody),
            revisions: kept.iter().map(revision).collect(),
            revoked: self.runs.iter().enumerate().flat_map(|(slot, run)| revoked(slot, run.as_ref())).collect(),
            selected_by: Some(BTreeSet::from([APP.to_owned()])),
            deadline: self.scene.times_out.then_some(DEADLINE),
            now: now(),
            ..Gated::default()
        };
        if self.mutation == Mutation::DrainsUnseen {
            gated.sets.iter_mut().for_each(|set| set.available = set.wanted);
        }
        gated
    }
}

/// What a run has on record as rolled back.
pub fn revoked(slot: usize, run: Option<&Run>) -> Vec<Revoked> {
    let from = run.and_then(|run| run.record.back).map_or(Releases::default(), |back| back.from);
    let images = IMAGES.iter().zip(0..).filter(|(_, release)| from.has(*release));
    images.map(|(image, _)| Revoked { image: (*image).to_owned(), why: rollback_of(slot) }).collect()
}

/// The writes of the pass.
pub fn of_deployment(view: &View<'_>) -> Vec<Write> {
    upkeep(&view.gated()).iter().map(|write| written(write, view)).collect()
}

/// What is done about ReplicaSets in custody of a Deployment that is another by now.
pub fn sweep(state: &State) -> Vec<Write> {
    let Some(deployment) = state.deployment else { return Vec::new() };
    let available = state.owned().map(|set| i32::from(set.present)).sum();
    let found = state.sets.iter().filter(|set| set.owner == Owner::Stray);
    let dropped = found.filter_map(|set| {
        let seen = Abandoned { fence: version(&name(set.id())), wanted: deployment.wanted.into(), available };
        match abandoned(&seen)? {
            Sweep::DropCustody(_) => Some(Write::DeleteSet { set: set.id(), fence: Fence::Current }),
            other => panic!("{}: it is a ReplicaSet", other.name()),
        }
    });
    dropped.collect()
}

fn written(write: &Upkeep, view: &View<'_>) -> Write {
    let View { deployment, state, .. } = view;
    match write {
        Upkeep::WriteRule(change) => {
            let sent = api::read(&change.of(&workload(**deployment)), **deployment);
            Write::Rule { sent, fence: Fence::Current }
        }
        Upkeep::DeleteReplicaSet(gone) => Write::DeleteSet { set: named(state, gone), fence: Fence::Current },
        Upkeep::RestoreReplicaSet { manifest, replicas } => {
            let set = made_of(manifest);
            let listed = deployment.approved.has(set.release);
            Write::RestoreSet { set, wanted: u8::from(*replicas > 0), listed, owner: Fence::Current }
        }
        Upkeep::KeepRevision { number, manifest } => {
            let number = u8::try_from(*number).expect("a small number");
            Write::Keep(Kept { number, set: made_of(manifest) })
        }
        Upkeep::DropRevision(gone) => {
            Write::Drop(*state.kept.iter().find(|kept| revision(kept).fence == *gone).expect("it was read"))
        }
        Upkeep::TakeCustody(to) | Upkeep::ScaleCustody(to) => rewrite(state, to, Owner::Custody),
        Upkeep::GiveBack(to) => rewrite(state, to, Owner::Deployment),
        Upkeep::ExplainHold(_) => panic!("ExplainHold: nobody tells the model's Deployments why they are held"),
    }
}

/// Whether the Deployment sees it is told by its labels, as they are written.
fn rewrite(state: &State, to: &Custody, owner: Owner) -> Write {
    let seen = to.labels.contains_key(APP);
    assert_eq!([seen, !to.labels.contains_key(labels::CUSTODY)], [owner == Owner::Deployment; 2], "{:?}", to.labels);
    let [why, failed] = [labels::CUSTODY_FOR, labels::CUSTODY_FAILED].map(|key| to.annotations.get(key));
    let of = (0..state.runs.len()).find(|slot| why == Some(&rollback_of(*slot)));
    let mark = Mark { of, failed: failed.is_some() && failed == why };
    let wanted = u8::try_from(to.replicas).expect("a small number");
    Write::Rewrite { set: named(state, &to.set), owner, wanted, mark, fence: Fence::Current }
}

pub fn version(name: &str) -> Version {
    Version { name: name.into(), uid: format!("uid-of-{name}"), resource_version: "7".into() }
}

fn named(state: &State, set: &Version) -> Id {
    state.sets.iter().map(ReplicaSet::id).find(|id| version(&name(*id)) == *set).expect("it was read")
}

/// Of the image and, from the second on, a number.
fn name(set: Id) -> String {
    format!("{}-{}", IMAGES[usize::from(set.release)].replace(':', "-"), set.name)
}

fn manifest(set: Id) -> Value {
    json!({ "metadata": { "name": name(set) }, "spec": { "template": { "metadata": { "labels": { APP: "shop" } } } } })
}

fn made_of(manifest: &Value) -> Id {
    let its = manifest["metadata"]["name"].as_str().unwrap_or_default();
    let all = (0..).zip(IMAGES).flat_map(|(release, _)| (0..4).map(move |name| Id { release, name }));
    let mut all = all.filter(|id| name(*id) == its);
    all.next().expect("it is one of the model's")
}

fn images(release: Release) -> BTreeSet<String> {
    [IMAGES[usize::from(release)].to_owned()].into()
}

/// The ReplicaSet in that place: the later it is, the later it was created.
fn set(set: &ReplicaSet, place: u8, since: &str) -> Set {
    let list = |own: bool| if own { Releases::default().with(set.release) } else { Releases::default() };
    let list = set.listed.map(|own| (labels::APPROVED_IMAGES.to_owned(), list(own).text()));
    let mut annotations: BTreeMap<String, String> = list.into_iter().collect();
    let custody = set.owner == Owner::Custody;
    if custody || set.mark.of.is_some() {
        let why = set.mark.of.map_or("another".to_owned(), rollback_of);
        annotations.extend(set.mark.failed.then(|| (labels::CUSTODY_FAILED.to_owned(), why.clone())));
        annotations.extend([(labels::CUSTODY_FOR.to_owned(), why), (labels::CUSTODY_SINCE.to_owned(), since.into())]);
    }
    Set {
        fence: version(&name(set.id())),
        release: images(set.release),
        wanted: i32::from(set.wanted),
        present: i32::from(set.present),
        ready: i32::from(set.present),
        available: i32::from(set.present),
        created: Some(at(place)),
        labels: [if custody { (labels::CUSTODY, "shop") } else { (APP, "shop") }]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        annotations,
        relabelled_by: None,
        manifest: manifest(set.id()),
    }
}

fn revision(kept: &Kept) -> Revision {
    Revision {
        fence: version(&format!("{}-{}", name(kept.set), kept.number)),
        number: i64::from(kept.number),
        release: images(kept.set.release),
        manifest: manifest(kept.set),
        fits: true,
    }
}
