//! The world as the checker sees it: who may do what next, and what must hold.

use sluice::api::target::RollbackMode;
use sluice::decide::upkeep::KEPT;
use stateright::{Model, Property};

use super::api::Api;
use super::operator::{Operator, Subject};
use super::promises::{broken, promises};
use super::state::*;
use super::write::{Fence, Write};
use super::{Mutation, controller, people};

/// How much of the world there is. What is there may happen at any time and as often as it likes.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The releases that people put into the template; the first one is there at the beginning.
    pub templates: Vec<Release>,
    /// The MigrationRuns, each with the images that people give it.
    pub runs: Vec<Vec<Release>>,
    /// People ask for a failed release to be tried again.
    pub retries: bool,
    /// They ask for a rollback of one that was let go.
    pub rolls_back: bool,
    /// One whose migration fails later is rolled back by itself.
    pub rolls_back_itself: bool,
    /// The release before may not come up in time.
    pub times_out: bool,
    /// People leave the runs where they are.
    pub lasting: bool,
    /// People scale the Deployment to 0 and back.
    pub scales: bool,
    /// They delete it and create it again.
    pub deletes: bool,
    /// They delete it and leave its ReplicaSets.
    pub orphans: bool,
    /// They write what is the operator's: the list, the hold, the pause.
    pub plants: bool,
    /// They delete everything, the database too, and begin anew.
    pub razes: bool,
    /// There is a second replica, which decides about this now and writes later.
    pub stalls: Option<Stalled>,
    /// Its cache of runs is older than its cache of Deployments.
    pub lags: bool,
    /// There is a ReplicaSet of the third release, without pods, from before the gate.
    pub before_the_gate: Option<Age>,
    /// People bring no release before an operator has seen what is there from before the gate.
    pub patience: bool,
}

impl Scene {
    /// `spec.rollback.mode` of all runs.
    pub fn rollback(&self) -> RollbackMode {
        match (self.rolls_back, self.rolls_back_itself) {
            (_, true) => RollbackMode::Automatic,
            (true, false) => RollbackMode::Manual,
            (false, false) => RollbackMode::Never,
        }
    }
}

/// Which of its two loops stalls. They share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stalled {
    Runs,
    Deployment,
}

/// When a ReplicaSet was made, beside that of the first release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    Older,
    Newer,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The live replica looks, and makes the first write.
    Pass(Subject),
    /// It makes the next one.
    GoOn,
    /// It crashes before that.
    Crash,
    /// The stalled replica looks.
    Look(Subject),
    /// It makes its next write, whatever has happened since.
    Late,
    /// It never does.
    Forget,
    /// Its cache of runs is filled for the last time.
    Cache,
    /// The Deployment controller.
    Controller,
    /// The ReplicaSet controller.
    Pods(usize),
    /// The garbage collector.
    Collect,
    /// A migration with its check ends: whether clean.
    Ends(usize, bool),
    Template(Release),
    Plant,
    Scale(u8),
    Delete {
        orphan: bool,
    },
    Create(Release),
    Apply(usize, Release),
    Remove(usize),
    Retry(usize),
    /// People ask for a rollback.
    RollBack(usize),
    /// What is in custody has been there for as long as a release may take to come up.
    Time,
    Raze,
}

/// The world.
pub struct World {
    pub scene: Scene,
    pub mutation: Mutation,
    pub api: Api,
    operator: Operator,
}

impl World {
    pub fn new(scene: Scene, mutation: Mutation) -> Self {
        let operator = Operator::new(scene.clone(), mutation);
        Self { scene, mutation, api: Api::default(), operator }
    }

    /// The Deployment after a write of people or GitOps.
    pub fn write(&self, state: &State, change: impl Fn(Deployment) -> Deployment) -> Option<Deployment> {
        let old = state.deployment?;
        self.api.admit(self.mutation, Some(old), change(old), false)
    }

    /// What happens by itself, with the operator up and its replicas not crashing.
    pub fn by_itself(&self, state: &State, steps: &mut Vec<Step>) {
        if state.live.is_empty() {
            steps.extend((0..state.runs.len()).map(|slot| Step::Pass(Subject::Run(slot))));
            steps.push(Step::Pass(Subject::Deployment));
            let left = state.sets.iter().any(|set| set.owner == Owner::Stray);
            steps.extend(left.then_some(Step::Pass(Subject::Left)));
        } else {
            steps.push(Step::GoOn);
        }
        steps.extend((!state.stalled.is_empty()).then_some(Step::Late));
        steps.push(Step::Controller);
        steps.extend((0..state.sets.len()).map(Step::Pods));
        steps.push(Step::Collect);
        for (slot, run) in state.runs.iter().enumerate() {
            if run.is_some_and(|run| run.record.attempt == Attempt::Active && run.answer.is_none()) {
                steps.extend([Step::Ends(slot, true), Step::Ends(slot, false)]);
            }
        }
    }

