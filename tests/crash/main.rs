//! The operator against a real API server and Job controller, stopped, refused and frozen at every one of its writes.
//!
//! A scripted node plays the kubelet. `KUBECONFIG` names the cluster, which needs no node: `tests/cluster/up DIR` starts one.
//! What must hold of each case: it ends as the undisturbed run ends, and no attempt has ever had two pods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod case;
mod cluster;
mod frozen;
mod node;
mod operator;
mod scene;
mod story;
mod sweep;
mod wire;

use std::time::Duration;

use story::Story;
use sweep::{sweep, undisturbed};
use wire::Kind;

/// Enough for the slowest case on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_write_does_not_change_the_end() {
    sweep(&Story::MIGRATING, &[Kind::StopBefore, Kind::StopAfter, Kind::StopLong], case::disturbed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_misleads_at_any_write_does_not_change_the_end() {
    sweep(&Story::MIGRATING, &[Kind::Unavailable, Kind::Conflict], case::disturbed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_let_go_whatever_happens_at_any_write() {
    let kinds = [Kind::StopBefore, Kind::StopAfter, Kind::Unavailable, Kind::Conflict];
    sweep(&[Story::Released], &kinds, case::disturbed).await;
    sweep(&[Story::Released], &[Kind::Freeze], frozen::believer).await;
    sweep(&[Story::Released], &[Kind::Settled], case::settled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_goes_back_whatever_happens_at_any_write() {
    let kinds = [Kind::StopBefore, Kind::StopAfter, Kind::Unavailable, Kind::Conflict];
    sweep(&[Story::RolledBack], &kinds, case::disturbed).await;
    sweep(&[Story::RolledBack], &[Kind::Freeze], frozen::believer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_frozen_at_any_write_changes_nothing_when_it_thaws() {
    sweep(&[Story::Clean], &[Kind::Freeze], frozen::leader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_still_believes_to_lead_changes_nothing_when_it_thaws() {
    sweep(&Story::MIGRATING, &[Kind::Freeze], frozen::believer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_watch_of_pods_does_not_change_the_end() {
    sweep(&Story::MIGRATING, &[Kind::Unwatched], case::unwatched).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_operators_that_both_lead_end_as_one() {
    sweep(&Story::MIGRATING, &[Kind::Twin], case::twins).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_has_settled_costs_no_writes() {
    sweep(&[Story::Clean, Story::Conflict], &[Kind::Settled], case::settled).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_run_costs_no_more_writes_than_promised() {
    let (writes, _) = undisturbed(Story::Clean).await;
    assert!(writes.len() <= 14, "{writes:#?}");
}
