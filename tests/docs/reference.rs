//! docs/reference.md, held equal to the code: each label, annotation and Event stands there, and nothing else does.

use std::collections::BTreeSet;

use super::{crd, files, found, regex, source};

/// The keys of this form that stand in the code as a text of their own.
fn written_out(key: &str, code: &str) -> BTreeSet<String> {
    found(&regex(&format!("\"({key})\"")), code).into_iter().collect()
}

/// What is under a heading of the page.
fn section(title: &str) -> String {
    let page = source("docs/reference.md");
    let (_, rest) = page.split_once(&format!("\n## {title}\n")).unwrap();
    rest.split("\n## ").next().unwrap().to_owned()
}

#[test]
fn every_label_and_annotation_is_described_and_no_other() {
    let key = r"(?:sluice\.dev|(?:[a-z-]+\.)+(?:io|sh))/[a-z-]+";
    let kept = written_out(key, &source("src/api/labels.rs"));
    assert!(kept.contains("sluice.dev/gated") && kept.contains("karpenter.sh/do-not-disrupt"));
    for path in
        files("src", &["rs"]).iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("api/labels.rs"))
    {
        let text = std::fs::read_to_string(path).unwrap();
        let written = written_out("sluice\\.dev/[a-z-]+", text.split("#[cfg(test)]").next().unwrap());
        let in_tests = path.components().any(|part| part.as_os_str() == "tests");
        assert!(in_tests || written.is_empty(), "{}: {written:?} belong into src/api/labels.rs", path.display());
    }
    let described = found(&regex(&format!(r"(?m)^\| `({key})` \|")), &section("Labels and annotations"));
    assert_eq!(described.iter().cloned().collect::<BTreeSet<_>>(), kept);
    assert_eq!(described.len(), kept.len(), "one is described twice");
}

/// Object, reason and type of an Event.
type Event = (&'static str, String, &'static str);

fn event(object: &'static str, reason: &str, warning: bool) -> Event {
    (object, reason.to_owned(), if warning { "Warning" } else { "Normal" })
}

/// The Events that the code can write and that have a reason of their own.
fn written() -> BTreeSet<Event> {
    let text = source("src/status/announce.rs");
    let (of_run, of_targets) = text.split_once("pub fn of_targets").unwrap();
    let said = regex(r#"(?:say\(|=> \()(true|false),\s*"(\w+)""#);
    let mut events = BTreeSet::new();
    let mut read = 0;
    for (object, text) in [("MigrationRun", of_run), ("Deployment", of_targets)] {
        for said in said.captures_iter(text) {
            read += 1;
            events.insert(event(object, &said[2], &said[1] == "true"));
        }
    }
    // What waits, what failed, and a way back that is told in other words; and the function itself.
    let (others, ways_back) = (4, 4);
    assert_eq!(read - ways_back + others, text.matches("say(").count(), "an Event has another form: read it here, too");
    let targets = crd()["properties"]["status"]["properties"]["targets"]["items"].clone();
    let warnings = targets["properties"]["warnings"]["items"]["properties"]["reason"]["enum"].clone();
    let warnings = warnings.as_array().unwrap().iter().filter_map(|reason| reason.as_str().map(str::to_owned));
    events.extend(warnings.map(|reason| event("Deployment", &reason, true)));
    events
}

#[test]
fn every_event_is_described_and_no_other() {
    let row = regex(r"(?m)^\| `(\w+)` \| (MigrationRun|Deployment) \| (Normal|Warning) \|");
    let page = section("Events");
    let described: Vec<Event> = row
        .captures_iter(&page)
        .map(|row| {
            event(if &row[2] == "Deployment" { "Deployment" } else { "MigrationRun" }, &row[1], &row[3] == "Warning")
        })
        .collect();
    assert_eq!(described.iter().cloned().collect::<BTreeSet<_>>(), written());
    assert_eq!(described.len(), written().len(), "one is described twice");
    for path in files("src", &["rs"]) {
        let elsewhere = !path.ends_with("controller/events.rs")
            && std::fs::read_to_string(&path).unwrap().contains("Recorder::new");
        assert!(!elsewhere, "{} writes Events, too", path.display());
    }
}

#[test]
fn what_a_run_waits_for_is_described() {
    let states = source("docs/states.md");
    let (_, table) = states.split_once("\n## What it waits for\n").unwrap();
    let described: BTreeSet<String> =
        found(&regex(r"(?m)^\| `(\w+)` \|"), table.split("\n## ").next().unwrap()).into_iter().collect();
    let named = regex(r#"(?:Decision::wait\(|Some\(\()\s*"(\w+)","#);
    let code = ["attempt", "release", "gate"].map(|file| source(&format!("src/decide/{file}.rs"))).concat();
    let waits: BTreeSet<String> = found(&named, &code).into_iter().collect();
    assert!(waits.contains("TargetMissing") && waits.contains("DatabaseBusy") && waits.contains("PodStillRuns"));
    assert_eq!(waits.difference(&described).next(), None, "docs/states.md does not say what a run waits for there");
}
