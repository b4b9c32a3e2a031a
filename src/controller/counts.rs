//! Metrics that follow from the record.

use std::time::Duration;

use crate::api::MigrationRunStatus;
use crate::classify::Reason;
use crate::decide::Fact;
use crate::runtime::metrics::Metrics;

/// Counts what is on record, once it is.
pub fn count(metrics: &Metrics, facts: &[Fact], status: &MigrationRunStatus) {
    for fact in facts {
        match fact {
            Fact::Concluded(outcome) => {
                let failure = status.failure.as_ref();
                let class = failure.map_or("none", |failure| class_label(&failure.class));
                let reason = failure.map_or("none", |failure| reason_label(failure.reason.as_deref()));
                let outcome = match outcome {
                    crate::api::status::AttemptOutcome::Clean => "clean",
                    crate::api::status::AttemptOutcome::Failed => "failed",
                    crate::api::status::AttemptOutcome::Superseded => "superseded",
                    crate::api::status::AttemptOutcome::Withdrawn => "withdrawn",
                };
                metrics.attempt_ended(outcome, class, reason);
            }
            Fact::RetryAt(_) => {
                let class = status.failure.as_ref().map_or("none", |failure| class_label(&failure.class));
                metrics.retry_scheduled(class);
            }
            Fact::MigrateEnded(ended) => step_ended(metrics, "migrate", ended),
            Fact::CheckEnded(ended) => step_ended(metrics, "check", ended),
            _ => {}
        }
    }
}

fn step_ended(metrics: &Metrics, step: &'static str, ended: &crate::decide::observed::Ended) {
    if let (Some(from), Some(to)) = (ended.started_at, ended.ended_at) {
        metrics.step_ended(step, Duration::try_from(to.duration_since(from)).unwrap_or_default());
    }
}

/// A class as a label of bounded choice.
pub(super) fn class_label(class: &str) -> &'static str {
    use crate::classify::Class;
    const NAMES: [(Class, &str); 9] = [
        (Class::Connectivity, "Connectivity"),
        (Class::Permission, "Permission"),
        (Class::DataConflict, "DataConflict"),
        (Class::ScriptError, "ScriptError"),
        (Class::Blocked, "Blocked"),
        (Class::Config, "Config"),
        (Class::Runtime, "Runtime"),
        (Class::Interrupted, "Interrupted"),
        (Class::Unknown, "Unknown"),
    ];
    NAMES.iter().find(|(_, name)| *name == class).map_or("Unknown", |(_, name)| name)
}

/// A reason as a label of bounded choice: those of users' own rules are as many as users like.
fn reason_label(reason: Option<&str>) -> &'static str {
    match reason {
        None => "unknown",
        Some(reason) => Reason::find(reason).map_or("other", |entry| entry.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_of_bounded_choice() {
        assert_eq!(reason_label(Some("UniqueViolation")), "UniqueViolation");
        assert_eq!((reason_label(Some("ProxyDown")), reason_label(None)), ("other", "unknown"));
        for class in crate::classify::Class::ALL {
            assert_eq!(class_label(&class.to_string()), class.to_string());
        }
    }
}
