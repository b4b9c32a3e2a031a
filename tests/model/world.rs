//! The world as the checker sees it: who may do what next, and what must hold.

use sluice::decide::upkeep::KEPT;
use stateright::{Model, Property};

use super::api::{Api, may_grow};
use super::operator::{Operator, Subject};
use super::state::*;
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
    Raze,
}

/// The world.
pub struct World {
    pub scene: Scene,
    pub mutation: Mutation,
    pub api: Api,
    operator: Operator,
}

/// The promise that the gate is for.
pub const NO_POD: &str = "2: no release that the database has not gets a pod through its Deployment";
/// What holds it there, whether or not something else would.
pub const HELD: &str = "9: what the database has not is held, whatever is deleted";
const SERVES: &str = "5: the old release keeps its pod for as long as a hold lasts";
/// Without it a release that serves would be held again.
pub const STAYS: &str = "what is approved stays approved";

impl World {
    pub fn new(scene: Scene, mutation: Mutation) -> Self {
        Self { scene, mutation, api: Api::default(), operator: Operator::default() }
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
                self.make(&mut next, *first)?;
                next.live = rest.to_vec();
            }
            Step::GoOn => {
                let write = next.live.remove(0);
                if self.make(&mut next, write).is_none() {
                    next.live.clear();
                }
            }
            Step::Crash => next.live.clear(),
            Step::Look(subject) => next.stalled = self.look(&mut next.cached, state, subject),
            Step::Late if state.kept.len() > KEPT && matches!(state.stalled[0], Write::Keep(_)) => return None,
            Step::Late => {
                let write = next.stalled.remove(0);
                if self.make(&mut next, write).is_none() {
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

    /// Makes a write of the operator; none where the API server refuses it.
    fn make(&self, next: &mut State, write: Write) -> Option<()> {
        match write {
            Write::Confirm { fence, .. } => {
                let confirmed = fence == Fence::Current || self.mutation == Mutation::ApprovesUnasked;
                return confirmed.then_some(());
            }
            Write::Approve { approved, fence } => {
                let let_in = match self.mutation {
                    Mutation::ApprovesBlindly => true,
                    Mutation::ApprovesAnyVersion => fence != Fence::Gone,
                    _ => fence == Fence::Current,
                };
                let old = next.deployment.filter(|_| let_in)?;
                next.deployment =
                    Some(self.api.admit(self.mutation, Some(old), Deployment { approved, ..old }, true)?);
            }
            Write::Rule { sent, fence } => {
                let old = next.deployment.filter(|_| fence == Fence::Current)?;
                next.deployment = Some(self.api.admit(self.mutation, Some(old), sent, true)?);
            }
            Write::Record { slot, record, taken_up, cleaned, token, fence } => {
                let run = next.runs[slot].as_mut().filter(|_| fence == Fence::Current)?;
                run.record = record;
                // The last of all; `State::settle` gives it its place.
                run.queued = if taken_up { u8::MAX } else { run.queued };
                run.cleaned = if cleaned { u8::MAX } else { run.cleaned };
                run.token &= !token;
                run.answer = run.answer.filter(|_| record.attempt == Attempt::Active);
            }
            Write::DeleteSet { release, fence } => {
                let place = next.sets.iter().position(|set| set.release == release && fence == Fence::Current)?;
                next.sets.remove(place);
            }
            Write::RestoreSet { release, wanted, listed, owner } => {
                let owner = if owner == Fence::Gone { Owner::Gone } else { Owner::Deployment };
                let set = ReplicaSet { release, owner, wanted, present: 0, listed: Some(listed) };
                let taken = next.sets.iter().any(|set| set.release == release);
                if taken || (wanted > 0 && !may_grow(self.mutation, &set)) {
                    return None;
                }
                next.sets.push(set);
            }
            Write::Keep(kept) if next.kept.contains(&kept) => {}
            Write::Keep(kept) => next.kept.push(kept),
            Write::Drop(kept) => {
                let place = next.kept.iter().position(|there| *there == kept)?;
                next.kept.remove(place);
            }
        }
        Some(())
    }

    fn is_fenced(&self) -> bool {
        use Mutation::{ApprovesAnyVersion, ApprovesBlindly, ApprovesUnasked};
        !matches!(self.mutation, ApprovesBlindly | ApprovesAnyVersion | ApprovesUnasked)
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
        vec![
            Property::always(NO_POD, |_, state: &State| {
                let mut sets = state.sets.iter().filter(|set| set.owner != Owner::Gone);
                sets.all(|set| set.wanted == 0 || state.clean.has(set.release))
            }),
            Property::always(HELD, |_, state: &State| {
                let held = |it: Deployment| it.held != Held::No && it.paused;
                state.deployment.is_none_or(|it| state.clean.has(it.template) || held(it))
            }),
            Property::always(SERVES, |_, state: &State| state.broken != Some(SERVES)),
            Property::always(STAYS, |_, state: &State| state.broken != Some(STAYS)),
            Property::always(
                "5: at rest, what is approved serves while the template is held",
                |world: &Self, state: &State| !old_one_is_down(state) || !world.rests(state),
            ),
            Property::always(
                "8: at rest, the release of a run that did not fail is open",
                |world: &Self, state: &State| !is_blocked(state) || !world.rests(state),
            ),
            Property::sometimes("the second release serves", |_, state: &State| {
                state.deployment.is_some_and(|it| it.held == Held::No && it.template == 1)
                    && state.sets.iter().any(|set| set.release == 1 && set.present > 0)
            }),
            Property::sometimes("the old release serves while the second is held", |_, state: &State| {
                state.deployment.is_some_and(|it| it.held != Held::No && it.template == 1) && state.serves()
            }),
        ]
    }
}

/// The first release is adopted: it runs, and the gate is on.
fn beginning(scene: &Scene) -> State {
    let first = Releases::default().with(0);
    let mut sets = vec![ReplicaSet { release: 0, owner: Owner::Deployment, wanted: 1, present: 1, listed: Some(true) }];
    let old = ReplicaSet { release: 2, owner: Owner::Deployment, wanted: 0, present: 0, listed: None };
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
        broken: None,
    }
}

/// What a step has broken.
fn broken(state: &State, next: &State) -> Option<&'static str> {
    let (before, after) = (state.deployment?, next.deployment?);
    let holds = [before, after].iter().all(|it| it.held != Held::No && it.wanted == 1);
    if holds && state.serves() && !next.serves() {
        return Some(SERVES);
    }
    (!after.approved.includes(before.approved)).then_some(STAYS)
}

