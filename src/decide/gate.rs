//! The gate: what of the targets is held, and when they are let go.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Decision;
use super::effect::Effect;
use super::fact::Fact;
use super::observed::{DeploymentSeen, Observed, TargetSeen};
use super::rollback;
use super::warnings;
use crate::api::status::{TargetState, TargetStatus};
use crate::api::target::TargetKind;
use crate::gate::Approved;

/// How long until a target is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The targets as they are now, for the record.
#[must_use]
pub fn seen(observed: &Observed) -> Fact {
    Fact::Targets(observed.targets.iter().map(|target| status(observed, target)).collect())
}

/// Lets the targets of a clean release go: none before all can be. An opening that was interrupted is gone on with, and an
/// approval that was lost with its Deployment is given again.
#[must_use]
pub fn open(observed: &Observed) -> Decision {
    if observed.spec.suspended() {
        return Decision::rest();
    }
    match observed.targets.iter().find_map(obstacle) {
        // A Deployment without the label is in no watch.
        Some((reason, message)) => Decision::wait(reason, message).after(LOOK_AGAIN),
        None => approve(observed),
    }
}

/// What needs no clean release: a gate that does not hold lets through, unless another run holds; and a Deployment that was
/// created again gets back what the database is on record as clean with, so that it serves while the next release is held.
#[must_use]
pub fn let_through(observed: &Observed) -> Decision {
    let free = |target: &&TargetSeen| !observed.spec.gate_holds() && target.unready.is_empty();
    let effects = observed.targets.iter().filter_map(|target| {
        Some(target).filter(free).and_then(approval).or_else(|| approved_before(observed, target))
    });
    effects.fold(Decision::rest(), Decision::effect)
}

fn approve(observed: &Observed) -> Decision {
    let effects = observed.targets.iter().filter_map(approval);
    effects.fold(Decision::rest(), Decision::effect)
}

/// The image that the database was last seen clean with, for a Deployment on which nothing is approved. With several
/// databases nobody can say of an image that all of them are clean with it until they are.
fn approved_before(observed: &Observed, target: &TargetSeen) -> Option<Effect> {
    let deployment = target.deployment.as_ref().filter(|seen| seen.workload.is_taken_up())?;
    let image = target.clean_with.as_ref()?;
    let decides = target.required && target.successor.is_none() && target.unready.is_empty();
    // Of an image of the target's own the record says nothing.
    let own_image = target.image != observed.spec.image;
    // That of this release is let go with all targets or with none.
    let another = *image != target.image;
    let nothing = deployment.workload.approved().images().next().is_none();
    (nothing && decides && another && !own_image).then(|| effect(deployment, Approved::of_releases([[image.clone()]])))
}

fn effect(deployment: &DeploymentSeen, approved: Approved) -> Effect {
    Effect::ApproveImages { deployment: deployment.fence.clone(), approved }
}

/// What keeps all targets of the run from being let go.
fn obstacle(target: &TargetSeen) -> Option<(&'static str, String)> {
    let name = &target.name;
    if target.deployment.is_none() {
        let message = format!("Deployment {name} is not there: apply it, or correct its name in spec.targets");
        return Some(("TargetMissing", message));
    }
    if target.successor.is_some() || !target.required {
        return None;
    }
    let awaited = target.unready.first()?;
    Some(("RequiredRun", format!("Deployment {name} also waits for {awaited}")))
}

fn approval(target: &TargetSeen) -> Option<Effect> {
    let deployment = target.deployment.as_ref().filter(|deployment| needs_approval(target, deployment))?;
    let before = deployment.workload.approved();
    let mut releases = vec![vec![target.image.clone()]];
    // What the template has beside the release, in other gated containers, must not be cut off.
    let beside = deployment.workload.gated_images().into_iter().filter(|image| before.has(image));
    releases.push(beside.map(str::to_owned).collect());
    releases.extend(deployment.running.iter().cloned());
    releases.retain(|release| !release.is_empty());
    let known: Vec<String> = releases.iter().flatten().cloned().collect();
    releases
        .extend(before.images().filter(|image| !known.iter().any(|k| k == image)).map(|image| vec![image.to_owned()]));
    Some(effect(deployment, Approved::of_releases(releases)))
}

/// Whether this run has to approve its image on the target's Deployment.
#[must_use]
pub fn needs_approval(target: &TargetSeen, deployment: &DeploymentSeen) -> bool {
    let decides = target.required && target.successor.is_none();
    decides && deployment.workload.is_gated() && !deployment.workload.approved().has(&target.image)
}

fn status(observed: &Observed, target: &TargetSeen) -> TargetStatus {
    let (state, settled, message) = describe(observed, target);
    let before = observed.status.targets.iter().find(|before| before.name == target.name && before.state == state);
    TargetStatus {
        kind: TargetKind::Deployment,
        name: target.name.clone(),
        image: target.image.clone(),
        state,
        settled,
        message,
        warnings: warnings::of(observed, target),
        since: before.map_or(Time(observed.now), |before| before.since.clone()),
        rollback: rollback::seen(observed, target),
    }
}

fn describe(observed: &Observed, target: &TargetSeen) -> (TargetState, bool, Option<String>) {
    let Some(deployment) = &target.deployment else {
        return (TargetState::Missing, false, Some("there is no such Deployment".to_owned()));
    };
    let workload = &deployment.workload;
    if !workload.is_gated() {
        let message = "put the label sluice.dev/gated: \"true\" on it; without it nothing is held";
        return (TargetState::NotGated, true, Some(message.to_owned()));
    }
    if !target.required {
        let message = "its annotation sluice.dev/required-runs does not name this run";
        return (TargetState::NotRequired, true, Some(message.to_owned()));
    }
    if let Some(run) = &target.successor {
        let held = workload.waits_for(&workload.approved()).contains(target.image.as_str());
        return (TargetState::Superseded, !held, Some(format!("run {run} has taken a release up later, and decides")));
    }
    let settled = workload.approved().has(&target.image);
    if !workload.is_held() {
        return (TargetState::Open, settled, None);
    }
    (TargetState::Held, settled, Some(held_by(observed, target, deployment)))
}

/// What a held template waits for.
fn held_by(observed: &Observed, target: &TargetSeen, deployment: &DeploymentSeen) -> String {
    let waits = deployment.workload.waits_for(&deployment.workload.approved());
    let images = waits.iter().copied().collect::<Vec<_>>().join(", ");
    if waits.contains(target.image.as_str())
        && let Some(rollback) = observed.status.rolled_back()
    {
        return format!("{images} was rolled back: {}", rollback.reason);
    }
    if waits.contains(target.image.as_str()) && waits.len() == 1 {
        return match target.unready.first() {
            Some(awaited) if observed.status.is_clean() => format!("{images} waits for {awaited}"),
            _ => format!("{images} waits until the database is clean with it"),
        };
    }
    if waits.contains(target.image.as_str()) {
        return format!(
            "{images} wait, and this run speaks for {} alone: let the others go with sluice.dev/bypass, or create the \
             Deployment again with the annotation sluice.dev/containers, which names the containers that carry the release",
            target.image
        );
    }
    if waits.is_empty() {
        return "a container that sluice.dev/containers names is missing from the template".to_owned();
    }
    format!("{images} waits, which is not this run's {}: set spec.image (or the target's) to it", target.image)
}
