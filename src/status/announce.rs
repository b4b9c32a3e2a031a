//! Kubernetes Events that follow from facts, once they are on record.

use crate::api::MigrationRunStatus;
use crate::api::status::{RollbackState, TargetState, TargetStatus};
use crate::api::target::GateMode;
use crate::decide::Fact;

/// An Event to write about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Whether it is a warning.
    pub warning: bool,
    /// In CamelCase, for machines.
    pub reason: String,
    /// For people; at most 1,024 bytes, as the API wants.
    pub note: String,
}

/// What to announce of a pass. Waiting is announced once, when its reason changes.
#[must_use]
pub fn announcements(facts: &[Fact], before: &MigrationRunStatus, after: &MigrationRunStatus) -> Vec<Announcement> {
    facts.iter().filter_map(|fact| announcement(fact, before, after)).collect()
}

fn announcement(fact: &Fact, before: &MigrationRunStatus, after: &MigrationRunStatus) -> Option<Announcement> {
    let summary = || after.summary.clone().unwrap_or_default();
    match fact {
        Fact::MigrateStarted(_) => Some(say(false, "MigrationStarted", summary())),
        Fact::Waits(reason, message) => {
            let news = before.waiting.as_ref().is_none_or(|waiting| waiting.reason != *reason);
            news.then(|| say(reason != "DatabaseBusy", reason, message.clone()))
        }
        Fact::Failed(failure) => {
            let reason = failure.reason.clone().unwrap_or_else(|| failure.class.clone());
            Some(say(true, &reason, format!("{} failed: {}. {}", failure.step, failure.class, failure.message)))
        }
        Fact::RetryAt(at) => {
            let at = after.next_attempt_at.as_ref().map_or(*at, |on_record| on_record.0);
            Some(say(false, "RetryScheduled", format!("the next attempt starts at {at}")))
        }
        Fact::Clean(_) => Some(say(false, "Clean", summary())),
        Fact::RetryTaken(taken) => Some(say(false, "RetryTaken", format!("token {}: {}", taken.token, taken.result))),
        Fact::RollbackTaken(taken) => {
            Some(say(false, "RollbackTaken", format!("token {}: {}", taken.token, taken.result)))
        }
        Fact::RolledBack(record) => {
            let names: Vec<&str> = record.targets.iter().map(|target| target.name.as_str()).collect();
            let note = format!("going back from this release on {}: {}", names.join(", "), record.reason);
            Some(say(true, "RollingBack", note))
        }
        _ => None,
    }
}

/// What to announce on the Deployments themselves, by their names: that one is held, since when and why, or let go; with a gate
/// that is off, only what becomes of a rollback.
#[must_use]
pub fn of_targets(
    run: &str,
    mode: GateMode,
    before: &MigrationRunStatus,
    after: &MigrationRunStatus,
) -> Vec<(String, Announcement)> {
    let told = after.targets.iter().filter_map(|now| {
        let then = before.targets.iter().find(|then| then.name == now.name);
        let same = then.is_some_and(|then| then.state == now.state && then.message == now.message);
        let message = now.message.as_deref().unwrap_or_default();
        let summary = after.summary.as_deref().unwrap_or_default();
        let said = match now.state {
            _ if then.and_then(way_back) != way_back(now) && way_back(now).is_some() => {
                let (warning, reason, note) = way_back(now)?;
                say(warning, reason, format!("MigrationRun {run}: {note}"))
            }
            _ if same || mode == GateMode::Off => return None,
            TargetState::Held => {
                say(true, "Held", format!("Held since {}: {message}. MigrationRun {run}: {summary}", now.since.0))
            }
            TargetState::Open if then.is_some_and(|then| then.state == TargetState::Held) => {
                say(false, "LetGo", format!("Let go by MigrationRun {run}: {summary}"))
            }
            _ => return None,
        };
        Some((now.name.clone(), said))
    });
    told.collect()
}

/// What a rollback on record has come to. One that is only planned is no news.
fn way_back(target: &TargetStatus) -> Option<(bool, &'static str, String)> {
    let rollback = target.rollback.as_ref()?;
    let to = rollback.to.join(", ");
    let message = rollback.message.clone().unwrap_or_default();
    Some(match rollback.state {
        RollbackState::Planned | RollbackState::Impossible => return None,
        RollbackState::UnderWay => (true, "RollingBack", format!("going back from {} to {to}", target.image)),
        RollbackState::Done => (false, "RolledBack", format!("back from {} to {to}", target.image)),
        RollbackState::Failed => (true, "RollbackFailed", message),
        RollbackState::Contested => (true, "Contested", message),
    })
}

fn say(warning: bool, reason: &str, note: String) -> Announcement {
    let mut note = note;
    while note.len() > 1024 {
        note.pop();
    }
    Announcement { warning, reason: reason.to_owned(), note }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_deployment_is_told_what_becomes_of_it_unless_the_gate_is_off() {
        let status = |target: Value| -> MigrationRunStatus {
            let mut target = target;
            target["kind"] = "Deployment".into();
            target["name"] = "shop".into();
            target["image"] = "shop:2".into();
            target["settled"] = true.into();
            target["since"] = "2026-03-01T02:00:00Z".into();
            serde_json::from_value(json!({ "targets": [target] })).unwrap()
        };
        let none = MigrationRunStatus::default();
        let (held, open) = (status(json!({ "state": "Held" })), status(json!({ "state": "Open" })));
        let back = status(json!({ "state": "Held", "rollback": { "state": "Done", "extraPods": 0 } }));
        let said = |mode, before, after| {
            let said = of_targets("run", mode, before, after);
            said.into_iter().map(|(_, said)| said.reason).collect::<Vec<_>>()
        };
        for mode in [GateMode::Hold, GateMode::Observe] {
            assert_eq!(said(mode, &none, &held), ["Held"]);
            assert_eq!(said(mode, &held, &held), [""; 0]);
            assert_eq!(said(mode, &held, &open), ["LetGo"]);
        }
        assert_eq!(said(GateMode::Off, &none, &held), [""; 0]);
        assert_eq!(said(GateMode::Off, &held, &open), [""; 0]);
        assert_eq!(said(GateMode::Off, &held, &back), ["RolledBack"]);
    }
}
