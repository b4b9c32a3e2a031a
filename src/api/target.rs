//! What a run gates: the Deployments that carry its release.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MigrationRunSpec;

/// A Deployment whose new release waits for the run's database. It has to carry the label sluice.dev/gated: "true".
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Deployment.
    pub kind: TargetKind,
    /// Name of the Deployment, in the run's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The image that its gated containers have in this release, where it is not the run's own. Default: spec.image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.matches('\\\\s') && self != '*'").message("an image has no spaces and is no pattern: write it as in the Deployment, such as ghcr.io/acme/shop:2.41.0"))]
    pub image: Option<String>,
}

/// Kinds that can be gated.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TargetKind {
    #[default]
    Deployment,
}

/// What Sluice may do where a release that was let go has to go back.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// Automatic: where this release was let go and a later migration for it fails, its targets go back to the last release
    /// that was fully available. Manual: only when it is asked for by the annotation sluice.dev/rollback with a new token.
    /// Never: neither. The database is never touched. Default: Automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RollbackMode>,
    /// Whether the release before works with the schema that this one makes. Breaking: nothing goes
    /// back unless it is asked for. Default: Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_compatibility: Option<SchemaCompatibility>,
}

/// Who decides on a rollback.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum RollbackMode {
    #[default]
    Automatic,
    Manual,
    Never,
}

/// Whether the release before works with the new schema.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SchemaCompatibility {
    BackwardCompatible,
    #[default]
    Unknown,
    Breaking,
}

/// How the targets are gated.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
pub struct Gate {
    /// Hold: a new release gets no pod until the database is clean with it; the old one goes on serving. Deny: an update of the
    /// Deployment to it is refused instead, until then. Observe: the release
    /// is let through at once, and status and Events say when it would have been held. Off: it is let through at once, and
    /// nothing is said. Default: Hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<GateMode>,
}

/// How strictly.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GateMode {
    #[default]
    Hold,
    Deny,
    Observe,
    Off,
}

impl Target {
    /// The image of the release in this target.
    #[must_use]
    pub fn image<'a>(&'a self, spec: &'a MigrationRunSpec) -> &'a str {
        self.image.as_deref().unwrap_or(&spec.image)
    }
}

impl MigrationRunSpec {
    /// The targets; none where nothing is gated.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        self.targets.as_deref().unwrap_or_default()
    }

    /// Who decides on a rollback: Automatic by default.
    #[must_use]
    pub fn rollback_mode(&self) -> RollbackMode {
        self.rollback.as_ref().and_then(|rollback| rollback.mode).unwrap_or_default()
    }

    /// Whether the release before works with the new schema: Unknown by default.
    #[must_use]
    pub fn schema_compatibility(&self) -> SchemaCompatibility {
        self.rollback.as_ref().and_then(|rollback| rollback.schema_compatibility).unwrap_or_default()
    }

    /// Whether a release waits for its database.
    #[must_use]
    pub fn gate_holds(&self) -> bool {
        matches!(self.gate_mode(), GateMode::Hold | GateMode::Deny)
    }

    /// How they are gated: Hold by default.
    #[must_use]
    pub fn gate_mode(&self) -> GateMode {
        self.gate.as_ref().and_then(|gate| gate.mode).unwrap_or_default()
    }
}
