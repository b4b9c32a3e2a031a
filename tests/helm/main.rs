//! Helm, in the version that HELM names, against a real cluster with Sluice: the operator's own chart while releases are held and
//! migrate, a user's chart with a gated Deployment and its run, and the definition of an earlier operator brought up to this one's.
//!
//! KUBECONFIG names a cluster that `make cluster-up` brought up. Those that take the operator away wait until they are alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[allow(dead_code)]
#[path = "../e2e/cluster.rs"]
mod cluster;
#[path = "../e2e/customers.rs"]
mod customers;

mod earlier;
mod helm;
mod migration;
mod operator;
#[allow(dead_code)]
#[path = "../e2e/scene.rs"]
mod scene;
mod shop;
#[allow(dead_code)]
#[path = "../e2e/world.rs"]
mod world;
