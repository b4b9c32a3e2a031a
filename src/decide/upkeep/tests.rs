//! What is done for gated Deployments.

use super::*;
use crate::gate::Container;
use serde_json::json;
use std::collections::BTreeMap;

fn set(image: &str, wanted: i32) -> Set {
    Set {
        fence: Fence { name: image.into(), ..Fence::default() },
        release: [image.to_owned()].into(),
        wanted,
        present: wanted,
        ready: wanted,
        manifest: json!({ "metadata": { "name": image } }),
        ..Set::default()
    }
}

/// One without pods that the Deployment controller has seen since there is a gate.
fn listed(image: &str) -> Set {
    Set { annotations: BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), "a".to_owned())]), ..set(image, 0) }
}

/// One of the approved release whose list is from before that.
fn outdated(wanted: i32) -> Set {
    Set { annotations: BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), "z".to_owned())]), ..set("a", wanted) }
}

fn kept(number: i64, image: &str) -> Revision {
    let set = set(image, 0);
    Revision { fence: set.fence, number, release: set.release, manifest: set.manifest, fits: true }
}

/// A Deployment whose template has `image`, with `a` approved.
pub(crate) fn gated(image: &str, sets: Vec<Set>, revisions: Vec<Revision>) -> Gated {
    let held = image != "a";
    let mut annotations = BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), "a".to_owned())]);
    if held {
        annotations.insert(labels::HELD_BY.to_owned(), crate::gate::BY_ADMISSION.to_owned());
    }
    Gated {
        workload: Workload {
            name: "shop".into(),
            labels: BTreeMap::from([(labels::GATED.to_owned(), "true".to_owned())]),
            annotations,
            containers: vec![Container { name: "app".into(), image: image.into(), serves: true }],
            paused: held,
        },
        fence: Fence { name: "shop".into(), uid: "its-uid".into(), resource_version: "7".into() },
        wanted: 2,
        complete: true,
        sets,
        revisions,
        selected_by: Some(BTreeSet::new()),
        ..Gated::default()
    }
}

