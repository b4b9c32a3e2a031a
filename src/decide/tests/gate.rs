//! The targets of a run: held, let go, and what is said of them.

use std::collections::BTreeMap;

use super::release::{clean, stalled};
use super::*;
use crate::api::labels;
use crate::api::status::TargetState;
use crate::api::target::{Gate, GateMode, Target};
use crate::decide::observed::{DeploymentSeen, Fence, TargetSeen};
use crate::gate::{Container, Workload};

/// A gated Deployment whose template has this image, and what is approved on it.
pub fn deployment(image: &str, approved: &[&str]) -> DeploymentSeen {
    let held = !approved.contains(&image);
    let mut annotations = BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), approved.join("\n"))]);
    if held {
        annotations.insert(labels::HELD_BY.to_owned(), crate::gate::BY_ADMISSION.to_owned());
    }
    let workload = Workload {
        name: "shop".into(),
        labels: BTreeMap::from([(labels::GATED.to_owned(), "true".to_owned())]),
        annotations,
        containers: vec![Container { name: "app".into(), image: image.into(), serves: true }],
        paused: held,
    };
    DeploymentSeen { fence: Fence::default(), workload, running: Vec::new() }
}

pub fn target(name: &str, deployment: Option<DeploymentSeen>) -> TargetSeen {
    TargetSeen { name: name.into(), image: "shop:1".into(), deployment, required: true, ..TargetSeen::default() }
}

pub fn with_targets(mut seen: Observed, targets: Vec<TargetSeen>) -> Observed {
    let mut spec = (*seen.spec).clone();
    spec.targets = Some(targets.iter().map(|t| Target { name: t.name.clone(), ..Target::default() }).collect());
    (seen.spec, seen.targets, seen.lock) = (Arc::new(spec), targets, Lock::Free);
    seen
}

/// One whose template has the run's release, approved.
pub fn open() -> TargetSeen {
    target("shop", Some(deployment("shop:1", &["shop:1", "shop:0"])))
}

pub fn held() -> TargetSeen {
    target("shop", Some(deployment("shop:1", &["shop:0"])))
}

fn approvals(decision: &Decision) -> Vec<String> {
    let approved = decision.effects.iter().filter_map(|effect| match effect {
        Effect::ApproveImages { approved, .. } => Some(approved.text().replace('\n', " ")),
        _ => None,
    });
    approved.collect()
}

#[test]
fn a_clean_run_lets_its_targets_go_all_or_none() {
    let both = |second: TargetSeen| decide(&with_targets(clean(), vec![held(), second]));
    let let_go = ["shop:1 shop:0", "shop:1 shop:0"];
    assert_eq!(approvals(&both(held())), let_go);
    let missing = both(target("worker", None));
    assert_eq!(says(&missing), "Waits TargetMissing, Targets");
    let awaited = TargetSeen { unready: vec!["run b".into()], ..held() };
    assert_eq!(says(&both(awaited)), "Waits RequiredRun, Targets");
    assert_eq!(approvals(&both(target("worker", Some(deployment("shop:1", &["shop:1"]))))), let_go[..1]);
    assert_eq!(approvals(&both(TargetSeen { successor: Some("next".into()), ..held() })), let_go[..1]);
}

#[test]
fn nothing_is_approved_before_the_database_is_clean_nor_while_suspended() {
    let suspended = |mut seen: Observed| {
        let mut spec = (*seen.spec).clone();
        spec.suspend = Some(true);
        seen.spec = Arc::new(spec);
        seen
    };
    let observing = |mut seen: Observed| {
        let mut spec = (*seen.spec).clone();
        spec.gate = Some(Gate { mode: Some(GateMode::Observe) });
        seen.spec = Arc::new(spec);
        seen
    };
    assert_eq!(says(&decide(&observing(with_targets(observed(), vec![held()])))), "TakenUp, Targets");
    for seen in [observed(), migrating(), stalled(), suspended(clean())] {
        assert_eq!(approvals(&decide(&with_targets(seen, vec![held()]))), [""; 0]);
    }
}

#[test]
fn a_gate_that_does_not_hold_lets_through_at_once() {
    for mode in [GateMode::Observe, GateMode::Off] {
        let mut seen = with_targets(migrating(), vec![held()]);
        let mut spec = (*seen.spec).clone();
        spec.gate = Some(Gate { mode: Some(mode) });
        seen.spec = Arc::new(spec);
        seen.migrate = job(&seen, "migrate", ContainerSeen::Running(None), false);
        assert_eq!(says(&pass(&mut seen)), "MigrateStarted, Targets", "{mode:?}: what is learned goes on record first");
        assert_eq!(approvals(&decide(&seen)), ["shop:1 shop:0"], "{mode:?}");
        seen.targets[0].unready = vec!["run b".into()];
        assert_eq!(approvals(&decide(&seen)), [""; 0], "{mode:?}: another run holds it");
    }
}

