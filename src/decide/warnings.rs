//! What about a target a person should know of, though the run can do nothing about it.

use std::time::Duration;

use jiff::SignedDuration;

use super::observed::{Observed, TargetSeen};
use crate::api::status::{TargetWarning, WarningReason};
use crate::api::{MigrationRunSpec, MigrationRunStatus};

/// How long fewer pods may be available than the Deployment allows, before that is told: a pod that is replaced takes as long.
const GRACE: SignedDuration = SignedDuration::from_secs(10);

/// The warnings about a target, the gravest first.
#[must_use]
pub fn of(observed: &Observed, target: &TargetSeen) -> Vec<TargetWarning> {
    let all = [
        rollout_failed(target),
        availability_fell(observed, target),
        tag_moved(&observed.spec, &observed.status, target),
        pause_in_git(target),
    ];
    all.into_iter().flatten().collect()
}

/// When availability has to be looked at again: nothing changes at the moment at which it becomes worth a warning.
#[must_use]
pub fn look_again(observed: &Observed) -> Option<Duration> {
    let left = observed.targets.iter().filter(|target| serves_while_held(target)).filter_map(|target| {
        let due = target.serving.short_since?.checked_add(GRACE).ok()?;
        Duration::try_from(due.duration_since(observed.now)).ok().filter(|left| !left.is_zero())
    });
    left.min()
}

fn warning(reason: WarningReason, message: String) -> Option<TargetWarning> {
    Some(TargetWarning { reason, message })
}

/// A release that was let go and does not come.
fn rollout_failed(target: &TargetSeen) -> Option<TargetWarning> {
    let workload = &target.deployment.as_ref()?.workload;
    let its = workload.gated_images().contains(target.image.as_str()) && workload.approved().has(&target.image);
    let why = target.serving.failed.as_ref().filter(|_| its && !workload.is_held())?;
    let message = format!(
        "{} was let go, and its rollout has failed: {why} See what its pods say, then ship a fix, or go back to an \
         approved image",
        target.image
    );
    warning(WarningReason::RolloutFailed, message)
}

/// Whether it is held while an approved release is to serve. A first install has none.
fn serves_while_held(target: &TargetSeen) -> bool {
    let workload = target.deployment.as_ref().map(|deployment| &deployment.workload);
    workload.is_some_and(|workload| workload.is_held() && workload.approved().images().next().is_some())
}

fn availability_fell(observed: &Observed, target: &TargetSeen) -> Option<TargetWarning> {
    let since = target.serving.short_since.filter(|_| serves_while_held(target))?;
    let (wanted, available) = (target.serving.wanted, target.serving.available);
    let message = format!(
        "{available} of {wanted} pods of what serves are available, since {since}: the hold starts no other. See what \
         they say (kubectl describe pods), and whether there is room for them (kubectl get events)"
    );
    let lasts = observed.now.duration_since(since) >= GRACE;
    lasts.then_some(message).and_then(|message| warning(WarningReason::AvailabilityFell, message))
}

/// What the target's image was when it migrated, where that is known and may have changed since.
#[must_use]
pub fn migrated_as<'a>(spec: &MigrationRunSpec, status: &'a MigrationRunStatus, image: &str) -> Option<&'a str> {
    let migrated = spec.migrate.as_ref().and_then(|migrate| migrate.image.as_ref()).unwrap_or(&spec.image);
    let comparable = status.is_clean() && migrated == image && !image.contains('@');
    status.current_attempt().filter(|_| comparable)?.migrate.image_id.as_deref()
}

fn tag_moved(spec: &MigrationRunSpec, status: &MigrationRunStatus, target: &TargetSeen) -> Option<TargetWarning> {
    let migrated = migrated_as(spec, status, &target.image)?;
    let (pod, other) = target.serving.running.iter().find(|(_, id)| differ(id, migrated))?;
    let message = format!(
        "{} is not what it was: pod {pod} runs {other}, and {migrated} has migrated. The gate does not see that a tag \
         moves: name a new version, or a digest",
        target.image
    );
    warning(WarningReason::TagMoved, message)
}

/// Whether two ids are of different images: digests of a registry's, or those of an image that was brought in without one.
fn differ(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((_, one)), Some((_, other))) => one != other,
        (None, None) => one != other,
        // The same image can have both.
        _ => false,
    }
}

