//! `MigrationRun`: one release's migrations on one database.
//!
//! Descriptions are what `kubectl explain` prints. The schema defaults only `status`; the defaults of spec are applied by
//! the operator (the `*_or_default` methods below) and named in each field's description.

use std::time::Duration as StdDuration;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar};
use kube::{CustomResource, KubeSchema, core::Duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::classification::Classification;
use super::status::MigrationRunStatus;
use super::target::{Gate, Rollback, Target};
use crate::classify::{OwnRuleError, OwnRules, Tool};

/// What is wanted: which release's migrations, on which database, run how. Sluice starts a migrate Job when no other run
/// works on that database, then a check Job that asks whether all is applied, and writes what came of it to status. A
/// changed spec is taken up when the running Job has ended; a release that is clean already is not migrated again.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "sluice.dev",
    version = "v1alpha1",
    kind = "MigrationRun",
    plural = "migrationruns",
    shortname = "mrun",
    category = "sluice",
    namespaced,
    status = "MigrationRunStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "One release's migrations on one database.",
    selectable = ".spec.image",
    selectable = ".spec.suspend",
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.image"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Class", type_ = "string", json_path = ".status.failure.class"),
    printcolumn(name = "Gate", type_ = "string", json_path = r#".status.conditions[?(@.type=="GateOpen")].status"#),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Summary", type_ = "string", json_path = ".status.summary", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("the name is too long: use at most 63 characters, since it becomes a label of the Jobs")
)]
#[x_kube(
    validation = Rule::new("has(self.database.urlFrom) || (has(self.database.id) && self.database.id != '')")
        .message("database.id is required where database.urlFrom is absent: write a name that is the same for every run of this database, such as \"prod/shop\""),
    validation = Rule::new("!has(self.tool) || self.tool != 'Custom' || (has(self.migrate) && has(self.migrate.command))")
        .message("tool Custom has no commands of its own: write migrate.command (what migrates)"),
    validation = needs_a_check()
)]
#[serde(rename_all = "camelCase")]
pub struct MigrationRunSpec {
    /// The release that carries the migrations, as in the Deployment: registry, repository and tag or digest.
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("!self.matches('\\\\s') && self != '*'").message("an image has no spaces and is no pattern: write it as in the Deployment, such as ghcr.io/acme/shop:2.41.0"))]
    pub image: String,

    /// The migration tool. It gives the default commands, what `check` must say where nothing is pending, and the rules by
    /// which a failure is read: docs/tools.md has them for each tool. Prisma: npx prisma migrate deploy, then npx prisma
    /// migrate status. A tool that has no command to ask what is pending needs check.command. Custom: commands of your own,
    /// in migrate.command and check.command; failures are read from the database's error codes. Default: Prisma.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tool")]
    pub tool: Option<Tool>,

    /// The database that is migrated: where the Jobs find its URL, and the name under which it is locked.
    pub database: Database,

    /// The step that changes the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Migrate>,

    /// The step that asks the database, after `migrate`, whether anything is pending or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,

    /// A partial PodTemplateSpec that is laid over the pod of every Job, as `kubectl patch` would: containers, variables and
    /// volumes by their names, other lists as a whole, and null takes a field away. Sluice's own container is called
    /// `migrate` in the one Job and `check` in the other; write it under its name to give it resources, variables or
    /// mounts. Any other name is a sidecar; one that has to end with the step belongs into initContainers, with
    /// restartPolicy Always. Commands and images of Sluice's containers are not written here but in migrate and check. What
    /// would start a migration twice or end it midway is refused, and so is a field that Kubernetes does not have: the run
    /// then stalls, with a summary that says what to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub pod_template: Option<serde_json::Value>,

    /// How long the pod of a step may take until its container starts; then the attempt has failed. Long enough for a Secret
    /// that GitOps brings later, or an image that is still being pushed. A duration between 1s and 24h. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    #[x_kube(validation = duration_up_to("24h", "startTimeout"))]
    pub start_timeout: Option<Duration>,

    /// The Deployments that carry this release. Each that has the label sluice.dev/gated: "true" gets no pod of it before the
    /// database is clean with it; none is let go before all can be. At most 16. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".to_string(), "name".to_string()]))]
    pub targets: Option<Vec<Target>>,

    /// How they are gated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,

    /// The way back from a release that was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,

    /// What Sluice does by itself after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,

    /// How failures are read, besides the rules that Sluice has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,

    /// Starts nothing new while true. A migration that runs goes on to its end. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,

    /// What is kept when a release is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// The database that is migrated.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    /// Where the Jobs get the database's URL; the operator never reads it. Leave it out where the pod has other means, such
    /// as an IAM token, Vault or a file, and write `id` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_from: Option<UrlFrom>,

    /// Name of the environment variable that holds the URL in the Jobs. Default: DATABASE_URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z_][A-Za-z0-9_]*$')").message("envName is the name of an environment variable: write letters, digits and underscores, such as DATABASE_URL"))]
    pub env_name: Option<String>,

    /// The name under which the database is locked: runs with the same id never migrate at the same time, in whichever
    /// namespace they are. Write one where several namespaces or Secrets lead to the same database, such as prod/shop.
    /// Default: <namespace>/<secret>/<key> of urlFrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub id: Option<String>,

    /// The database's engine, where you want it on record; nothing is refused by it. Default: found from the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
}

