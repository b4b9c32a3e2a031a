//! Kubernetes' own controllers, as far as a gate rests on them: the Deployment controller (`syncDeployment` of Kubernetes 1.36, with
//! one pod wanted, one to spare and none to miss), the ReplicaSet controller, the garbage collector. One write a step.

use super::Mutation;
use super::api::may_grow;
use super::state::*;

/// The Deployment controller's next write; none where there is nothing to do, or what there is to do is refused.
pub fn deployment(mutation: Mutation, state: &State) -> Option<State> {
    let deployment = state.deployment.as_ref()?;
    let mut next = state.clone();
    if state.sets.iter().any(|set| set.owner == Owner::Nobody) {
        next.sets.iter_mut().filter(|set| set.owner == Owner::Nobody).for_each(|set| set.owner = Owner::Deployment);
        return Some(next);
    }
    let listed = Some(deployment.approved.has(deployment.template));
    let its = |owner: Owner| state.sets.iter().position(|set| set.owner == owner && set.release == deployment.template);
    let new = its(Owner::Deployment);
    match new {
        // A ReplicaSet of that name that is another's: it waits until that is gone.
        None if its(Owner::Gone).is_some() => return None,
        // Only the ReplicaSet of the template gets the Deployment's annotations.
        Some(new) if state.sets[new].listed != listed => {
            next.sets[new].listed = listed;
            return Some(next);
        }
        _ => {}
    }
    if deployment.paused {
        let (set, wanted) = scaled(state, deployment, new)?;
        return scale(mutation, next, set, wanted);
    }
    roll_out(mutation, next, deployment, new, listed)
}

fn scale(mutation: Mutation, mut next: State, set: usize, wanted: u8) -> Option<State> {
    if wanted > next.sets[set].wanted && !may_grow(mutation, &next.sets[set]) {
        return None;
    }
    next.sets[set].wanted = wanted;
    Some(next)
}

/// What a paused Deployment does: it makes nothing new, but scales what there is.
fn scaled(state: &State, deployment: &Deployment, new: Option<usize>) -> Option<(usize, u8)> {
    let owned = || state.sets.iter().enumerate().filter(|(_, set)| set.owner == Owner::Deployment);
    let active: Vec<usize> = owned().filter(|(_, set)| set.wanted > 0).map(|(place, _)| place).collect();
    let unlike = |place: usize| (state.sets[place].wanted != deployment.wanted).then_some((place, deployment.wanted));
    match active.as_slice() {
        // Nothing runs: the template's own, else the newest by creation.
        [] => unlike(new.or_else(|| owned().next_back().map(|(place, _)| place))?),
        [one] => unlike(*one),
        _ if deployment.wanted == 0 => active.first().map(|place| (*place, 0)),
        several => {
            let saturated = new.filter(|new| state.sets[*new].wanted == 1 && state.sets[*new].present == 1)?;
            several.iter().find(|place| **place != saturated).map(|place| (*place, 0))
        }
    }
}

fn roll_out(
    mutation: Mutation,
    mut next: State,
    deployment: &Deployment,
    new: Option<usize>,
    listed: Option<bool>,
) -> Option<State> {
    let total: u8 = next.owned().map(|set| set.wanted).sum();
    // One more than wanted may be there for a while.
    let room = if deployment.wanted > 0 { (deployment.wanted + 1).saturating_sub(total) } else { 0 };
    let Some(new) = new else {
        // What it does not see may have that name.
        let taken = next.sets.iter().any(|set| set.id() == Id { release: deployment.template, name: 0 });
        let made = ReplicaSet {
            release: deployment.template,
            name: if taken { Id::ANOTHER } else { 0 },
            owner: Owner::Deployment,
            wanted: room.min(deployment.wanted),
            present: 0,
            listed,
            mark: Mark::default(),
        };
        if made.wanted > 0 && !may_grow(mutation, &made) {
            return None;
        }
        next.sets.push(made);
        return Some(next);
    };
    let mine = next.sets[new];
    let to =
        if mine.wanted > deployment.wanted { deployment.wanted } else { deployment.wanted.min(mine.wanted + room) };
    if to != mine.wanted {
        return scale(mutation, next, new, to);
    }
    let old: Vec<usize> = (0..next.sets.len())
        .filter(|place| *place != new && next.sets[*place].owner == Owner::Deployment && next.sets[*place].wanted > 0)
        .collect();
    let total: u8 = next.owned().map(|set| set.wanted).sum();
    let ready = next.owned().filter(|set| set.wanted > 0 && set.present > 0).count();
    if total.saturating_sub(mine.wanted.saturating_sub(mine.present)) <= deployment.wanted {
        return None;
    }
    // Those without a ready pod go first; one that serves goes when another does.
    let idle = old.iter().find(|place| next.sets[**place].present == 0);
    let spare = old.first().filter(|_| ready > usize::from(deployment.wanted));
    idle.or(spare).copied().and_then(|place| scale(mutation, next, place, 0))
}

/// A ReplicaSet brings its pods to the number that it is to have.
pub fn pods(state: &State, set: usize) -> Option<State> {
    let there = state.sets.get(set).filter(|set| set.owner != Owner::Gone && set.present != set.wanted)?;
    let mut next = state.clone();
    next.sets[set].present = there.wanted;
    Some(next)
}

/// The garbage collector takes what belonged to a Deployment that was deleted.
pub fn collect(state: &State) -> Option<State> {
    let mut next = state.clone();
    next.sets.retain(|set| set.owner != Owner::Gone);
    (next.sets.len() != state.sets.len()).then_some(next)
}
