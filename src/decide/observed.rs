//! What was read of the world, as plain data: the only thing besides the record that a decision may look at.

use std::sync::Arc;

use jiff::Timestamp;

use super::custody::{Progress, WayBack};
use crate::api::status::Enforcement;
use crate::api::{MigrationRunSpec, MigrationRunStatus, names};
use crate::classify::{Reason, Verdict};
use crate::gate::Workload;

/// All that a decision about one run is made of; by default nothing is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The time of this pass.
    pub now: Timestamp,
    /// Who the run is.
    pub run: RunIdentity,
    /// What is wanted.
    pub spec: Arc<MigrationRunSpec>,
    /// What in the spec cannot be obeyed, in words that say what to write instead.
    pub refusal: Option<String>,
    /// What is on record.
    pub status: Arc<MigrationRunStatus>,
    /// The migrate Job of the active attempt, or under the name that the next attempt would take.
    pub migrate: JobSeen,
    /// The check Job of the active attempt.
    pub check: JobSeen,
    /// The lock of the release's database.
    pub lock: Lock,
    /// A run of the same database that came first and still waits.
    pub ahead: Option<String>,
    /// A Job of another run that still works on the database, or might.
    pub rival: Option<String>,
    /// Finished Jobs of releases beyond the history's limit.
    pub expired: Vec<Fence>,
    /// The pod of the active attempt's migrate Job, where the Job is gone and its container may still run.
    pub orphan: Option<String>,
    /// Jobs whose step has ended, and is on record, while other containers of their pods keep them open.
    pub kept_open: Vec<Fence>,
    /// The Deployments of `spec.targets`, in that order.
    pub targets: Vec<TargetSeen>,
    /// What enforces the gate in this cluster.
    pub enforcement: Enforcement,
}

/// A target, as seen.
#[derive(Clone, Debug, Default)]
pub struct TargetSeen {
    /// Name of the Deployment.
    pub name: String,
    /// The image that the run's release has there.
    pub image: String,
    /// The Deployment; none where there is none, which the API server has confirmed.
    pub deployment: Option<DeploymentSeen>,
    /// Whether its `required-runs` names this run, or none.
    pub required: bool,
    /// How it serves, as the Deployment controller says.
    pub serving: Serving,
    /// A run of the same database that names it too and has taken a release up later.
    pub successor: Option<String>,
    /// Whether that one releases the very same image there.
    pub released_again: bool,
    /// The image that the run's database was last seen clean with, by this run or another that names the Deployment.
    pub clean_with: Option<String>,
    /// The other runs that must be clean before it is let go, and are not yet: each with what is missing.
    pub unready: Vec<String>,
    /// How a rollback of the run's release would go, or why there is no way back. Looked at only while nothing else goes on.
    pub way_back: Option<Result<WayBack, String>>,
    /// How far the rollback is that is on record.
    pub progress: Option<Progress>,
}

/// A Deployment.
#[derive(Clone, Debug, Default)]
pub struct DeploymentSeen {
    /// Which one, in which version.
    pub fence: Fence,
    /// What the gate's rule looks at.
    pub workload: Workload,
    /// Releases that have replicas, the newest first: the images of their gated containers. Read only where the list of
    /// approved images is about to be written.
    pub running: Vec<Vec<String>>,
}

/// How a Deployment serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// How many pods are wanted.
    pub wanted: i32,
    /// How many are available.
    pub available: i32,
    /// Since when fewer are available than it allows.
    pub short_since: Option<Timestamp>,
    /// Why its newest template does not roll out, where its progress deadline has passed.
    pub failed: Option<String>,
    /// Pods whose containers run the release's image, each with what that was for the kubelet. Looked at only where the image is
    /// a tag and has been migrated with.
    pub running: Vec<(String, String)>,
    /// Who applies a manifest that writes `spec.paused`, and not to pause it.
    pub unpaused_by: Option<String>,
}

/// Who a run is, and what people ask of it by annotations.
#[derive(Clone, Debug, Default)]
pub struct RunIdentity {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The token of `sluice.dev/retry`, and the field manager that wrote it.
    pub retry: Option<(String, Option<String>)>,
    /// The token of `sluice.dev/rollback`, and the field manager that wrote it.
    pub rollback: Option<(String, Option<String>)>,
}

/// The lock of a database, as seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lock {
    /// Nobody holds it.
    #[default]
    Free,
    /// This run holds it.
    Mine(Fence),
    /// Another run holds it.
    Held {
        /// That run, as `namespace/name`.
        by: String,
        /// The Lease, where its holder is known to be gone.
        abandoned: Option<Fence>,
    },
}

/// An object, in the version on which a decision rests: a write to it is refused if it has another by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fence {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version.
    pub resource_version: String,
}

/// What stands under a Job's name. Absence was confirmed by the API server, not by a cache.
#[derive(Clone, Debug, Default)]
pub enum JobSeen {
    /// Nothing.
    #[default]
    Absent,
    /// A Job that is not this run's.
    Stranger(String),
    /// This run's Job.
    Ours(Box<JobView>),
}

/// A Job of this run.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Which one, in which version.
    pub job: Fence,
    /// Whether it was not let go yet, or was stopped.
    pub suspended: bool,
    /// When it was let go.
    pub resumed_at: Option<Timestamp>,
    /// Its deadline in seconds.
    pub deadline: Option<i64>,
    /// Whether it is Complete or Failed.
    pub finished: bool,
    /// Why it Failed, in the Job's own word, such as DeadlineExceeded.
    pub failed: Option<String>,
    /// Our container in its pod.
    pub container: ContainerSeen,
}

/// The container that does the step's work.
#[derive(Clone, Debug)]
pub enum ContainerSeen {
    /// It has not started; what it cannot start for, if that is known.
    Waiting(Option<Trouble>),
    /// It runs.
    Running(Option<Timestamp>),
    /// It has ended, and its log was read.
    Ended(Box<Ended>),
}

/// What a pod cannot start for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The reason that the attempt fails with at the start deadline.
    pub reason: Reason,
    /// What Kubernetes says.
    pub message: String,
}

/// How a step's container ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it exited with.
    pub exit_code: Option<i32>,
    /// What its image was, as the kubelet knows it.
    pub image_id: Option<String>,
    /// What the log and the circumstances mean.
    pub verdict: Verdict,
}

impl Observed {
    /// Name of the Job of a step of an attempt of the release on record.
    #[must_use]
    pub fn job_name(&self, step: &str, attempt: i32) -> String {
        let generation = self.status.release.as_ref().map_or(self.run.generation, |release| release.generation);
        names::job(&self.run.name, &self.run.uid, generation, step, attempt)
    }

    /// Number of the attempt that would come next.
    #[must_use]
    pub fn next_attempt(&self) -> i32 {
        self.status.current_attempt().map_or(1, |attempt| attempt.number.saturating_add(1))
    }
}
