//! Sluice.

pub mod classify;
pub mod cli;
