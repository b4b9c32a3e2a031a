//! What must hold in every state, and what must be seen in one.

use stateright::Property;

use super::state::*;
use super::world::{Scene, World};

/// The promise that the gate is for.
pub const NO_POD: &str = "2: no release that the database has not gets a pod through its Deployment";
/// The same of what was let go and rolled back, once it has been in custody.
pub const NO_NEW_POD: &str = "2: what was rolled back gets no new pod through its Deployment";
/// What holds it there, whether or not something else would.
pub const HELD: &str = "9: what the database has not is held, whatever is deleted";
/// Whether a hold lasts or a rollback is under way.
pub const SERVES: &str = "5: while a pod is wanted and one serves, one goes on serving";
/// Without it a release that serves would be held again. What is rolled back is asked to.
pub const STAYS: &str = "what is approved stays approved, unless it is rolled back";
/// No rollback stands still half-way.
pub const ENDS: &str = "6: at rest, nothing is in custody, and what was rolled back runs no more";

/// Those of a scene.
pub fn promises(scene: &Scene) -> Vec<Property<World>> {
    let mut promises = vec![
        Property::always(NO_POD, |_, state: &State| {
            let mut sets = state.sets.iter().filter(|set| set.owner != Owner::Gone);
            sets.all(|set| set.wanted == 0 || state.clean.has(set.release))
        }),
        Property::always(HELD, |_, state: &State| {
            let held = |it: Deployment| it.held != Held::No && it.paused;
            state.deployment.is_none_or(|it| state.clean.has(it.template) || held(it))
        }),
        Property::always(SERVES, |_, state: &State| state.broken != Some(SERVES)),
        Property::always(STAYS, |_, state: &State| state.broken != Some(STAYS)),
        Property::always(NO_NEW_POD, |_, state: &State| state.broken != Some(NO_NEW_POD)),
        Property::always(
            "5: at rest, what is approved serves while the template is held",
            |world: &World, state: &State| !old_one_is_down(state) || !world.rests(state),
        ),
        Property::always(
            "8: at rest, the release of a run that did not fail is open",
            |world: &World, state: &State| !is_blocked(state) || !world.rests(state),
        ),
        Property::always(ENDS, |world: &World, state: &State| !is_half_way(state) || !world.rests(state)),
        Property::sometimes("the second release serves", |_, state: &State| {
            state.deployment.is_some_and(|it| it.held == Held::No && it.template == 1)
                && state.sets.iter().any(|set| set.release == 1 && set.present > 0)
        }),
        Property::sometimes("the old release serves while the second is held", |_, state: &State| {
            state.deployment.is_some_and(|it| it.held != Held::No && it.template == 1) && state.serves()
        }),
    ];
    if scene.rolls_back || scene.rolls_back_itself {
        promises.extend([
            Property::sometimes("the first release serves alone after a rollback of the second", |_, state: &State| {
                let back = state.deployment.is_some_and(|it| it.template == 1 && state.rolled_back().has(1));
                back && state.sets.iter().all(|set| set.release == 0 && set.owner == Owner::Deployment && set.has_pod())
            }),
            Property::sometimes("what is in custody serves until the first release does", |_, state: &State| {
                let first = state.owned().any(|set| set.release == 0 && set.wanted > set.present);
                first && state.in_custody().any(ReplicaSet::has_pod)
            }),
        ]);
    }
    if scene.rolls_back {
        promises.push(Property::sometimes("a rollback begins in the middle of a rollout", |_, state: &State| {
            let mut custody = state.in_custody();
            custody.any(|set| set.wanted > set.present) && state.owned().any(ReplicaSet::has_pod)
        }));
    }
    if scene.times_out {
        promises.push(Property::sometimes(
            "what was not in time leaves the second release serving, held",
            |_, state: &State| {
                let held = state.deployment.is_some_and(|it| it.held != Held::No && it.template == 1);
                held && state.owned().any(|set| set.release == 1 && set.mark.failed && set.has_pod())
            },
        ));
    }
    promises
}

/// What a step has broken.
pub fn broken(state: &State, next: &State) -> Option<&'static str> {
    let (before, after) = (state.deployment?, next.deployment?);
    if before.wanted == 1 && after.wanted == 1 && state.serves() && !next.serves() {
        return Some(SERVES);
    }
    let revoked = next.rolled_back();
    let grows = |set: &&ReplicaSet| {
        let was = state.sets.iter().find(|was| was.id() == set.id());
        // What is given back comes as it is.
        let grew = set.wanted > was.map_or(0, |was| if was.owner == Owner::Custody { set.wanted } else { was.wanted });
        grew && revoked.has(set.release) && !after.approved.has(set.release)
    };
    if next.owned().any(|set| grows(&set)) {
        return Some(NO_NEW_POD);
    }
    let asked = state.rolled_back();
    (!after.approved.and(asked).includes(before.approved)).then_some(STAYS)
}

/// The template is held, a pod is wanted, there is a release to have it that is approved (or, where nothing is, that a run has on
/// record as clean beside its own), and none has.
fn old_one_is_down(state: &State) -> bool {
    let Some(it) = state.deployment.filter(|it| it.held != Held::No && it.wanted == 1) else { return false };
    let decides = state.runs.iter().flatten().max_by_key(|run| run.queued);
    let good =
        state.runs.iter().flatten().filter(|run| {
            run.record.clean.is_some_and(|clean| run.record.back.is_none_or(|back| !back.from.has(clean)))
        });
    let latest = good.max_by_key(|run| run.cleaned).and_then(|run| run.record.clean);
    let nothing = it.approved == Releases::default();
    let known = latest.filter(|latest| nothing && decides.is_some_and(|run| run.image != *latest));
    let sets = state.owned().map(|set| set.release);
    let mut there = sets.chain(state.kept.iter().map(|kept| kept.set.release));
    there.any(|release| it.approved.has(release) || known == Some(release)) && !state.serves()
}

/// A rollback has come to no end: pods of the release are left, and there is one to go back to that could have them.
fn is_half_way(state: &State) -> bool {
    let Some(it) = state.deployment else { return false };
    let back = state.rolled_back();
    let good = state.kept.iter().any(|kept| it.approved.has(kept.set.release) && !back.has(kept.set.release));
    let bad = |set: &ReplicaSet| back.has(set.release) && !it.approved.has(set.release) && !set.mark.failed;
    let mut left = state.owned().filter(|set| bad(set) && (set.wanted > 0 || set.present > 0));
    state.in_custody().next().is_some() || (good && left.next().is_some())
}

/// A run is for the template and decides, it has not failed or been rolled back, and still the template's ReplicaSet does not serve alone.
fn is_blocked(state: &State) -> bool {
    let Some(it) = state.deployment else { return false };
    let last = state.runs.iter().flatten().max_by_key(|run| run.queued);
    let wanted = last.is_some_and(|run| run.image == it.template && run.record.attempt != Attempt::Failed);
    let wanted = wanted && !state.rolled_back().has(it.template);
    let open = it.held == Held::No && !it.paused;
    let mut sets = state.owned();
    let serves = sets.all(|set| set.wanted == if set.release == it.template { it.wanted } else { 0 });
    let there = it.wanted == 0 || state.owned().any(|set| set.release == it.template && set.present == 1);
    wanted && !(open && serves && there)
}
