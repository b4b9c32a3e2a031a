//! The rule by tables, and what holds for every pair of objects.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::labels;

/// A gated Deployment with one container `app` of that image, and annotations.
fn shop(image: &str, annotations: &[(&str, &str)]) -> Workload {
    Workload {
        name: "shop".into(),
        labels: BTreeMap::from([(labels::GATED.into(), "true".into())]),
        annotations: annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        containers: vec![carrier("app", image)],
        paused: false,
    }
}

fn carrier(name: &str, image: &str) -> Container {
    Container { name: name.into(), image: image.into(), serves: true }
}

/// One that serves an approved `shop:1`.
fn serving() -> Workload {
    shop("shop:1", &[(labels::APPROVED_IMAGES, "shop:1")])
}

/// The same, sent `shop:2`: held.
fn held() -> Workload {
    let sent = shop("shop:2", &[]);
    judge(&by_people(Some(&serving()), &sent)).of(&sent)
}

fn by_people<'a>(old: Option<&'a Workload>, new: &'a Workload) -> Request<'a> {
    Request { old, new, by_operator: false, may_bypass: false }
}

fn by_operator<'a>(old: &'a Workload, new: &'a Workload) -> Request<'a> {
    Request { old: Some(old), new, by_operator: true, may_bypass: false }
}

/// What it has become: paused, held by whom, the approved images.
fn outcome(request: &Request<'_>) -> (bool, String, String) {
    let after = judge(request).of(request.new);
    (after.paused, after.annotation(labels::HELD_BY).to_owned(), after.annotation(labels::APPROVED_IMAGES).to_owned())
}

fn holds(approved: &str) -> (bool, String, String) {
    (true, BY_ADMISSION.into(), approved.into())
}

fn open(approved: &str) -> (bool, String, String) {
    (false, String::new(), approved.into())
}

fn refused(request: &Request<'_>, words: &str) {
    match admit(request) {
        Answer::Refused(message) => assert!(message.contains(words), "{message}"),
        admitted => panic!("not refused with \"{words}\": {admitted:?}"),
    }
}

#[test]
fn what_is_new_and_not_approved_is_held() {
    let (serving, mut planted) = (serving(), shop("shop:2", &[(labels::APPROVED_IMAGES, "shop:1\nshop:2")]));
    assert_eq!(outcome(&by_people(Some(&serving), &planted)), holds("shop:1"), "an edited list");
    assert_eq!(outcome(&by_people(None, &planted)), holds(""), "a planted list, on create");
    planted.annotations.insert(labels::HELD_BY.into(), "nobody".into());
    assert_eq!(outcome(&by_people(Some(&serving), &planted)), holds("shop:1"), "a planted hold");
    assert_eq!(outcome(&by_people(Some(&serving), &shop("shop:1", &[]))), open("shop:1"), "a dropped list");
}

#[test]
fn adoption_approves_what_runs_and_nothing_that_was_planted() {
    let mut bare = shop("shop:1", &[(labels::APPROVED_IMAGES, "shop:2"), (labels::HELD_BY, BY_ADMISSION)]);
    bare.labels.clear();
    let mut labelled = bare.clone();
    labelled.labels.insert(labels::GATED.into(), "true".into());
    assert_eq!(outcome(&by_people(Some(&bare), &labelled)), open("shop:1"));
    labelled.containers = vec![carrier("app", "shop:2")];
    assert_eq!(outcome(&by_people(Some(&bare), &labelled)), holds("shop:1"), "label and image at once");
    let older = shop("shop:1", &[]);
    assert_eq!(outcome(&by_people(Some(&older), &shop("shop:1", &[]))), open("shop:1"), "a label older than the rule");
    bare.containers = vec![carrier("app", "shop:1\nshop:2")];
    assert_eq!(outcome(&by_people(Some(&bare), &labelled)), holds(""), "two images in one");
}