/// Database engines.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Engine {
    PostgreSQL,
    MySQL,
    MariaDB,
    SQLServer,
    SQLite,
    CockroachDB,
}

/// Source of the database's URL.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct UrlFrom {
    /// A key of a Secret in the run's namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// A key of a Secret.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct SecretKeyRef {
    /// Name of the Secret, in the run's namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key within the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// The step that changes the database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Migrate {
    /// Image of both Jobs, where the migrations are not in the release's own image. Default: spec.image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,

    /// Command that migrates, a word an item; it replaces the image's entrypoint. Default: that of `tool`, for Prisma
    /// [npx, prisma, migrate, deploy].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub command: Option<Vec<String>>,

    /// Arguments after the command. For `check`, write them into check.command. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub args: Option<Vec<String>>,

    /// More environment variables, for `migrate` and `check`. One that has the name of the URL's variable replaces it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub env: Option<Vec<EnvVar>>,

    /// More sources of environment variables, for `migrate` and `check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub env_from: Option<Vec<EnvFromSource>>,

    /// How long the migration may run. A Job has one deadline: at the end of this time and spec.startTimeout together the
    /// migration is killed, wherever it is, and a person has to look at the database. Write it generously. A duration
    /// between 1s and 168h, such as 90s, 30m or 2h. Default: 30m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    #[x_kube(validation = duration_up_to("168h", "migrate.timeout"))]
    pub timeout: Option<Duration>,

    /// Whether an image that carries no migrations at all counts as clean. Default: false, since it is mostly a path that
    /// is wrong or a COPY that was forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_empty: Option<bool>,
}

/// The step that asks the database whether anything is pending or failed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Command that changes nothing and exits with 0 only where nothing is pending and nothing has failed. Where `tool` has a
    /// sentence for that, the command has to print it too, such as Prisma's "Database schema is up to date!". Default: that
    /// of `tool`, for Prisma [npx, prisma, migrate, status].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub command: Option<Vec<String>>,

    /// How long it may run. A duration between 1s and 24h. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    #[x_kube(validation = duration_up_to("24h", "check.timeout"))]
    pub timeout: Option<Duration>,
}

/// What Sluice does by itself after a failure.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// Retries of failures where nothing but time was missing, such as a database that cannot be reached. All other
    /// failures wait for a person or a new release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// Bounded retries with a growing, jittered delay.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How many times a release is tried again before the run stalls; 0 is never. A retry that a person asks for starts the
    /// count again. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub limit: Option<i32>,

    /// Delay before the first retry; it doubles with each, and up to half of it is taken off, so that many runs do not come
    /// back at once. A duration between 1s and 1h. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    #[x_kube(validation = duration_up_to("1h", "initialDelay"))]
    pub initial_delay: Option<Duration>,

    /// The longest delay, though never shorter than initialDelay. A duration between 1s and 24h. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration")]
    #[x_kube(validation = duration_up_to("24h", "maxDelay"))]
    pub max_delay: Option<Duration>,
}

/// What is kept after a release is done.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct History {
    /// How many releases keep their finished Jobs, and with them their logs; Jobs of older releases are deleted. Default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub limit: Option<i32>,
}

/// A duration of Go's kind, in units that people write; form and bounds stand beside each field as CEL, whose message says
/// what to write.
fn duration(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "maxLength": 32 })
}

/// The tools' names. The field's description tells them apart: one beside each name would take its place in the schema.
fn tool(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": Tool::ALL.map(|tool| tool.to_string()) })
}

/// The rule that a tool which cannot say whether anything is pending has a check of the user's own.
fn needs_a_check() -> kube::core::Rule {
    let silent = Tool::ALL.into_iter().filter(|tool| tool.table().check.is_none()).map(|tool| format!("'{tool}'"));
    let silent = silent.collect::<Vec<_>>().join(", ");
    kube::core::Rule::new(format!(
        "!has(self.tool) || !(self.tool in [{silent}]) || (has(self.check) && has(self.check.command))"
    ))
    .message("this tool has no command of its own that says whether anything is pending: write check.command (what exits with 0 only when nothing is pending)")
}

