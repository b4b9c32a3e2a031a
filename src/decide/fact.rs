//! Facts: what a pass has learned or decided, to be put on record. `status` folds them; Events and metrics follow from them
//! once they are persisted.

use jiff::Timestamp;

use super::observed::Ended;
use crate::api::status::{
    AttemptOutcome, CleanRecord, Failure, ReleaseRecord, RollbackRecord, TargetStatus, TokenTaken, Triage,
};

/// One thing to put on record.
#[derive(Clone, Debug)]
pub enum Fact {
    /// A release is taken up: nothing of the one before counts any more.
    TakenUp(ReleaseRecord),
    /// The spec changed in a way that does not bear on the clean release.
    InputsChanged(String),
    /// The step cannot start, or the run's turn has not come: reason and message.
    Waits(String, String),
    /// An attempt has begun: its Job exists, suspended, and its UID is known from the API server's answer.
    AttemptBegun {
        /// Number of the attempt.
        number: i32,
        /// Name of the migrate Job.
        job: String,
    },
    /// The migrate container runs.
    MigrateStarted(Option<Timestamp>),
    /// The migrate container has ended.
    MigrateEnded(Box<Ended>),
    /// The check Job exists.
    CheckBegun {
        /// Its name.
        job: String,
    },
    /// The check container has ended.
    CheckEnded(Box<Ended>),
    /// The attempt failed. It is concluded unless a triage follows.
    Failed(Box<Failure>),
    /// What the database said after the failure.
    Triaged(Triage),
    /// The attempt is over.
    Concluded(AttemptOutcome),
    /// The next attempt starts by itself at this time.
    RetryAt(Timestamp),
    /// The database is clean with this release.
    Clean(CleanRecord),
    /// A retry token was taken.
    RetryTaken(TokenTaken),
    /// A rollback token was taken.
    RollbackTaken(TokenTaken),
    /// The release is rolled back: from now on its images are let go no more.
    RolledBack(RollbackRecord),
    /// A retry lifts the rollback.
    RollbackLifted,
    /// The targets, as they are seen now.
    Targets(Vec<TargetStatus>),
}
