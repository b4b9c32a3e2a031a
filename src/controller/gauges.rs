//! What is counted at each scrape, from the caches: runs, gated Deployments, and how long the longest hold and the longest
//! rollback have lasted. No name of any object is told.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;

use super::counts::class_label;
use crate::api::conditions::ROLLED_BACK;
use crate::api::status::TargetState;
use crate::api::{MigrationRunStatus, labels};
use crate::decide::release::since;
use crate::observe::caches::{Caches, GuardedRun};
use crate::observe::held::{self, Serves};
use crate::runtime::clock::SharedClock;
use crate::runtime::metrics::{GateCounts, GatedCount, Metrics, RunCount};
use crate::status::situation::{self, Situation};

/// Says how to count, at each scrape.
pub fn measure(metrics: &Metrics, caches: &Caches, clock: SharedClock) {
    let runs = caches.runs.clone();
    metrics.count_runs_with(move || count_runs(&runs));
    let caches = caches.clone();
    metrics.count_gated_with(move || count_gated(&caches, clock.now()));
}

fn count_runs(runs: &Store<GuardedRun>) -> Vec<RunCount> {
    let mut counts = BTreeMap::<(&'static str, &'static str), u64>::new();
    for run in runs.state() {
        let DeserializeGuard(Ok(run)) = run.as_ref() else {
            *counts.entry(("malformed", "Config")).or_default() += 1;
            continue;
        };
        let status = run.status.clone().unwrap_or_default();
        let class = status.failure.as_ref().map_or("none", |failure| class_label(&failure.class));
        *counts.entry((state(&status, run.spec.suspended()), class)).or_default() += 1;
    }
    counts.into_iter().map(|((state, class), count)| RunCount { state, class, count }).collect()
}

fn state(status: &MigrationRunStatus, suspended: bool) -> &'static str {
    let given_up = |status: &MigrationRunStatus| {
        let mut conditions = status.conditions.iter();
        conditions.any(|it| it.type_ == ROLLED_BACK && it.reason == "RollbackFailed")
    };
    match situation::of(status, suspended) {
        Situation::Working => "working",
        Situation::Suspended => "suspended",
        Situation::Stalled => "stalled",
        Situation::Opening => "opening",
        Situation::Clean => "clean",
        Situation::RollingBack => "rolling-back",
        Situation::RolledBack if given_up(status) => "rollback-failed",
        Situation::RolledBack => "rolled-back",
    }
}

fn count_gated(caches: &Caches, now: Timestamp) -> GateCounts {
    let mut counts = BTreeMap::<(&'static str, &'static str), u64>::new();
    let mut longest_hold = Duration::ZERO;
    for deployment in caches.deployments.state() {
        let held = held::is_held(&deployment);
        if held {
            longest_hold = longest_hold.max(held_for(caches, &deployment, now));
        }
        *counts.entry((if held { "held" } else { "open" }, serving(held::serves(&deployment)))).or_default() += 1;
    }
    let taken = caches.custody.state();
    let longest_custody = taken.iter().filter_map(|set| taken_at(set)).map(|at| since(at, now)).max();
    let deployments = counts.into_iter().map(|((state, serving), count)| GatedCount { state, serving, count });
    GateCounts {
        deployments: deployments.collect(),
        longest_hold,
        longest_custody: longest_custody.unwrap_or_default(),
    }
}

fn serving(serves: Serves) -> &'static str {
    match serves {
        Serves::Full => "full",
        Serves::Short => "short",
        Serves::NotAtAll => "none",
        Serves::NotYet => "not-yet",
    }
}

/// How long it has been held: by the word of its own controller, else on record of a run; not known of any, it begins now.
fn held_for(caches: &Caches, deployment: &Deployment, now: Timestamp) -> Duration {
    let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
    let on_record = || {
        let runs = caches.runs_that_name(&namespace, &name);
        let recorded = runs.iter().filter_map(|run| run.0.as_ref().ok()?.status.as_ref());
        let targets = recorded.flat_map(|status| &status.targets);
        let its = targets.filter(|target| target.name == name && target.state == TargetState::Held);
        its.map(|target| target.since.0).min()
    };
    held::paused_since(deployment).or_else(on_record).map_or(Duration::ZERO, |at| since(at, now))
}

