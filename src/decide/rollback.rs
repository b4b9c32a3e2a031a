//! Back from a release that was let go: whether it is asked for, and what is written for it. How the pods are replaced is
//! [`super::custody`]'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Decision;
use super::custody::{Progress, WayBack};
use super::effect::Effect;
use super::fact::Fact;
use super::observed::{Observed, TargetSeen};
use crate::api::names;
use crate::api::status::{Failure, RollbackRecord, RollbackState, RolledBack, TargetRollback, TokenTaken};
use crate::api::target::{RollbackMode, SchemaCompatibility};
use crate::gate::Approved;

/// A person's wish, taken once, whatever comes of it.
#[must_use]
pub fn take(observed: &Observed) -> Option<Decision> {
    let (wish, by) = observed.run.rollback.as_ref()?;
    let token = names::token(wish);
    if token.is_empty() || observed.status.has_taken_rollback(&token) {
        return None;
    }
    let refused = refusal(observed);
    let result = refused.clone().unwrap_or_else(|| "Accepted".to_owned());
    let at = Time(observed.now);
    let taken = Fact::RollbackTaken(TokenTaken { token: token.clone(), at, by: by.clone(), result });
    let decision = Decision::rest().fact(taken);
    Some(match refused {
        Some(_) => decision,
        None => decision.fact(record(observed, &token, format!("asked for with token {token}"))),
    })
}

/// Why a rollback is not made, with what to do instead; none where it is.
fn refusal(observed: &Observed) -> Option<String> {
    if observed.spec.rollback_mode() == RollbackMode::Never {
        return Some("NotAllowed: spec.rollback.mode is Never".to_owned());
    }
    if observed.status.rolled_back().is_some() {
        let settled = !may_go_on(observed);
        return settled.then(|| "NothingToRollBack: this release is rolled back already".to_owned());
    }
    let concerned: Vec<&TargetSeen> = observed.targets.iter().filter(|target| is_let_go(target)).collect();
    if concerned.is_empty() {
        return Some(nothing(observed));
    }
    concerned.into_iter().find_map(|target| match &target.way_back {
        Some(Ok(_)) => None,
        Some(Err(why)) => Some(format!("NoWayBack: Deployment {}: {why}", target.name)),
        None => Some(format!("NoWayBack: Deployment {} could not be looked at; ask again", target.name)),
    })
}

/// Whether a rollback on record has come to nothing somewhere: another wish is another try.
fn may_go_on(observed: &Observed) -> bool {
    let stuck = |progress: &Progress| matches!(progress, Progress::Failed | Progress::Contested(_));
    observed.targets.iter().any(|target| target.progress.as_ref().is_some_and(stuck))
}

fn nothing(observed: &Observed) -> String {
    match observed.targets.iter().find_map(|target| target.successor.as_deref()) {
        Some(run) => {
            format!("NothingToRollBack: run {run} has taken a release up later, and decides: annotate that one")
        }
        None => "NothingToRollBack: no target has this release approved".to_owned(),
    }
}

/// Rolls back by itself what was let go and whose database has failed since, where the spec allows it. A release that was
/// rolled back before in this generation is not again.
#[must_use]
pub fn by_itself(observed: &Observed) -> Option<Decision> {
    let failure = observed.status.failure.as_ref().filter(|failure| leaves_a_doubt(failure))?;
    let generation = observed.status.release.as_ref()?.generation;
    let before = observed.status.rollback.as_ref().is_some_and(|rollback| rollback.generation == generation);
    let wanted = observed.spec.rollback_mode() == RollbackMode::Automatic && observed.spec.gate_holds();
    if before || !wanted || observed.spec.suspended() || refusal(observed).is_some() || is_breaking(observed) {
        return None;
    }
    let reason = match &failure.reason {
        Some(reason) => format!("its migration failed: {}/{reason}", failure.class),
        None => format!("its migration failed: {}", failure.class),
    };
    Some(Decision::rest().fact(record(observed, "automatic", reason)))
}

/// Whether a failure says of the database that it may not be as the release needs it. One that never reached it changes
/// nothing for what serves; one that an earlier release has left is that release's.
fn leaves_a_doubt(failure: &Failure) -> bool {
    ["DataConflict", "ScriptError", "Interrupted"].contains(&failure.class.as_str())
}

/// A migration of this image has succeeded, and what ran before does not work with what it made.
fn is_breaking(observed: &Observed) -> bool {
    let migrated = observed.status.clean.as_ref().is_some_and(|clean| clean.image == observed.spec.image);
    migrated && observed.spec.schema_compatibility() == SchemaCompatibility::Breaking
}

