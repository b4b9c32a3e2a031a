//! Whether a release that was let go goes back.

use super::gate::{deployment, target, with_targets};
use super::release::{clean, stalled};
use super::*;
use crate::api::status::RollbackState;
use crate::api::target::{Rollback, RollbackMode, SchemaCompatibility};
use crate::decide::custody::{Progress, WayBack};
use crate::decide::observed::TargetSeen;

fn way() -> Option<Result<WayBack, String>> {
    Some(Ok(WayBack { images: vec!["shop:0".into()], extra_pods: 2, ..WayBack::default() }))
}

/// A target on which the run's image is approved.
fn let_go(name: &str) -> TargetSeen {
    TargetSeen { way_back: way(), ..target(name, Some(deployment("shop:1", &["shop:1", "shop:0"]))) }
}

/// The same after its image was taken off the list.
fn revoked(progress: Progress) -> TargetSeen {
    let held = target("shop", Some(deployment("shop:1", &["shop:0"])));
    TargetSeen { way_back: way(), progress: Some(progress), ..held }
}

fn asks(mut seen: Observed, token: &str) -> Observed {
    seen.run.rollback = Some((token.to_owned(), Some("kubectl-annotate".into())));
    seen
}

fn wants(mut seen: Observed, mode: RollbackMode, schema: SchemaCompatibility) -> Observed {
    let mut spec = (*seen.spec).clone();
    spec.rollback = Some(Rollback { mode: Some(mode), schema_compatibility: Some(schema) });
    seen.spec = Arc::new(spec);
    seen
}

fn result(seen: &Observed) -> &str {
    seen.status.rollbacks.last().map(|taken| taken.result.as_str()).unwrap_or_default()
}

fn lists(decision: &Decision) -> Vec<(String, String)> {
    let revoked = decision.effects.iter().filter_map(|effect| match effect {
        Effect::RevokeImages { deployment, approved } => Some((deployment.name.clone(), approved.text())),
        _ => None,
    });
    revoked.collect()
}

#[test]
fn a_wish_is_on_record_before_anything_is_written_and_taken_once() {
    let named = |name: &str| {
        let mut target = let_go(name);
        target.deployment.as_mut().unwrap().fence.name = name.to_owned();
        target
    };
    let mut seen = asks(with_targets(clean(), vec![named("shop"), named("worker")]), "t");
    let taken = pass(&mut seen);
    assert_eq!(says(&taken), "RollbackTaken, RolledBack, Targets");
    let revoking = pass(&mut seen);
    assert_eq!(seen.status.step.as_deref(), Some("RollingBack"), "it has not been looked at");
    let off = |name: &str| (name.to_owned(), "shop:0".to_owned());
    assert_eq!(lists(&revoking), [off("worker"), off("shop")], "the last target first");
    seen.targets = vec![revoked(Progress::UnderWay("1 of 2".into()))];
    assert_eq!(says(&pass(&mut seen)), "Targets");
    assert_eq!((seen.status.step.as_deref(), result(&seen)), (Some("RollingBack"), "Accepted"));
    seen.targets = vec![revoked(Progress::Done)];
    assert_eq!(says(&pass(&mut seen)), "Targets", "a clean run does not let it go again");
    let target = seen.status.targets[0].rollback.as_ref().unwrap();
    assert_eq!((target.state, target.to.as_slice()), (RollbackState::Done, &["shop:0".to_owned()][..]));
    assert_eq!(seen.status.step.as_deref(), Some("RolledBack"));
}

#[test]
fn a_retry_lets_it_go_again() {
    let mut seen = asks(with_targets(clean(), vec![let_go("shop")]), "t");
    pass(&mut seen);
    seen.targets = vec![revoked(Progress::Done)];
    pass(&mut seen);
    seen.run.retry = Some(("again".into(), None));
    assert_eq!(says(&pass(&mut seen)), "RetryTaken, RollbackLifted, Targets");
    assert_eq!(says(&pass(&mut seen)), "ApproveImages, Targets");
}

#[test]
fn a_wish_that_cannot_be_met_is_refused_and_nothing_is_revoked() {
    let refused = |targets: Vec<TargetSeen>, mode, expected: &str| {
        let mut seen = asks(wants(with_targets(clean(), targets), mode, SchemaCompatibility::Unknown), "t");
        assert_eq!(says(&pass(&mut seen)), "RollbackTaken, Targets", "{expected}");
        assert!(result(&seen).starts_with(expected), "{}", result(&seen));
    };
    refused(vec![let_go("shop")], RollbackMode::Never, "NotAllowed");
    let lost = TargetSeen { way_back: Some(Err("no release before it".into())), ..let_go("worker") };
    refused(vec![let_go("shop"), lost], RollbackMode::Manual, "NoWayBack: Deployment worker");
    let superseded = TargetSeen { successor: Some("next".into()), ..let_go("shop") };
    refused(vec![superseded], RollbackMode::Manual, "NothingToRollBack: run next");
    let held = target("shop", Some(deployment("shop:1", &["shop:0"])));
    refused(vec![held], RollbackMode::Automatic, "NothingToRollBack: this release has not been let go");
}

/// A run that has let its image go and whose migration for it has failed since, with this class.
fn failed_since(class: &str) -> Observed {
    let mut seen = with_targets(stalled(), vec![let_go("shop")]);
    let mut status = (*seen.status).clone();
    if let Some(failure) = &mut status.failure {
        (failure.class, failure.reason) = (class.into(), None);
    }
    seen.status = Arc::new(status);
    seen
}

