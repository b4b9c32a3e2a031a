//! `status` of a MigrationRun: the record from which every decision starts, and what people and GitOps tools read.
//!
//! `release`, `attempts`, `clean`, `retry` and `nextAttemptAt` are the record. `step`, `summary` and `conditions` are
//! derived from it and never read back.

mod targets;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use targets::*;

/// How many attempts `status.attempts` keeps.
pub const ATTEMPTS_KEPT: usize = 10;
/// How many retry tokens are remembered, so that none is taken twice.
pub const TOKENS_KEPT: usize = 20;

/// What Sluice has done and found; nobody else writes here.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MigrationRunStatus {
    /// Generation that this status speaks of; -1 before the operator has seen the run.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// Where the run is now, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// One sentence: what is going on, what is awaited, and the way on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Ready, Reconciling, Stalled, Succeeded and Finished, as kstatus and Argo CD read them; GateOpen and Degraded of the targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<Condition>,
    /// The release that is worked on, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseRecord>,
    /// The release that the database was last seen clean with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<CleanRecord>,
    /// The latest failure; absent once the release is clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The last ten attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// When the next attempt starts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Time>,
    /// What the run waits for, where it cannot go on at once; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Retry tokens that were taken, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<TokenTaken>,
    /// Rollback tokens that were taken, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollbacks: Vec<TokenTaken>,
    /// The last rollback of a release of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackRecord>,
    /// The Deployments of spec.targets, as they were seen last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".to_string(), "name".to_string()]))]
    pub targets: Vec<TargetStatus>,
    /// How the gate is enforced; absent where there are no targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateStatus>,
}

/// `observedGeneration` of a run that the operator has not seen.
fn unseen() -> i64 {
    -1
}

impl Default for MigrationRunStatus {
    fn default() -> Self {
        Self {
            observed_generation: unseen(),
            step: None,
            summary: None,
            conditions: Vec::new(),
            release: None,
            clean: None,
            failure: None,
            attempts: Vec::new(),
            next_attempt_at: None,
            waiting: None,
            retries: Vec::new(),
            rollbacks: Vec::new(),
            rollback: None,
            targets: Vec::new(),
            gate: None,
        }
    }
}

/// A release that was taken up.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRecord {
    /// The release's image.
    pub image: String,
    /// The name under which the database is locked.
    pub database_id: String,
    /// Digest of image, database and commands, and of images of the targets' own.
    pub digest: String,
    /// Digest of all that bears on an attempt, timeouts and pod template included.
    pub inputs: String,
    /// Generation in which it was taken up.
    pub generation: i64,
    /// Since when it waits its turn.
    pub queued_at: Time,
    /// Retries made by Sluice itself since the release was taken up or a person asked for a retry.
    #[serde(default)]
    pub retries: i32,
}

/// A release that left the database clean: `migrate` and `check` ended with 0, and `check` said so.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CleanRecord {
    /// The release's image.
    pub image: String,
    /// The name under which the database was locked.
    pub database_id: String,
    /// Digest of the release.
    pub digest: String,
    /// When the check said so.
    pub at: Time,
}

/// One execution of `migrate`, and of the `check` after it.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number within its generation, from 1.
    pub number: i32,
    /// Generation whose release was migrated.
    pub generation: i64,
    /// That release's image.
    pub image: String,
    /// The step that changes the database.
    pub migrate: StepRecord,
    /// The step that asks the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<StepRecord>,
    /// How it ended; absent while it goes on. Clean: the database is clean. Failed: see `failure`. Superseded: migrate ended
    /// well, and the spec had changed meanwhile. Withdrawn: given up before anything had started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<AttemptOutcome>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Attempt {
    /// Whether its migration has run, or may have while nobody looked.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.migrate.started_at.is_some() || self.failure.as_ref().is_some_and(|failure| failure.class == "Interrupted")
    }

    /// Whether it is on record how the migration ended: what is left is to ask the database.
    #[must_use]
    pub fn migration_is_judged(&self) -> bool {
        self.migrate.ended_at.is_some() || self.failure.is_some()
    }
}

/// How an attempt ended. The field's description tells the values apart: one beside each would take its place in the schema.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AttemptOutcome {
    Clean,
    Failed,
    Superseded,
    Withdrawn,
}

/// One Job of an attempt.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// Name of the Job.
    pub job: String,
    /// UID of the Job: written before a migration may start, so that none starts twice.
    pub uid: String,
    /// When the Job was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its container started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When its container ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// What its container exited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What its image was then, as the kubelet knows it: a tag may mean another one later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
}