fn says(gated: &Gated) -> String {
    let told = upkeep(gated).into_iter().map(|write| match &write {
        Upkeep::DeleteReplicaSet(fence) | Upkeep::DropRevision(fence) => format!("{} {}", write.name(), fence.name),
        Upkeep::KeepRevision { number, .. } => format!("KeepRevision {number}"),
        Upkeep::RestoreReplicaSet { manifest, replicas } => {
            format!("RestoreReplicaSet {} {replicas}", manifest["metadata"]["name"].as_str().unwrap_or_default())
        }
        other => other.name().to_owned(),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_held_deployment_keeps_what_serves_and_loses_what_must_not_start() {
    let cases = [
        ("serving", gated("b", vec![set("a", 2)], vec![kept(1, "a")]), ""),
        ("serving, never complete before", gated("b", vec![set("a", 2)], vec![]), "KeepRevision 1"),
        ("scaled to 0", gated("b", vec![set("a", 0)], vec![kept(1, "a")]), ""),
        ("held one planted", gated("b", vec![set("a", 2), set("b", 0)], vec![kept(1, "a")]), "DeleteReplicaSet b"),
        ("what a person let go, at 0", gated("b", vec![set("c", 0)], vec![kept(2, "c"), kept(1, "a")]), ""),
        ("what a person let go serves", gated("b", vec![set("c", 2)], vec![kept(2, "c"), kept(1, "a")]), ""),
        ("a release that was never kept serves", gated("b", vec![set("c", 2)], vec![kept(1, "a")]), ""),
        ("not kept yet", gated("b", vec![set("a", 2)], vec![kept(1, "z")]), "KeepRevision 2"),
        ("held one still running", gated("b", vec![set("a", 2), set("b", 1)], vec![]), ""),
        ("created again", gated("b", vec![], vec![kept(2, "c"), kept(1, "a")]), "RestoreReplicaSet a 2"),
        ("nothing approved is kept", gated("b", vec![], vec![kept(2, "c")]), ""),
        ("first install", gated("b", vec![], vec![]), ""),
        ("approved since its list was copied", gated("b", vec![outdated(0)], vec![kept(1, "a")]), "DeleteReplicaSet a"),
        ("the same, and could not be made again", gated("b", vec![outdated(0)], vec![]), ""),
        ("the same, with pods", gated("b", vec![outdated(2)], vec![kept(1, "a")]), ""),
    ];
    for (case, gated, expected) in cases {
        assert_eq!(says(&gated), expected, "{case}");
    }
    let mut other = gated("b", vec![], vec![kept(1, "a")]);
    other.revisions[0].fits = false;
    assert_eq!(says(&other), "", "of another selector");
    let mut nobody = gated("b", vec![], vec![kept(1, "a")]);
    nobody.wanted = 0;
    assert_eq!(says(&nobody), "");
    // Of two approved ones at 0 the controller would start the newer, not the one that served.
    nobody.sets = vec![set("a", 0), set("a2", 0)];
    nobody.sets[1].release = ["a".to_owned()].into();
    assert_eq!(says(&nobody), "DeleteReplicaSet a2");
}

#[test]
fn an_open_deployment_loses_what_is_older_than_its_gate() {
    let beside = |other: Set| gated("a", vec![set("a", 2), other], vec![kept(1, "a")]);
    assert_eq!(says(&beside(set("z", 0))), "DeleteReplicaSet z");
    assert_eq!(says(&beside(listed("z"))), "", "the policies know it");
    assert_eq!(says(&beside(Set { present: 1, ..set("z", 0) })), "", "its last pod is there");
    assert_eq!(says(&beside(Set { wanted: 1, ..set("z", 0) })), "", "it is to have pods");
    let approved = Set { release: ["a".to_owned()].into(), ..set("a2", 0) };
    assert_eq!(says(&beside(approved)), "", "it is approved");
    let mut bypassed = beside(set("z", 0));
    bypassed.workload.containers[0].image = "z".into();
    let bypass = (labels::BYPASS.to_owned(), "z it is urgent".to_owned());
    bypassed.workload.annotations.extend([bypass]);
    assert_eq!(says(&bypassed), "", "it is about to start");
    let mut older = beside(set("z", 0));
    older.workload.annotations.clear();
    assert_eq!(says(&older), "", "nothing says yet what is approved");
}

#[test]
fn what_is_held_says_why_once_for_each_reason_and_what_is_open_says_nothing() {
    let mut held = gated("b", vec![set("a", 2)], vec![kept(1, "a")]);
    held.held_for = Some("MigrationRun shop: it failed".into());
    assert_eq!(upkeep(&held), [Upkeep::ExplainHold(held.held_for.clone())]);
    held.workload.annotations.insert(labels::HELD_FOR.into(), "MigrationRun shop: it failed".into());
    assert_eq!(says(&held), "", "it says so already");
    held.held_for = None;
    assert_eq!(says(&held), "", "what was known last stays");
    let mut open = gated("a", vec![set("a", 2)], vec![kept(1, "a")]);
    assert_eq!(says(&open), "");
    open.workload.annotations.insert(labels::HELD_FOR.into(), "MigrationRun shop: it failed".into());
    assert_eq!(upkeep(&open), [Upkeep::ExplainHold(None)]);
}

#[test]
fn a_hold_that_the_rule_no_longer_wants_ends() {
    let mut renamed = gated("b", vec![set("a", 2)], vec![kept(1, "a")]);
    renamed.workload.containers[0].image = "a".into();
    let writes = upkeep(&renamed);
    let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((change.paused, change.held_by.clone()), (Some(false), Some(None)));
    // A label older than the policies: admission takes it up at its next write.
    renamed.workload.annotations.clear();
    assert_eq!(says(&renamed), "");
}

#[test]
fn a_complete_release_is_kept_once_and_no_more_than_three_are() {
    let older = || vec![kept(4, "z"), kept(3, "y"), kept(2, "x")];
    assert_eq!(says(&gated("a", vec![set("a", 2)], vec![])), "KeepRevision 1");
    assert_eq!(says(&gated("a", vec![set("a", 2)], vec![kept(1, "a")])), "");
    assert_eq!(says(&gated("a", vec![set("a", 2), listed("z")], older())), "KeepRevision 5, DropRevision x");
    let mut unready = gated("a", vec![set("a", 2)], vec![]);
    unready.sets[0].ready = 1;
    assert_eq!(says(&unready), "", "not all of it is ready");
    assert_eq!(says(&gated("a", vec![set("z", 2)], vec![])), "", "it is not the template's");
    let held = gated("b", vec![set("a", 2)], older());
    assert_eq!(says(&held), "KeepRevision 5, DropRevision x", "held, three are the most as well");
    let mut rolling = gated("a", vec![set("a", 1), set("z", 1)], older());
    rolling.complete = false;
    assert_eq!(says(&rolling), "");
}

#[test]
fn without_admission_the_operator_writes_the_rule() {
    let reactive = |mut gated: Gated| {
        gated.enforcement = Enforcement::Reactive;
        gated.workload.annotations.remove(labels::HELD_BY);
        gated.workload.paused = false;
        gated
    };
    let late = reactive(gated("b", vec![set("a", 2)], vec![]));
    let writes = upkeep(&late);
    let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((change.paused, change.approved.as_deref()), (Some(true), Some("a")));
    assert_eq!(says(&reactive(gated("a", vec![set("a", 2)], vec![kept(1, "a")]))), "");
    let mut new = reactive(gated("b", vec![], vec![]));
    new.workload.annotations.clear();
    let writes = upkeep(&new);
    let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((change.paused, change.approved.as_deref()), (Some(true), Some("")));
    new.sets = vec![set("b", 1)];
    let writes = upkeep(&new);
    let [Upkeep::WriteRule(change)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((change.paused, change.approved.as_deref()), (None, Some("b")), "what ran before is approved");
}
