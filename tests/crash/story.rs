//! What happens to a run when nothing disturbs the operator.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;
use sluice::api::migration_run::{Database, Recovery, Retry};
use sluice::api::target::Target;
use sluice::api::{MigrationRunSpec, labels};

/// The Deployment of the story in which there is one.
pub const TARGET: &str = "shop";

const APPLIED: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260101000000_init`\n\n\
                       All migrations have been successfully applied.";
const UP_TO_DATE: &str = "1 migration found in prisma/migrations\n\nDatabase schema is up to date!";
const UNREACHABLE: &str = "Error: P1001: Can't reach database server at `db:5432`\n\n\
                           Please make sure your database server is running at `db:5432`.";
const CONFLICT: &str = "1 migration found in prisma/migrations\n\nApplying migration `20260102000000_unique`\n\
                        Error: P3018\n\nA migration failed to apply. New migrations cannot be applied before the error is \
                        recovered from.\n\nMigration name: 20260102000000_unique\n\nDatabase error code: 23505\n\n\
                        Database error:\nERROR: could not create unique index \"users_email_key\"";
const HAS_FAILED: &str = "Following migration have failed:\n20260102000000_unique";

/// A run's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// `migrate` and `check` end well.
    Clean,
    /// `migrate` meets a data conflict, `check` confirms it, and the run is stalled.
    Conflict,
    /// The database cannot be reached at first; the second attempt, made by itself, ends well.
    Retried,
    /// `migrate` and `check` end well, and the release is approved on a Deployment.
    Released,
    /// The release serves, and its run is created with the wish to go back from it.
    RolledBack,
}

impl Story {
    pub const MIGRATING: [Self; 3] = [Self::Clean, Self::Conflict, Self::Retried];

    /// Its name, fit for a namespace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Conflict => "conflict",
            Self::Retried => "retried",
            Self::Released => "released",
            Self::RolledBack => "rolledback",
        }
    }

    /// What a step's container exits with, and its last lines.
    pub fn end_of(self, step: &str, attempt: i32) -> (i32, &'static str) {
        match (self, step, attempt) {
            (Self::Conflict, "migrate", _) => (1, CONFLICT),
            (Self::Conflict, _, _) => (1, HAS_FAILED),
            (Self::Retried, "migrate", 1) => (1, UNREACHABLE),
            (_, "migrate", _) => (0, APPLIED),
            _ => (0, UP_TO_DATE),
        }
    }

    /// The run. Its pods are nobody's to schedule, so that a scheduler without nodes does not call them unschedulable.
    pub fn spec(self, database: &str) -> MigrationRunSpec {
        let target = Target { name: TARGET.into(), ..Target::default() };
        let retry = Retry { initial_delay: Some(Duration::from_secs(1).into()), ..Retry::default() };
        MigrationRunSpec {
            image: "shop:1".into(),
            database: Database { id: Some(database.into()), ..Database::default() },
            recovery: Some(Recovery { retry: Some(retry) }),
            pod_template: Some(json!({ "spec": { "schedulerName": "scripted" } })),
            targets: self.has_target().then(|| vec![target]),
            ..MigrationRunSpec::default()
        }
    }

    fn has_target(self) -> bool {
        matches!(self, Self::Released | Self::RolledBack)
    }

    /// What people ask of the run.
    pub fn wishes(self) -> Option<BTreeMap<String, String>> {
        let wish = (labels::ROLLBACK.to_owned(), "t".to_owned());
        (self == Self::RolledBack).then(|| [wish].into())
    }

    /// The Deployment that the run names. Where its release is to be approved its template is still the one before: no policy is
    /// there to end a hold.
    pub fn deployment(self) -> Option<Deployment> {
        let labels = json!({ "app": TARGET });
        let (approved, image, replicas) = match self {
            Self::RolledBack => ("shop:1\nshop:0", "shop:1", 1),
            _ => ("shop:0", "shop:0", 0),
        };
        let deployment = json!({
            "metadata": {
                "name": TARGET,
                "labels": { "sluice.dev/gated": "true" },
                "annotations": { "sluice.dev/approved-images": approved },
            },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "schedulerName": "scripted", "containers": [{ "name": "app", "image": image }] },
                },
            },
        });
        self.has_target().then(|| serde_json::from_value(deployment).unwrap())
    }
}
