//! What holds for every observation, those included that cannot come about.

use proptest::option;
use proptest::prelude::*;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::names;
use crate::api::release::{inputs_digest, release_digest};
use crate::api::status::{Attempt, CleanRecord, Failure, ReleaseRecord, StepRecord, TokenTaken, Waiting};

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (999_000_i64..1_003_000).prop_map(|second| Timestamp::from_second(second).unwrap()),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn any_failure() -> impl Strategy<Value = Failure> {
    let classes = prop::sample::select(crate::classify::Class::ALL.map(|class| class.to_string()).to_vec());
    let steps = prop::sample::select(vec!["Migrate".to_owned(), "Check".to_owned(), "Preflight".to_owned()]);
    (classes, steps, any::<bool>(), option::of("[A-Z][a-z]{3}")).prop_map(|(class, step, retryable, reason)| Failure {
        class,
        step,
        retryable,
        reason,
        message: "m".into(),
        ..Failure::default()
    })
}

/// UIDs come from a small set, so that records and Jobs agree about as often as not.
fn any_step() -> impl Strategy<Value = StepRecord> {
    let times = (option::of(any_time()), option::of(any_time()));
    ("j[0-2]", "u[0-2]", times, option::of(-1_i32..140)).prop_map(|(job, uid, (started, ended), exit_code)| {
        let (started_at, ended_at) = (started.map(Time), ended.map(Time));
        StepRecord { job, uid, created_at: None, started_at, ended_at, exit_code, image_id: None }
    })
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    let outcomes = prop::sample::select(vec![
        AttemptOutcome::Clean,
        AttemptOutcome::Failed,
        AttemptOutcome::Superseded,
        AttemptOutcome::Withdrawn,
    ]);
    let numbers = prop_oneof![9 => 1_i32..4, 1 => Just(i32::MAX)];
    let ends = (option::weighted(0.3, outcomes), option::weighted(0.3, any_failure()));
    (numbers, 1_i64..3, any_step(), option::of(any_step()), ends).prop_map(
        |(number, generation, migrate, check, (outcome, failure))| Attempt {
            number,
            generation,
            image: "shop:1".into(),
            migrate,
            check,
            outcome,
            failure,
        },
    )
}

fn any_status() -> impl Strategy<Value = MigrationRunStatus> {
    // Whether the record speaks of the release that is wanted, and whether that is on record as clean.
    let release = (option::weighted(0.9, any::<bool>()), option::of(any::<bool>()), 1_i64..3, -1_i32..12);
    let attempts = prop::collection::vec(any_attempt(), 0..3);
    let rest = (option::weighted(0.3, any_failure()), option::weighted(0.3, any_time()), any::<bool>(), "[ab]?");
    (release, attempts, rest).prop_map(|(release, attempts, (failure, next, waits, token))| {
        let (same, clean, generation, retries) = release;
        let digest = |same: bool| if same { release_digest(&spec(), "a") } else { "other".into() };
        let at = Time(Timestamp::UNIX_EPOCH);
        let waiting = Waiting { reason: "ImagePull".into(), message: "m".into(), since: at.clone() };
        MigrationRunStatus {
            release: same.map(|same| {
                let inputs = if same { inputs_digest(&spec(), "a") } else { "other".into() };
                ReleaseRecord { generation, retries, ..any_release(&digest(same), &inputs) }
            }),
            clean: clean.map(|same| CleanRecord {
                image: "shop:1".into(),
                database_id: "shop".into(),
                digest: digest(same),
                at: at.clone(),
            }),
            failure,
            attempts,
            next_attempt_at: next.map(Time),
            waiting: waits.then_some(waiting),
            retries: vec![TokenTaken { token, at, by: None, result: "Accepted".into() }],
            ..MigrationRunStatus::default()
        }
    })
}

fn any_container() -> impl Strategy<Value = ContainerSeen> {
    prop_oneof![
        Just(ContainerSeen::Waiting(None)),
        Just(ContainerSeen::Waiting(Some(Trouble { reason: Reason::IMAGE_PULL, message: "m".into() }))),
        option::of(any_time()).prop_map(ContainerSeen::Running),
        Just(ended(APPLIED, 0, Step::Migrate)),
        Just(ended(UP_TO_DATE, 0, Step::Check)),
        Just(ended(UNREACHABLE, 1, Step::Migrate)),
        Just(ended(UNIQUE, 1, Step::Migrate)),
        Just(ended("", 137, Step::Migrate)),
    ]
}

