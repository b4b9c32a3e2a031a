//! The words of a verdict: what a log is read as, and how sure the reading is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// What stands in the way. Every class has one recovery in the runbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Class {
    /// The database cannot be reached or cannot serve.
    Connectivity,
    /// The database refuses the credentials, or the role lacks a right.
    Permission,
    /// Rows in the database contradict what the migration asks for.
    DataConflict,
    /// The migration itself is wrong, or cannot run as it is written.
    ScriptError,
    /// Something earlier stands in the way; no SQL of this run was executed.
    Blocked,
    /// The release or its settings are incomplete or contradict each other.
    Config,
    /// The tool never reached the database.
    Runtime,
    /// Ended from outside after the migration had started: its SQL may or may not be committed.
    Interrupted,
    /// The evidence is missing or contradicts itself.
    Unknown,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Class; 9] = [
        Class::Connectivity,
        Class::Permission,
        Class::DataConflict,
        Class::ScriptError,
        Class::Blocked,
        Class::Config,
        Class::Runtime,
        Class::Interrupted,
        Class::Unknown,
    ];

    /// The branch of the runbook that this class leads to where no reason says otherwise.
    pub const fn branch(self) -> Branch {
        match self {
            Class::Connectivity | Class::Permission | Class::Config | Class::Runtime => Branch::A,
            Class::DataConflict => Branch::B,
            Class::ScriptError | Class::Blocked | Class::Unknown => Branch::C,
            Class::Interrupted => Branch::ByHand,
        }
    }
}

/// How the step ended, as far as the evidence carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// The tool says so, and the exit code agrees.
    Succeeded,
    /// Migrations wait to be applied; nothing has failed.
    Pending,
    /// The step failed.
    Failed,
    /// The signals are missing or contradict each other. Never treated as clean.
    Unknown,
}

/// The branch of the runbook that leads on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Branch {
    /// Repair connectivity, rights or settings, and run the same release again.
    A,
    /// Correct the data, after a backup of the affected rows, and run again.
    B,
    /// Stop the rollout and ship a corrected migration.
    C,
    /// A person looks at the database first: nobody knows what was committed.
    ByHand,
}

/// How much the verdict can be leaned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Confidence {
    /// The tool's own final words or a code, and an exit code that agrees.
    High,
    /// The wording alone, or a code without the tool's frame or without an exit code.
    Medium,
    /// A hint: a fragment, a generic message, or signals that disagree.
    Low,
}

/// Which command wrote the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// The command that applies migrations.
    Migrate,
    /// The command that asks whether any are left.
    Check,
}

/// How the container ended, from its status and its pod's: the truth that the text only refines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The process ended by itself with this code.
    Exited(i32),
    /// A signal ended the process.
    Signalled(i32),
    /// The kernel ended it for its memory limit (`OOMKilled`).
    OomKilled,
    /// The Job's `activeDeadlineSeconds` had passed.
    DeadlineExceeded,
    /// The kubelet evicted the pod, or it was preempted.
    Evicted,
    /// The node stopped reporting.
    NodeLost,
    /// Somebody deleted the pod.
    Deleted,
    /// The container ended, and nobody recorded how.
    Unknown,
    /// The caller knows the text alone.
    NotGiven,
}

/// What a log means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// How the step ended.
    pub outcome: Outcome,
    /// What stands in the way; absent unless the outcome is Failed or Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The cause within the class, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The most specific code printed: the database's before the tool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The SQLSTATE, where one was printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_state: Option<String>,
    /// The migration that failed or blocks, as the tool prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// Whether the same release can succeed when it is run again after nothing but time.
    pub retryable: bool,
    /// The branch of the runbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Branch>,
    /// How sure the reading is.
    pub confidence: Confidence,
    /// The lines that prove it, redacted: at most ten, at most 2 KiB.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
}

impl Verdict {
    /// A failure whose reason is known from elsewhere, such as a pod that never started.
    pub fn failed(reason: Reason, confidence: Confidence, evidence: Vec<String>) -> Self {
        let entry = reason.entry();
        Self {
            outcome: Outcome::Failed,
            class: Some(entry.class),
            reason: Some(reason),
            code: None,
            sql_state: None,
            migration: None,
            retryable: entry.retryable,
            branch: Some(entry.branch),
            confidence,
            evidence: super::redact::evidence(evidence),
        }
    }

    /// A verdict without a failure.
    pub(super) fn of(outcome: Outcome, confidence: Confidence) -> Self {
        Self {
            outcome,
            class: None,
            reason: None,
            code: None,
            sql_state: None,
            migration: None,
            retryable: false,
            branch: None,
            confidence,
            evidence: Vec::new(),
        }
    }
}

macro_rules! display_by_name {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}
display_by_name!(Class, Outcome, Branch, Confidence, Step);