fn taken_at(set: &ReplicaSet) -> Option<Timestamp> {
    set.annotations().get(labels::CUSTODY_SINCE)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use kube::runtime::{reflector, watcher};
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::caches::{trim_deployment, trim_replica_set};

    fn cache<K>(objects: impl IntoIterator<Item = Value>, trim: fn(&mut K)) -> Store<K>
    where
        K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + 'static,
    {
        let (store, mut writer) = reflector::store();
        for object in objects {
            let mut object = serde_json::from_value(object).unwrap();
            trim(&mut object);
            writer.apply_watcher_event(&watcher::Event::Apply(object));
        }
        store
    }

    /// Caches of Deployments, ReplicaSets in custody and one run.
    fn caches(
        deployments: impl IntoIterator<Item = Value>,
        custody: impl IntoIterator<Item = Value>,
        run: Value,
    ) -> Caches {
        let run: GuardedRun = DeserializeGuard(serde_json::from_value(run).map_err(|error| panic!("{error}")));
        let (runs, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Apply(run));
        Caches {
            runs,
            jobs: cache([], |_| {}),
            pods: cache([], |_| {}),
            leases: cache([], |_| {}),
            events: cache([], |_| {}),
            deployments: cache(deployments, trim_deployment),
            custody: cache(custody, trim_replica_set),
        }
    }

    fn run(status: Value) -> Value {
        json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "shop", "namespace": "a", "uid": "u" },
            "spec": { "image": "shop:2", "database": { "id": "d" }, "targets": [{ "kind": "Deployment", "name": "late" }] },
            "status": status,
        })
    }

    fn deployment(name: &str, held: bool, status: Value) -> Value {
        let held_by = if held { "admission" } else { "" };
        json!({
            "metadata": { "name": name, "namespace": "a",
                "annotations": { labels::HELD_BY: held_by, labels::APPROVED_IMAGES: "shop:1" } },
            "spec": { "replicas": 1, "selector": {}, "template": {} },
            "status": status,
        })
    }

    fn serves(paused_at: &str) -> Value {
        json!({ "availableReplicas": 1, "conditions": [
            { "type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "lastUpdateTime": paused_at }] })
    }

    fn now() -> Timestamp {
        "2026-01-01T01:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_longest_hold_and_custody_are_told_and_how_many_serve_how() {
        let sets = ["2026-01-01T00:50:00Z", "2026-01-01T00:58:00Z"].into_iter().enumerate().map(|(number, at)| {
            json!({ "metadata": { "name": format!("s{number}"), "namespace": "a", "annotations": { labels::CUSTODY_SINCE: at } } })
        });
        let seen = caches(
            [
                deployment("new", true, serves("2026-01-01T00:40:00Z")),
                deployment("old", true, serves("2026-01-01T00:30:00Z")),
                deployment("down", true, json!({})),
                deployment("open", false, serves("2025-01-01T00:00:00Z")),
            ],
            sets,
            run(json!({})),
        );
        let seen = count_gated(&seen, now());
        assert_eq!(seen.longest_hold, Duration::from_secs(30 * 60), "what is open is held by nobody");
        assert_eq!(seen.longest_custody, Duration::from_secs(10 * 60));
        let counts: Vec<_> = seen.deployments.iter().map(|it| (it.state, it.serving, it.count)).collect();
        assert_eq!(counts, [("held", "full", 2), ("held", "none", 1), ("open", "full", 1)]);
    }

    #[test]
    fn where_the_deployment_does_not_say_since_when_the_run_does() {
        let target = json!([{ "kind": "Deployment", "name": "late", "image": "shop:2", "state": "Held", "settled": false,
            "since": "2026-01-01T00:45:00Z" }]);
        let held = |status: Value| caches([deployment("late", true, json!({}))], [], run(status));
        let on_record = count_gated(&held(json!({ "targets": target })), now());
        assert_eq!(on_record.longest_hold, Duration::from_secs(15 * 60));
        assert_eq!(count_gated(&held(json!({})), now()).longest_hold, Duration::ZERO);
        assert_eq!(count_gated(&caches([], [], run(json!({}))), now()).longest_custody, Duration::ZERO);
    }

    #[test]
    fn runs_are_counted_by_where_they_are() {
        let counted = |status: Value| {
            let all = count_runs(&caches([], [], run(status)).runs);
            all.iter().map(|count| (count.state, count.class, count.count)).collect::<Vec<_>>()
        };
        assert_eq!(counted(json!({})), [("working", "none", 1)]);
        let rolled_back = |reason: &str| {
            let condition = json!([{ "type": ROLLED_BACK, "status": "False", "reason": reason, "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z" }]);
            json!({
                "release": { "image": "shop:2", "databaseId": "d", "digest": "", "inputs": "", "generation": 2,
                    "queuedAt": "2026-01-01T00:00:00Z" },
                "rollback": { "generation": 2, "id": "", "reason": "", "at": "2026-01-01T00:00:00Z", "targets": [] },
                "conditions": condition,
            })
        };
        assert_eq!(counted(rolled_back("RolledBack")), [("rolled-back", "none", 1)]);
        assert_eq!(counted(rolled_back("RollbackFailed")), [("rollback-failed", "none", 1)]);
    }
}
