//! The operator: what it reads is made of the state, what it does is decided by its own code (`sluice::decide`, `sluice::status`), and
//! becomes writes with the preconditions that `sluice::apply` gives them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use kube::ResourceExt;
use sluice::api::target::RollbackMode;
use sluice::api::{MigrationRun, MigrationRunStatus};
use sluice::classify::{Classifier, Ending, Step, Tool};
use sluice::decide::custody::{progress, way_back};
use sluice::decide::gate::needs_approval;
use sluice::decide::observed::{
    ContainerSeen, DeploymentSeen, Ended, JobSeen, JobView, Lock, Observed, RunIdentity, TargetSeen,
};
use sluice::decide::{Decision, Effect, decide};
use sluice::observe::Peers;
use sluice::status::{self, Applied};

use super::Mutation;
use super::api::workload;
use super::bits::Bits;
use super::record::{NAMESPACE, now, object, read, rollback_of};
use super::state::*;
use super::upkeep::{View, of_deployment, revoked, sweep, version};
use super::world::Scene;
use super::write::{Fence, Write};

/// What a pass is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Run(usize),
    Deployment,
    /// What Deployments that are gone have left in custody.
    Left,
}

/// The operator's decisions, each made once: they are pure. What a pass looks at is their key.
pub struct Operator {
    scene: Scene,
    mutation: Mutation,
    of_runs: Mutex<HashMap<[u128; 2], Vec<Write>>>,
    of_deployments: Mutex<HashMap<u128, Vec<Write>>>,
}

impl Operator {
    pub fn new(scene: Scene, mutation: Mutation) -> Self {
        Self { scene, mutation, of_runs: Mutex::default(), of_deployments: Mutex::default() }
    }

    /// The writes of a pass, in order.
    pub fn pass(&self, state: &State, runs: &[Option<Run>], subject: Subject) -> Vec<Write> {
        let deployment = state.deployment.as_ref();
        let view =
            deployment.map(|deployment| View { deployment, state, runs, scene: &self.scene, mutation: self.mutation });
        match (subject, view) {
            (Subject::Run(slot), _) if runs[slot].is_none() => Vec::new(),
            (Subject::Run(slot), view) => {
                let key = Bits::default().number(slot, 1).list(runs).item(&state.deployment);
                let key = running(state).fold(key, |key, release| key.number(usize::from(release) + 1, 2));
                // Nobody else looks at a way back.
                let looked_at = view.filter(|_| self.scene.rollback() != RollbackMode::Never);
                let mut known = self.of_runs.lock().unwrap();
                let made = || of_run(slot, runs, state, looked_at, self.scene.rollback());
                known.entry([key.0, looked_at.map_or(0, |view| view.key())]).or_insert_with(made).clone()
            }
            (Subject::Deployment, Some(view)) => {
                let mut known = self.of_deployments.lock().unwrap();
                known.entry(view.key()).or_insert_with(|| of_deployment(&view)).clone()
            }
            (Subject::Left, Some(_)) => sweep(state),
            (_, None) => Vec::new(),
        }
    }
}

/// The releases that have replicas, the newest first.
fn running(state: &State) -> impl Iterator<Item = Release> {
    state.owned().rev().filter(|set| set.wanted > 0).map(|set| set.release)
}

// ---- a pass about a run

