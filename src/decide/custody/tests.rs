//! Rollbacks, step by step, and one played to its end against a small Deployment controller.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::decide::observed::Fence;
use crate::decide::upkeep::{Revoked, upkeep};
use crate::gate::{BY_ADMISSION, Container, Workload};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn fence(name: &str) -> Fence {
    Fence { name: name.into(), ..Fence::default() }
}

/// A ReplicaSet named as its image; the later, the larger `born`.
fn set(image: &str, wanted: i32, available: i32, born: i64) -> Set {
    Set {
        fence: fence(image),
        release: [image.to_owned()].into(),
        wanted,
        present: wanted,
        ready: available,
        available,
        created: Some(at(born)),
        labels: BTreeMap::from([
            ("app".to_owned(), "shop".to_owned()),
            ("pod-template-hash".to_owned(), image.to_owned()),
        ]),
        manifest: json!({
            "metadata": { "name": image },
            "spec": { "template": { "metadata": { "labels": { "app": "shop" } } } },
        }),
        ..Set::default()
    }
}

fn kept(number: i64, image: &str) -> Revision {
    let set = set(image, 0, 0, 0);
    Revision { fence: set.fence, number, release: set.release, manifest: set.manifest, fits: true }
}

/// Three pods are wanted; release `b` of the template was rolled back, `a` is approved.
fn gated(sets: Vec<Set>, custody: Vec<Set>) -> Gated {
    let annotations = [(labels::APPROVED_IMAGES, "a"), (labels::HELD_BY, BY_ADMISSION)];
    Gated {
        workload: Workload {
            name: "shop".into(),
            labels: BTreeMap::from([(labels::GATED.to_owned(), "true".to_owned())]),
            annotations: annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            containers: vec![Container { name: "app".into(), image: "b".into(), serves: true }],
            paused: true,
        },
        fence: fence("shop"),
        wanted: 3,
        sets,
        revisions: vec![kept(2, "b"), kept(1, "a")],
        now: at(0),
        revoked: vec![Revoked { image: "b".into(), why: "shop/1/t".into() }],
        custody,
        selected_by: Some(["app".to_owned()].into()),
        deadline: Some(Duration::from_secs(600)),
        ..Gated::default()
    }
}

fn in_custody(mut set: Set, since: i64) -> Set {
    set.labels.remove("app");
    set.labels.insert(labels::CUSTODY.to_owned(), "shop".to_owned());
    set.annotations.insert(labels::CUSTODY_SINCE.to_owned(), at(since).to_string());
    set.annotations.insert(labels::CUSTODY_FOR.to_owned(), "shop/1/t".to_owned());
    set
}

fn says(gated: &Gated) -> String {
    let told = go_on(gated).into_iter().map(|write| match &write {
        Upkeep::DeleteReplicaSet(set) => format!("delete {}", set.name),
        Upkeep::RestoreReplicaSet { manifest, replicas } => {
            format!("restore {} {replicas}", manifest["metadata"]["name"].as_str().unwrap_or_default())
        }
        Upkeep::TakeCustody(to) => format!("take {} {}", to.set.name, to.replicas),
        Upkeep::ScaleCustody(to) => format!("scale {} {}", to.set.name, to.replicas),
        Upkeep::GiveBack(to) => format!("give back {} {}", to.set.name, to.replicas),
        other => other.name().to_owned(),
    });
    told.collect::<Vec<_>>().join(", ")
}

