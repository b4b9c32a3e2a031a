//! The promises of speed and size, measured against a real API server. `tests/bench/run` brings up what each part needs.
//!
//! `bench api` needs a control plane without a node (a scripted node plays the kubelet) and starts operators of its own;
//! `bench node` needs a node, its images, and Sluice installed; `bench classify` needs the binary alone. Rows of a Markdown table go to stdout, progress to stderr.
//! Each figure stands beside a floor that is measured in the same minute: what the cluster costs without Sluice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod back;
mod bare;
mod classify;
mod crowd;
mod end_to_end;
mod figures;
mod gate;
mod latency;
mod logs;
mod node;
mod operator;
mod size;
mod watch;
mod world;

use figures::Table;
use operator::Operator;
use world::World;

/// Says what is measured now.
#[macro_export]
macro_rules! say {
    ($($word:tt)*) => { eprintln!("bench: {}", format_args!($($word)*)) };
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let part = std::env::args().nth(1).unwrap_or_default();
    let mut table = Table::default();
    match part.as_str() {
        "api" => api(&mut table).await,
        "node" => end_to_end::measure(&mut table),
        "classify" => classify::measure(&mut table),
        "regex-set" => return classify::regex_set(),
        _ => panic!("usage: bench api|node|classify"),
    }
    table.print();
}

/// What needs no node. The parts are in the order of what they leave behind.
async fn api(table: &mut Table) {
    let world = World::open().await;
    size::measure(table);
    latency::starts(table, "start → ready, no runs").await;
    let operator = Operator::start().await;
    latency::measure(&world, &operator, table).await;
    gate::measure(&world, table).await;
    back::measure(&world, table).await;
    crowd::beside(&world, table).await;
    operator.stop().await;
    crowd::at_once(&world, table).await;
    latency::starts(table, "start → ready, with the finished runs and pods of the lines above").await;
}

/// A number from the environment, for shorter runs while developing.
pub fn count(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
