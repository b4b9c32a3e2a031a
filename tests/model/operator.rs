//! The operator: what it reads is made of the state, what it does is decided by its own code (`sluice::decide`, `sluice::status`), and
//! becomes writes with the preconditions that `sluice::apply` gives them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};
use sluice::api::{MigrationRun, labels};
use sluice::classify::{Classifier, Ending, Step, Tool};
use sluice::decide::observed::{
    self, ContainerSeen, DeploymentSeen, Ended, JobSeen, JobView, Lock, Observed, RunIdentity, TargetSeen,
};
use sluice::decide::upkeep::{Gated, Revision, Set, Upkeep, upkeep};
use sluice::decide::{Decision, Effect, decide};
use sluice::observe::Peers;
use sluice::status::{self, Applied};

use super::api::{self, workload};
use super::bits::Bits;
use super::record::{NAMESPACE, at, now, object, read};
use super::state::*;

/// What a pass is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Run(usize),
    Deployment,
}

/// The operator's decisions, each made once: they are pure. What a pass looks at is their key.
#[derive(Default)]
pub struct Operator {
    of_runs: Mutex<HashMap<u128, Vec<Write>>>,
    of_deployments: Mutex<HashMap<u128, Vec<Write>>>,
}

impl Operator {
    /// The writes of a pass, in order.
    pub fn pass(&self, state: &State, runs: &[Option<Run>], subject: Subject) -> Vec<Write> {
        match subject {
            Subject::Run(slot) => {
                if runs[slot].is_none() {
                    return Vec::new();
                }
                let running = || state.owned().rev().filter(|set| set.wanted > 0).map(|set| set.release);
                let key = Bits::default().number(slot, 1).list(runs).item(&state.deployment);
                let key = running().fold(key, |key, release| key.number(usize::from(release) + 1, 2));
                let mut known = self.of_runs.lock().unwrap();
                let made = || of_run(slot, runs, state.deployment, &running().collect::<Vec<_>>());
                known.entry(key.0).or_insert_with(made).clone()
            }
            Subject::Deployment => {
                let Some(deployment) = state.deployment else { return Vec::new() };
                let key = Bits::default().item(&deployment).list(&state.kept);
                let key = state.owned().fold(key, |key, set| key.number(1, 1).item(set)).0;
                let mut known = self.of_deployments.lock().unwrap();
                let sets = || state.owned().copied().collect::<Vec<_>>();
                known.entry(key).or_insert_with(|| of_deployment(&deployment, &sets(), &state.kept)).clone()
            }
        }
    }
}

fn fence(name: &str) -> observed::Fence {
    observed::Fence { name: name.into(), uid: format!("uid-of-{name}"), resource_version: "7".into() }
}

// ---- a pass about a run

fn of_run(slot: usize, runs: &[Option<Run>], deployment: Option<Deployment>, running: &[Release]) -> Vec<Write> {
    let Some(run) = &runs[slot] else { return Vec::new() };
    let seen = observe(slot, run, runs, deployment, running);
    let decision = decide(&seen);
    let mut applied = Applied::default();
    let mut writes: Vec<Write> = Vec::new();
    for effect in &decision.effects {
        match effect {
            Effect::ApproveImages { deployment, approved } => {
                assert_eq!(*deployment, fence("shop"), "it is fenced by what was read");
                writes.push(Write::Confirm { slot, fence: Fence::Current });
                writes.push(Write::Approve { approved: Releases::of(approved.images()), fence: Fence::Current });
            }
            Effect::CreateMigrateJob { name, .. } | Effect::CreateCheckJob { name, .. } => {
                applied.jobs.insert(name.clone(), "uid-of-a-job".into());
            }
            // Of Jobs the model has only how they end, of locks only whose turn it is.
            Effect::AcquireLock { .. }
            | Effect::ReleaseLock(_)
            | Effect::ResumeJob(_)
            | Effect::CreateBudget { .. }
            | Effect::DeleteBudget { .. }
            | Effect::EndJob(_)
            | Effect::DeleteJob(_) => {}
            Effect::RevokeImages { .. } => panic!("RevokeImages: the model has no rollback, and nobody wished for one"),
        }
    }
    writes.extend(record(slot, run, &seen, &decision, &applied));
    writes
}