#[test]
fn what_is_bad_is_taken_when_there_is_something_to_go_back_to() {
    let full = || vec![set("a", 0, 0, 1), set("b", 3, 3, 2)];
    assert_eq!(says(&gated(full(), vec![])), "take b 3", "after a full rollout");
    assert_eq!(says(&gated(vec![set("a", 2, 2, 1), set("b", 1, 0, 2)], vec![])), "take b 1", "in its middle");
    assert_eq!(says(&gated(vec![set("b", 3, 3, 2)], vec![])), "take b 3", "the one before was cleaned up");
    let old = gated(vec![set("b", 3, 3, 2), set("old", 0, 0, 0)], vec![]);
    assert_eq!(says(&old), "delete old, take b 3", "and one that is older would be filled in its place");
    assert_eq!(says(&gated(vec![set("a", 3, 3, 1)], vec![])), "", "nothing of it runs");
    let mut none = gated(full(), vec![]);
    none.revisions.pop();
    assert_eq!(says(&none), "", "nothing is known to have been complete");
    assert!(matches!(progress(&none, "b"), Progress::Impossible(_)));
    let mut never = gated(full(), vec![]);
    never.revoked.clear();
    assert_eq!(says(&never), "", "nobody has rolled it back: a person may have let it go");
    let mut again = gated(full(), vec![]);
    again.workload.annotations.insert(labels::APPROVED_IMAGES.to_owned(), "a\nb".to_owned());
    assert_eq!(says(&again), "", "it is approved again");
    assert!(matches!(progress(&again, "b"), Progress::UnderWay(_)), "or still");
    let mut open = gated(full(), vec![]);
    open.workload.annotations.remove(labels::HELD_BY);
    assert_eq!(says(&open), "", "the Deployment would replace it itself");
    let mut sticky = gated(full(), vec![]);
    sticky.selected_by = None;
    assert_eq!(says(&sticky), "", "the Deployment would still see it");
    assert!(matches!(progress(&sticky, "b"), Progress::Impossible(_)));
    let mut recreate = gated(full(), vec![]);
    recreate.recreate = true;
    assert_eq!(says(&recreate), "take b 0");
}

/// Without pods the controller starts the newest by creation, whichever that is.
#[test]
fn what_would_be_started_in_its_place_goes_first() {
    let sets = vec![set("a", 0, 0, 1), set("old", 0, 0, 0), set("c", 0, 0, 2), set("b", 3, 3, 3)];
    assert_eq!(says(&gated(sets, vec![])), "delete c, take b 3");
    let listed = |list: &str| {
        let mut good = set("a", 0, 0, 1);
        good.annotations.insert(labels::APPROVED_IMAGES.to_owned(), list.to_owned());
        says(&gated(vec![good, set("b", 3, 3, 3)], vec![]))
    };
    assert_eq!(listed("a\nz"), "take b 3");
    assert_eq!(listed("z"), "delete a, take b 3", "nobody could scale it up; it is made again with the list of today");
}

/// It can be neither deleted yet nor passed over; which of its pods are left is the ReplicaSet controller's to say.
#[test]
fn what_would_be_started_in_its_place_is_waited_for_while_a_pod_of_it_is_left() {
    let ending = Set { present: 1, ..set("c", 0, 1, 2) };
    let mut waits = gated(vec![set("a", 0, 0, 1), ending, set("b", 3, 3, 3)], vec![]);
    assert_eq!((says(&waits).as_str(), look_again(&waits)), ("", Some(ENDING)), "a pod of it still ends");
    let Progress::UnderWay(told) = progress(&waits, "b") else { panic!("it goes on by itself") };
    assert!(told.ends_with("it waits until the last pods of c are gone"), "{told}");
    waits.sets.remove(0);
    assert_eq!(says(&waits), "", "nor while what it goes back to has yet to be created again");
    waits.sets.insert(0, set("a", 0, 0, 1));
    waits.sets[1].present = 0;
    assert_eq!((says(&waits).as_str(), look_again(&waits)), ("delete c, take b 3", None), "that is its end");
    let older = Set { present: 1, ..set("old", 0, 1, 0) };
    let passed_over = gated(vec![older, set("a", 0, 0, 1), set("b", 3, 3, 3)], vec![]);
    assert_eq!(says(&passed_over), "take b 3", "an older one is not started");
    let of_the_good = Set { present: 1, ..set("a", 0, 1, 1) };
    assert_eq!(says(&gated(vec![of_the_good, set("b", 3, 3, 3)], vec![])), "take b 3", "what it goes back to ends");
    let mut both = gated(vec![set("a", 0, 0, 1), Set { present: 1, ..set("c", 0, 1, 2) }, set("b", 3, 3, 3)], vec![]);
    both.revoked.push(Revoked { image: "c".into(), why: "shop/1/t".into() });
    assert_eq!(says(&both), "take c 0, take b 3", "rolled back too, it goes out of sight with the other");
    both.sets.remove(2);
    assert_eq!(says(&both), "take c 0", "or alone");
    let mut nothing = gated(vec![set("a", 3, 3, 1), Set { present: 1, ..set("c", 0, 1, 2) }], vec![]);
    assert_eq!((says(&nothing).as_str(), look_again(&nothing)), ("", None), "nothing is to be taken");
    nothing.custody.push(in_custody(set("b", 3, 3, 3), 0));
    assert_eq!(says(&nothing), "scale b 0", "nor is there anything left to");
}