#[test]
fn approving_is_one_annotation_and_opens_that_image_alone() {
    let held = held();
    let mut approval = held.clone();
    approval.annotations.insert(labels::APPROVED_IMAGES.into(), "shop:2\nshop:1".into());
    assert_eq!(outcome(&by_operator(&held, &approval)), open("shop:2\nshop:1"));
    assert_eq!(outcome(&by_people(Some(&held), &approval)), holds("shop:1"), "by another hand");
    approval.containers = vec![carrier("app", "shop:3")];
    assert_eq!(outcome(&by_operator(&held, &approval)), holds("shop:2\nshop:1"), "a late approval");
    let mut revoked = serving();
    revoked.annotations.insert(labels::APPROVED_IMAGES.into(), String::new());
    assert_eq!(outcome(&by_operator(&serving(), &revoked)), holds(""));
}

#[test]
fn going_back_needs_nobody_and_a_pause_of_ones_own_stays() {
    assert_eq!(outcome(&by_people(Some(&held()), &shop("shop:1", &[]))), open("shop:1"));
    let mut paused = serving();
    paused.paused = true;
    let sent = shop("shop:2", &[]);
    let after = judge(&by_people(Some(&paused), &sent)).of(&sent);
    assert_eq!(after.annotation(labels::HELD_BY), BY_ADMISSION_AND_USER);
    let mut back = shop("shop:1", &[]);
    back.paused = true;
    assert_eq!(outcome(&by_people(Some(&after), &back)), (true, String::new(), "shop:1".into()));
}

#[test]
fn the_containers_that_carry_the_release_are_those_of_before() {
    let mut two = shop("shop:1", &[(labels::APPROVED_IMAGES, "shop:1"), (labels::CONTAINERS, "app")]);
    two.containers.push(carrier("log", "log:1"));
    let sent = |app: (&str, &str), log: &str, names: &str| {
        let mut sent = shop(app.1, &[(labels::CONTAINERS, names)]);
        sent.containers = vec![carrier(app.0, app.1), carrier("log", log)];
        sent
    };
    let ask = |new: Workload| outcome(&by_people(Some(&two), &new));
    assert_eq!(ask(sent(("app", "shop:1"), "log:2", "app")), open("shop:1"), "another container's image");
    assert_eq!(ask(sent(("app", "shop:2"), "log:1", "log")), holds("shop:1"), "left out with its image");
    assert_eq!(ask(sent(("web", "shop:2"), "log:1", "app")), holds("shop:1"), "renamed");
    assert_eq!(ask(sent(("web", "shop:1"), "log:1", "web")), holds("shop:1"), "renamed, in the list too");
    let mut sidecar = shop("shop:1", &[]);
    sidecar.containers.push(Container { name: "init".into(), image: "shop:2".into(), serves: false });
    assert_eq!(outcome(&by_people(Some(&serving()), &sidecar)), open("shop:1"), "an init container ends");
    sidecar.containers[1].serves = true;
    assert_eq!(outcome(&by_people(Some(&serving()), &sidecar)), holds("shop:1"), "a sidecar serves");
    assert_eq!(outcome(&by_people(Some(&serving()), &shop("", &[]))), holds("shop:1"), "no image");
}

#[test]
fn a_held_gate_is_not_narrowed() {
    let mut held = held();
    held.containers.push(carrier("log", "shop:1"));
    let narrowed = |names: &str| {
        let mut new = held.clone();
        new.annotations.insert(labels::CONTAINERS.into(), names.into());
        new
    };
    refused(&by_people(Some(&held), &narrowed("log")), "what the list would leave out");
    refused(&by_people(Some(&held), &narrowed("log,ghost")), "what the list would leave out");
    assert!(matches!(admit(&by_people(Some(&held), &narrowed("app"))), Answer::Admitted { .. }), "log's is approved");
    assert!(matches!(admit(&by_people(Some(&held), &narrowed("app, log"))), Answer::Admitted { .. }));
    let mut renamed = narrowed("app");
    renamed.containers = vec![carrier("web", "shop:2"), carrier("log", "shop:1")];
    let before = narrowed("app");
    assert!(matches!(admit(&by_people(Some(&before), &renamed)), Answer::Admitted { .. }));
    renamed.annotations.insert(labels::CONTAINERS.into(), "web".into());
    assert!(matches!(admit(&by_people(Some(&before), &renamed)), Answer::Admitted { .. }), "renamed in both places");
    renamed.annotations.insert(labels::CONTAINERS.into(), "log".into());
    refused(&by_people(Some(&before), &renamed), "what the list would leave out");
}

