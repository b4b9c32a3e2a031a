//! What is kept of a Deployment's releases goes when nobody can want it any more: at once where its gate has come off, and some
//! days after the Deployment is gone, since Deployments are created again.

use std::time::Duration;

use jiff::Timestamp;

use super::effect::Right;
use super::observed::Fence;
use super::release::since;

/// For how long the releases of a Deployment that is gone are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Something that is kept of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The ControllerRevision.
    pub fence: Fence,
    /// Since when it is on record that its Deployment is gone.
    pub gone_since: Option<Timestamp>,
    /// What has become of the Deployment.
    pub deployment: Owner,
}

/// What has become of a Deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// It is there and gated.
    #[default]
    Gated,
    /// It is there, and its gate has come off.
    Ungated,
    /// It is not there.
    Gone,
}

/// One write for what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Deletes it, in the version seen.
    Drop(Fence),
    /// Writes on it since when its Deployment is gone, or that it is there again.
    Mark(Fence, Option<Timestamp>),
    /// Deletes a ReplicaSet in custody that nobody looks after any more.
    DropCustody(Fence),
}

impl Sweep {
    /// Its name, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Drop(_) => "DropRevision",
            Self::Mark(..) => "MarkRevision",
            Self::DropCustody(_) => "DropCustody",
        }
    }

    /// The right that it needs.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Self::Drop(_) => ("apps", "controllerrevisions", "delete"),
            Self::Mark(..) => ("apps", "controllerrevisions", "patch"),
            Self::DropCustody(_) => ("apps", "replicasets", "delete"),
        }
    }
}

/// What to do about it now.
#[must_use]
pub fn sweep(kept: &Kept, now: Timestamp) -> Option<Sweep> {
    let fence = || kept.fence.clone();
    match (kept.deployment, kept.gone_since) {
        (Owner::Ungated, _) => Some(Sweep::Drop(fence())),
        (Owner::Gated, Some(_)) => Some(Sweep::Mark(fence(), None)),
        (Owner::Gone, None) => Some(Sweep::Mark(fence(), Some(now))),
        (Owner::Gone, Some(gone)) if since(gone, now) >= KEPT_FOR => Some(Sweep::Drop(fence())),
        _ => None,
    }
}

/// A ReplicaSet in custody whose Deployment is not gated any more, or another one under the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// The ReplicaSet.
    pub fence: Fence,
    /// How many pods the Deployment of that name wants.
    pub wanted: i32,
    /// How many of its own are available.
    pub available: i32,
}

/// It goes when it is not needed.
#[must_use]
pub fn abandoned(found: &Abandoned) -> Option<Sweep> {
    (found.available >= found.wanted).then(|| Sweep::DropCustody(found.fence.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custody_that_nobody_looks_after_ends_when_others_serve() {
        let found = |wanted, available| abandoned(&Abandoned { fence: Fence::default(), wanted, available });
        assert_eq!(found(2, 1), None);
        assert_eq!(found(2, 2), Some(Sweep::DropCustody(Fence::default())));
    }

    #[test]
    fn what_nobody_can_want_goes_and_what_may_come_back_stays_for_days() {
        let now = Timestamp::from_second(10_000_000).unwrap();
        let week = i64::try_from(KEPT_FOR.as_secs()).unwrap();
        let before = |seconds: i64| Some(Timestamp::from_second(10_000_000 - seconds).unwrap());
        let decided = |deployment, gone_since| sweep(&Kept { fence: Fence::default(), gone_since, deployment }, now);
        assert_eq!(decided(Owner::Gated, None), None);
        assert_eq!(decided(Owner::Gated, before(5)), Some(Sweep::Mark(Fence::default(), None)));
        assert_eq!(decided(Owner::Ungated, None), Some(Sweep::Drop(Fence::default())));
        assert_eq!(decided(Owner::Gone, None), Some(Sweep::Mark(Fence::default(), Some(now))));
        assert_eq!(decided(Owner::Gone, before(week - 1)), None);
        assert_eq!(decided(Owner::Gone, before(week)), Some(Sweep::Drop(Fence::default())));
        assert_eq!(decided(Owner::Gone, before(-5)), None, "a clock that went back deletes nothing");
    }
}
