//! A run as the API server has it, made of the model's, and back.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use sluice::api::migration_run::Database;
use sluice::api::release::{inputs_digest, release_digest};
use sluice::api::status::{
    self, AttemptOutcome, CleanRecord, Failure, ReleaseRecord, RollbackRecord, RolledBack, StepRecord,
};
use sluice::api::target::{Rollback, RollbackMode, Target};
use sluice::api::{MigrationRun, MigrationRunSpec, MigrationRunStatus};

use super::state::*;

/// Where everything is.
pub const NAMESPACE: &str = "shop";

/// The present: what is on record lies before.
pub fn now() -> Timestamp {
    at(100)
}

/// An earlier time: the higher the rank, the later.
pub fn at(rank: u8) -> Timestamp {
    Timestamp::from_second(1_000_000 + i64::from(rank)).expect("a time")
}

/// Generation of an attempt of an earlier release, of the release on record, and of a spec that is not taken up yet.
const EARLIER: i64 = 1;
const ON_RECORD: i64 = 2;
const NEXT: i64 = 3;

/// What the rollback is known by that the run in that place has on record.
pub fn rollback_of(slot: usize) -> String {
    format!("rollback-of-{slot}")
}

/// The run, whose rollback is in that mode.
pub fn object(slot: usize, run: &Run, mode: RollbackMode) -> MigrationRun {
    let name = format!("run-{slot}");
    let taken_up = run.record.release == Some(run.image);
    MigrationRun {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(NAMESPACE.into()),
            uid: Some(name),
            generation: Some(if taken_up { ON_RECORD } else { NEXT }),
            ..ObjectMeta::default()
        },
        spec: MigrationRunSpec {
            rollback: Some(Rollback { mode: Some(mode), ..Rollback::default() }),
            ..spec(run.image)
        },
        status: Some(status(slot, run)),
    }
}

fn spec(release: Release) -> MigrationRunSpec {
    MigrationRunSpec {
        image: IMAGES[usize::from(release)].to_owned(),
        database: Database { id: Some("shop".into()), ..Database::default() },
        targets: Some(vec![Target { name: "shop".into(), ..Target::default() }]),
        ..MigrationRunSpec::default()
    }
}

fn status(slot: usize, run: &Run) -> MigrationRunStatus {
    let record = &run.record;
    let failed = record.attempt == Attempt::Failed;
    let release = record.release.map(|release| ReleaseRecord {
        image: IMAGES[usize::from(release)].to_owned(),
        database_id: "shop".into(),
        digest: release_digest(&spec(release), NAMESPACE),
        inputs: inputs_digest(&spec(release), NAMESPACE),
        generation: ON_RECORD,
        queued_at: Time(at(run.queued)),
        retries: 0,
    });
    let clean = record.clean.map(|release| CleanRecord {
        image: IMAGES[usize::from(release)].to_owned(),
        database_id: "shop".into(),
        digest: release_digest(&spec(release), NAMESPACE),
        at: Time(at(run.cleaned)),
    });
    let before = record.dirty.then(|| attempt(EARLIER, Some(AttemptOutcome::Superseded)));
    let outcome = match record.attempt {
        Attempt::None => None,
        Attempt::Active => Some(None),
        Attempt::Clean => Some(Some(AttemptOutcome::Clean)),
        Attempt::Failed => Some(Some(AttemptOutcome::Failed)),
    };
    MigrationRunStatus {
        release,
        clean,
        failure: failed.then(failure),
        attempts: before.into_iter().chain(outcome.map(|outcome| attempt(ON_RECORD, outcome))).collect(),
        next_attempt_at: record.again.then(|| Time(now())),
        rollback: record.back.map(|back| rollback(slot, back)),
        ..MigrationRunStatus::default()
    }
}

fn rollback(slot: usize, back: Back) -> RollbackRecord {
    let from = IMAGES.iter().zip(0..).filter(|(_, release)| back.from.has(*release));
    RollbackRecord {
        generation: if back.current { ON_RECORD } else { EARLIER },
        id: rollback_of(slot),
        reason: String::new(),
        at: Time(at(0)),
        lifted: back.from == Releases::default(),
        targets: from.map(|(image, _)| RolledBack { name: "shop".into(), image: (*image).to_owned() }).collect(),
    }
}

/// An attempt whose migrate Job has ended well, so that all rests on its check.
fn attempt(generation: i64, outcome: Option<AttemptOutcome>) -> status::Attempt {
    let step = |ended: bool| StepRecord {
        job: "job".into(),
        uid: "uid-of-a-job".into(),
        started_at: Some(Time(at(0))),
        ended_at: ended.then(|| Time(at(0))),
        ..StepRecord::default()
    };
    status::Attempt {
        number: 1,
        generation,
        image: String::new(),
        migrate: step(true),
        check: Some(step(outcome.is_some())),
        outcome,
        failure: (outcome == Some(AttemptOutcome::Failed)).then(failure),
    }
}

fn failure() -> Failure {
    // Of the kind that an automatic rollback asks for.
    Failure { class: "DataConflict".into(), step: "Migrate".into(), ..Failure::default() }
}

/// What of a status bears on a decision. That a rollback was lifted does so where another would come by itself.
pub fn read(status: &MigrationRunStatus, mode: RollbackMode) -> Record {
    // One that was superseded counts as none, after one that was not clean.
    let current = status.current_attempt().filter(|last| last.outcome != Some(AttemptOutcome::Superseded));
    let last = status.attempts.iter().rfind(|attempt| attempt.has_started());
    let dirty = last.is_some_and(|last| last.outcome != Some(AttemptOutcome::Clean));
    Record {
        release: status.release.as_ref().map(|record| release(&record.image)),
        clean: status.clean.as_ref().map(|record| release(&record.image)),
        attempt: match current.map(|attempt| attempt.outcome) {
            None => Attempt::None,
            Some(None) => Attempt::Active,
            Some(Some(AttemptOutcome::Clean)) => Attempt::Clean,
            Some(Some(AttemptOutcome::Failed)) => Attempt::Failed,
            Some(Some(other)) => panic!("{other:?} is no outcome here"),
        },
        dirty: current.is_none() && dirty,
        again: status.next_attempt_at.is_some(),
        back: status.rollback.as_ref().map(|record| read_rollback(status, record)).filter(|back| {
            let remembered = mode == RollbackMode::Automatic && back.current;
            back.from != Releases::default() || remembered
        }),
    }
}

fn read_rollback(status: &MigrationRunStatus, record: &RollbackRecord) -> Back {
    let from = record.targets.iter().filter(|_| !record.lifted).map(|target| target.image.as_str());
    let current = status.release.as_ref().is_some_and(|release| release.generation == record.generation);
    Back { from: Releases::of(from), current }
}