#[test]
fn the_label_has_one_value_and_comes_off_when_nothing_is_held() {
    let mut wrong = serving();
    wrong.labels.insert(labels::GATED.into(), "True".into());
    refused(&by_people(Some(&serving()), &wrong), "no other");
    let sent = Workload { containers: vec![carrier("app", "shop:2")], ..wrong.clone() };
    assert_eq!(outcome(&by_people(Some(&wrong), &sent)), holds("shop:1"), "one that was there gates");
    assert!(matches!(admit(&by_people(Some(&wrong), &sent)), Answer::Admitted { .. }));
    let mut bare = held();
    bare.labels.clear();
    refused(&by_people(Some(&held()), &bare), "does not come off");
    bare.containers = vec![carrier("app", "shop:1")];
    assert_eq!(outcome(&by_people(Some(&held()), &bare)), open(UNGATED));
    let change = judge(&by_people(Some(&bare), &bare));
    assert_eq!(change, Change::default(), "not ours any more");
}

#[test]
fn a_bypass_opens_its_image_alone_and_ends_with_it() {
    let mut bypass = held();
    bypass.annotations.insert(labels::BYPASS.into(), "shop:2 checkout is down".into());
    refused(&by_people(Some(&held()), &bypass), "needs the verb");
    let may = Request { may_bypass: true, ..by_people(None, &bypass) };
    let (before, other, mut same) = (held(), shop("shop:3", &[]), bypass.clone());
    let request = Request { old: Some(&before), ..may };
    assert_eq!(outcome(&request), open("shop:1"));
    let opened = judge(&request).of(&bypass);
    same.paused = false;
    assert_eq!(outcome(&by_people(Some(&opened), &same)), open("shop:1"), "a later write of anybody");
    same.annotations.insert(labels::BYPASS.into(), "shop:2".into());
    refused(&Request { new: &same, ..request }, "needs a reason");
    let mut next = Workload { containers: other.containers, ..opened.clone() };
    let after = judge(&by_people(Some(&opened), &next)).of(&next);
    assert!(after.is_held() && !after.annotations.contains_key(labels::BYPASS), "the next image ends it");
    next.annotations.insert(labels::BYPASS.into(), "shop:2 again\nshop:3 too".into());
    assert_eq!(outcome(&by_people(Some(&opened), &next)), open("shop:1"), "several lines");
    let mut planted = bypass.clone();
    planted.labels.clear();
    refused(&by_people(Some(&planted), &bypass), "needs the verb");
}

#[test]
fn who_is_held_is_told_why() {
    let told = |old: &Workload, new: &Workload| match admit(&by_people(Some(old), new)) {
        Answer::Admitted { warnings, .. } => warnings.join("\n"),
        refused => panic!("{refused:?}"),
    };
    assert!(told(&serving(), &shop("shop:2", &[])).contains("Deployment shop is held: not approved yet: shop:2."));
    assert_eq!(told(&serving(), &shop("shop:1", &[])), "");
    let named = shop("shop:1", &[(labels::APPROVED_IMAGES, "shop:1"), (labels::CONTAINERS, "app")]);
    let renamed = Workload { containers: vec![carrier("web", "shop:1")], ..named.clone() };
    assert!(told(&named, &renamed).contains("what the template lacks: app"));
    for (image, moving) in
        [("shop", true), ("a:5/shop", true), ("a:5/shop:latest", true), ("shop@sha256:1", false), ("a:5/shop:1", false)]
    {
        assert_eq!(told(&serving(), &shop(image, &[])).contains("another one tomorrow"), moving, "{image}");
    }
}

