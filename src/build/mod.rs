//! From a decision to a Kubernetes object. Pure: no client, no async, no clock.

pub mod budget;
pub mod job;
pub mod kept;
pub mod lease;
pub mod merge;
pub mod refuse;

use std::collections::BTreeMap;

use crate::api::{labels, names};
use crate::decide::Observed;

/// Labels of everything that belongs to an attempt of a run.
#[must_use]
pub fn labels_of(observed: &Observed, step: &str, attempt: i32) -> BTreeMap<String, String> {
    let release = observed.status.release.as_ref();
    let database = release
        .map_or_else(|| observed.spec.database_id(&observed.run.namespace), |release| release.database_id.clone());
    let generation = release.map_or(observed.run.generation, |release| release.generation);
    [
        (labels::MANAGED_BY, labels::MANAGED_BY_SLUICE.to_owned()),
        (labels::RUN, names::cut(&observed.run.name, 63).to_owned()),
        (labels::RUN_UID, observed.run.uid.clone()),
        (labels::DATABASE, names::digest_hex(&[&database])),
        (labels::STEP, step.to_owned()),
        (labels::ATTEMPT, attempt.to_string()),
        (labels::GENERATION, generation.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

#[cfg(test)]
mod tests;
