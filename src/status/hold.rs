//! Why a Deployment is held, in the words of the runs that name it: for whoever sees the Deployment alone, as Argo CD does.

use std::collections::BTreeSet;

use super::situation::{Situation, name_of, of, rolled_back, stalled};
use crate::api::MigrationRunStatus;

/// The longest that is written, in bytes.
const LONGEST: usize = 1024;

/// What a run that names the Deployment lacks to let its image go; nothing where it lacks nothing. It says the same from the
/// start of an attempt to its end, since each change is a write.
#[must_use]
pub fn why(status: &MigrationRunStatus, suspended: bool) -> Option<String> {
    Some(match of(status, suspended) {
        Situation::Clean => return None,
        Situation::Stalled => stalled(status).2,
        Situation::RolledBack => rolled_back(status).2,
        Situation::RollingBack => format!("rolled back, {}", status.rolled_back().map_or("", |record| &record.reason)),
        Situation::Suspended => "suspended: nothing new starts until spec.suspend is false".to_owned(),
        Situation::Opening => status.waiting.as_ref()?.message.clone(),
        Situation::Working => match &status.failure {
            Some(failure) => format!("{}, and is tried again by itself", name_of(failure)),
            None => "the database is not clean with it yet".to_owned(),
        },
    })
}

/// All of it: the images that wait, then each run with what it lacks. Where none lacks anything there is nothing to tell, unless
/// there is no run.
#[must_use]
pub fn told<'a>(
    waits: &BTreeSet<&str>,
    runs: impl IntoIterator<Item = (&'a str, String)>,
    alone: bool,
) -> Option<String> {
    let each = runs.into_iter().map(|(run, why)| format!("MigrationRun {run}: {why}"));
    let mut told = each.collect::<Vec<_>>().join("; ");
    if alone && told.is_empty() {
        told = "No MigrationRun names this Deployment in spec.targets".to_owned();
    }
    let images = waits.iter().copied().collect::<Vec<_>>().join(", ");
    let what = match images.as_str() {
        "" => "A container that sluice.dev/containers names is missing from the template".to_owned(),
        images => format!("{images} is not let go"),
    };
    let mut text = format!("{what}. {told}").replace('\n', " ");
    while text.len() > LONGEST {
        text.pop();
    }
    (!told.is_empty()).then_some(text)
}
