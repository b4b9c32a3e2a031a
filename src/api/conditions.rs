//! Condition types and their reasons, as design section 11 and kstatus want them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The release's database is clean.
pub const READY: &str = "Ready";
/// Something goes on or is awaited that needs nobody.
pub const RECONCILING: &str = "Reconciling";
/// A person or a new release is needed.
pub const STALLED: &str = "Stalled";
/// The run's verdict, for `kubectl wait`.
pub const SUCCEEDED: &str = "Succeeded";
/// The targets' new release is let go.
pub const GATE_OPEN: &str = "GateOpen";
/// The release was let go and has gone back; absent where it has not been rolled back.
pub const ROLLED_BACK: &str = "RolledBack";
/// No more happens by itself.
pub const FINISHED: &str = "Finished";
/// Something about the targets is not as it should be, whatever the run does; absent where all is well.
pub const DEGRADED: &str = "Degraded";

/// Sets `wanted` in place of the conditions that stand in `current`: a transition time changes only with the status, and a
/// type that `wanted` lacks goes, since absent is how "not so" is told.
#[must_use]
pub fn merge(current: &[Condition], wanted: Vec<Condition>) -> Vec<Condition> {
    wanted
        .into_iter()
        .map(|mut next| {
            if let Some(before) = current.iter().find(|c| c.type_ == next.type_ && c.status == next.status) {
                next.last_transition_time = before.last_transition_time.clone();
            }
            next
        })
        .collect()
}

/// A condition whose status is True, False or Unknown (`None`).
#[must_use]
pub fn condition(
    kind: &str,
    status: Option<bool>,
    reason: &str,
    message: &str,
    generation: i64,
    now: &Time,
) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: match status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        }
        .to_owned(),
        reason: reason.to_owned(),
        message: message.chars().take(32_768).collect(),
        observed_generation: Some(generation),
        last_transition_time: now.clone(),
    }
}
