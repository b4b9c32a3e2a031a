//! The Lease that locks a database: it is there, or it is not. It does not expire, since a migration does not either.

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;

use crate::api::{labels, names};
use crate::decide::Observed;

/// The Lease of a database, held by this run and generation.
///
/// # Errors
/// Never in practice: the manifest is our own.
pub fn lease(observed: &Observed, namespace: &str, database: &str) -> Result<Lease, serde_json::Error> {
    let generation = observed.status.release.as_ref().map_or(observed.run.generation, |release| release.generation);
    let id = observed.status.release.as_ref().map(|release| release.database_id.clone()).unwrap_or_default();
    serde_json::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": names::database_lease(database),
            "namespace": namespace,
            "labels": { labels::MANAGED_BY: labels::MANAGED_BY_SLUICE, labels::DATABASE: database },
            "annotations": {
                labels::DATABASE_ID: id,
                labels::RUN: format!("{}/{}", observed.run.namespace, observed.run.name),
            },
        },
        "spec": { "holderIdentity": holder(&observed.run.uid, generation) },
    }))
}

/// Holder of a lock: the run's UID and the generation whose release is migrated.
#[must_use]
pub fn holder(uid: &str, generation: i64) -> String {
    format!("{uid}/{generation}")
}

/// The UID within a holder.
#[must_use]
pub fn holder_uid(holder: &str) -> &str {
    holder.split('/').next().unwrap_or_default()
}