/// Why an attempt failed, as read from the log and from Kubernetes. No password and no row value is in here.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Connectivity, Permission, DataConflict, ScriptError, Blocked, Config, Runtime, Interrupted or Unknown.
    pub class: String,
    /// The reason within the class, such as UniqueViolation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The most specific code that was printed: the database's before the tool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// SQLSTATE, where one was printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// The migration that failed or that blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// Whether nothing but time is missing.
    #[serde(default)]
    pub retryable: bool,
    /// The branch of the runbook: A, B, C or ByHand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// High, Medium or Low.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<String>,
    /// What it means and the way on, in a sentence or two.
    pub message: String,
    /// The lines that prove it, redacted; at most ten lines or 2 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// Where: Preflight, Migrate or Check.
    pub step: String,
    /// Number of the attempt that failed; 0 where none was begun.
    pub attempt: i32,
    /// When it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// What the step's container exited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What the database answered when it was asked after the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triage: Option<Triage>,
}

/// What `check` said after a failed `migrate`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Triage {
    /// Succeeded, Pending, Failed or Unknown.
    pub outcome: String,
    /// Class and reason of what it said, as `Class/Reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The migration that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// The lines that prove it, redacted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

/// What a run waits for, while nothing has failed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// In CamelCase, such as DatabaseBusy or SecretMissing.
    pub reason: String,
    /// What is missing, in words.
    pub message: String,
    /// Since when.
    pub since: Time,
}

/// What a person or a program asked for by the annotation `sluice.dev/retry` or `sluice.dev/rollback`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TokenTaken {
    /// The annotation's value; each is taken once.
    pub token: String,
    /// When it was taken.
    pub at: Time,
    /// Field manager that wrote the annotation, as far as the API tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What came of it: Accepted, or why not.
    pub result: String,
}

impl MigrationRunStatus {
    /// The attempt that belongs to the release being worked on, if one was begun.
    #[must_use]
    pub fn current_attempt(&self) -> Option<&Attempt> {
        let generation = self.release.as_ref()?.generation;
        self.attempts.last().filter(|attempt| attempt.generation == generation)
    }

    /// The current attempt, while its end is not on record.
    #[must_use]
    pub fn active_attempt(&self) -> Option<&Attempt> {
        self.current_attempt().filter(|attempt| attempt.outcome.is_none())
    }

    /// Whether the release being worked on is on record as clean, and nothing was started on the database since: another
    /// release that failed in between may have left anything.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        match (&self.release, &self.clean) {
            (Some(release), Some(clean)) => {
                release.digest == clean.digest && self.failure.is_none() && self.last_started_was_clean()
            }
            _ => false,
        }
    }

    fn last_started_was_clean(&self) -> bool {
        let started = self.attempts.iter().rev().find(|attempt| attempt.has_started());
        started.is_none_or(|attempt| attempt.outcome == Some(AttemptOutcome::Clean))
    }

    /// Whether the release has failed and nothing more happens by itself.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.failure.is_some() && self.next_attempt_at.is_none() && self.active_attempt().is_none()
    }

    /// Whether this run has nothing left to open.
    #[must_use]
    pub fn is_gate_open(&self) -> bool {
        self.targets.iter().all(|target| target.settled)
    }

    /// Whether a retry token was taken before.
    #[must_use]
    pub fn has_taken(&self, token: &str) -> bool {
        self.retries.iter().any(|retry| retry.token == token)
    }

    /// Whether a rollback token was taken before.
    #[must_use]
    pub fn has_taken_rollback(&self, token: &str) -> bool {
        self.rollbacks.iter().any(|rollback| rollback.token == token)
    }

    /// Whether pods of a release that is rolled back are being replaced, or are about to be.
    #[must_use]
    pub fn is_rolling_back(&self) -> bool {
        use RollbackState::{Planned, UnderWay};
        let Some(record) = self.rolled_back() else { return false };
        let concerned = self.targets.iter().filter(|target| record.targets.iter().any(|its| its.name == target.name));
        // What has yet to be looked at is about to be replaced.
        let mut states = concerned.map(|target| target.rollback.as_ref().map_or(Planned, |rollback| rollback.state));
        states.any(|state| [Planned, UnderWay].contains(&state))
    }

    /// The rollback of the release being worked on, while no retry has lifted it.
    #[must_use]
    pub fn rolled_back(&self) -> Option<&RollbackRecord> {
        let generation = self.release.as_ref()?.generation;
        self.rollback.as_ref().filter(|rollback| rollback.generation == generation && !rollback.lifted)
    }
}