#[test]
fn of_several_the_templates_own_is_taken_last() {
    let mut two = gated(vec![set("a", 0, 0, 1), set("b", 2, 2, 3), set("b2", 1, 1, 2)], vec![]);
    two.revoked.push(Revoked { image: "b2".into(), why: "shop/1/t".into() });
    assert_eq!(says(&two), "take b2 1, take b 2");
}

#[test]
fn custody_takes_a_set_out_of_sight_and_keeps_its_pods() {
    let writes = go_on(&gated(vec![set("a", 0, 0, 1), set("b", 3, 3, 2)], vec![]));
    let [Upkeep::TakeCustody(custody)] = writes.as_slice() else { panic!("{writes:?}") };
    assert!(!custody.labels.contains_key("app"));
    assert_eq!(custody.labels["pod-template-hash"], "b", "what its own selector may ask for stays");
    assert_eq!(custody.labels[labels::CUSTODY], "shop");
    assert_eq!(custody.annotations[labels::CUSTODY_FOR], "shop/1/t");
}

#[test]
fn pods_go_as_others_come_and_an_empty_set_is_deleted() {
    let now =
        |available, left| says(&gated(vec![set("a", 3, available, 1)], vec![in_custody(set("b", left, left, 2), 0)]));
    assert_eq!(now(0, 3), "");
    assert_eq!(now(1, 3), "scale b 2");
    assert_eq!(now(3, 2), "scale b 0");
    assert_eq!(now(3, 0), "delete b");
    let again = |image| gated(vec![], vec![in_custody(set("b", 3, 3, 2), 0), in_custody(set(image, 0, 0, 1), 0)]);
    assert_eq!(says(&again("c")), "", "it may have to serve again");
    assert_eq!(says(&again("a")), "delete a", "it is approved again, and is made again under this name");
    let mut ending = in_custody(set("b", 0, 0, 2), 0);
    ending.present = 1;
    assert_eq!(says(&gated(vec![set("a", 3, 3, 1)], vec![ending])), "", "a pod of it still ends");
    let mut scaled = gated(vec![set("a", 0, 0, 1)], vec![in_custody(set("b", 3, 3, 2), 0)]);
    scaled.wanted = 0;
    assert_eq!(says(&scaled), "scale b 0", "scaled to 0 meanwhile");
    let mut reverted = gated(vec![set("a", 3, 2, 1)], vec![in_custody(set("b", 3, 3, 2), 0)]);
    reverted.workload.annotations.remove(labels::HELD_BY);
    assert_eq!(says(&reverted), "scale b 1", "Git went back too");
    let two = vec![in_custody(set("b", 2, 2, 2), 0), in_custody(set("c", 2, 2, 2), 0)];
    assert_eq!(says(&gated(vec![set("a", 3, 2, 1)], two)), "scale c 0, scale b 1", "the template's own last");
}

