//! What a checker of invariants does not see: whether everything that happens by itself comes to an end.

use std::collections::{HashMap, HashSet};

use stateright::Model;

use super::state::State;
use super::world::World;

type Places = HashMap<[u128; 2], usize>;

/// What was found.
pub struct Rest {
    pub states: usize,
    pub at_rest: usize,
    /// The most steps that it takes until nothing happens by itself any more.
    pub longest: usize,
}

/// Follows what happens by itself, with people and faults at rest, from every state that can be: no path comes back to where it
/// was. So every such path ends, in a state at rest, which the invariants speak of.
///
/// The error is a path that comes back.
pub fn comes_to_rest(world: &World) -> Result<Rest, String> {
    let states = reachable(world, usize::MAX);
    let place: Places = states.iter().map(State::bits).zip(0..).collect();
    let mut ways: Vec<Option<usize>> = vec![None; states.len()];
    let mut rest = Rest { states: states.len(), at_rest: 0, longest: 0 };
    for first in 0..states.len() {
        let mut path: Vec<(usize, Vec<usize>, usize)> = Vec::new();
        let mut on_path = HashSet::new();
        let enter = |state: usize| (state, following(world, &states[state], &place), 0);
        if ways[first].is_none() {
            on_path.insert(first);
            path.push(enter(first));
        }
        while let Some((state, following, longest)) = path.last_mut() {
            let Some(next) = following.pop() else {
                let (state, longest) = (*state, *longest);
                ways[state] = Some(longest);
                rest.at_rest += usize::from(longest == 0);
                rest.longest = rest.longest.max(longest);
                on_path.remove(&state);
                path.pop();
                if let Some((_, _, before)) = path.last_mut() {
                    *before = (*before).max(longest + 1);
                }
                continue;
            };
            match ways[next] {
                Some(steps) => *longest = (*longest).max(steps + 1),
                None if on_path.insert(next) => path.push(enter(next)),
                None => {
                    let _ = state;
                    let steps = path.iter().skip_while(|(state, ..)| *state != next);
                    let told = steps.map(|(state, ..)| format!("\n  {}", states[*state]));
                    return Err(told.collect());
                }
            }
        }
    }
    Ok(rest)
}

fn following(world: &World, state: &State, place: &Places) -> Vec<usize> {
    let mut steps = Vec::new();
    world.by_itself(state, &mut steps);
    steps.into_iter().filter_map(|step| world.next_state(state, step)).map(|next| place[&next.bits()]).collect()
}

pub fn reachable(world: &World, limit: usize) -> Vec<State> {
    let mut known: HashSet<[u128; 2]> = world.init_states().iter().map(State::bits).collect();
    let mut states = world.init_states();
    let mut looked_at = 0;
    while let Some(state) = states.get(looked_at).cloned() {
        looked_at += 1;
        if states.len() > limit {
            break;
        }
        for next in world.next_states(&state) {
            if known.insert(next.bits()) {
                states.push(next);
            }
        }
    }
    states
}