/// The write of the record, if it says anything that bears on a decision.
fn record(slot: usize, run: &Run, seen: &Observed, decision: &Decision, applied: &Applied) -> Option<Write> {
    let next = status::next(seen, decision, applied);
    let record = read(&next);
    let new = |time: Option<Timestamp>| time == Some(seen.now);
    let write = Write::Record {
        slot,
        record,
        taken_up: new(next.release.as_ref().map(|release| release.queued_at.0)),
        cleaned: new(next.clean.as_ref().map(|clean| clean.at.0)),
        token: !next.retries.is_empty(),
        fence: Fence::Current,
    };
    let news = record != run.record || !next.retries.is_empty();
    news.then_some(write)
}

fn observe(
    slot: usize,
    run: &Run,
    runs: &[Option<Run>],
    deployment: Option<Deployment>,
    running: &[Release],
) -> Observed {
    let mine = object(slot, run);
    let others = runs.iter().enumerate().filter(|(other, _)| *other != slot);
    let peers: Vec<MigrationRun> = others.clone().filter_map(|(slot, run)| Some(object(slot, run.as_ref()?))).collect();
    let busy = others.filter_map(|(_, run)| run.as_ref()).any(|run| run.record.attempt == Attempt::Active);
    // It is given back when the run rests.
    let rests = matches!(run.record.attempt, Attempt::Clean | Attempt::Failed) && !run.record.again && !run.token;
    let lock = match (busy, rests) {
        (true, _) => Lock::Held { by: "another".into(), abandoned: None },
        (false, true) => Lock::Free,
        (false, false) => Lock::Mine(fence("lock")),
    };
    let peers = Peers { namespace: NAMESPACE.into(), runs: peers };
    let target = TargetSeen {
        name: "shop".into(),
        image: mine.spec.image.clone(),
        deployment: deployment.map(|seen| DeploymentSeen {
            fence: fence("shop"),
            workload: workload(seen),
            running: running.iter().map(|release| vec![IMAGES[usize::from(*release)].to_owned()]).collect(),
        }),
        required: deployment.is_some(),
        successor: peers.successor(&mine).map(ResourceExt::name_any),
        released_again: false,
        serving: Default::default(),
        clean_with: peers.clean_with(&mine),
        unready: Vec::new(),
        way_back: None,
        progress: None,
    };
    let status = mine.status.clone().unwrap_or_default();
    Observed {
        now: now(),
        run: RunIdentity {
            namespace: NAMESPACE.into(),
            name: mine.name_any(),
            uid: mine.uid().unwrap_or_default(),
            generation: mine.metadata.generation.unwrap_or_default(),
            deleting: false,
            retry: run.token.then(|| ("token".to_owned(), None)),
            rollback: None,
        },
        spec: Arc::new(mine.spec),
        refusal: None,
        check: status.active_attempt().map_or(JobSeen::Absent, |_| check(run.answer)),
        status: Arc::new(status),
        migrate: JobSeen::Absent,
        lock,
        ahead: None,
        rival: None,
        expired: Vec::new(),
        orphan: None,
        kept_open: Vec::new(),
        targets: vec![target],
        enforcement: Default::default(),
    }
}

/// The check Job of the attempt under way.
fn check(answer: Option<bool>) -> JobSeen {
    let container = match answer {
        None => ContainerSeen::Running(None),
        Some(clean) => {
            let text = if clean { "Database schema is up to date!\n" } else { "" };
            let exit = i32::from(!clean);
            let mut classifier = Classifier::new(Tool::Prisma, Step::Check);
            classifier.push(text.as_bytes());
            let verdict = classifier.finish(Ending::Exited(exit));
            ContainerSeen::Ended(Box::new(Ended {
                started_at: None,
                ended_at: None,
                exit_code: Some(exit),
                image_id: None,
                verdict,
            }))
        }
    };
    JobSeen::Ours(Box::new(JobView {
        job: fence("check"),
        suspended: false,
        resumed_at: None,
        deadline: Some(600),
        finished: answer.is_some(),
        failed: None,
        container,
    }))
}

