//! The operator on a real cluster: real API server, Job controller and kubelet, real PostgreSQL, the real Prisma CLI.
//!
//! KUBECONFIG names a cluster that `make cluster-up` brought up. Each test has a namespace of its own, so they run side by
//! side; those that stop the operator wait until they are alone (see `cluster::undisturbed` and `cluster::alone`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod attacks;
mod cluster;
mod customers;
mod deletion;
mod enforcements;
mod failures;
mod gate;
mod holds;
mod interrupted;
mod leaks;
mod operator;
mod plugin;
mod queue;
mod release;
mod releases;
mod rollback;
mod scene;
mod start;
mod warnings;
mod ways_on;
mod world;
