//! A small world of one run and its Jobs, in which everything happens in any order: passes that crash between the writes and
//! the record, Jobs that end in every way or vanish, another spec, tokens, a lock that is lost.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What may happen next.
#[derive(Clone, Debug)]
enum Event {
    /// A pass; true: it crashes before the record is written.
    Pass(bool),
    /// The pod of a Job that was let go starts.
    Start,
    /// It ends: so the log says.
    End(&'static str, i32),
    /// Its Job finishes; true: and takes its pod away.
    Finish(bool),
    /// Its Job vanishes.
    Vanish,
    NewRelease,
    Suspend(bool),
    Token,
    LoseLock,
    Rival(bool),
    Later(i64),
}

fn any_event() -> impl Strategy<Value = Event> {
    let ends = prop::sample::select(vec![(APPLIED, 0), (UP_TO_DATE, 0), (UNREACHABLE, 1), (UNIQUE, 1), ("", 1)]);
    prop_oneof![
        12 => prop::bool::weighted(0.25).prop_map(Event::Pass),
        4 => Just(Event::Start),
        4 => ends.prop_map(|(text, exit)| Event::End(text, exit)),
        2 => any::<bool>().prop_map(Event::Finish),
        1 => Just(Event::Vanish),
        1 => Just(Event::NewRelease),
        1 => any::<bool>().prop_map(Event::Suspend),
        2 => Just(Event::Token),
        1 => Just(Event::LoseLock),
        2 => prop::bool::weighted(0.3).prop_map(Event::Rival),
        2 => (1_i64..700).prop_map(Event::Later),
    ]
}

struct World {
    seen: Observed,
    jobs: BTreeMap<String, JobView>,
    locked: bool,
    tokens: u32,
    created: u32,
    /// UIDs of the Jobs that were let go, and the names under which.
    let_go: BTreeSet<String>,
    attempts: BTreeSet<String>,
    /// Whether somebody asked for more since a migration was interrupted.
    interrupted: bool,
}

impl World {
    fn new() -> Self {
        Self {
            seen: observed(),
            jobs: BTreeMap::new(),
            locked: false,
            tokens: 0,
            created: 0,
            let_go: BTreeSet::new(),
            attempts: BTreeSet::new(),
            interrupted: false,
        }
    }

    fn look(&mut self) {
        let active = self.seen.status.active_attempt().map(|attempt| attempt.number);
        let number = active.unwrap_or_else(|| self.seen.next_attempt());
        let look = |step: &str| match self.jobs.get(&self.seen.job_name(step, number)) {
            Some(view) => JobSeen::Ours(Box::new(view.clone())),
            None => JobSeen::Absent,
        };
        let (migrate, check) = (look("migrate"), look("check"));
        (self.seen.migrate, self.seen.check) = (migrate, check);
        self.seen.lock = if self.locked { lease() } else { Lock::Free };
    }

    /// Writes an effect, as the API server would; what it would refuse fails the pass.
    fn write(&mut self, effect: &Effect, applied: &mut Applied) -> Result<(), ()> {
        match effect {
            Effect::AcquireLock { .. } if self.locked => return Err(()),
            Effect::AcquireLock { .. } => self.locked = true,
            Effect::ReleaseLock(_) => self.locked = false,
            // The runs of this world have no targets.
            Effect::ApproveImages { .. } | Effect::RevokeImages { .. } => return Err(()),
            Effect::CreateMigrateJob { name, .. } | Effect::CreateCheckJob { name, .. } => {
                let suspended = matches!(effect, Effect::CreateMigrateJob { .. });
                self.created += 1;
                let uid = format!("uid-{}", self.created);
                let view = self.jobs.entry(name.clone()).or_insert_with(|| new_job(name, uid, suspended));
                applied.jobs.insert(name.clone(), view.job.uid.clone());
            }
            Effect::ResumeJob(job) => {
                let view = self.jobs.get_mut(&job.name).filter(|view| view.job.uid == job.uid && view.suspended);
                let view = view.ok_or(())?;
                (view.suspended, view.resumed_at) = (false, Some(self.seen.now));
                assert!(self.let_go.insert(job.uid.clone()), "{} was let go twice", job.name);
                assert!(self.attempts.insert(job.name.clone()), "attempt {} was started twice", job.name);
                assert!(!self.interrupted, "{} follows an interrupted migration that nobody has looked at", job.name);
                assert!(self.locked && self.seen.rival.is_none(), "{} is not alone", job.name);
                let active = self.jobs.values().filter(|view| is_migrate(view) && !view.suspended && !view.finished);
                let running = active.filter(|view| !matches!(view.container, ContainerSeen::Ended(_))).count();
                assert!(running <= 1, "{running} migrations run at once");
            }
            Effect::EndJob(job) => {
                if let Some(view) = self.jobs.get_mut(&job.name) {
                    (view.deadline, view.finished) = (Some(1), true);
                    view.failed = Some("DeadlineExceeded".into());
                }
            }
            Effect::DeleteJob(job) => drop(self.jobs.remove(&job.name)),
            Effect::CreateBudget { .. } | Effect::DeleteBudget { .. } => {}
        }
        Ok(())
    }