fn any_job() -> impl Strategy<Value = JobSeen> {
    let deadline = prop_oneof![Just(None), Just(Some(1)), Just(Some(2400)), Just(Some(i64::MIN))];
    let view = ("u[0-2]", any::<bool>(), option::of(any_time()), deadline, any::<bool>(), any_container());
    prop_oneof![
        1 => Just(JobSeen::Absent),
        1 => Just(JobSeen::Stranger("s".into())),
        6 => view.prop_map(|(uid, suspended, resumed_at, deadline, finished, container)| {
            let job = Fence { name: "j".into(), uid, resource_version: "7".into() };
            let failed = finished.then(|| "DeadlineExceeded".to_owned());
            JobSeen::Ours(Box::new(JobView { job, suspended, resumed_at, deadline, finished, failed, container }))
        }),
    ]
}

fn any_lock() -> impl Strategy<Value = Lock> {
    let reference = Fence { name: "l".into(), uid: "x".into(), resource_version: "3".into() };
    prop_oneof![
        Just(Lock::Free),
        Just(lease()),
        Just(Lock::Held { by: "b/x".into(), abandoned: None }),
        Just(Lock::Held { by: "b/gone".into(), abandoned: Some(reference) }),
    ]
}

/// Scenes of a run's life, in which things are then replaced at random: alone, chance would hardly ever make a scene in
/// which a migration may be let go.
fn any_scene() -> impl Strategy<Value = Observed> {
    let late = |mut seen: Observed| {
        seen.run.retry = Some(("b".into(), None));
        seen
    };
    prop::sample::select(vec![
        observed(),
        attempt::begun(),
        late(attempt::begun()),
        attempt::running(),
        attempt::checking(),
        attempt::triaging(),
        release::clean(),
        release::stalled(),
    ])
}

prop_compose! {
    fn any_observed()(
        mut seen in any_scene(),
        now in option::weighted(0.2, any_time()),
        deleting in prop::bool::weighted(0.1),
        suspend in prop::bool::weighted(0.15),
        refused in prop::bool::weighted(0.15),
        (rival, ahead) in (prop::bool::weighted(0.2), any::<bool>()),
        retry in option::weighted(0.2, "[a-c]?-?"),
        status in option::weighted(0.3, any_status()),
        (migrate, check) in (option::weighted(0.3, any_job()), option::weighted(0.5, any_job())),
        lock in option::weighted(0.3, any_lock()),
    ) -> Observed {
        seen.now = now.unwrap_or(seen.now);
        seen.run.deleting = deleting;
        seen.run.retry = retry.map(|token| (token, None)).or(seen.run.retry);
        seen.spec = Arc::new(MigrationRunSpec { suspend: Some(suspend), ..spec() });
        seen.refusal = refused.then(|| "no".to_owned());
        seen.status = status.map_or(seen.status, Arc::new);
        seen.migrate = migrate.unwrap_or(seen.migrate);
        seen.check = check.unwrap_or(seen.check);
        seen.lock = lock.unwrap_or(seen.lock);
        seen.rival = rival.then(|| "b/job".to_owned());
        seen.ahead = ahead.then(|| "b/first".to_owned());
        seen
    }
}

/// Makes the record one of the wanted release, clean or stalled.
fn at_rest(seen: &mut Observed) {
    let mut status = (*seen.status).clone();
    let digest = release_digest(&seen.spec, "a");
    status.next_attempt_at = None;
    for attempt in &mut status.attempts {
        attempt.outcome.get_or_insert(AttemptOutcome::Failed);
    }
    if let Some(release) = &mut status.release {
        (release.digest, release.inputs) = (digest.clone(), inputs_digest(&seen.spec, "a"));
    }
    let clean = status.release.is_some() && status.clean.as_ref().is_some_and(|clean| clean.digest == digest);
    if !clean || status.release.is_none() {
        let release = any_release(&digest, &inputs_digest(&seen.spec, "a"));
        status.release.get_or_insert(release);
        status.failure.get_or_insert_with(Failure::default);
    } else if let Some(last) = status.attempts.last_mut() {
        (last.outcome, last.migrate.started_at) = (Some(AttemptOutcome::Clean), Some(Time(Timestamp::UNIX_EPOCH)));
    }
    seen.status = Arc::new(status);
    seen.run.retry = None;
    seen.run.deleting = false;
    assert!(seen.status.is_clean() || seen.status.is_stalled());
}

