//! `kubectl sluice status`: one screen that says what, why, since when and what next, and the tree of all that belongs to a run.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::style::{Style, Tone, wrap};
use super::{age, gate, run, short};
use crate::api::MigrationRun;
use crate::api::status::{Attempt, AttemptOutcome, StepRecord, TargetState, TargetStatus};

/// What was read of a run and of what belongs to it.
#[derive(Debug, Default)]
pub struct Picture {
    /// Its Jobs that are still there.
    pub jobs: Vec<Job>,
    /// Their pods.
    pub pods: Vec<Pod>,
    /// Its targets that are there.
    pub deployments: Vec<Deployment>,
    /// All ReplicaSets of the namespace that may be theirs.
    pub sets: Vec<ReplicaSet>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
}

const WIDTH: usize = 80;
const LABEL: usize = 10;

/// The page.
pub fn page(run: &MigrationRun, picture: &Picture, flags: &str, now: Timestamp, style: Style) -> String {
    let mut out = head(run, now, style);
    let next = run::next(run, flags);
    for (place, (command, why)) in next.iter().enumerate() {
        let label = if place == 0 { "Next" } else { "" };
        out.push_str(&format!("{label:<LABEL$}{command}\n{:LABEL$}  {why}\n", ""));
    }
    out.push('\n');
    out.push_str(&tree(run, picture, now, style));
    for line in &picture.unread {
        out.push_str(&format!("({line})\n"));
    }
    out
}

fn head(run: &MigrationRun, now: Timestamp, style: Style) -> String {
    let status = run.status.clone().unwrap_or_default();
    let mut out = String::new();
    let mut field = |label: &str, lines: Vec<String>| {
        for (place, line) in lines.into_iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            out.push_str(&format!("{label:<LABEL$}{line}\n"));
        }
    };
    field("Run", vec![format!("{} in namespace {}", run.name_any(), run.namespace().unwrap_or_default())]);
    field("Release", vec![run.spec.image.clone()]);
    let step = status.step.as_deref().unwrap_or("Unseen");
    let reason = Some(run::reason(&status)).filter(|reason| reason != "-").map(|reason| format!(": {reason}"));
    let mut state = format!("{step}{}", reason.unwrap_or_default());
    if let Some(since) = run::since(&status) {
        state.push_str(&format!(", for {}", age::since(since, now)));
    }
    field("State", vec![style.marked(run::tone(&status), &state)]);
    let unseen = "No operator has seen it yet: is one running? `kubectl sluice check` looks.";
    field("", wrap(status.summary.as_deref().unwrap_or(unseen), WIDTH - LABEL));
    let database = run.spec.database_id(&run.namespace().unwrap_or_default());
    let clean = status.clean.as_ref().map_or("never seen clean by this run".to_owned(), |clean| {
        format!("last seen clean with {}, {} ago", short(&clean.image), age::since(&clean.at, now))
    });
    field("Database", wrap(&format!("{database}, {clean}"), WIDTH - LABEL));
    if let Some(enforced) = &status.gate {
        let (word, how) = (run::gate(&status), enforced.enforcement);
        let tone = if word == "Open" { Tone::Good } else { Tone::Waiting };
        field("Gate", vec![style.marked(tone, &format!("{word}, enforced by {how:?}"))]);
    }
    if let Some(failure) = &status.failure {
        field("Evidence", failure.evidence.iter().map(|line| format!("| {line}")).collect());
    }
    out
}

/// One line of the tree: how deep, its name, state and remark.
struct Node {
    depth: usize,
    name: String,
    tone: Tone,
    state: String,
    remark: String,
}

fn node(depth: usize, name: String, (tone, state): (Tone, String), remark: String) -> Node {
    Node { depth, name, tone, state, remark }
}

fn tree(run: &MigrationRun, picture: &Picture, now: Timestamp, style: Style) -> String {
    let status = run.status.clone().unwrap_or_default();
    let step = status.step.clone().unwrap_or_else(|| "Unseen".to_owned());
    let mut nodes = vec![node(0, format!("run {}", run.name_any()), (run::tone(&status), step), String::new())];
    for attempt in &status.attempts {
        nodes.extend(attempt_nodes(attempt, picture, now));
    }
    for target in &status.targets {
        nodes.extend(target_nodes(target, picture, now));
    }
    draw(&nodes, style)
}

