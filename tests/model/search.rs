//! What a checker of invariants does not see: whether everything that happens by itself comes to an end.

use std::collections::HashMap;

use stateright::Model;

use super::state::State;
use super::world::World;

/// What was found.
pub struct Rest {
    pub states: usize,
    pub at_rest: usize,
    /// The most steps that it takes until nothing happens by itself any more.
    pub longest: usize,
}

/// All states that can be, each with those that follow by themselves.
struct Graph {
    states: Vec<State>,
    following: Vec<Vec<usize>>,
}

/// Follows what happens by itself, with people and faults at rest, from every state that can be: no path comes back to where it
/// was. So every such path ends, in a state at rest, which the invariants speak of.
///
/// The error is a path that comes back.
pub fn comes_to_rest(world: &World) -> Result<Rest, String> {
    let Graph { states, following } = explore(world);
    let mut left: Vec<Option<usize>> = vec![None; states.len()];
    let mut on_path = vec![false; states.len()];
    for first in 0..states.len() {
        // Each with how many of those that follow were looked at, and the longest way from there.
        let mut path = vec![(first, 0, 0)];
        while let Some((state, looked_at, longest)) = path.pop() {
            if left[state].is_some() {
                continue;
            }
            on_path[state] = true;
            let Some(next) = following[state].get(looked_at).copied() else {
                (left[state], on_path[state]) = (Some(longest), false);
                continue;
            };
            match left[next] {
                Some(steps) => path.push((state, looked_at + 1, longest.max(steps + 1))),
                None if on_path[next] => {
                    let round = path.iter().map(|(state, ..)| *state).skip_while(|state| *state != next).chain([state]);
                    return Err(round.map(|state| format!("\n  {}", states[state])).collect());
                }
                None => path.extend([(state, looked_at, longest), (next, 0, 0)]),
            }
        }
    }
    let left = left.into_iter().flatten();
    let at_rest = left.clone().filter(|steps| *steps == 0).count();
    Ok(Rest { states: states.len(), at_rest, longest: left.max().unwrap_or_default() })
}

fn explore(world: &World) -> Graph {
    let mut graph = Graph { states: world.init_states(), following: Vec::new() };
    let mut places: HashMap<[u128; 3], usize> = graph.states.iter().map(State::bits).zip(0..).collect();
    let mut steps = Vec::new();
    while let Some(state) = graph.states.get(graph.following.len()).cloned() {
        steps.clear();
        world.by_itself(&state, &mut steps);
        let by_itself = steps.len();
        steps.clear();
        world.actions(&state, &mut steps);
        let mut following = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let Some(next) = world.next_state(&state, *step) else { continue };
            let place = *places.entry(next.bits()).or_insert(graph.states.len());
            if place == graph.states.len() {
                graph.states.push(next);
            }
            // They come first among the actions.
            following.extend((number < by_itself).then_some(place));
        }
        graph.following.push(following);
    }
    graph
}
