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
        let settled = || match observed.targets.iter().find_map(released_again_by) {
            Some(run) => superseded(run),
            None => "NothingToRollBack: this release is rolled back already".to_owned(),
        };
        return (!may_go_on(observed)).then(settled);
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
        Some(run) => superseded(run),
        None => {
            let seen = observed.targets.iter().find_map(|target| target.deployment.as_ref());
            let approved = seen.map(|seen| seen.workload.approved().text().replace('\n', ", ")).unwrap_or_default();
            format!(
                "NothingToRollBack: this release has not been let go. To go back from what serves, set the Deployment's image in \
                 Git to another one that is approved ({})",
                approved
            )
        }
    }
}

fn superseded(run: &str) -> String {
    format!("NothingToRollBack: run {run} has taken a release up later, and decides: annotate that one")
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

/// Whether a failure says of the database that it may not be as the release needs it. A migration that never reached it
/// changes nothing for what serves; what an earlier release has left is that release's; a check that was ended says nothing, and
/// one that says that all is applied says that all is well.
fn leaves_a_doubt(failure: &Failure) -> bool {
    let well = failure.triage.as_ref().is_some_and(|triage| triage.outcome == "Succeeded");
    ["DataConflict", "ScriptError", "Interrupted"].contains(&failure.class.as_str())
        && failure.step == "Migrate"
        && !well
}

/// What ran before does not work with what this release made. That it was let go says that it was migrated once.
fn is_breaking(observed: &Observed) -> bool {
    observed.spec.schema_compatibility() == SchemaCompatibility::Breaking
}

/// Images that stay revoked beside those of the newest rollback.
const REMEMBERED: usize = 16;

fn record(observed: &Observed, token: &str, reason: String) -> Fact {
    let generation = observed.status.release.as_ref().map_or(observed.run.generation, |release| release.generation);
    let let_go = observed.targets.iter().filter(|target| is_let_go(target));
    let mut targets: Vec<RolledBack> =
        let_go.map(|target| RolledBack { name: target.name.clone(), image: target.image.clone() }).collect();
    // At another try nothing is approved any more; and what was rolled back before stays so.
    let before = observed.status.rollback.as_ref().filter(|before| !before.lifted);
    let before = before.into_iter().flat_map(|before| before.targets.clone()).take(REMEMBERED);
    let before: Vec<RolledBack> = before.filter(|each| !targets.contains(each)).collect();
    targets.extend(before);
    Fact::RolledBack(RollbackRecord {
        generation,
        id: format!(
            "{}/{}/{generation}/{token}",
            observed.run.name,
            observed.run.uid.split('-').next().unwrap_or_default()
        ),
        reason,
        at: Time(observed.now),
        lifted: false,
        targets,
    })
}

/// Takes the images that are rolled back off the lists of their Deployments, the last target first. It comes before another
/// release is taken up: what is on record is done.
#[must_use]
pub fn revoke(observed: &Observed) -> Option<Decision> {
    let record = observed.status.rollback.as_ref().filter(|record| !record.lifted)?;
    let effects: Vec<Effect> = observed
        .targets
        .iter()
        .rev()
        .flat_map(|target| record.targets.iter().filter_map(|each| off(target, each)))
        .collect();
    (!effects.is_empty()).then(|| effects.into_iter().fold(Decision::rest(), Decision::effect))
}

fn off(target: &TargetSeen, rolled_back: &RolledBack) -> Option<Effect> {
    let deployment = target.deployment.as_ref().filter(|_| target.name == rolled_back.name)?;
    let approved = deployment.workload.approved();
    // A newer run that releases the very image again decides.
    let again = target.successor.is_some() && target.released_again;
    let on = deployment.workload.is_taken_up() && approved.has(&rolled_back.image) && !again;
    let fence = deployment.fence.clone();
    on.then(|| Effect::RevokeImages { deployment: fence, approved: approved.without(&rolled_back.image) })
}

/// The newer run that has released the very image again which this one has rolled back.
fn released_again_by(target: &TargetSeen) -> Option<&str> {
    let approved = target.deployment.as_ref().is_some_and(|seen| seen.workload.approved().has(&target.image));
    target.successor.as_deref().filter(|_| target.released_again && approved)
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
    let gone = target.deployment.as_ref().is_none_or(|deployment| !deployment.workload.is_gated());
    match (rolled_back, &target.progress) {
        (true, _) if gone => Some(under_way(before, target, &Progress::Impossible(GONE.to_owned()))),
        (true, Some(progress)) => {
            let told = under_way(before, target, progress);
            let again = released_again_by(target).map(released_again);
            Some(match again {
                Some(message) => TargetRollback { state: RollbackState::Contested, message: Some(message), ..told },
                None => told,
            })
        }
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

const GONE: &str = "the Deployment is gone, or its gate has come off: what runs there is not looked after";
const FAILED: &str = "the release before did not become available in time: there is nothing better to serve than this one, which \
     serves in full again, held. See why its pods did not start, then ask again with a new token";

fn released_again(run: &str) -> String {
    format!(
        "run {run} has released it again since, and decides: annotate that one. Without that run this rollback goes on"
    )
}

fn contested(by: Option<&str>) -> String {
    let by = by.unwrap_or("somebody");
    format!("{by} lets it run again, and it is left so. Ask again with a new token when that has ended")
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