#[test]
fn a_deployment_that_was_created_again_gets_back_what_the_database_is_clean_with() {
    let mut seen = with_targets(clean(), vec![held()]);
    let mut spec = (*seen.spec).clone();
    spec.image = "shop:2".into();
    seen.spec = Arc::new(spec);
    // Another release is taken up, and fails or waits.
    pass(&mut seen);
    seen.spec = Arc::new(MigrationRunSpec { suspend: Some(true), ..(*seen.spec).clone() });
    let again = |change: fn(&mut TargetSeen)| {
        let mut target = target("shop", Some(deployment("shop:2", &[])));
        (target.image, target.clean_with) = ("shop:2".into(), Some("shop:1".into()));
        change(&mut target);
        approvals(&decide(&Observed { targets: vec![target], ..seen.clone() }))
    };
    assert_eq!(again(|_| {}), ["shop:1"]);
    type Change = fn(&mut TargetSeen);
    let cases: [(&str, Change); 6] = [
        ("nothing is on record", |target| target.clean_with = None),
        ("of an image of the target's own the record says nothing", |target| target.image = "worker:2".into()),
        ("another run decides", |target| target.successor = Some("next".into())),
        ("its runs are others", |target| target.required = false),
        ("another database may not be clean with it", |target| target.unready = vec!["run b".into()]),
        ("this release goes with all targets or none", |target| target.clean_with = Some("shop:2".into())),
    ];
    for (case, change) in cases {
        assert_eq!(again(change), [""; 0], "{case}");
    }
}

#[test]
fn what_is_not_this_runs_to_let_go_is_settled_and_what_is_missing_is_looked_for_again() {
    let state = |target: TargetSeen| {
        let mut seen = with_targets(clean(), vec![target]);
        let decision = pass(&mut seen);
        let target = &seen.status.targets[0];
        (target.state, target.settled, approvals(&decision).len(), decision.requeue.map(|delay| delay.as_secs()))
    };
    let superseded = |target: TargetSeen| TargetSeen { successor: Some("next".into()), ..target };
    let open = || target("shop", Some(deployment("shop:1", &["shop:1"])));
    assert_eq!(state(TargetSeen { required: false, ..held() }), (TargetState::NotRequired, true, 0, None));
    assert_eq!(state(superseded(held())), (TargetState::Superseded, false, 0, None), "held with this run's image");
    assert_eq!(state(superseded(open())), (TargetState::Superseded, true, 0, None));
    assert_eq!(state(target("shop", None)), (TargetState::Missing, false, 0, Some(30)));
    assert_eq!(state(superseded(target("shop", None))), (TargetState::Missing, false, 0, Some(30)));
}

#[test]
fn the_list_keeps_what_runs_and_no_more_than_five_releases() {
    let mut shop = deployment("shop:1", &["shop:0", "a", "b", "c", "d", "e"]);
    shop.running = vec![vec!["c".into(), "log:1".into()], vec!["d".into()]];
    let decision = decide(&with_targets(clean(), vec![target("shop", Some(shop))]));
    assert_eq!(approvals(&decision), ["shop:1 c log:1 d shop:0 a"]);
    // At 0 replicas nothing runs; what the template has beside the release stays all the same.
    let mut pod = deployment("shop:1", &["e", "d", "c", "b", "a", "log:1"]);
    pod.workload.containers.push(Container { name: "log".into(), image: "log:1".into(), serves: true });
    let decision = decide(&with_targets(clean(), vec![target("shop", Some(pod))]));
    assert_eq!(approvals(&decision), ["shop:1 log:1 e d c"]);
}

#[test]
fn a_run_is_ready_when_its_targets_are_let_go() {
    let mut seen = with_targets(clean(), vec![held()]);
    pass(&mut seen);
    let is = |seen: &Observed, kind: &str| {
        let conditions = &seen.status.conditions;
        conditions.iter().find(|condition| condition.type_ == kind).map(|condition| condition.status.clone())
    };
    assert_eq!((is(&seen, "Ready"), is(&seen, "GateOpen")), (Some("Unknown".into()), Some("False".into())));
    assert_eq!(seen.status.targets[0].state, TargetState::Held);
    seen.targets = vec![target("shop", Some(deployment("shop:1", &["shop:1"])))];
    pass(&mut seen);
    assert_eq!((is(&seen, "Ready"), is(&seen, "GateOpen")), (Some("True".into()), Some("True".into())));
    let before = seen.status.clone();
    seen.now = Timestamp::from_second(2_000_000).unwrap();
    assert!(pass(&mut seen).effects.is_empty());
    assert_eq!(seen.status, before, "at rest nothing is written");
}

#[test]
fn a_held_target_says_what_it_waits_for() {
    let message = |image: &str, more: &[&str]| {
        let mut shop = deployment(image, &["shop:0"]);
        for image in more {
            shop.workload.containers.push(Container { name: (*image).into(), image: (*image).into(), serves: true });
        }
        let mut seen = with_targets(migrating(), vec![target("shop", Some(shop))]);
        pass(&mut seen);
        seen.status.targets[0].message.clone().unwrap()
    };
    assert!(message("shop:1", &[]).contains("until the database is clean"));
    assert!(message("shop:2", &[]).contains("not this run's shop:1"));
    assert!(message("shop:1", &["log:2"]).contains("sluice.dev/containers"));
}
