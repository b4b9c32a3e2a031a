//! The condition and the Events about targets that are not as they should be.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::announce::Announcement;
use crate::api::MigrationRunStatus;
use crate::api::conditions::{DEGRADED, condition};

/// The condition; absent where there is nothing to warn of. Its reason is that of the first warning.
pub(super) fn degraded(status: &MigrationRunStatus, now: &Time) -> Option<Condition> {
    let all = status.targets.iter().flat_map(|target| target.warnings.iter().map(move |warning| (target, warning)));
    let told = all.clone().map(|(target, warning)| format!("Deployment {}: {}", target.name, warning.message));
    let message = told.collect::<Vec<_>>().join("; ");
    let (_, first) = all.min_by_key(|(_, warning)| warning.reason)?;
    let reason = format!("{:?}", first.reason);
    Some(condition(DEGRADED, Some(true), &reason, &message, status.observed_generation, now))
}

/// What to announce on the Deployments, by their names: each warning once, when it comes.
#[must_use]
pub fn announcements(before: &MigrationRunStatus, after: &MigrationRunStatus) -> Vec<(String, Announcement)> {
    let told = after.targets.iter().flat_map(|now| {
        let then = before.targets.iter().find(|then| then.name == now.name);
        let known = move |reason| then.is_some_and(|then| then.warnings.iter().any(|old| old.reason == reason));
        now.warnings.iter().filter(move |warning| !known(warning.reason)).map(|warning| {
            let note = warning.message.chars().take(512).collect();
            (now.name.clone(), Announcement { warning: true, reason: format!("{:?}", warning.reason), note })
        })
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The status of a run whose targets have these warnings.
    fn status(targets: &[(&str, &[&str])]) -> MigrationRunStatus {
        let targets: Vec<_> = targets
            .iter()
            .map(|(name, reasons)| {
                let warnings: Vec<_> = reasons
                    .iter()
                    .map(|reason| json!({ "reason": reason, "message": format!("{reason} of {name}") }))
                    .collect();
                json!({ "kind": "Deployment", "name": name, "image": "a", "state": "Open", "settled": true,
                "since": "2026-01-01T00:00:00Z", "warnings": warnings })
            })
            .collect();
        serde_json::from_value(json!({ "observedGeneration": 2, "targets": targets })).unwrap()
    }

    fn now() -> Time {
        Time(jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_condition_has_the_gravest_reason_and_all_messages() {
        assert_eq!(degraded(&status(&[("shop", &[])]), &now()), None);
        let seen = degraded(&status(&[("shop", &["PauseInGit"]), ("worker", &["RolloutFailed"])]), &now()).unwrap();
        assert_eq!((seen.reason.as_str(), seen.status.as_str()), ("RolloutFailed", "True"));
        assert_eq!(seen.message, "Deployment shop: PauseInGit of shop; Deployment worker: RolloutFailed of worker");
    }

    #[test]
    fn each_warning_is_announced_once_when_it_comes() {
        let told = |before: &[&str], after: &[&str]| {
            let said = announcements(&status(&[("shop", before)]), &status(&[("shop", after)]));
            said.into_iter().map(|(name, said)| format!("{name} {} {}", said.reason, said.warning)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[], &["PauseInGit"]), ["shop PauseInGit true"]);
        assert_eq!(told(&["PauseInGit"], &["PauseInGit"]), [""; 0]);
        assert_eq!(told(&["PauseInGit"], &["RolloutFailed", "PauseInGit"]), ["shop RolloutFailed true"]);
        assert_eq!(told(&["PauseInGit"], &[]), [""; 0]);
        assert_eq!(announcements(&MigrationRunStatus::default(), &status(&[("shop", &["PauseInGit"])])).len(), 1);
    }
}
