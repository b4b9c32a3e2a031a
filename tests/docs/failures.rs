//! What the pages of docs/failures take from the code: how a failure of the class shows, and its reasons.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;
use sluice::api::MigrationRunStatus;
use sluice::api::status::{Failure, ReleaseRecord};
use sluice::classify::{Class, Entry, REASONS};
use sluice::decide::failure::{exhausted, needs_triage, retried};
use sluice::decide::observed::RunIdentity;
use sluice::decide::{Decision, Fact, Observed};
use sluice::status::{Applied, next};

use super::{anchor, files};

const IMAGE: &str = "ghcr.io/acme/shop:2.41.0";

/// The page of a class.
fn file(class: Class) -> String {
    let mut name = String::new();
    for letter in class.to_string().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    format!("docs/failures/{name}.md")
}

/// Every part that is made from the code: the page, the part's name, its text.
pub fn parts() -> Vec<(String, &'static str, String)> {
    Class::ALL
        .into_iter()
        .flat_map(|class| [(file(class), "shows", shows(class)), (file(class), "reasons", reasons(class))])
        .collect()
}

fn of_class(class: Class) -> Vec<&'static Entry> {
    REASONS.iter().filter(|entry| entry.class == class).collect()
}

/// A failure of `migrate`, as it is put on record.
fn failed(entry: &Entry) -> Failure {
    Failure {
        class: entry.class.to_string(),
        reason: Some(entry.name.to_owned()),
        branch: Some(entry.branch.to_string()),
        retryable: entry.retryable,
        message: format!("{} {}", entry.meaning, entry.way_out),
        step: "Migrate".to_owned(),
        attempt: 1,
        ..Failure::default()
    }
}

/// The reasons of a class, with what is done about each.
fn reasons(class: Class) -> String {
    let mut table =
        "| reason | tried again by itself | after `migrate`, `check` is asked |\n|---|---|---|\n".to_owned();
    for entry in of_class(class) {
        let (failure, link) = (failed(entry), anchor(entry.name));
        let word = |is| if is { "yes" } else { "no" };
        let (again, asked) = (word(retried(&failure)), word(needs_triage(&failure)));
        table.push_str(&format!("| [`{}`](../reasons.md#{link}) | {again} | {asked} |\n", entry.name));
    }
    table
}

/// What `kubectl get` and the conditions say of a run that has failed so.
fn shows(class: Class) -> String {
    let Some(entry) = of_class(class).into_iter().next() else { return String::new() };
    let failure = failed(entry);
    let mut stories = Vec::new();
    if retried(&failure) {
        let soon = Fact::RetryAt("2026-03-02T02:00:10Z".parse().unwrap());
        stories
            .push(("While it is tried again by itself", status(vec![Fact::Failed(Box::new(failure.clone())), soon])));
        let last = vec![Fact::Failed(Box::new(exhausted(failure)))];
        stories.push(("When no retry is left, or for a reason that is not tried again", status(last)));
    } else {
        stories.push(("", status(vec![Fact::Failed(Box::new(failure))])));
    }
    let told = stories.iter().map(|(when, status)| {
        let when = if when.is_empty() { String::new() } else { format!("{when}:\n\n") };
        format!("{when}{}\n{}", line(status), conditions(status))
    });
    told.collect::<Vec<_>>().join("\n\n")
}

fn line(status: &MigrationRunStatus) -> String {
    let failure = status.failure.as_ref().unwrap();
    let is = |kind| &status.conditions.iter().find(|condition| condition.type_ == kind).unwrap().status;
    let cells = [
        ("NAME", "shop"),
        ("IMAGE", IMAGE),
        ("STEP", status.step.as_deref().unwrap()),
        ("CLASS", &failure.class),
        ("GATE", is("GateOpen")),
        ("READY", is("Ready")),
        ("AGE", "54s"),
    ];
    let row = |of: fn(&(&str, &str)) -> String| {
        let each = cells.iter().map(|cell| format!("{:<width$}", of(cell), width = cell.0.len().max(cell.1.len())));
        each.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    let (head, body) = (row(|cell| cell.0.to_owned()), row(|cell| cell.1.to_owned()));
    format!("```\n$ kubectl -n shop get mrun shop\n{head}\n{body}\n```\n")
}

/// The conditions, by their reasons.
fn conditions(status: &MigrationRunStatus) -> String {
    let mut by_reason: Vec<(&str, Vec<String>)> = Vec::new();
    for condition in &status.conditions {
        let said = format!("`{}` {}", condition.type_, condition.status);
        match by_reason.iter_mut().find(|(reason, _)| *reason == condition.reason) {
            Some((_, all)) => all.push(said),
            None => by_reason.push((&condition.reason, vec![said])),
        }
    }
    let each = by_reason.iter().map(|(reason, all)| format!("{} with the reason `{reason}`", all.join(", ")));
    format!("Conditions: {}.", each.collect::<Vec<_>>().join("; "))
}

/// The status of a run to which this has happened.
fn status(facts: Vec<Fact>) -> MigrationRunStatus {
    let now = "2026-03-02T02:00:00Z".parse().unwrap();
    let release = ReleaseRecord {
        image: IMAGE.to_owned(),
        database_id: "shop".to_owned(),
        digest: String::new(),
        inputs: String::new(),
        generation: 1,
        queued_at: Time(now),
        retries: 0,
    };
    let observed = Observed {
        now,
        run: RunIdentity { name: "shop".to_owned(), generation: 1, ..RunIdentity::default() },
        spec: Arc::new(serde_json::from_value(json!({ "image": IMAGE, "database": { "id": "shop" } })).unwrap()),
        ..Observed::default()
    };
    let held = json!({ "kind": "Deployment", "name": "shop", "image": IMAGE, "state": "Held", "settled": false, "since": Time(now) });
    let held = Fact::Targets(vec![serde_json::from_value(held).unwrap()]);
    let facts = [Fact::TakenUp(release), held].into_iter().chain(facts);
    next(&observed, &facts.fold(Decision::rest(), Decision::fact), &Applied::default())
}

#[test]
fn every_class_has_its_page_and_no_page_is_of_another() {
    let mut wanted: Vec<String> = Class::ALL.into_iter().map(file).collect();
    wanted.push("docs/failures/README.md".to_owned());
    wanted.sort();
    let found: Vec<String> = files("docs/failures", &["md"])
        .iter()
        .map(|path| path.strip_prefix(super::TOP).unwrap().display().to_string())
        .collect();
    assert_eq!(found, wanted);
    let index = super::source("docs/failures/README.md");
    for page in &found[1..] {
        let name = page.rsplit('/').next().unwrap();
        assert!(index.contains(&format!("({name})")), "docs/failures/README.md does not lead to {name}");
    }
}