#[test]
fn pods_that_end_or_have_not_come_up_count_for_none_that_serve() {
    let just_emptied = set("a", 0, 3, 1);
    assert_eq!(says(&gated(vec![just_emptied], vec![in_custody(set("b", 3, 3, 2), 0)])), "", "its pods are going");
    let taken_twice = vec![in_custody(set("c", 3, 3, 2), 0), in_custody(set("b", 2, 0, 3), 0)];
    assert_eq!(says(&gated(vec![set("a", 3, 0, 1)], taken_twice)), "scale b 0", "c serves, though b is the template's");
}

#[test]
fn where_there_is_no_room_it_is_made_by_steps_that_the_deployment_bears() {
    let mut tight = gated(vec![set("a", 3, 0, 1)], vec![in_custody(set("b", 3, 3, 2), 0)]);
    tight.no_room = true;
    tight.now = at(29);
    assert_eq!(says(&tight), "");
    tight.now = at(30);
    assert_eq!(says(&tight), "scale b 2");
    tight.custody[0].annotations.insert(labels::CUSTODY_STEP.to_owned(), at(30).to_string());
    tight.custody[0].wanted = 2;
    tight.now = at(60);
    assert_eq!(says(&tight), "", "what had room has not come up yet: no more go");
    tight.sets[0].available = 1;
    tight.now = at(59);
    assert_eq!(says(&tight), "", "the room is for one to come");
    tight.now = at(60);
    assert_eq!(says(&tight), "scale b 1");
    tight.no_room = false;
    assert_eq!(says(&tight), "", "slow is not without room");
    tight.now = at(629);
    assert_eq!(says(&tight), "", "the term begins anew with each step");
    tight.now = at(630);
    assert_eq!(says(&tight), "scale b 3", "and ends");
}