#[test]
fn what_was_let_go_goes_back_by_itself_where_its_migration_has_touched_the_database() {
    use RollbackMode::{Automatic, Manual, Never};
    use SchemaCompatibility::{BackwardCompatible, Breaking, Unknown};
    let says = |seen: Observed| says(&decide(&seen));
    for class in ["DataConflict", "ScriptError", "Interrupted"] {
        assert_eq!(says(failed_since(class)), "RolledBack, Targets", "{class}");
    }
    for class in ["Connectivity", "Permission", "Config", "Runtime", "Blocked", "Unknown"] {
        assert_eq!(says(failed_since(class)), "Targets", "{class}");
    }
    let failed = || failed_since("ScriptError");
    for mode in [Manual, Never] {
        assert_eq!(says(wants(failed(), mode, BackwardCompatible)), "Targets");
    }
    assert_eq!(says(wants(failed(), Automatic, Unknown)), "RolledBack, Targets");
    assert_eq!(says(wants(failed(), Automatic, Breaking)), "Targets", "a person is asked");
    let asked = asks(wants(failed(), Automatic, Breaking), "t");
    assert_eq!(says(asked), "RollbackTaken, RolledBack, Targets", "and has answered");
    let but = |change: &dyn Fn(&mut crate::api::status::Failure)| {
        let mut seen = failed_since("Interrupted");
        let mut status = (*seen.status).clone();
        status.failure.as_mut().map(change);
        seen.status = Arc::new(status);
        seen
    };
    assert_eq!(
        says(but(&|failure| failure.step = "Check".into())),
        "Targets",
        "the check was ended, not the migration"
    );
    let well = || Some(crate::api::status::Triage { outcome: "Succeeded".into(), ..Default::default() });
    assert_eq!(says(but(&|failure| failure.triage = well())), "Targets", "the database says that all is well");
}

#[test]
fn at_most_one_automatic_rollback_a_generation() {
    let mut seen = failed_since("ScriptError");
    pass(&mut seen);
    let mut status = (*seen.status).clone();
    assert!(status.rollback.as_ref().is_some_and(|rollback| rollback.id == "shop/u/1/automatic"));
    if let Some(rollback) = &mut status.rollback {
        rollback.lifted = true;
    }
    seen.status = Arc::new(status);
    assert_eq!(says(&decide(&seen)), "Targets");
}

/// Held, it is nothing that runs: there is no way back to speak of. Let go, the plan stands in status before anybody asks.
#[test]
fn the_plan_stands_in_status_before_it_is_asked_for() {
    let plan = |seen: Observed| {
        let mut seen = seen;
        pass(&mut seen);
        seen.status.targets[0].rollback.clone().map(|rollback| (rollback.state, rollback.message.is_some()))
    };
    let clean = |target| with_targets(clean(), vec![target]);
    assert_eq!(plan(clean(let_go("shop"))), Some((RollbackState::Planned, false)));
    let breaking = wants(clean(let_go("shop")), RollbackMode::Manual, SchemaCompatibility::Breaking);
    assert_eq!(plan(breaking), Some((RollbackState::Planned, true)));
    let lost = TargetSeen { way_back: Some(Err("gone".into())), ..let_go("shop") };
    assert_eq!(plan(clean(lost)), Some((RollbackState::Impossible, true)));
    assert_eq!(plan(clean(target("shop", Some(deployment("shop:1", &["shop:0"]))))), None);
}

/// What waits for a newer run must not look as if pods were being replaced.
#[test]
fn a_rollback_that_a_newer_run_has_overtaken_says_who_decides() {
    let mut seen = asks(with_targets(clean(), vec![let_go("shop")]), "t");
    pass(&mut seen);
    let progress = Some(Progress::UnderWay("its image is taken off the list".into()));
    let again = TargetSeen { successor: Some("next".into()), released_again: true, progress, ..let_go("shop") };
    seen.targets = vec![again];
    assert_eq!(says(&pass(&mut seen)), "Targets", "the newer run's approval stays");
    let told = seen.status.targets[0].rollback.clone().unwrap();
    assert_eq!(told.state, RollbackState::Contested);
    assert!(told.message.unwrap().contains("run next"));
    seen.run.rollback = Some(("u".into(), None));
    pass(&mut seen);
    assert!(result(&seen).contains("run next"), "{}", result(&seen));
}

#[test]
fn what_failed_or_is_contested_says_what_to_do() {
    for (progress, reason) in
        [(Progress::Failed, "RollbackFailed"), (Progress::Contested(Some("x".into())), "Contested")]
    {
        let mut seen = asks(with_targets(clean(), vec![let_go("shop")]), "t");
        pass(&mut seen);
        seen.targets = vec![revoked(progress)];
        pass(&mut seen);
        let condition = seen.status.conditions.iter().find(|condition| condition.type_ == "RolledBack").unwrap();
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", reason));
        assert!(seen.status.summary.as_deref().unwrap().contains("new token"), "{:?}", seen.status.summary);
        seen.run.rollback = Some(("u".into(), None));
        assert_eq!(says(&pass(&mut seen)), "RollbackTaken, RolledBack, Targets");
        let again = seen.status.rollback.as_ref().unwrap();
        assert_eq!((again.id.as_str(), again.targets.len()), ("shop/u/1/u", 1));
    }
}
