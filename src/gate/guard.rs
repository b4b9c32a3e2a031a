//! What is refused, with what to write instead, and what people are told. The chart's `templates/gate/guard.yaml` and
//! `templates/gate/notices.yaml` say the same, in the same order and words.

use super::rule::{Lack, lack};
use super::{Change, Request, Workload, judge};
use crate::api::labels;

/// The API server's answer to a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is refused, for this reason.
    Refused(&'static str),
    /// It is let in with this change, and these warnings go to whoever wrote it.
    Admitted {
        /// What is written besides.
        change: Change,
        /// What the writer is told.
        warnings: Vec<String>,
    },
}

/// The whole rule: what becomes of a write to a Deployment.
#[must_use]
pub fn admit(request: &Request<'_>) -> Answer {
    let change = judge(request);
    let after = change.of(request.new);
    match refusal(request, &after) {
        Some(message) => Answer::Refused(message),
        None => Answer::Admitted { warnings: warnings(request, &after), change },
    }
}

const VALUE: &str =
    "the label sluice.dev/gated has the value \"true\" and no other. To take the gate off, remove the label";
const REASON: &str = "sluice.dev/bypass needs a reason: write it as \"IMAGE REASON\", one image a line";
const VERB: &str = "sluice.dev/bypass lets a release go whose database is not known to be clean. It needs the verb \
     \"bypass\" on migrationruns.sluice.dev in this namespace: ask somebody who has it, or wait for the MigrationRun";
const LABEL: &str = "this Deployment is held, and its gate does not come off. Wait for the MigrationRun, go back to an \
     approved image, or let this one go with the annotation sluice.dev/bypass=\"IMAGE REASON\"";
const FREED: &str = "this Deployment is held, perhaps by what the list would leave out in sluice.dev/containers. Go back to \
     that container's approved image first and change the list then, or let it go with the annotation \
     sluice.dev/bypass=\"IMAGE REASON\"";

fn refusal(request: &Request<'_>, after: &Workload) -> Option<&'static str> {
    let gated = after.is_gated();
    // One that stood there before the policies stays, and gates: or else nobody could write to it, to delete it even.
    let value = after.labels.get(labels::GATED).filter(|value| *value != "true");
    if value.is_some() && value != request.old.and_then(|old| old.labels.get(labels::GATED)) {
        return Some(VALUE);
    }
    let asks = asks_bypass(request, after);
    if asks && !after.annotation(labels::BYPASS).split('\n').all(has_reason) {
        return Some(REASON);
    }
    if asks && !request.may_bypass {
        return Some(VERB);
    }
    let before = request.before().filter(|_| after.is_held())?;
    if !gated {
        return Some(LABEL);
    }
    frees(before, after).then_some(FREED)
}

/// A bypass that stood there before the gate is asked for by whoever sets up the gate.
fn asks_bypass(request: &Request<'_>, after: &Workload) -> bool {
    let (before, bypass) = (request.before(), after.annotation(labels::BYPASS));
    (after.is_gated() || before.is_some())
        && !bypass.is_empty()
        && before.is_none_or(|old| old.annotation(labels::BYPASS) != bypass)
}

/// An image, spaces, and a word.
fn has_reason(line: &str) -> bool {
    let reason = line.trim_start_matches(|letter| letter != ' ');
    !line.starts_with(' ') && !reason.trim_start_matches(' ').is_empty()
}

/// Whether a container with an image that is not approved is left out of a held gate, and was not before. Whoever may not
/// let a release go could leave its container out, and with the next write it would go.
fn frees(before: &Workload, after: &Workload) -> bool {
    let (named, names) = (after.named_containers(), before.named_containers());
    if named == names {
        return false;
    }
    let (approved, bypassed) = (after.approved(), after.bypassed());
    let open = |image: &str| image.is_empty() || approved.has(image) || bypassed.contains(&image);
    let was_left_out = before.left_out(&names);
    after.left_out(&named).iter().any(|c| !open(&c.image) && !was_left_out.iter().any(|old| old.name == c.name))
}

fn warnings(request: &Request<'_>, after: &Workload) -> Vec<String> {
    let names = request.names();
    let mut told = Vec::new();
    if after.is_gated() && after.is_held() && !request.by_operator {
        let Lack { unapproved, missing } = lack(after, &names, after.annotation(labels::APPROVED_IMAGES));
        let what = if unapproved.is_empty() {
            format!("sluice.dev/containers names what the template lacks: {}", missing.join(", "))
        } else {
            format!("not approved yet: {}", unapproved.join(", "))
        };
        told.push(format!(
            "Deployment {} is held: {what}. What serves goes on serving; the new release starts by itself when its \
             MigrationRun is clean (kubectl get mrun)",
            after.name
        ));
    }
    let moving = after.carriers(&names).into_iter().map(|c| c.image.as_str()).find(|image| moves(image));
    if let Some(image) = moving.filter(|_| after.is_gated()) {
        told.push(format!(
            "the gate knows a release by its image as written, and {image} may mean another one tomorrow: name a version \
             or a digest"
        ));
    }
    // A warning is one line, and an image may be anything.
    told.into_iter().map(|text| text.replace('\n', " ")).collect()
}

/// Whether an image may be another one tomorrow under the same name.
fn moves(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    !image.is_empty() && !image.contains('@') && (image.ends_with(":latest") || !last.contains(':'))
}