#[test]
fn the_list_is_an_image_a_line() {
    let mut list = Approved::parse("shop:1\n\nshop 2");
    assert!(list.has("shop:1") && list.has("shop 2") && !list.has("") && !list.has("shop"));
    list.add("shop:1".into());
    list.add("a\nb".into());
    list.add(UNGATED.into());
    assert_eq!(list.text(), "shop:1\nshop 2");
    assert_eq!(Approved::parse(&list.text()), list);
    let releases: Vec<[String; 2]> = (0..9).map(|n| [format!("app:{n}"), "log:1".to_owned()]).collect();
    assert_eq!(Approved::of_releases(releases).text(), "app:0\nlog:1\napp:1\napp:2\napp:3\napp:4");
    assert_eq!(Approved::of_running(["shop:1", UNGATED, "a\nb", ""].into_iter()).text(), "shop:1");
    let mut replica_set = shop("shop:2", &[]);
    assert_eq!(replica_set.waits_for(&list).len(), 1);
    replica_set.annotations.insert(labels::BYPASS.into(), "shop:2 now".into());
    assert!(replica_set.waits_for(&list).is_empty());
    assert!(shop("shop:9", &[]).waits_for(&Approved::parse(UNGATED)).is_empty());
}

/// Few values, so that they collide.
fn any_workload() -> impl Strategy<Value = Workload> {
    let image = || prop::sample::select(vec!["", "a:1", "a:2", "a:3", "a:1\na:2", "*"]);
    let container = (prop::sample::select(vec!["app", "web", "log"]), image(), any::<bool>());
    let containers = prop::collection::vec(container, 0..3);
    let label = option::of(prop::sample::select(vec!["true", "true", "true", "no"]));
    let list = option::of(prop::sample::select(vec!["", "a:1", "a:2", "a:1\na:2", "*"]));
    let held_by = option::of(prop::sample::select(vec!["", "x", BY_ADMISSION, BY_ADMISSION_AND_USER]));
    let names = option::of(prop::sample::select(vec!["", "app", "web", " app,log", "ghost", ","]));
    let bypass = option::of(prop::sample::select(vec!["", "a:2 x", "a:3 x", "a:3", "a:2 x\na:3 y", " a:2"]));
    (label, list, held_by, names, bypass, containers, any::<bool>()).prop_map(
        |(label, list, held_by, names, bypass, containers, paused)| {
            let annotations = [
                (labels::APPROVED_IMAGES, list),
                (labels::HELD_BY, held_by),
                (labels::CONTAINERS, names),
                (labels::BYPASS, bypass),
            ];
            let words = |found: &[(&str, Option<&str>)]| {
                found.iter().filter_map(|(key, value)| Some(((*key).to_owned(), (*value)?.to_owned()))).collect()
            };
            let container = |(name, image, serves): (&str, &str, bool)| Container { serves, ..carrier(name, image) };
            Workload {
                name: "shop".into(),
                labels: words(&[(labels::GATED, label)]),
                annotations: words(&annotations),
                containers: containers.into_iter().map(container).collect(),
                paused,
            }
        },
    )
}

/// The workload as a Deployment's JSON.
fn written(workload: &Workload) -> Value {
    let containers = |serves: bool| -> Vec<Value> {
        let found = workload.containers.iter().filter(|c| c.serves == serves);
        found.map(|c| json!({ "name": c.name, "image": c.image })).collect()
    };
    json!({
        "metadata": { "name": workload.name, "labels": workload.labels, "annotations": workload.annotations },
        "spec": {
            "paused": workload.paused,
            "selector": {},
            "template": { "spec": { "containers": containers(true), "initContainers": containers(false) } },
        },
    })
}