// ---- a pass about the Deployment

fn of_deployment(deployment: &Deployment, sets: &[ReplicaSet], kept: &[Kept]) -> Vec<Write> {
    let present = |set: &ReplicaSet| set.present == deployment.wanted;
    let its = sets.iter().find(|set| set.release == deployment.template);
    let total: u8 = sets.iter().map(|set| set.present).sum();
    let gated = Gated {
        workload: workload(*deployment),
        fence: fence("shop"),
        wanted: i32::from(deployment.wanted),
        complete: total == deployment.wanted && its.is_none_or(present),
        sets: sets.iter().zip(0..).map(|(each, place)| set(each, place)).collect(),
        revisions: kept.iter().map(revision).collect(),
        now: now(),
        ..Gated::default()
    };
    upkeep(&gated).iter().map(|write| written(write, deployment, sets, kept)).collect()
}

fn written(write: &Upkeep, deployment: &Deployment, sets: &[ReplicaSet], kept: &[Kept]) -> Write {
    match write {
        Upkeep::WriteRule(change) => {
            let sent = api::read(&change.of(&workload(*deployment)), *deployment);
            Write::Rule { sent, fence: Fence::Current }
        }
        Upkeep::DeleteReplicaSet(gone) => {
            let set = sets.iter().find(|set| fence(&name(set.release)) == *gone);
            Write::DeleteSet { release: set.expect("it was read").release, fence: Fence::Current }
        }
        Upkeep::RestoreReplicaSet { manifest, replicas } => {
            let release = made_of(manifest);
            let listed = deployment.approved.has(release);
            Write::RestoreSet { release, wanted: u8::from(*replicas > 0), listed, owner: Fence::Current }
        }
        Upkeep::KeepRevision { number, manifest } => {
            Write::Keep(Kept { number: u8::try_from(*number).expect("a small number"), release: made_of(manifest) })
        }
        Upkeep::DropRevision(gone) => {
            Write::Drop(*kept.iter().find(|kept| revision(kept).fence == *gone).expect("it was read"))
        }
        Upkeep::TakeCustody(_) | Upkeep::ScaleCustody(_) | Upkeep::GiveBack(_) => {
            panic!("{}: nothing is in custody, for nothing was rolled back", write.name())
        }
        Upkeep::ExplainHold(_) => panic!("ExplainHold: nobody tells the model's Deployments why they are held"),
    }
}

fn name(release: Release) -> String {
    IMAGES[usize::from(release)].replace(':', "-")
}

fn manifest(release: Release) -> Value {
    json!({ "metadata": { "name": name(release) } })
}

fn made_of(manifest: &Value) -> Release {
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
    release(&name.replace('-', ":"))
}

fn images(release: Release) -> BTreeSet<String> {
    [IMAGES[usize::from(release)].to_owned()].into()
}

/// The ReplicaSet in that place: the later it is, the later it was created.
fn set(set: &ReplicaSet, place: u8) -> Set {
    let list = |own: bool| if own { Releases::default().with(set.release) } else { Releases::default() };
    let list = set.listed.map(|own| (labels::APPROVED_IMAGES.to_owned(), list(own).text()));
    Set {
        fence: fence(&name(set.release)),
        release: images(set.release),
        wanted: i32::from(set.wanted),
        present: i32::from(set.present),
        ready: i32::from(set.present),
        available: i32::from(set.present),
        created: Some(at(place)),
        labels: BTreeMap::new(),
        annotations: list.into_iter().collect(),
        relabelled_by: None,
        manifest: manifest(set.release),
    }
}

fn revision(kept: &Kept) -> Revision {
    Revision {
        fence: fence(&format!("{}-{}", name(kept.release), kept.number)),
        number: i64::from(kept.number),
        release: images(kept.release),
        manifest: manifest(kept.release),
        fits: true,
    }
}