    fn pass(&mut self, crashes: bool) {
        self.look();
        let decision = decide(&self.seen);
        let mut applied = Applied::default();
        if decision.effects.iter().any(|effect| self.write(effect, &mut applied).is_err()) || crashes {
            return;
        }
        let status = status::next(&self.seen, &decision, &applied);
        self.interrupted |=
            decision.facts.iter().any(|fact| matches!(fact, Fact::Failed(failure) if failure.class == "Interrupted"));
        self.interrupted &= !decision.facts.iter().any(|fact| matches!(fact, Fact::TakenUp(_) | Fact::RetryTaken(_)));
        self.seen.status = Arc::new(status);
    }

    fn happens(&mut self, event: &Event) {
        let now = self.seen.now;
        let working = self.jobs.values_mut().find(|view| !view.suspended && !view.finished);
        match (event, working) {
            (Event::Pass(crashes), _) => self.pass(*crashes),
            (Event::Start, Some(view)) if matches!(view.container, ContainerSeen::Waiting(_)) => {
                view.container = ContainerSeen::Running(Some(now));
            }
            (Event::End(text, exit), Some(view)) if matches!(view.container, ContainerSeen::Running(_)) => {
                let step = if is_migrate(view) { Step::Migrate } else { Step::Check };
                view.container = ended(text, *exit, step);
            }
            (Event::Finish(takes_pod), Some(view)) => {
                (view.finished, view.failed) = (true, Some("BackoffLimitExceeded".into()));
                if *takes_pod {
                    view.container = ContainerSeen::Waiting(None);
                }
            }
            (Event::Vanish, Some(view)) => {
                let name = view.job.name.clone();
                self.jobs.remove(&name);
            }
            (Event::NewRelease, _) => {
                self.seen.run.generation += 1;
                let image = format!("shop:{}", self.seen.run.generation);
                self.seen.spec = Arc::new(MigrationRunSpec { image, ..(*self.seen.spec).clone() });
            }
            (Event::Suspend(suspend), _) => {
                self.seen.run.generation += 1;
                self.seen.spec = Arc::new(MigrationRunSpec { suspend: Some(*suspend), ..(*self.seen.spec).clone() });
            }
            (Event::Token, _) => {
                self.tokens += 1;
                self.seen.run.retry = Some((format!("t{}", self.tokens), None));
            }
            (Event::LoseLock, _) => self.locked = false,
            (Event::Rival(there), _) => self.seen.rival = there.then(|| "b/job".to_owned()),
            (Event::Later(seconds), _) => {
                self.seen.now = now.checked_add(jiff::SignedDuration::from_secs(*seconds)).unwrap();
            }
            _ => {}
        }
    }

    /// Lets everything end well from here on, and counts the passes until the run rests.
    fn settles(&mut self) -> bool {
        self.happens(&Event::Suspend(false));
        self.happens(&Event::Rival(false));
        for _ in 0..200 {
            self.pass(false);
            let at_rest = self.seen.status.active_attempt().is_none();
            if at_rest && (self.seen.status.is_clean() || self.seen.status.is_stalled()) {
                return true;
            }
            self.happens(&Event::Start);
            self.pass(false);
            let check = self.jobs.values().any(|view| !view.suspended && !view.finished && !is_migrate(view));
            self.happens(&Event::End(if check { UP_TO_DATE } else { APPLIED }, 0));
            self.pass(false);
            self.happens(&Event::Finish(false));
            self.happens(&Event::Later(400));
        }
        false
    }
}

fn is_migrate(view: &JobView) -> bool {
    view.job.name.contains("migrate")
}

fn new_job(name: &str, uid: String, suspended: bool) -> JobView {
    JobView {
        job: Fence { name: name.to_owned(), uid, resource_version: "1".into() },
        suspended,
        resumed_at: None,
        deadline: Some(2400),
        finished: false,
        failed: None,
        container: ContainerSeen::Waiting(None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_order_of_events_starts_a_migration_twice_and_all_come_to_rest(events in prop::collection::vec(any_event(), 1..80)) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
        }
        prop_assert!(world.settles(), "{:?}", world.seen.status.summary);
    }
}
