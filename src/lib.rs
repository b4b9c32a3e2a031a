//! Sluice runs database migrations on Kubernetes the way a careful engineer would by the runbook.
//!
//! The rooms, and what each may touch, are drawn in `ARCHITECTURE.md`; `tests/walls.rs` keeps the walls between them.

pub mod api;
pub mod apply;
pub mod build;
pub mod classify;
pub mod cli;
pub mod controller;
pub mod decide;
pub mod gate;
pub mod observe;
pub mod runtime;
pub mod status;
