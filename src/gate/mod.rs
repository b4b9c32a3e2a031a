//! The gate's rule: what becomes of a write to a gated Deployment, and the words in which a gate is written.
//!
//! Pure: no client, no async, no clock. The chart's policies say the same in CEL (`charts/sluice/templates/gate`), and
//! `tests/gate` holds both equal on a real API server. `docs/gate.md` is the rule for people.
//!
//! Invariants: the rule is total; applying it twice equals applying it once; of the new object it never reads what it writes
//! (`spec.paused`, `sluice.dev/held-by`), since admission runs a rule more than once on what it has made already.

mod approved;
mod change;
mod guard;
mod rule;
mod workload;

pub use approved::Approved;
pub use change::Change;
pub use guard::{Answer, admit};
pub use rule::{Request, judge};
pub use workload::{Container, Workload};

/// Value of [`crate::api::labels::HELD_BY`]: the pause is the gate's, and ends with the hold.
pub const BY_ADMISSION: &str = "admission";
/// The same where a person had paused the Deployment before: the pause outlives the hold.
pub const BY_ADMISSION_AND_USER: &str = "admission+user";
/// In place of the list where a label came off: every image. On a Deployment it means nothing, on a ReplicaSet that carries
/// a copy it ends what the list before it said.
pub const UNGATED: &str = "*";

#[cfg(test)]
mod tests;