fn of_run(slot: usize, runs: &[Option<Run>], state: &State, view: Option<View<'_>>, mode: RollbackMode) -> Vec<Write> {
    let Some(run) = &runs[slot] else { return Vec::new() };
    let seen = observe(slot, run, runs, state, view, mode);
    let decision = decide(&seen);
    let mut applied = Applied::default();
    let mut writes: Vec<Write> = Vec::new();
    for effect in &decision.effects {
        match effect {
            Effect::ApproveImages { deployment, approved } => {
                assert_eq!(*deployment, version("shop"), "it is fenced by what was read");
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
            Effect::RevokeImages { deployment, approved } => {
                assert_eq!(*deployment, version("shop"), "it is fenced by what was read");
                writes.push(Write::Revoke { approved: Releases::of(approved.images()), fence: Fence::Current });
            }
        }
    }
    writes.extend(record(slot, run, &seen, &decision, &applied));
    writes
}

/// The write of the record, if it says anything that bears on a decision.
fn record(slot: usize, run: &Run, seen: &Observed, decision: &Decision, applied: &Applied) -> Option<Write> {
    let next = status::next(seen, decision, applied);
    let record = read(&next, seen.spec.rollback_mode());
    let (token, wish) = (!next.retries.is_empty(), !next.rollbacks.is_empty());
    let rolled_back = next.rollback.as_ref().is_some_and(|rollback| rollback.id != rollback_of(slot));
    let new = |time: Option<Timestamp>| time == Some(seen.now);
    let write = Write::Record {
        slot,
        record,
        taken_up: new(next.release.as_ref().map(|release| release.queued_at.0)),
        cleaned: new(next.clean.as_ref().map(|clean| clean.at.0)),
        token,
        wish,
        rolled_back,
        fence: Fence::Current,
    };
    let news = record != run.record || token || wish || rolled_back;
    news.then_some(write)
}

fn observe(
    slot: usize,
    run: &Run,
    runs: &[Option<Run>],
    state: &State,
    view: Option<View<'_>>,
    mode: RollbackMode,
) -> Observed {
    let mine = object(slot, run, mode);
    let others = runs.iter().enumerate().filter(|(other, _)| *other != slot);
    let peers: Vec<MigrationRun> =
        others.clone().filter_map(|(slot, run)| Some(object(slot, run.as_ref()?, mode))).collect();
    let busy = others.filter_map(|(_, run)| run.as_ref()).any(|run| run.record.attempt == Attempt::Active);
    let status = mine.status.clone().unwrap_or_default();
    // It is given back when the run rests.
    let ended = matches!(run.record.attempt, Attempt::Clean | Attempt::Failed) && !run.record.again;
    let rests = (ended || status.rolled_back().is_some()) && !run.token;
    let lock = match (busy, rests) {
        (true, _) => Lock::Held { by: "another".into(), abandoned: None },
        (false, true) => Lock::Free,
        (false, false) => Lock::Mine(version("lock")),
    };
    let peers = Peers { namespace: NAMESPACE.into(), runs: peers };
    let target = target(&mine, &status, &peers, runs, state, view);
    Observed {
        now: now(),
        run: RunIdentity {
            namespace: NAMESPACE.into(),
            name: mine.name_any(),
            uid: mine.uid().unwrap_or_default(),
            generation: mine.metadata.generation.unwrap_or_default(),
            deleting: false,
            retry: run.token.then(|| ("token".to_owned(), None)),
            rollback: run.wish.then(|| ("token".to_owned(), None)),
        },
        spec: Arc::new(mine.spec),
        check: status.active_attempt().map_or(JobSeen::Absent, |_| check(run.answer)),
        status: Arc::new(status),
        lock,
        targets: vec![target],
        ..Observed::default()
    }
}

/// The Deployment as the run's target, looked at as `sluice::observe` does.
fn target(
    mine: &MigrationRun,
    status: &MigrationRunStatus,
    peers: &Peers,
    runs: &[Option<Run>],
    state: &State,
    view: Option<View<'_>>,
) -> TargetSeen {
    let successor = peers.successor(mine);
    let mut seen = TargetSeen {
        name: "shop".into(),
        image: mine.spec.image.clone(),
        required: state.deployment.is_some(),
        successor: successor.map(ResourceExt::name_any),
        released_again: successor.is_some_and(|next| next.spec.image == mine.spec.image),
        clean_with: peers.clean_with(mine),
        ..TargetSeen::default()
    };
    let Some(deployment) = state.deployment else { return seen };
    let mut deployment = DeploymentSeen { fence: version("shop"), workload: workload(deployment), running: Vec::new() };
    let rolled_back = status.rolled_back().is_some();
    let decides = seen.successor.is_none() || rolled_back;
    if !rolled_back && needs_approval(&seen, &deployment) {
        let revoked = || runs.iter().enumerate().flat_map(|(slot, run)| revoked(slot, run.as_ref()));
        let its = running(state).map(|release| IMAGES[usize::from(release)]);
        let its = its.filter(|image| *image == seen.image || revoked().all(|each| each.image != *image));
        deployment.running = its.map(|image| vec![image.to_owned()]).collect();
    } else if let Some(view) = view
        && decides
        && status.release.is_some()
        && status.active_attempt().is_none()
    {
        let gated = view.gated();
        seen.way_back = Some(way_back(&gated, &seen.image));
        seen.progress = rolled_back.then(|| progress(&gated, &seen.image));
    }
    seen.deployment = Some(deployment);
    seen
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
        job: version("check"),
        suspended: false,
        resumed_at: None,
        deadline: Some(600),
        finished: answer.is_some(),
        failed: None,
        container,
    }))
}
