//! What is on record of a run's targets: held or let go, the way back, and what a person should know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::target::TargetKind;

/// One of spec.targets, as it was seen last.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Deployment.
    pub kind: TargetKind,
    /// Its name.
    pub name: String,
    /// The image that this run's release has there.
    pub image: String,
    /// Open: its template is let go. Held: its template waits, and what served before goes on serving. Missing: there is no
    /// such Deployment yet. NotGated: it lacks the label, so nothing holds it. NotRequired: its sluice.dev/required-runs
    /// does not name this run. Superseded: a newer run of the same database decides.
    pub state: TargetState,
    /// Whether this run has nothing left to do there: its image is approved, or needs no approval of this run.
    pub settled: bool,
    /// What is awaited, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What about it is not as it should be, though the run can do nothing about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<TargetWarning>,
    /// Since when it is in this state.
    pub since: Time,
    /// How a rollback of this release would go there, or goes; absent where the release has not been let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<TargetRollback>,
}

/// State of a target. The field's description tells them apart.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TargetState {
    Open,
    Held,
    Missing,
    NotGated,
    NotRequired,
    Superseded,
}

/// The way back of a target.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TargetRollback {
    /// Planned: how it would go, if it is asked for. Impossible: the message says why. UnderWay: pods are replaced. Done: no
    /// pod of the release is left. Failed: the release before did not become available in time, so this one serves in full
    /// again, held. Contested: somebody else has changed what Sluice wrote, and it was left so.
    pub state: RollbackState,
    /// The images of the release to go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Pods that run beside those that are wanted while pods are replaced, at most; each has its connections to the database.
    #[serde(default)]
    pub extra_pods: i32,
    /// Seconds after which it is given up; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<i64>,
    /// What goes on, or what is in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// State of a target's rollback. The field's description tells them apart.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RollbackState {
    Planned,
    Impossible,
    UnderWay,
    Done,
    Failed,
    Contested,
}

/// A release of this run that was rolled back: its images are let go no more, until a retry is asked for or another release
/// is taken up.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RollbackRecord {
    /// Generation in which the release was taken up.
    pub generation: i64,
    /// What it is known by on ReplicaSets: run, generation and token.
    pub id: String,
    /// Why: who asked, or what has failed.
    pub reason: String,
    /// When.
    pub at: Time,
    /// Whether a later retry has let the release go again.
    #[serde(default)]
    pub lifted: bool,
    /// The Deployments with the images that it had there.
    pub targets: Vec<RolledBack>,
}

/// A Deployment with the image that it was rolled back from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
}

/// Something about a target that a person should know of.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TargetWarning {
    /// RolloutFailed: the release was let go, and its pods do not become available in the Deployment's progress deadline.
    /// AvailabilityFell: while a release is held, fewer pods of what serves are available than the Deployment allows. PauseInGit:
    /// its manifest writes spec.paused, which the gate writes too. TagMoved: pods of the release run another image than the one that
    /// migrated, under the same tag.
    pub reason: WarningReason,
    /// What is seen, and what to do.
    pub message: String,
}

/// Why a target is warned of, the gravest first. The field's description tells them apart.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum WarningReason {
    RolloutFailed,
    AvailabilityFell,
    TagMoved,
    PauseInGit,
}

/// How the gate is enforced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct GateStatus {
    /// AdmissionPolicy: by the API server, with or without an operator. Webhook: by the API server, which asks the operator;
    /// without one, no update of a gated Deployment comes in. Reactive: by the operator after the fact, which can
    /// be late.
    pub enforcement: Enforcement,
}

/// What enforces the gate.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Enforcement {
    #[default]
    #[clap(name = "AdmissionPolicy")]
    AdmissionPolicy,
    #[clap(name = "Webhook")]
    Webhook,
    #[clap(name = "Reactive")]
    Reactive,
}
