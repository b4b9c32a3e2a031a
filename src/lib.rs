//! Sluice runs database migrations on Kubernetes the way a careful engineer would by the runbook.
//!
//! The rooms, and what each may touch, are drawn in `ARCHITECTURE.md`; `tests/walls.rs` keeps the walls between them.

pub mod api;
pub mod classify;
pub mod cli;
pub mod decide;
pub mod runtime;
pub mod status;