fn any_release(digest: &str, inputs: &str) -> ReleaseRecord {
    ReleaseRecord {
        image: "shop:1".into(),
        database_id: "shop".into(),
        digest: digest.into(),
        inputs: inputs.into(),
        generation: 1,
        queued_at: Time(Timestamp::UNIX_EPOCH),
        retries: 0,
    }
}

fn irreversible(decision: &Decision) -> Vec<&Fence> {
    let jobs = decision.effects.iter().filter(|effect| effect.irreversible());
    jobs.map(|effect| match effect {
        Effect::ResumeJob(job) => job,
        other => panic!("{other:?} has no fence that this test knows"),
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_observation_has_a_decision_and_a_status(mut seen in any_observed()) {
        let before = format!("{:?}", decide(&seen));
        let decision = pass(&mut seen);
        prop_assert_eq!(before, format!("{decision:?}"), "a decision made twice is the same");
        prop_assert!(seen.status.summary.as_ref().is_some_and(|summary| !summary.is_empty()));
        prop_assert!(seen.status.step.is_some() && !seen.status.conditions.is_empty());
        prop_assert!(decision.requeue.is_none_or(|delay| !delay.is_zero()), "a requeue at once is a hot loop");
    }

    #[test]
    fn a_migration_is_let_go_on_record_under_the_lock_and_alone(seen in any_observed()) {
        let decision = decide(&seen);
        let let_go = irreversible(&decision);
        prop_assert!(let_go.len() <= 1);
        for job in let_go {
            let active = seen.status.active_attempt().expect("an attempt is on record");
            prop_assert_eq!(&active.migrate.uid, &job.uid);
            prop_assert!(active.migrate.started_at.is_none() && active.migrate.ended_at.is_none());
            prop_assert!(active.failure.is_none());
            prop_assert!(matches!(seen.lock, Lock::Mine(_)) && seen.rival.is_none());
            prop_assert!(!seen.spec.suspended() && !seen.run.deleting);
            prop_assert!(matches!(&seen.migrate, JobSeen::Ours(view) if view.suspended && !view.finished && view.job == *job));
        }
    }

    #[test]
    fn what_was_let_go_is_not_let_go_again(mut seen in any_observed()) {
        let decision = pass(&mut seen);
        let first: Vec<String> = irreversible(&decision).into_iter().map(|job| job.uid.clone()).collect();
        // The same world, read too early: a repetition is of the same Job, whose fence refuses it.
        let again = decide(&seen);
        prop_assert!(first.is_empty() || irreversible(&again).iter().all(|job| first.contains(&job.uid)));
        // The world with the write in it.
        if let (JobSeen::Ours(view), false) = (&mut seen.migrate, first.is_empty()) {
            view.suspended = false;
            prop_assert!(irreversible(&decide(&seen)).is_empty());
        }
    }

    #[test]
    fn clean_and_stalled_absorb(mut seen in any_observed()) {
        at_rest(&mut seen);
        let (clean, stalled) = (seen.status.is_clean(), seen.status.is_stalled());
        for _ in 0..3 {
            let decision = pass(&mut seen);
            prop_assert!(decision.effects.iter().all(|effect| matches!(effect, Effect::ReleaseLock(_) | Effect::DeleteJob(_))));
            prop_assert!(decision.facts.is_empty(), "{:?}", decision.facts);
            prop_assert_eq!((seen.status.is_clean(), seen.status.is_stalled()), (clean, stalled));
        }
    }

    #[test]
    fn a_status_that_says_nothing_new_is_the_same(mut seen in any_observed()) {
        pass(&mut seen);
        let before = seen.status.clone();
        if decide(&seen).facts.is_empty() && seen.status.waiting.is_none() {
            pass(&mut seen);
            prop_assert_eq!(&before, &seen.status);
        }
    }

    #[test]
    fn a_token_of_any_text_is_taken_once(token in ".{1,300}") {
        let mut seen = observed();
        pass(&mut seen);
        seen.run.retry = Some((token, None));
        pass(&mut seen);
        prop_assert_eq!(seen.status.retries.len(), 1);
        prop_assert_eq!(names::token(&seen.status.retries[0].token), seen.status.retries[0].token.clone());
        pass(&mut seen);
        prop_assert_eq!(seen.status.retries.len(), 1);
    }
}