/// The template is held, a pod is wanted, there is a release to have it that is approved (or, where nothing is, that a run has on
/// record as clean beside its own), and none has.
fn old_one_is_down(state: &State) -> bool {
    let Some(it) = state.deployment.filter(|it| it.held != Held::No && it.wanted == 1) else { return false };
    let decides = state.runs.iter().flatten().max_by_key(|run| run.queued);
    let latest = state.runs.iter().flatten().max_by_key(|run| run.cleaned).and_then(|run| run.record.clean);
    let nothing = it.approved == Releases::default();
    let known = latest.filter(|latest| nothing && decides.is_some_and(|run| run.image != *latest));
    let sets = state.owned().map(|set| set.release);
    let mut there = sets.chain(state.kept.iter().map(|kept| kept.release));
    there.any(|release| it.approved.has(release) || known == Some(release)) && !state.serves()
}

/// A run is for the template and decides, it has not failed, and still the template's ReplicaSet does not serve alone.
fn is_blocked(state: &State) -> bool {
    let Some(it) = state.deployment else { return false };
    let last = state.runs.iter().flatten().max_by_key(|run| run.queued);
    let wanted = last.is_some_and(|run| run.image == it.template && run.record.attempt != Attempt::Failed);
    let open = it.held == Held::No && !it.paused;
    let mut sets = state.owned();
    let serves = sets.all(|set| set.wanted == if set.release == it.template { it.wanted } else { 0 });
    let there = it.wanted == 0 || state.owned().any(|set| set.release == it.template && set.present == 1);
    wanted && !(open && serves && there)
}