#[test]
fn what_does_not_come_back_in_time_leaves_the_other_serving() {
    let mut late = gated(vec![set("a", 3, 1, 1)], vec![in_custody(set("b", 2, 2, 2), 0)]);
    late.now = at(599);
    assert_eq!(says(&late), "");
    late.now = at(600);
    let writes = go_on(&late);
    let [Upkeep::ScaleCustody(more)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!(more.replicas, 3, "first it is made complete, out of sight");
    late.custody[0].annotations.clone_from(&more.annotations);
    late.custody[0].wanted = 3;
    assert_eq!(says(&late), "", "the Deployment controller would take pods from what is not");
    late.custody[0].available = 3;
    let writes = go_on(&late);
    let [Upkeep::GiveBack(back)] = writes.as_slice() else { panic!("{writes:?}") };
    assert_eq!((back.replicas, back.labels.get("app").map(String::as_str)), (3, Some("shop")));
    assert_eq!(back.annotations[labels::DESIRED_REPLICAS], "3");
    assert!(!back.labels.contains_key(labels::CUSTODY));
    let mut given = set("b", 3, 3, 2);
    given.annotations.clone_from(&back.annotations);
    let after = gated(vec![set("a", 0, 0, 1), given], vec![]);
    assert_eq!((says(&after).as_str(), progress(&after, "b")), ("", Progress::Failed), "it does not go to and fro");
    let mut anew = after;
    anew.revoked[0].why = "shop/1/u".into();
    assert_eq!(says(&anew), "take b 3", "asked for again");
}

#[test]
fn a_term_that_is_over_ends_it_one_way_or_the_other() {
    let mut forever = gated(vec![set("a", 3, 1, 1)], vec![in_custody(set("b", 2, 2, 2), 0)]);
    forever.deadline = None;
    forever.now = at(100_000);
    assert_eq!(says(&forever), "", "without a term there is no end");
    let mut enough = gated(vec![set("a", 3, 2, 1)], vec![in_custody(set("b", 1, 1, 2), 0)]);
    enough.max_unavailable = 1;
    enough.now = at(600);
    assert_eq!(says(&enough), "scale b 0", "as many are available as the Deployment asks for");
    let mut recreate = gated(vec![set("a", 3, 0, 1)], vec![in_custody(set("b", 0, 0, 2), 0)]);
    recreate.recreate = true;
    assert_eq!(says(&recreate), "", "it is not gone for good before the other serves");
    assert!(matches!(progress(&recreate, "b"), Progress::UnderWay(_)));
    recreate.now = at(600);
    assert_eq!(says(&recreate), "scale b 3");
    recreate.sets[0].available = 3;
    recreate.now = at(5);
    assert_eq!(says(&recreate), "delete b");
    // Whoever asked for it may be gone by then.
    let mut orphan = gated(vec![set("a", 3, 1, 1)], vec![in_custody(set("b", 2, 2, 2), 0)]);
    orphan.revoked.clear();
    orphan.now = at(600);
    assert_eq!(says(&orphan), "scale b 3");
}

#[test]
fn what_is_let_go_by_hand_is_left_to_who_did() {
    let mut let_go = gated(vec![set("a", 0, 0, 1), set("b", 3, 3, 2)], vec![]);
    let_go.workload.annotations.insert(labels::BYPASS.to_owned(), "b because".to_owned());
    let_go.workload.annotations.remove(labels::HELD_BY);
    assert_eq!(says(&let_go), "");
    assert!(matches!(progress(&let_go, "b"), Progress::Contested(Some(_))));
}

#[test]
fn what_somebody_takes_out_of_custody_is_left_to_them() {
    let mut back = in_custody(set("b", 3, 3, 2), 0);
    back.labels = set("b", 3, 3, 2).labels;
    back.relabelled_by = Some("kubectl-label".into());
    let contested = gated(vec![set("a", 0, 0, 1), back], vec![]);
    assert_eq!(says(&contested), "");
    assert_eq!(progress(&contested, "b"), Progress::Contested(Some("kubectl-label".into())));
}

#[test]
fn a_release_that_was_rolled_back_is_not_started_by_scaling_up() {
    let mut scaled = gated(vec![set("a", 0, 0, 1), set("b", 0, 0, 2)], vec![]);
    scaled.wanted = 0;
    let writes = upkeep(&scaled);
    assert_eq!(writes, [Upkeep::DeleteReplicaSet(fence("b"))]);
    assert_eq!(progress(&scaled, "b"), Progress::Done);
}

#[test]
fn the_next_look_is_at_the_next_term() {
    let mut waiting = gated(vec![set("a", 3, 0, 1)], vec![in_custody(set("b", 3, 3, 2), 0)]);
    waiting.now = at(10);
    assert_eq!(look_again(&waiting), Some(Duration::from_secs(20)));
    waiting.now = at(590);
    assert_eq!(look_again(&waiting), Some(Duration::from_secs(10)));
    waiting.custody.clear();
    assert_eq!(look_again(&waiting), None);
}

/// What the Deployment controller does with a paused Deployment's ReplicaSets: one that is active alone, or the newest where
/// none is, is scaled to what is wanted.
fn control(gated: &mut Gated) {
    let mut active: Vec<usize> = (0..gated.sets.len()).filter(|&each| gated.sets[each].wanted > 0).collect();
    if active.is_empty() {
        active = (0..gated.sets.len()).max_by_key(|&each| gated.sets[each].created).into_iter().collect();
    }
    // One of the template that is complete empties all others.
    let complete = |set: &Set| set.release.contains("b") && set.wanted == gated.wanted && set.available == gated.wanted;
    if let Some(one) = gated.sets.iter().position(complete) {
        gated.sets.iter_mut().enumerate().filter(|(each, _)| *each != one).for_each(|(_, set)| {
            (set.wanted, set.available) = (0, 0);
        });
    } else if let [one] = active.as_slice() {
        gated.sets[*one].wanted = gated.wanted;
    }
}

/// One pod a step becomes available wherever one is wanted, but for those of `a` where they never do; those too many end.
fn run_pods(gated: &mut Gated, comes_up: bool) {
    for set in gated.sets.iter_mut().chain(&mut gated.custody) {
        set.present = set.wanted;
        let one_more = i32::from(comes_up || set.fence.name != "a");
        set.available = set.wanted.min(set.available + one_more);
    }
}

fn write(gated: &mut Gated, write: &Upkeep) {
    match write {
        Upkeep::TakeCustody(to) => {
            let position = gated.sets.iter().position(|set| set.fence == to.set).unwrap();
            let set = gated.sets.remove(position);
            gated.custody.push(Set {
                labels: to.labels.clone(),
                annotations: to.annotations.clone(),
                wanted: to.replicas,
                ..set
            });
        }
        Upkeep::ScaleCustody(to) => {
            let set = gated.custody.iter_mut().find(|set| set.fence == to.set).unwrap();
            (set.wanted, set.available) = (to.replicas, set.available.min(to.replicas));
            set.annotations.clone_from(&to.annotations);
        }
        Upkeep::GiveBack(to) => {
            let position = gated.custody.iter().position(|set| set.fence == to.set).unwrap();
            let set = gated.custody.remove(position);
            gated.sets.push(Set { labels: to.labels.clone(), annotations: to.annotations.clone(), ..set });
        }
        Upkeep::DeleteReplicaSet(which) => {
            gated.sets.retain(|set| set.fence != *which);
            gated.custody.retain(|set| set.fence != *which);
        }
        Upkeep::RestoreReplicaSet { replicas, .. } => gated.sets.push(set("a", *replicas, 0, 9)),
        Upkeep::KeepRevision { .. } | Upkeep::DropRevision(_) => {}
        other => panic!("{other:?}"),
    }
}

fn play(wanted: i32, bad: i32, good: Option<i32>, comes_up: bool) -> Gated {
    let case = format!("{wanted} {bad} {good:?} {comes_up}");
    let sets = good.map(|good| set("a", good, good, 1)).into_iter().chain([set("b", bad, bad, 2)]);
    let mut world = gated(sets.collect(), vec![]);
    world.wanted = wanted;
    let total = |world: &Gated| -> i32 { world.sets.iter().chain(&world.custody).map(|set| set.available).sum() };
    let least = total(&world);
    for step in 0..60 {
        world.now = at(20 * step);
        for each in upkeep(&world) {
            write(&mut world, &each);
            assert!(total(&world) >= least, "{case}: after {}", each.name());
        }
        control(&mut world);
        assert!(total(&world) >= least.min(wanted), "{case}: after the controller");
        run_pods(&mut world, comes_up);
    }
    world
}

/// From every mix of both releases: at each step as many are available as were at the start, and it ends.
#[test]
fn from_everywhere_it_ends_with_the_release_before_and_never_fewer_pods() {
    for wanted in 1..5 {
        for bad in 1..=wanted {
            for good in [Some(wanted - bad), None] {
                let world = play(wanted, bad, good, true);
                let left: Vec<(&str, i32)> =
                    world.sets.iter().map(|set| (set.fence.name.as_str(), set.available)).collect();
                assert_eq!((left, world.custody.len()), (vec![("a", wanted)], 0), "{wanted} {bad} {good:?}");
                assert_eq!(progress(&world, "b"), Progress::Done);
            }
        }
    }
}

#[test]
fn from_everywhere_it_ends_with_this_one_in_full_where_the_release_before_never_comes_up() {
    for wanted in 1..5 {
        for (bad, good) in [(wanted, Some(0)), (wanted, None)] {
            let world = play(wanted, bad, good, false);
            let serving: i32 = world.sets.iter().filter(|set| set.fence.name == "b").map(|set| set.available).sum();
            assert_eq!((serving, world.custody.len()), (wanted, 0), "{wanted} {bad} {good:?}");
            assert_eq!(progress(&world, "b"), Progress::Failed);
        }
    }
}
