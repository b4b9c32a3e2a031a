//! What the operator exposes when every metric has a value.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use sluice::runtime::metrics::{GateCounts, GatedCount, Metrics, RunCount};

/// The text of `/metrics`.
pub fn text() -> String {
    let metrics = Metrics::new();
    metrics.attempt_ended("clean", "none", "none");
    metrics.step_ended("migrate", Duration::ZERO);
    metrics.reconcile_failed("Stale");
    metrics.api_write("create", "Job");
    metrics.retry_scheduled("Connectivity");
    metrics.count_runs_with(|| vec![RunCount { state: "clean", class: "none", count: 1 }]);
    let deployments = vec![GatedCount { state: "held", serving: "full", count: 1 }];
    metrics.count_gated_with(move || GateCounts { deployments: deployments.clone(), ..GateCounts::default() });
    metrics.encode().unwrap()
}

/// The labels of each metric.
pub fn families(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let label = Regex::new(r#"(\w+)=""#).unwrap();
    let mut has = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let sample = line.split(' ').next().unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let labels = label.captures_iter(labels).map(|found| found[1].to_owned()).filter(|label| label != "le");
        has.entry(family(name)).or_default().extend(labels);
    }
    has
}

/// A histogram has three names.
pub fn family(name: &str) -> String {
    let ends = ["_bucket", "_sum", "_count"];
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
}
