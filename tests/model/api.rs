//! The API server: what becomes of a write, by the rule that the policies and the webhook are held equal to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use sluice::api::labels;
use sluice::gate::{Answer, Approved, BY_ADMISSION, BY_ADMISSION_AND_USER, Container, Request, Workload, admit};

use super::Mutation;
use super::state::*;

/// Who writes, and to what.
type Question = (Option<Deployment>, Deployment, bool);

/// Admission, with the answers that it has given: the rule is pure, so each question is asked once.
#[derive(Default)]
pub struct Api {
    answers: Mutex<HashMap<Question, Option<Deployment>>>,
}

impl Api {
    /// The Deployment after a write; none where the write is refused.
    pub fn admit(
        &self,
        mutation: Mutation,
        old: Option<Deployment>,
        sent: Deployment,
        by_operator: bool,
    ) -> Option<Deployment> {
        if mutation == Mutation::OperatorOpensByItself && by_operator {
            return Some(Deployment { held: Held::No, paused: false, ..sent });
        }
        let by_operator = by_operator || mutation == Mutation::RuleBelievesTheWriter;
        let mut answers = self.answers.lock().unwrap();
        *answers.entry((old, sent, by_operator)).or_insert_with(|| judged(old, sent, by_operator))
    }
}

fn judged(old: Option<Deployment>, sent: Deployment, by_operator: bool) -> Option<Deployment> {
    let (before, new) = (old.map(workload), workload(sent));
    let request = Request { old: before.as_ref(), new: &new, by_operator, may_bypass: false };
    match admit(&request) {
        Answer::Refused(_) => None,
        Answer::Admitted { change, .. } => Some(read(&change.of(&new), sent)),
    }
}

/// What the gate sees of it.
pub fn workload(deployment: Deployment) -> Workload {
    let mut annotations = BTreeMap::from([(labels::APPROVED_IMAGES.to_owned(), deployment.approved.text())]);
    let held_by = match deployment.held {
        Held::No => None,
        Held::ByAdmission => Some(BY_ADMISSION),
        Held::ByAdmissionAndUser => Some(BY_ADMISSION_AND_USER),
    };
    annotations.extend(held_by.map(|by| (labels::HELD_BY.to_owned(), by.to_owned())));
    let image = IMAGES[usize::from(deployment.template)].to_owned();
    Workload {
        name: "shop".to_owned(),
        labels: BTreeMap::from([(labels::GATED.to_owned(), "true".to_owned())]),
        annotations,
        containers: vec![Container { name: "app".to_owned(), image, serves: true }],
        paused: deployment.paused,
    }
}

/// And back.
pub fn read(workload: &Workload, sent: Deployment) -> Deployment {
    let held = match workload.annotations.get(labels::HELD_BY).map(String::as_str) {
        None => Held::No,
        Some(BY_ADMISSION) => Held::ByAdmission,
        Some(BY_ADMISSION_AND_USER) => Held::ByAdmissionAndUser,
        Some(other) => panic!("held by {other:?}"),
    };
    let approved = Releases::of(Approved::of(&workload.annotations).images());
    Deployment { approved, held, paused: workload.paused, ..sent }
}

/// The policy on ReplicaSets: one that has a copy of the list does not grow while its release is not on it.
pub fn may_grow(mutation: Mutation, set: &ReplicaSet) -> bool {
    mutation == Mutation::NoPolicyOnReplicaSets || set.listed != Some(false)
}
