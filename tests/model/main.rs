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
mod promises;
mod record;
mod search;
mod state;
mod upkeep;
mod world;
mod write;

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path};

use promises::{ENDS, HELD, NO_POD, SERVES, STAYS};
use state::State;
use world::{Age, Scene, Stalled, Step, World};

/// What is wrong with a world, to show that the checker would see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mutation {
    #[default]
    None,
    /// `ApproveImages` goes without uid and resourceVersion.
    ApprovesBlindly,
    /// It goes with the uid alone.
    ApprovesAnyVersion,
    /// It goes without a look at the run.
    ApprovesUnasked,
    /// Everybody's `sluice.dev/approved-images` is believed.
    RuleBelievesTheWriter,
    /// The operator unpauses by itself when it approves, whatever the template is.
    OperatorOpensByItself,
    /// A ReplicaSet grows whatever its list says.
    NoPolicyOnReplicaSets,
    /// `RevokeImages` goes without uid and resourceVersion.
    RevokesBlindly,
    /// `ScaleCustody` goes without them.
    ScalesCustodyBlindly,
    /// What is in custody is deleted without them.
    DropsCustodyBlindly,
    /// What is in custody is scaled down before the other pods are available.
    DrainsUnseen,
}

/// Checks a scene to its end.
fn check(name: &str, scene: Scene) {
    let begun = Instant::now();
    let checker =
        World::new(scene, Mutation::None).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
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

/// Whether the checker finds that `property` does not hold.
fn finds(scene: Scene, mutation: Mutation, property: &'static str) {
    let enough = HasDiscoveries::AllOf([property].into());
    let checker = World::new(scene, mutation).checker().finish_when(enough).spawn_bfs().join();
    let path = checker.discovery(property).unwrap_or_else(|| panic!("{mutation:?} goes unseen"));
    let (states, steps) = (checker.unique_state_count(), path.into_actions().len());
    println!("{mutation:?}: found among {states} states, in {steps} steps: not {property}");
}

/// One run whose image follows Git, and Git goes back and forth between two releases.
fn git() -> Scene {
    Scene { templates: vec![0, 1], runs: vec![vec![0, 1]], ..Scene::default() }
}

/// A run for the second release alone; the first one was there before Sluice.
fn second() -> Scene {
    Scene { templates: vec![0, 1], runs: vec![vec![1]], ..Scene::default() }
}

/// Two releases after the first one, with one run that follows Git.
fn third() -> Scene {
    Scene { templates: vec![1, 2], runs: vec![vec![1, 2]], ..Scene::default() }
}

/// A ReplicaSet from before the gate is newer than what serves, and people scale to 0 and back.
fn newer() -> Scene {
    Scene { before_the_gate: Some(Age::Newer), scales: true, ..second() }
}

#[test]
fn releases_come_and_go_back_fail_and_are_tried_again() {
    check("retries", Scene { retries: true, ..git() });
}

#[test]
fn a_release_overtakes_another() {
    check("three releases, one run", third());
    check("three releases, a run for each", Scene { runs: vec![vec![1], vec![2]], ..third() });
}

#[test]
fn a_late_approval_and_planted_lists_open_nothing() {
    check("stalled run", Scene { stalls: Some(Stalled::Runs), plants: true, ..git() });
    check("stalled run, old cache", Scene { stalls: Some(Stalled::Runs), lags: true, ..second() });
}

#[test]
fn people_scale_to_zero_and_back() {
    check("scaled, stalled run", Scene { scales: true, stalls: Some(Stalled::Runs), ..second() });
    check("scaled, stalled upkeep", Scene { scales: true, stalls: Some(Stalled::Deployment), ..second() });
    let old = Scene { before_the_gate: Some(Age::Older), templates: vec![0, 1, 2], ..second() };
    check("scaled, with history", Scene { scales: true, ..old });
    check("scaled, with newer history", Scene { patience: true, stalls: Some(Stalled::Deployment), ..newer() });
}

#[test]
fn a_deployment_is_deleted_and_created_again() {
    check("deleted, all of it", Scene { deletes: true, razes: true, plants: true, ..git() });
    check("deleted, ReplicaSets stay", Scene { deletes: true, orphans: true, ..second() });
}

#[test]
fn everything_is_deleted_while_a_replica_stalls() {
    let all = Scene { deletes: true, razes: true, ..second() };
    check("deleted, stalled run", Scene { stalls: Some(Stalled::Runs), ..all.clone() });
    check("deleted, stalled run, old cache", Scene { stalls: Some(Stalled::Runs), lags: true, ..all.clone() });
    check("deleted, stalled upkeep", Scene { stalls: Some(Stalled::Deployment), ..all });
}

/// The second release is let go, and rolled back as often as people ask.
fn back() -> Scene {
    Scene { rolls_back: true, lasting: true, ..second() }
}

#[test]
fn what_was_let_go_is_rolled_back_and_let_go_again() {
    check("rollback", back());
    check("rollback, retries", Scene { retries: true, ..back() });
}

#[test]
fn a_rollback_with_a_late_replica() {
    check("rollback, stalled run", Scene { stalls: Some(Stalled::Runs), ..back() });
    check("rollback, stalled upkeep", Scene { stalls: Some(Stalled::Deployment), ..back() });
}

#[test]
fn a_rollback_of_what_is_scaled_or_deleted() {
    check("rollback, scaled", Scene { scales: true, ..back() });
    check("rollback, deleted", Scene { deletes: true, ..back() });
}

#[test]
fn a_rollback_that_is_not_in_time() {
    check("rollback, not in time", Scene { times_out: true, ..back() });
    check("rollback, not in time, scaled", Scene { times_out: true, scales: true, ..back() });
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let stalled = Scene { stalls: Some(Stalled::Runs), ..second() };
    let made_anew = Scene { deletes: true, razes: true, ..stalled.clone() };
    finds(made_anew.clone(), Mutation::ApprovesBlindly, NO_POD);
    finds(Scene { lags: true, ..made_anew }, Mutation::ApprovesUnasked, NO_POD);
    finds(Scene { stalls: Some(Stalled::Runs), ..third() }, Mutation::ApprovesAnyVersion, STAYS);
    finds(Scene { plants: true, ..second() }, Mutation::RuleBelievesTheWriter, NO_POD);
    // The policy on ReplicaSets would still keep its pods down.
    finds(third(), Mutation::OperatorOpensByItself, HELD);
    let old = Scene { before_the_gate: Some(Age::Older), scales: true, templates: vec![0, 2], ..second() };
    finds(old, Mutation::NoPolicyOnReplicaSets, NO_POD);
}

#[test]
fn the_checker_sees_what_is_wrong_with_a_rollback() {
    finds(back(), Mutation::DrainsUnseen, SERVES);
    let again = |stalls| Scene { retries: true, stalls: Some(stalls), ..back() };
    finds(again(Stalled::Runs), Mutation::RevokesBlindly, STAYS);
    finds(again(Stalled::Deployment), Mutation::ScalesCustodyBlindly, SERVES);
    finds(again(Stalled::Deployment), Mutation::DropsCustodyBlindly, SERVES);
}

/// What is known not to hold, so that it is noticed when it does: see the ADR.
#[test]
fn what_is_not_promised_is_found_too() {
    finds(newer(), Mutation::None, NO_POD);
    // It looked while no pod was wanted.
    finds(Scene { scales: true, stalls: Some(Stalled::Deployment), ..back() }, Mutation::None, SERVES);
    // What was left in custody goes as the last pod does that the Deployment made anew counts and does not keep.
    finds(Scene { deletes: true, orphans: true, ..back() }, Mutation::None, SERVES);
    // The release to go back to is still in custody itself, from a rollback before, and let go again since.
    let follows = Scene { runs: vec![vec![0, 1]], rolls_back: false, ..back() };
    finds(Scene { rolls_back_itself: true, ..follows }, Mutation::None, ENDS);
}
