//! The API that users, GitOps tools and other programs rely on: kinds, conditions, labels and names.
//!
//! One file a kind. Nothing here reads a cluster or decides anything; a change here is a change of contract.

pub mod classification;
pub mod conditions;
pub mod crd;
pub mod labels;
pub mod migration_run;
pub mod names;
pub mod release;
pub mod status;
pub mod target;

pub use migration_run::{MigrationRun, MigrationRunSpec};
pub use status::MigrationRunStatus;

/// API group of all kinds.
pub const GROUP: &str = "sluice.dev";
/// Version that is served and stored.
pub const VERSION: &str = "v1alpha1";
