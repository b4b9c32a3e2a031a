//! How a Deployment replaces its pods, read as the Deployment controller reads it.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::core::SelectorExt;

use super::targets::selector;

/// `progressDeadlineSeconds` of a Deployment that says nothing.
const DEADLINE: i32 = 600;

/// The labels that a Deployment's selector asks for; none where it would select one without them too.
pub fn selected_by(deployment: &Deployment) -> Option<BTreeSet<String>> {
    let its = &deployment.spec.as_ref()?.selector;
    let expressions = its.match_expressions.iter().flatten().map(|expression| expression.key.clone());
    let keys: BTreeSet<String> =
        its.match_labels.iter().flatten().map(|(key, _)| key.clone()).chain(expressions).collect();
    let mut without = deployment.spec.as_ref()?.template.metadata.as_ref()?.labels.clone().unwrap_or_default();
    without.retain(|key, _| !keys.contains(key));
    (!selector(deployment)?.matches(&without)).then_some(keys)
}

/// How many of `wanted` pods may be unavailable: 25 %, rounded down, by default.
pub fn max_unavailable(deployment: &Deployment, wanted: i32) -> i32 {
    let rolling = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref()?.rolling_update.as_ref());
    let (unavailable, surge) =
        rolling.map_or((None, None), |rolling| (rolling.max_unavailable.as_ref(), rolling.max_surge.as_ref()));
    let unavailable = portion(unavailable, wanted, false);
    // The Deployment controller takes 1 where neither lets it move.
    if unavailable == 0 && portion(surge, wanted, true) == 0 { 1.min(wanted) } else { unavailable.min(wanted) }
}

fn portion(part: Option<&IntOrString>, of: i32, up: bool) -> i32 {
    let percent = match part {
        Some(IntOrString::Int(count)) => return (*count).max(0),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().unwrap_or(0),
        None => 25,
    };
    let hundredths = i64::from(of.max(0)) * i64::from(percent.max(0));
    let rounded = if up { (hundredths + 99) / 100 } else { hundredths / 100 };
    i32::try_from(rounded).unwrap_or(of)
}

/// Whether its strategy is Recreate.
pub fn is_recreate(deployment: &Deployment) -> bool {
    let strategy = deployment.spec.as_ref().and_then(|spec| spec.strategy.as_ref()?.type_.as_deref());
    strategy == Some("Recreate")
}

/// `progressDeadlineSeconds`; none where it is the largest number, which stands for no deadline.
pub fn deadline(deployment: &Deployment) -> Option<Duration> {
    let seconds = deployment.spec.as_ref().and_then(|spec| spec.progress_deadline_seconds).unwrap_or(DEADLINE);
    (seconds != i32::MAX).then(|| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// Whether the API server refuses a ReplicaSet's pods: a quota, a policy.
pub fn is_refused_pods(set: &ReplicaSet) -> bool {
    let conditions = set.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    conditions.into_iter().any(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")
}

/// Whether no node has room for a pod.
pub fn is_unschedulable(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    conditions.into_iter().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })
}

/// The field manager that wrote a ReplicaSet's labels last, as far as the API tells.
pub fn relabelled_by(set: &ReplicaSet) -> Option<String> {
    let wrote = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer("/f:metadata/f:labels").is_some())
    };
    let last = set.managed_fields().iter().filter(wrote).max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(spec: serde_json::Value) -> Deployment {
        let mut whole =
            json!({ "selector": {}, "template": { "metadata": { "labels": { "app": "shop", "tier": "web" } } } });
        for (key, value) in spec.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(json!({ "spec": whole })).unwrap()
    }

    #[test]
    fn what_may_be_unavailable_is_counted_as_the_deployment_controller_counts() {
        let of = |rolling: serde_json::Value, wanted| {
            max_unavailable(&deployment(json!({ "strategy": { "rollingUpdate": rolling } })), wanted)
        };
        assert_eq!(max_unavailable(&deployment(json!({})), 6), 1);
        assert_eq!(of(json!({}), 3), 0);
        assert_eq!(of(json!({ "maxUnavailable": "50%" }), 5), 2);
        assert_eq!(of(json!({ "maxUnavailable": 9 }), 5), 5);
        assert_eq!(of(json!({ "maxUnavailable": 0, "maxSurge": 0 }), 5), 1, "refused by the API server, and yet");
        assert_eq!(of(json!({ "maxUnavailable": 0, "maxSurge": "1%" }), 5), 0);
    }

    #[test]
    fn a_selector_without_labels_to_take_off_has_no_custody() {
        let keys = |selector: serde_json::Value| {
            selected_by(&deployment(json!({ "selector": selector }))).map(|keys| keys.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(keys(json!({ "matchLabels": { "app": "shop" } })), Some(vec!["app".to_owned()]));
        let either = json!({ "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["web"] }] });
        assert_eq!(keys(either), Some(vec!["tier".to_owned()]));
        assert_eq!(keys(json!({ "matchExpressions": [{ "key": "old", "operator": "DoesNotExist" }] })), None);
    }

    #[test]
    fn the_largest_deadline_is_none() {
        let of = |seconds: Option<i32>| deadline(&deployment(json!({ "progressDeadlineSeconds": seconds })));
        assert_eq!(of(None), Some(Duration::from_secs(600)));
        assert_eq!(of(Some(7)), Some(Duration::from_secs(7)));
        assert_eq!(of(Some(i32::MAX)), None);
    }
}
