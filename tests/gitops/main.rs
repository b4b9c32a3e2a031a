//! A real Argo CD, with self-heal and prune on, against a real cluster with Sluice: what it shows at each step of a release's life, how
//! often it writes, and that no pod of an unclean release ever comes of it.
//!
//! KUBECONFIG names a cluster that `make cluster-up` brought up, ARGOCD_DIR is where `tests/gitops/argocd up` has started Argo CD.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod argo;
#[allow(dead_code)]
#[path = "../e2e/cluster.rs"]
mod cluster;
#[path = "../e2e/customers.rs"]
mod customers;
mod git;
mod layouts;
mod life;
#[allow(dead_code)]
#[path = "../e2e/scene.rs"]
mod scene;
#[allow(dead_code)]
#[path = "../e2e/world.rs"]
mod world;