    /// Whether nothing happens by itself any more.
    pub fn rests(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.by_itself(state, &mut steps);
        !steps.into_iter().any(|step| self.next_state(state, step).is_some())
    }

    fn faults(&self, state: &State, steps: &mut Vec<Step>) {
        // A crash between keeping a release and dropping the oldest leaves one too many; without end it happens to nobody.
        steps.extend((!state.live.is_empty() && state.kept.len() <= KEPT).then_some(Step::Crash));
        let Some(stalls) = self.scene.stalls else { return };
        match stalls {
            _ if !state.stalled.is_empty() => steps.push(Step::Forget),
            Stalled::Runs => steps.extend((0..state.runs.len()).map(|slot| Step::Look(Subject::Run(slot)))),
            Stalled::Deployment => steps.push(Step::Look(Subject::Deployment)),
        }
        let fresh = self.scene.lags && state.stalled.is_empty() && state.cached.is_none();
        steps.extend((fresh && state.runs.iter().any(Option::is_some)).then_some(Step::Cache));
    }

    fn after(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        match step {
            Step::Pass(subject) => {
                let writes = self.operator.pass(state, &state.runs, subject);
                let (first, rest) = writes.split_first()?;
                first.make(&mut next, &self.api, self.mutation)?;
                next.live = rest.to_vec();
            }
            Step::GoOn => {
                let write = next.live.remove(0);
                if write.make(&mut next, &self.api, self.mutation).is_none() {
                    next.live.clear();
                }
            }
            Step::Crash => next.live.clear(),
            Step::Look(subject) => next.stalled = self.look(&mut next.cached, state, subject),
            Step::Late if state.kept.len() > KEPT && matches!(state.stalled[0], Write::Keep(_)) => return None,
            Step::Late => {
                let write = next.stalled.remove(0);
                if write.make(&mut next, &self.api, self.mutation).is_none() {
                    next.stalled.clear();
                }
            }
            Step::Forget => next.stalled.clear(),
            Step::Cache => {
                let cached =
                    |run: &Option<Run>| Cached { run: *run, version: Fence::Current, generation: Fence::Current };
                next.cached = Some(state.runs.iter().map(cached).collect());
            }
            Step::Controller => return controller::deployment(self.mutation, state),
            Step::Pods(set) => return controller::pods(state, set),
            Step::Collect => return controller::collect(state),
            Step::Ends(slot, clean) => {
                let run = next.runs[slot].as_mut()?;
                run.answer = Some(clean);
                next.clean =
                    run.record.release.filter(|_| clean).map_or(next.clean, |release| next.clean.with(release));
            }
            _ => return people::next(self, state, step),
        }
        Some(next)
    }

    /// A pass of the stalled replica, which has the runs from its cache where that is behind.
    fn look(&self, cached: &mut Option<Vec<Cached>>, state: &State, subject: Subject) -> Vec<Write> {
        let Some(old) = cached.take() else { return self.operator.pass(state, &state.runs, subject) };
        let runs: Vec<Option<Run>> = old.iter().map(|cached| cached.run).collect();
        let mut writes = self.operator.pass(state, &runs, subject);
        for write in &mut writes {
            match write {
                Write::Record { slot, fence, .. } => *fence = old[*slot].version,
                Write::Confirm { slot, fence } => *fence = old[*slot].generation,
                _ => {}
            }
        }
        writes
    }

    fn is_fenced(&self) -> bool {
        use Mutation::*;
        let unfenced = [ApprovesBlindly, ApprovesAnyVersion, ApprovesUnasked, RevokesBlindly];
        !unfenced.contains(&self.mutation) && ![ScalesCustodyBlindly, DropsCustodyBlindly].contains(&self.mutation)
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![beginning(&self.scene)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.by_itself(state, steps);
        self.faults(state, steps);
        people::steps(&self.scene, state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = self.after(state, step)?;
        next.settle(state, self.is_fenced());
        next.broken = broken(state, &next);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises(&self.scene)
    }
}

/// The first release is adopted: it runs, and the gate is on.
fn beginning(scene: &Scene) -> State {
    let first = Releases::default().with(0);
    let (owner, mark) = (Owner::Deployment, Mark::default());
    let none = ReplicaSet { release: 0, name: 0, owner, wanted: 0, present: 0, listed: None, mark };
    let mut sets = vec![ReplicaSet { wanted: 1, present: 1, listed: Some(true), ..none }];
    let old = ReplicaSet { release: 2, ..none };
    match scene.before_the_gate {
        Some(Age::Older) => sets.insert(0, old),
        Some(Age::Newer) => sets.push(old),
        None => {}
    }
    State {
        deployment: Some(Deployment { template: 0, wanted: 1, approved: first, held: Held::No, paused: false }),
        sets,
        kept: Vec::new(),
        runs: vec![None; scene.runs.len()],
        clean: first,
        live: Vec::new(),
        stalled: Vec::new(),
        cached: None,
        overdue: false,
        broken: None,
    }
}
