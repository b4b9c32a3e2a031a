//! Effects: every write that Sluice makes to a cluster, as data.
//!
//! The chart's RBAC is held equal to [`Effect::rights`], both ways.

use super::observed::Fence;
use crate::gate::Approved;

/// One write to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Creates the Lease that locks the database. A Lease that is there already means "not now". Reversible.
    AcquireLock {
        /// Digest of `database.id`.
        database: String,
    },
    /// Deletes a Lease in the version seen: this run's own when it needs it no more, or one whose holder is gone.
    ReleaseLock(Fence),
    /// Creates the migrate Job, suspended: nothing starts. A Job that is there already must be ours. Reversible.
    CreateMigrateJob {
        /// Its name.
        name: String,
        /// Number of the attempt.
        attempt: i32,
    },
    /// Lets the migrate Job go, fenced by its UID and by its being suspended. **Irreversible**; the Job's UID is on record.
    ResumeJob(Fence),
    /// Creates the PodDisruptionBudget that holds drains back, owned by the Job. There already means done.
    CreateBudget {
        /// Number of the attempt.
        attempt: i32,
        /// The migrate Job.
        job: Fence,
    },
    /// Deletes that budget when the migration has ended: it would only raise alerts.
    DeleteBudget {
        /// Its name, the Job's.
        name: String,
    },
    /// Creates a check Job. It changes nothing in the database.
    CreateCheckJob {
        /// Its name.
        name: String,
        /// Number of the attempt.
        attempt: i32,
    },
    /// Ends a Job whose container never started, or whose container has ended and left others running, by its deadline.
    EndJob(Fence),
    /// Approves images on a gated Deployment, in the version seen; admission lets it go in the same write.
    ApproveImages {
        /// The Deployment.
        deployment: Fence,
        /// The whole list.
        approved: Approved,
    },
    /// Takes images off the list of a gated Deployment, in the version seen; admission holds it in the same write.
    RevokeImages {
        /// The Deployment.
        deployment: Fence,
        /// The whole list.
        approved: Approved,
    },
    /// Deletes a finished Job, or one that was never let go, in the version seen.
    DeleteJob(Fence),
}

/// A right that an effect needs: API group, resource, verb.
pub type Right = (&'static str, &'static str, &'static str);

impl Effect {
    /// Whether it can change a database.
    #[must_use]
    pub fn irreversible(&self) -> bool {
        matches!(self, Self::ResumeJob(_))
    }

    /// Its name, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::AcquireLock { .. } => "AcquireLock",
            Self::ReleaseLock(_) => "ReleaseLock",
            Self::CreateMigrateJob { .. } => "CreateMigrateJob",
            Self::ResumeJob(_) => "ResumeJob",
            Self::CreateBudget { .. } => "CreateBudget",
            Self::DeleteBudget { .. } => "DeleteBudget",
            Self::CreateCheckJob { .. } => "CreateCheckJob",
            Self::EndJob(_) => "EndJob",
            Self::DeleteJob(_) => "DeleteJob",
            Self::ApproveImages { .. } => "ApproveImages",
            Self::RevokeImages { .. } => "RevokeImages",
        }
    }

    /// The right that it needs.
    #[must_use]
    pub fn right(&self) -> Right {
        match self {
            Self::AcquireLock { .. } => ("coordination.k8s.io", "leases", "create"),
            Self::ReleaseLock(_) => ("coordination.k8s.io", "leases", "delete"),
            Self::CreateMigrateJob { .. } | Self::CreateCheckJob { .. } => ("batch", "jobs", "create"),
            Self::ResumeJob(_) | Self::EndJob(_) => ("batch", "jobs", "patch"),
            Self::DeleteJob(_) => ("batch", "jobs", "delete"),
            Self::ApproveImages { .. } | Self::RevokeImages { .. } => ("apps", "deployments", "patch"),
            Self::CreateBudget { .. } => ("policy", "poddisruptionbudgets", "create"),
            Self::DeleteBudget { .. } => ("policy", "poddisruptionbudgets", "delete"),
        }
    }
}