fn pause_in_git(target: &TargetSeen) -> Option<TargetWarning> {
    target.deployment.as_ref().filter(|deployment| deployment.workload.is_gated())?;
    let by = target.serving.unpaused_by.as_ref()?;
    let message = format!(
        "the manifest that {by} applies says that it is not paused. A hold pauses it all the same, and for as long they \
         differ: take spec.paused out of the manifest"
    );
    warning(WarningReason::PauseInGit, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::observed::Serving;
    use crate::decide::tests::gate::{held, open, with_targets};
    use crate::decide::tests::release::clean;
    use jiff::Timestamp;
    use std::sync::Arc;

    fn told(target: TargetSeen) -> (Vec<WarningReason>, Option<u64>) {
        let seen = with_targets(clean(), vec![target]);
        let reasons = of(&seen, &seen.targets[0]).iter().map(|warning| warning.reason).collect();
        (reasons, look_again(&seen).map(|left| left.as_secs()))
    }

    fn now() -> Timestamp {
        clean().now
    }

    fn with(target: TargetSeen, serving: Serving) -> TargetSeen {
        TargetSeen { serving, ..target }
    }

    fn short(seconds: i64) -> Serving {
        let since = now().checked_sub(SignedDuration::from_secs(seconds)).unwrap();
        Serving { wanted: 2, available: 1, short_since: Some(since), ..Serving::default() }
    }

    #[test]
    fn that_fewer_pods_serve_is_told_while_it_is_held_and_lasts() {
        use WarningReason::AvailabilityFell;
        assert_eq!(told(with(held(), short(4))), (vec![], Some(6)), "a pod that is replaced");
        assert_eq!(told(with(held(), short(10))), (vec![AvailabilityFell], None));
        assert_eq!(told(with(open(), short(10))), (vec![], None), "a rollout goes on");
        let mut first = held();
        first.deployment.as_mut().unwrap().workload.annotations.remove(crate::api::labels::APPROVED_IMAGES);
        assert_eq!(told(with(first, short(10))), (vec![], None), "a first install, that nothing served before");
        assert_eq!(told(held()), (vec![], None));
    }

    #[test]
    fn a_rollout_that_fails_is_told_of_the_release_that_was_let_go() {
        let failed = || Serving { failed: Some("it has timed out.".into()), ..Serving::default() };
        assert_eq!(told(with(open(), failed())).0, [WarningReason::RolloutFailed]);
        assert_eq!(told(with(held(), failed())).0, [], "the one before had failed");
        let mut another = with(open(), failed());
        another.image = "shop:9".into();
        assert_eq!(told(another).0, [], "not this run's release");
    }

    #[test]
    fn a_manifest_that_says_paused_false_is_told_of_whoever_applies_it() {
        let serving = || Serving { unpaused_by: Some("argocd".into()), ..short(60) };
        let both = [WarningReason::AvailabilityFell, WarningReason::PauseInGit];
        assert_eq!(told(with(held(), serving())).0, both, "the gravest first");
        assert_eq!(told(with(open(), serving())).0, [WarningReason::PauseInGit]);
    }

    #[test]
    fn pods_of_another_image_under_the_same_tag_are_told() {
        let told = |migrated: Option<&str>, running: &[&str], image: &str| {
            let mut seen = with_targets(clean(), vec![TargetSeen { image: image.into(), ..open() }]);
            let mut status = (*seen.status).clone();
            status.attempts.last_mut().unwrap().migrate.image_id = migrated.map(str::to_owned);
            let mut spec = (*seen.spec).clone();
            spec.image = image.into();
            (seen.status, seen.spec) = (Arc::new(status), Arc::new(spec));
            seen.targets[0].serving.running = running.iter().map(|id| ("shop-1".into(), (*id).into())).collect();
            of(&seen, &seen.targets[0]).into_iter().map(|warning| warning.message).next().unwrap_or_default()
        };
        let moved = "pod shop-1 runs r/shop@sha256:2, and r/shop@sha256:1 has migrated";
        assert!(told(Some("r/shop@sha256:1"), &["r/shop@sha256:1", "r/shop@sha256:2"], "shop:1").contains(moved));
        for (case, migrated, running, image) in [
            ("the same", Some("r/shop@sha256:1"), "r/shop@sha256:1", "shop:1"),
            ("the same from a mirror", Some("r/shop@sha256:1"), "mirror/shop@sha256:1", "shop:1"),
            ("not known", None, "r/shop@sha256:2", "shop:1"),
            ("one was brought in without a registry", Some("sha256:3"), "r/shop@sha256:2", "shop:1"),
            ("a digest does not move", Some("r/shop@sha256:1"), "r/shop@sha256:2", "shop@sha256:1"),
        ] {
            assert_eq!(told(migrated, &[running], image), "", "{case}");
        }
        let mut of_its_own = with_targets(clean(), vec![TargetSeen { image: "worker:1".into(), ..open() }]);
        let mut status = (*of_its_own.status).clone();
        status.attempts.last_mut().unwrap().migrate.image_id = Some("r/shop@sha256:1".into());
        of_its_own.status = Arc::new(status);
        assert_eq!(migrated_as(&of_its_own.spec, &of_its_own.status, "worker:1"), None, "an image of its own");
    }
}