proptest! {
    #[test]
    fn twice_is_once(old in option::of(any_workload()), new in any_workload(), by_operator: bool, may_bypass: bool) {
        let request = Request { old: old.as_ref(), new: &new, by_operator, may_bypass };
        let once = judge(&request).of(&new);
        let again = judge(&Request { new: &once, ..request }).of(&once);
        prop_assert_eq!(&again, &once);
        let (first, second) = (admit(&request), admit(&Request { new: &once, ..request }));
        prop_assert_eq!(matches!(first, Answer::Refused(_)), matches!(second, Answer::Refused(_)));
    }

    #[test]
    fn what_it_writes_it_does_not_read(
        old in option::of(any_workload()), new in any_workload(), paused: bool, list in "a:[123]", held_by in "[a-z]*"
    ) {
        let mut other = new.clone();
        other.paused = paused;
        other.annotations.insert(labels::APPROVED_IMAGES.into(), list);
        other.annotations.insert(labels::HELD_BY.into(), held_by);
        let (change, same) = (judge(&by_people(old.as_ref(), &new)), judge(&by_people(old.as_ref(), &other)));
        prop_assert_eq!(change, same);
    }

    #[test]
    fn nobody_but_the_operator_opens_without_a_bypass(old in any_workload(), new in any_workload(), list in "a:[123]") {
        let (mut old, mut new) = (old, new);
        old.annotations.entry(labels::APPROVED_IMAGES.into()).or_insert(list);
        for each in [&mut old, &mut new] {
            each.labels.insert(labels::GATED.into(), "true".into());
        }
        let after = judge(&by_people(Some(&old), &new)).of(&new);
        prop_assert_eq!(after.approved(), old.approved());
        if !after.is_held() {
            let (open, bypassed) = (old.approved(), new.bypassed());
            for c in new.carriers(&old.named_containers()) {
                prop_assert!(open.has(&c.image) || bypassed.contains(&c.image.as_str()));
            }
        }
        prop_assert!(!after.is_held() || after.paused);
    }

    #[test]
    fn no_series_of_writes_lets_an_image_go_that_is_held(
        steps in prop::collection::vec(any_workload(), 1..8)
    ) {
        // By people without the verb, who leave its container out of the list, put others beside it, take off labels and
        // annotations. Under another name than those on the list it could go: that a list names what is gated is its use.
        let mut now = shop("a:9", &[(labels::APPROVED_IMAGES, "a:1"), (labels::HELD_BY, BY_ADMISSION)]);
        now.paused = true;
        for mut step in steps {
            let mut seen = vec!["app".to_owned()];
            step.containers.retain(|c| !seen.contains(&c.name) && { seen.push(c.name.clone()); true });
            step.containers.push(carrier("app", "a:9"));
            if let Answer::Admitted { change, .. } = admit(&by_people(Some(&now), &step)) {
                now = change.of(&step);
            }
            prop_assert!(now.is_gated() && now.is_held() && now.paused, "{now:?}");
        }
    }

    #[test]
    fn a_patch_makes_what_the_change_says(old in option::of(any_workload()), new in any_workload()) {
        let change = judge(&by_people(old.as_ref(), &new));
        let mut object = written(&new);
        if new.annotations.is_empty() {
            object["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        let patch = serde_json::from_value::<json_patch::Patch>(Value::from(change.operations(&object))).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
        let (read, wanted) = (Workload::read(&object), Workload::read(&written(&change.of(&new))));
        prop_assert_eq!(&read, &wanted);
        prop_assert!(change.operations(&object).is_empty(), "a second patch has nothing to do");
        let typed: Deployment = serde_json::from_value(object).unwrap();
        let mut typed = Workload::from(&typed);
        typed.containers.iter_mut().for_each(|c| c.serves = false);
        let mut read = read;
        read.containers.iter_mut().for_each(|c| c.serves = false);
        prop_assert_eq!(typed, read, "typed and untyped are read alike");
    }
}