fn record(observed: &Observed, token: &str, reason: String) -> Fact {
    let generation = observed.status.release.as_ref().map_or(observed.run.generation, |release| release.generation);
    let let_go = observed.targets.iter().filter(|target| is_let_go(target));
    let let_go = let_go.map(|target| RolledBack { name: target.name.clone(), image: target.image.clone() });
    // At another try nothing is approved any more.
    let before = observed.status.rolled_back().map(|before| before.targets.clone()).unwrap_or_default();
    Fact::RolledBack(RollbackRecord {
        generation,
        id: format!("{}/{generation}/{token}", observed.run.name),
        reason,
        at: Time(observed.now),
        lifted: false,
        targets: before.into_iter().chain(let_go).collect(),
    })
}

/// Takes the images of a release that is rolled back off the lists of its targets, the last target first.
#[must_use]
pub fn go_on(observed: &Observed) -> Option<Decision> {
    observed.status.rolled_back()?;
    let revoked = observed.targets.iter().rev().filter(|target| is_let_go(target)).filter_map(revoke);
    Some(revoked.fold(Decision::rest(), Decision::effect))
}

fn revoke(target: &TargetSeen) -> Option<Effect> {
    let deployment = target.deployment.as_ref()?;
    let approved = deployment.workload.approved();
    let left = approved.images().filter(|image| *image != target.image).map(|image| [image.to_owned()]);
    Some(Effect::RevokeImages { deployment: deployment.fence.clone(), approved: Approved::of_releases(left) })
}

/// Whether this run has let its image go there and still decides.
fn is_let_go(target: &TargetSeen) -> bool {
    let approved = target
        .deployment
        .as_ref()
        .is_some_and(|seen| seen.workload.is_taken_up() && seen.workload.approved().has(&target.image));
    approved && target.required && target.successor.is_none()
}

/// The way back of a target, for the record. What was not looked at in this pass stays as it was.
#[must_use]
pub fn seen(observed: &Observed, target: &TargetSeen) -> Option<TargetRollback> {
    let before =
        observed.status.targets.iter().find(|before| before.name == target.name && before.image == target.image);
    let before = before.and_then(|before| before.rollback.clone());
    let rolled_back = observed.status.rolled_back().is_some_and(|rollback| {
        rollback.targets.iter().any(|each| each.name == target.name && each.image == target.image)
    });
    match (rolled_back, &target.progress) {
        (true, Some(_)) if is_let_go(target) => Some(under_way(before, target, &Progress::UnderWay(BEGINS.to_owned()))),
        (true, Some(progress)) => Some(under_way(before, target, progress)),
        (true, None) => before,
        (false, _) if !is_let_go(target) => None,
        (false, _) => target.way_back.as_ref().map_or(before, |way| Some(planned(observed, way))),
    }
}

fn planned(observed: &Observed, way: &Result<WayBack, String>) -> TargetRollback {
    match way {
        Err(why) => told(RollbackState::Impossible, &WayBack::default(), Some(why.clone())),
        Ok(way) => told(RollbackState::Planned, way, caution(observed, way)),
    }
}

/// What to know before it is asked for.
fn caution(observed: &Observed, way: &WayBack) -> Option<String> {
    match observed.spec.schema_compatibility() {
        _ if observed.spec.rollback_mode() == RollbackMode::Never => {
            Some("refused: spec.rollback.mode is Never".to_owned())
        }
        SchemaCompatibility::Breaking => Some(
            "the release before does not work with the new schema, says spec.rollback.schemaCompatibility".to_owned(),
        ),
        _ if way.recreate => {
            Some("no pod serves for as long as the release before takes to start: Recreate".to_owned())
        }
        _ => None,
    }
}

fn under_way(before: Option<TargetRollback>, target: &TargetSeen, progress: &Progress) -> TargetRollback {
    let (state, message) = match progress {
        Progress::Done => (RollbackState::Done, None),
        Progress::UnderWay(how_far) => (RollbackState::UnderWay, Some(how_far.clone())),
        Progress::Impossible(why) => (RollbackState::Impossible, Some(why.clone())),
        Progress::Failed => (RollbackState::Failed, Some(FAILED.to_owned())),
        Progress::Contested(by) => (RollbackState::Contested, Some(contested(by.as_deref()))),
    };
    match (&target.way_back, before) {
        (Some(Ok(way)), _) => told(state, way, message),
        (_, Some(before)) => TargetRollback { state, message, ..before },
        _ => told(state, &WayBack::default(), message),
    }
}

const BEGINS: &str = "its image is taken off the list of approved ones";
const FAILED: &str = "the release before did not become available in time: there is nothing better to serve than this one, which \
     serves in full again, held. See why its pods did not start, then ask again with a new token";

fn contested(by: Option<&str>) -> String {
    let by = by.unwrap_or("somebody");
    format!(
        "{by} has given a ReplicaSet back to the Deployment; it is left so. Ask again with a new token when that has ended"
    )
}

fn told(state: RollbackState, way: &WayBack, message: Option<String>) -> TargetRollback {
    TargetRollback {
        state,
        to: way.images.clone(),
        extra_pods: way.extra_pods,
        deadline_seconds: way.deadline.and_then(|deadline| i64::try_from(deadline.as_secs()).ok()),
        message,
    }
}
