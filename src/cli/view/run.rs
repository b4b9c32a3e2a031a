//! A run in one row, and what a person should know of it at a glance.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt;

use super::style::Tone;
use super::{age, short};
use crate::api::conditions::{GATE_OPEN, READY, STALLED};
use crate::api::status::Failure;
use crate::api::{MigrationRun, MigrationRunStatus, labels};

/// Headings of [`row`].
pub const HEADINGS: [&str; 6] = ["NAME", "RELEASE", "STEP", "REASON", "GATE", "AGE"];
/// What is added on request.
pub const WIDE: [&str; 2] = ["IMAGE", "MESSAGE"];

/// A run's row.
pub fn row(run: &MigrationRun, now: Timestamp) -> Vec<String> {
    let status = run.status.clone().unwrap_or_default();
    let age = run.metadata.creation_timestamp.as_ref().map_or("<unknown>".to_owned(), |then| age::since(then, now));
    let step = status.step.clone().unwrap_or_else(|| "Unseen".to_owned());
    vec![run.name_any(), short(&run.spec.image), step, reason(&status), gate(&status).to_owned(), age]
}

/// The cells of [`WIDE`].
pub fn wide(run: &MigrationRun) -> Vec<String> {
    let summary = run.status.as_ref().and_then(|status| status.summary.clone());
    vec![run.spec.image.clone(), summary.unwrap_or_default()]
}

/// How the run is to be taken.
pub fn tone(status: &MigrationRunStatus) -> Tone {
    let is = |kind: &str| condition(status, kind).is_some_and(|condition| condition.status == "True");
    match () {
        () if is(READY) => Tone::Good,
        () if is(STALLED) => Tone::Bad,
        () if status.step.as_deref() == Some("Suspended") || status.step.is_none() => Tone::Waiting,
        () => Tone::Going,
    }
}

/// Class and reason of a failure, else why it is where it is.
pub fn reason(status: &MigrationRunStatus) -> String {
    match (&status.failure, condition(status, READY)) {
        (Some(failure), _) => class_and_reason(failure),
        (None, Some(ready)) => ready.reason.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// `Class/Reason`.
pub fn class_and_reason(failure: &Failure) -> String {
    match &failure.reason {
        Some(reason) => format!("{}/{reason}", failure.class),
        None => failure.class.clone(),
    }
}

/// Whether its targets are let go.
pub fn gate(status: &MigrationRunStatus) -> &'static str {
    match condition(status, GATE_OPEN).map(|condition| condition.status.as_str()) {
        Some("True") => "Open",
        Some(_) => "Held",
        None => "-",
    }
}

/// Since when it is as it is.
pub fn since(status: &MigrationRunStatus) -> Option<&Time> {
    condition(status, READY).map(|ready| &ready.last_transition_time)
}

/// What a person does next, as commands and their reasons; empty where nothing is asked of anybody.
pub fn next(run: &MigrationRun, flags: &str) -> Vec<(String, String)> {
    let status = run.status.clone().unwrap_or_default();
    let name = run.name_any();
    let command = |words: &str| format!("kubectl sluice {words}{flags}");
    let mut steps = Vec::new();
    if let Some(failure) = &status.failure {
        steps.push((command(&format!("logs {name}")), "what it printed".to_owned()));
        if let Some(reason) = &failure.reason {
            steps.push((format!("kubectl sluice explain {reason}"), "what it means, and the ways on".to_owned()));
        }
        if status.is_stalled() {
            steps.push((command(&format!("retry {name}")), "when its cause is gone".to_owned()));
        }
    } else if status.rolled_back().is_some() && !status.is_rolling_back() {
        steps.push((command(&format!("retry {name}")), "lets this release go again".to_owned()));
    }
    if status.step.as_deref() == Some("Suspended") {
        let patch = format!("kubectl patch mrun {name}{flags} --type=merge -p '{{\"spec\":{{\"suspend\":false}}}}'");
        steps.push((patch, "lets it start".to_owned()));
    }
    for target in status.targets.iter().filter(|target| !target.settled) {
        steps.push((command(&format!("gate {}", target.name)), "why it is held".to_owned()));
    }
    steps
}

/// A condition by its type.
pub fn condition<'a>(status: &'a MigrationRunStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// The label selector of what belongs to a run.
pub fn selector(run: &MigrationRun) -> String {
    format!("{}={}", labels::RUN_UID, run.uid().unwrap_or_default())
}
