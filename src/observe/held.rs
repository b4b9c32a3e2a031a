//! Whether a gated Deployment is held, since when, and how it serves: what its own status says. Pure.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use super::serving::serving;
use crate::api::labels;

/// How a gated Deployment serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Serves {
    /// As it should.
    Full,
    /// With fewer pods than it allows itself.
    Short,
    /// With no pod, though it wants some.
    NotAtAll,
    /// It has yet to start its first release, which is held.
    NotYet,
}

/// Whether it is held.
#[must_use]
pub fn is_held(deployment: &Deployment) -> bool {
    annotated(deployment, labels::HELD_BY)
}

/// Since when the Deployment controller knows of the pause that a hold is. It does not say so of one whose last rollout had
/// run out of time, or that has no deadline for a rollout.
#[must_use]
pub fn paused_since(deployment: &Deployment) -> Option<Timestamp> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let paused = conditions.iter().find(|it| it.reason.as_deref() == Some("DeploymentPaused"))?;
    Some(paused.last_update_time.as_ref()?.0)
}

/// How it serves.
#[must_use]
pub fn serves(deployment: &Deployment) -> Serves {
    let seen = serving(deployment);
    if is_held(deployment) && !annotated(deployment, labels::APPROVED_IMAGES) {
        Serves::NotYet
    } else if seen.wanted > 0 && seen.available == 0 {
        Serves::NotAtAll
    } else if seen.short_since.is_some() {
        Serves::Short
    } else {
        Serves::Full
    }
}

fn annotated(deployment: &Deployment, key: &str) -> bool {
    deployment.annotations().get(key).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(change: Value) -> Deployment {
        let mut object = json!({
            "metadata": { "name": "shop", "annotations": { labels::HELD_BY: "admission", labels::APPROVED_IMAGES: "shop:1" } },
            "spec": { "replicas": 2, "selector": {}, "template": {} },
            "status": { "availableReplicas": 2, "conditions": [
                { "type": "Available", "status": "True" },
                { "type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused",
                    "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2025-01-01T00:00:00Z" },
            ] },
        });
        json_patch::merge(&mut object, &change);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_hold_is_known_by_the_annotation_and_its_age_by_the_pause() {
        let held = deployment(json!({}));
        assert!(is_held(&held));
        assert_eq!(paused_since(&held).unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert!(!is_held(&deployment(json!({ "metadata": { "annotations": { labels::HELD_BY: null } } }))));
        assert!(!is_held(&deployment(json!({ "metadata": { "annotations": { labels::HELD_BY: "" } } }))));
        let late = json!([{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "lastUpdateTime": "2026-01-01T00:00:00Z" }]);
        assert_eq!(paused_since(&deployment(json!({ "status": { "conditions": late } }))), None);
    }

    #[test]
    fn how_it_serves_is_what_its_controller_says() {
        assert_eq!(serves(&deployment(json!({}))), Serves::Full);
        let short = json!([{ "type": "Available", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
        let short = |available: i32| json!({ "status": { "availableReplicas": available, "conditions": short } });
        assert_eq!(serves(&deployment(short(1))), Serves::Short);
        assert_eq!(serves(&deployment(short(0))), Serves::NotAtAll);
        assert_eq!(serves(&deployment(json!({ "spec": { "replicas": 0 }, "status": null }))), Serves::Full);
        let first = json!({ "metadata": { "annotations": { labels::APPROVED_IMAGES: "" } }, "status": null });
        assert_eq!(serves(&deployment(first)), Serves::NotYet);
    }
}
