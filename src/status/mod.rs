//! Folds facts into the record and derives from it what people read. Pure: no client, no async, no clock.

pub mod announce;
pub mod fold;
pub mod hold;
pub mod situation;
pub mod warnings;

use std::collections::BTreeMap;

use crate::api::MigrationRunStatus;
use crate::decide::{Decision, Observed};

/// What the API server acknowledged of a pass's effects: the UIDs of created Jobs by name. A status can only be made from it.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// UIDs of the Jobs that were created, or found to be ours, by name.
    pub jobs: BTreeMap<String, String>,
}

/// The status after this pass; equal to the one before where nothing has changed.
#[must_use]
pub fn next(observed: &Observed, decision: &Decision, applied: &Applied) -> MigrationRunStatus {
    let mut status = (*observed.status).clone();
    fold::fold(&mut status, observed, &decision.facts, applied);
    situation::describe(&mut status, observed);
    status
}

#[cfg(test)]
mod tests;
