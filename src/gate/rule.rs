//! Held or not, and what is written for it. The chart's `templates/gate/hold.yaml` says the same.

use super::{Approved, BY_ADMISSION, BY_ADMISSION_AND_USER, Change, UNGATED, Workload};
use crate::api::labels;

/// A write to a Deployment, as admission sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The object before; none where it is created.
    pub old: Option<&'a Workload>,
    /// The object as it was sent.
    pub new: &'a Workload,
    /// Whether the operator writes it: it alone says what is approved.
    pub by_operator: bool,
    /// Whether the writer has the verb `bypass` on MigrationRuns there. It matters only where a bypass is new.
    pub may_bypass: bool,
}

impl<'a> Request<'a> {
    /// The object before, where the rule has taken it up.
    pub(super) fn before(&self) -> Option<&'a Workload> {
        self.old.filter(|old| old.is_taken_up())
    }

    /// Which containers carry the release, as of before: a name that is left out now counts for this write still.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.before().unwrap_or(self.new).named_containers()
    }

    /// What is approved. What other people write there is of no effect; what was planted before there was a gate neither.
    fn approved(&self) -> String {
        if self.by_operator && self.new.is_gated() {
            return self.new.annotation(labels::APPROVED_IMAGES).to_owned();
        }
        match (self.before(), self.old) {
            (Some(before), _) => before.annotation(labels::APPROVED_IMAGES).to_owned(),
            (None, Some(running)) => Approved::of_running(running.containers.iter().map(|c| c.image.as_str())).text(),
            (None, None) => String::new(),
        }
    }
}

/// What of the template keeps it from being let go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lack<'a> {
    /// Images of gated containers that are neither approved nor bypassed.
    pub unapproved: Vec<&'a str>,
    /// Names of gated containers that the template has not.
    pub missing: Vec<&'a str>,
}

/// What is not open of `workload`, whose release is carried by containers of these names.
pub(super) fn lack<'a>(workload: &'a Workload, names: &[&'a str], approved: &str) -> Lack<'a> {
    let (approved, bypassed) = (Approved::parse(approved), workload.bypassed());
    let open = |image: &str| !image.is_empty() && (approved.has(image) || bypassed.contains(&image));
    let carriers = workload.carriers(names).into_iter().map(|c| c.image.as_str());
    Lack { unapproved: carriers.filter(|image| !open(image)).collect(), missing: workload.lacks(names) }
}

/// What the rule makes of a write, for every writer.
#[must_use]
pub fn judge(request: &Request<'_>) -> Change {
    let (new, before) = (request.new, request.before());
    if !new.is_gated() && before.is_none() {
        return Change::default();
    }
    let (names, approved) = (request.names(), request.approved());
    let held = lack(new, &names, &approved) != Lack::default();
    let was_held_by = before.map(|old| old.annotation(labels::HELD_BY)).unwrap_or_default();
    let held_by = match (held, was_held_by) {
        (false, _) => None,
        (true, "") if request.old.is_some_and(|old| old.paused) => Some(BY_ADMISSION_AND_USER.to_owned()),
        (true, "") => Some(BY_ADMISSION.to_owned()),
        (true, same) => Some(same.to_owned()),
    };
    Change {
        approved: Some(if new.is_gated() || held { approved } else { UNGATED.to_owned() }),
        held_by: Some(held_by),
        bypass_ends: new.is_gated() && bypass_is_spent(new, &names),
        paused: if held { Some(true) } else { (was_held_by == BY_ADMISSION).then_some(false) },
    }
}

/// A bypass ends with the image that it names.
fn bypass_is_spent(new: &Workload, names: &[&str]) -> bool {
    let bypassed = new.bypassed();
    new.annotations.contains_key(labels::BYPASS)
        && !new.carriers(names).iter().any(|c| bypassed.contains(&c.image.as_str()))
}
