//! A model of the gate, checked to the end of its states: an API server, the Deployment controller, people and GitOps, migrations,
//! and two replicas of the operator, of which one stalls and writes late. What is decided is decided by the operator's own code.
//!
//! `docs/adr/0013-a-model-of-the-gate.md` says what it covers and what not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod bits;
mod controller;
mod operator;
mod people;
mod record;
mod search;
mod state;
mod world;

use std::time::Instant;

use stateright::{Checker, Model, Path};

use state::State;
use world::{Scene, Step, World};

/// What is wrong with a world, to show that the checker would see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mutation {
    #[default]
    None,
    /// `ApproveImages` goes without uid and resourceVersion.
    ApprovesBlindly,
    /// It goes with the uid alone.
    ApprovesAnyVersion,
    /// Everybody's `sluice.dev/approved-images` is believed.
    RuleBelievesTheWriter,
    /// The operator unpauses by itself when it approves, whatever the template is.
    OperatorOpensByItself,
    /// A ReplicaSet grows whatever its list says.
    NoPolicyOnReplicaSets,
}

/// Checks a scene to its end.
fn check(name: &str, scene: Scene) {
    let begun = Instant::now();
    let checker = World::new(scene, Mutation::None).checker().spawn_bfs().join();
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    println!("{name}: {states} states, {steps} steps, {:.1?}", begun.elapsed());
    let found = checker.discoveries();
    for property in checker.model().properties() {
        let path = found.get(property.name);
        let wrong = property.expectation.discovery_is_failure() == path.is_some();
        assert!(!wrong, "{name}: not {}{}", property.name, path.map(told).unwrap_or_default());
    }
    let rest = search::comes_to_rest(checker.model()).unwrap_or_else(|round| panic!("{name}: it never rests:{round}"));
    assert_eq!(rest.states, states, "both searches have seen the same");
    println!("{name}: {} at rest, {} steps at most until then, {:.1?}", rest.at_rest, rest.longest, begun.elapsed());
}

/// A path, a line a step.
fn told(path: &Path<State, Step>) -> String {
    let line = |(state, step): (State, Option<Step>)| {
        format!("\n  {state}{}", step.map(|step| format!("\n    {step:?}")).unwrap_or_default())
    };
    path.clone().into_vec().into_iter().map(line).collect()
}

fn scene(name: &str) -> Scene {
    let one = Scene { releases: 2, runs: vec![vec![0, 1]], ..Scene::default() };
    match name {
        "one" => one,
        "stalls" => Scene { stalls: true, plants: true, ..one },
        "scales" => Scene { scales: true, ..one },
        "scales-stalls" => Scene { scales: true, stalls: true, ..one },
        "deletes" => Scene { deletes: true, ..one },
        "orphans" => Scene { orphans: true, deletes: true, ..one },
        "deletes-scales" => Scene { deletes: true, scales: true, ..one },
        "razes" => Scene { deletes: true, razes: true, ..one },
        "razes-stalls" => Scene { deletes: true, razes: true, stalls: true, ..one },
        "two" => Scene { releases: 3, runs: vec![vec![1], vec![2]], ..Scene::default() },
        "two2" => Scene { releases: 2, runs: vec![vec![0], vec![1]], ..Scene::default() },
        "three" => Scene { releases: 3, runs: vec![vec![1, 2]], ..Scene::default() },
        "lags" => Scene { stalls: true, lags: true, ..one },
        _ => panic!("{name}"),
    }
}

#[test]
fn peek() {
    let limit = std::env::var("LIMIT").map_or(20_000, |it| it.parse().unwrap());
    for name in std::env::var("SCENE").unwrap().split(',') {
        let world = World::new(scene(name), Mutation::None);
        let begun = Instant::now();
        let states = search::reachable(&world, limit);
        println!("{name} {} states {:?}", states.len(), begun.elapsed());
        if states.len() <= limit { check(name, scene(name)); }
    }
}