fn attempt_nodes(attempt: &Attempt, picture: &Picture, now: Timestamp) -> Vec<Node> {
    let state = match attempt.outcome {
        None => (Tone::Going, "Active".to_owned()),
        Some(AttemptOutcome::Clean) => (Tone::Good, "Clean".to_owned()),
        Some(AttemptOutcome::Failed) => {
            let why = attempt.failure.as_ref().map(|failure| failure.reason.as_ref().unwrap_or(&failure.class).clone());
            (Tone::Bad, why.unwrap_or_else(|| "Failed".to_owned()))
        }
        Some(other) => (Tone::Plain, format!("{other:?}")),
    };
    let begun = attempt.migrate.created_at.as_ref().map(|then| format!("{} ago", age::since(then, now)));
    let name = format!("attempt {} of {}", attempt.number, short(&attempt.image));
    let mut nodes = vec![node(1, name, state, begun.unwrap_or_default())];
    for record in std::iter::once(&attempt.migrate).chain(&attempt.check) {
        let there = picture.jobs.iter().any(|job| job.uid().as_deref() == Some(&record.uid));
        let gone = if there { "" } else { ", gone" };
        nodes.push(node(2, format!("job {}", record.job), step_state(record), format!("{}{gone}", took(record, now))));
        let pods = picture.pods.iter().filter(|pod| pod.owner_references().iter().any(|owner| owner.uid == record.uid));
        nodes.extend(pods.map(|pod| node(3, format!("pod {}", pod.name_any()), pod_state(pod), String::new())));
    }
    nodes
}

fn step_state(record: &StepRecord) -> (Tone, String) {
    match (record.exit_code, &record.started_at, &record.ended_at) {
        (Some(0), ..) => (Tone::Good, "exit 0".to_owned()),
        (Some(code), ..) => (Tone::Bad, format!("exit {code}")),
        (None, _, Some(_)) => (Tone::Bad, "ended".to_owned()),
        (None, Some(_), None) => (Tone::Going, "running".to_owned()),
        (None, None, None) => (Tone::Waiting, "not started".to_owned()),
    }
}

fn took(record: &StepRecord, now: Timestamp) -> String {
    let end = record.ended_at.clone().unwrap_or(Time(now));
    record.started_at.as_ref().map(|start| format!("took {}", age::between(start, &end))).unwrap_or_default()
}

fn pod_state(pod: &Pod) -> (Tone, String) {
    let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_else(|| "Unknown".to_owned());
    let tone = match phase.as_str() {
        "Succeeded" => Tone::Good,
        "Failed" => Tone::Bad,
        _ => Tone::Going,
    };
    (tone, phase)
}

fn target_nodes(target: &TargetStatus, picture: &Picture, now: Timestamp) -> Vec<Node> {
    let tone = match target.state {
        TargetState::Open => Tone::Good,
        TargetState::Held | TargetState::Missing => Tone::Waiting,
        TargetState::NotGated => Tone::Bad,
        TargetState::NotRequired | TargetState::Superseded => Tone::Plain,
    };
    let since = format!("for {}", age::since(&target.since, now));
    let state = (tone, format!("{:?}", target.state));
    let mut nodes = vec![node(1, format!("deployment {}", target.name), state, since)];
    if let Some(deployment) = picture.deployments.iter().find(|each| each.name_any() == target.name) {
        let sets = gate::sets(deployment, &picture.sets);
        nodes.extend(sets.into_iter().map(|set| {
            let name = format!("replicaset {} {}", set.name, set.release);
            node(2, name, (set.tone, set.pods), set.remark)
        }));
    }
    nodes
}

/// Lines with branches before the names, and columns behind them.
fn draw(nodes: &[Node], style: Style) -> String {
    let prefixed: Vec<String> =
        nodes.iter().enumerate().map(|(place, node)| format!("{}{}", branches(nodes, place), node.name)).collect();
    let width = prefixed.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let line = |(name, node): (&String, &Node)| {
        let state = style.marked(node.tone, &node.state);
        let remark = if node.remark.is_empty() { String::new() } else { format!(", {}", node.remark) };
        format!("{name:<width$}  {state}{remark}\n")
    };
    prefixed.iter().zip(nodes).map(line).collect()
}

fn branches(nodes: &[Node], place: usize) -> String {
    let Some(depth) = nodes.get(place).map(|node| node.depth).filter(|depth| *depth > 0) else { return String::new() };
    let later = |level: usize| {
        let after = nodes.iter().skip(place + 1).map(|node| node.depth);
        after.take_while(|depth| *depth >= level).any(|depth| depth == level)
    };
    let before: String = (1..depth).map(|level| if later(level) { "│  " } else { "   " }).collect();
    format!("{before}{}", if later(depth) { "├─ " } else { "└─ " })
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub use tests::held;