/// The rule of a duration between a second and `most`.
fn duration_up_to(most: &str, field: &str) -> kube::core::Rule {
    let form = r"^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$";
    kube::core::Rule::new(format!(
        "self.matches('{form}') && duration(self) >= duration('1s') && duration(self) <= duration('{most}')"
    ))
    .message(format!("{field} must be a duration between 1s and {most}: write it such as 90s or 30m").as_str())
}

/// An object whose fields are judged by the operator: a whole PodTemplateSpec in the schema would be larger than the
/// limit of `kubectl apply`'s annotation.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

impl MigrationRunSpec {
    /// The tool, Prisma where none is named.
    #[must_use]
    pub fn tool_or_default(&self) -> Tool {
        self.tool.unwrap_or_default()
    }

    /// Image of the Jobs: `migrate.image`, else `image`.
    #[must_use]
    pub fn job_image(&self) -> &str {
        self.migrate.as_ref().and_then(|m| m.image.as_deref()).unwrap_or(&self.image)
    }

    /// What is locked: `database.id`, else `<namespace>/<secret>/<key>`.
    #[must_use]
    pub fn database_id(&self, namespace: &str) -> String {
        match (self.database.id.as_deref().filter(|id| !id.is_empty()), &self.database.url_from) {
            (Some(id), _) => id.to_owned(),
            (None, Some(UrlFrom { secret_key_ref: SecretKeyRef { name, key } })) => format!("{namespace}/{name}/{key}"),
            // The CRD refuses this; an object stored before that rule still excludes itself from its own namespace.
            (None, None) => format!("{namespace}//"),
        }
    }

    /// Name of the variable that holds the URL.
    #[must_use]
    pub fn env_name(&self) -> &str {
        self.database.env_name.as_deref().unwrap_or("DATABASE_URL")
    }

    /// How long a migration may run: 30 minutes by default.
    #[must_use]
    pub fn migrate_timeout(&self) -> StdDuration {
        or_default(self.migrate.as_ref().and_then(|m| m.timeout), 30 * 60)
    }

    /// How long a check may run: 5 minutes by default.
    #[must_use]
    pub fn check_timeout(&self) -> StdDuration {
        or_default(self.check.as_ref().and_then(|c| c.timeout), 5 * 60)
    }

    /// How long a pod may take to start: 10 minutes by default.
    #[must_use]
    pub fn start_timeout(&self) -> StdDuration {
        or_default(self.start_timeout, 10 * 60)
    }

    /// The rules of the user's own, ready to be asked.
    ///
    /// # Errors
    /// When a pattern is none.
    pub fn own_rules(&self) -> Result<OwnRules, OwnRuleError> {
        let rules = self.classification.as_ref().and_then(|classification| classification.rules.clone());
        OwnRules::new(rules.into_iter().flatten().map(Into::into))
    }

    /// Whether nothing new may start.
    #[must_use]
    pub fn suspended(&self) -> bool {
        self.suspend.unwrap_or(false)
    }

    /// Whether an image without migrations counts as clean.
    #[must_use]
    pub fn allow_empty(&self) -> bool {
        self.migrate.as_ref().and_then(|m| m.allow_empty).unwrap_or(false)
    }

    /// Releases whose finished Jobs are kept.
    #[must_use]
    pub fn history_limit(&self) -> usize {
        let limit = self.history.as_ref().and_then(|h| h.limit).unwrap_or(3);
        usize::try_from(limit.max(1)).unwrap_or(3)
    }

    /// The bounds of retrying, with their defaults.
    #[must_use]
    pub fn retry(&self) -> RetryBounds {
        let retry = self.recovery.as_ref().and_then(|r| r.retry.as_ref());
        RetryBounds {
            limit: retry.and_then(|r| r.limit).unwrap_or(10).max(0),
            initial: or_default(retry.and_then(|r| r.initial_delay), 5),
            max: or_default(retry.and_then(|r| r.max_delay), 5 * 60),
        }
    }
}

/// [`Retry`] with its defaults applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBounds {
    /// How many times an attempt is repeated.
    pub limit: i32,
    /// Delay before the first retry.
    pub initial: StdDuration,
    /// The longest delay.
    pub max: StdDuration,
}

fn or_default(given: Option<Duration>, default_seconds: u64) -> StdDuration {
    given.map_or(StdDuration::from_secs(default_seconds), StdDuration::from)
}
