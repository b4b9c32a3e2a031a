//! Between attempts: each rule, by the situation it is for.

use super::*;
use crate::api::migration_run::Migrate;
use crate::api::status::{Attempt, AttemptOutcome, Failure};

/// A run whose release was taken up and waits for its turn.
fn queued() -> Observed {
    let mut seen = observed();
    pass(&mut seen);
    seen
}

/// A run whose database is clean, its lock still held.
pub fn clean() -> Observed {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(APPLIED, 0, Step::Migrate), false);
    pass(&mut seen);
    seen.check = job(&seen, "check", ended(UP_TO_DATE, 0, Step::Check), false);
    pass(&mut seen);
    (seen.migrate, seen.check) = (JobSeen::Absent, JobSeen::Absent);
    seen
}

/// A run that needs a person, its lock still held.
pub fn stalled() -> Observed {
    let mut seen = migrating();
    let denied = "Error: P1000: Authentication failed against database server\n";
    seen.migrate = job(&seen, "migrate", ended(denied, 1, Step::Migrate), false);
    pass(&mut seen);
    seen.migrate = JobSeen::Absent;
    assert!(seen.status.is_stalled(), "{:?}", seen.status.failure);
    seen
}

fn with(mut seen: Observed, change: impl FnOnce(&mut Observed)) -> Observed {
    change(&mut seen);
    seen
}

fn spec_of(seen: &mut Observed, change: impl FnOnce(&mut MigrationRunSpec)) {
    let mut spec = (*seen.spec).clone();
    change(&mut spec);
    seen.spec = Arc::new(spec);
    seen.run.generation += 1;
}

fn asks(token: &str) -> impl FnOnce(&mut Observed) {
    let retry = Some((token.to_owned(), None));
    move |seen| seen.run.retry = retry
}

fn another_image(seen: &mut Observed) {
    spec_of(seen, |spec| spec.image = "shop:2".into());
}

fn longer_timeout(seen: &mut Observed) {
    let timeout = Some(std::time::Duration::from_secs(7200).into());
    spec_of(seen, |spec| spec.migrate = Some(Migrate { timeout, ..Migrate::default() }));
}

fn suspended(seen: &mut Observed) {
    spec_of(seen, |spec| spec.suspend = Some(true));
}

fn held(by: &str, abandoned: bool) -> Lock {
    let lease = Fence { name: "l".into(), uid: "x".into(), resource_version: "3".into() };
    Lock::Held { by: by.into(), abandoned: abandoned.then_some(lease) }
}

fn holds(table: Vec<(&str, Observed, &str)>) {
    for (situation, seen, wanted) in table {
        assert_eq!(says(&decide(&seen)), wanted, "{situation}");
    }
}

#[test]
fn a_release_is_taken_up_unless_it_is_the_one_on_record() {
    holds(vec![
        ("never seen", observed(), "TakenUp"),
        ("another image while queued", with(queued(), another_image), "TakenUp"),
        ("another image after clean", with(clean(), another_image), "ReleaseLock, TakenUp"),
        ("another image after a failure", with(stalled(), another_image), "ReleaseLock, TakenUp"),
        ("more time for a failed release", with(stalled(), longer_timeout), "ReleaseLock, TakenUp"),
        ("more time for a clean release", with(clean(), longer_timeout), "InputsChanged"),
        ("suspended and another image", with(with(queued(), suspended), another_image), "TakenUp"),
        ("deleted meanwhile", with(observed(), |seen| seen.run.deleting = true), ""),
    ]);
}

#[test]
fn a_token_is_taken_whatever_comes_of_it() {
    let taken = with(with(stalled(), asks("t")), |seen| drop(pass(seen)));
    holds(vec![
        ("after a failure", with(stalled(), asks("t")), "RetryTaken, RetryAt"),
        ("while suspended", with(with(stalled(), suspended), asks("t")), "RetryTaken, RetryAt"),
        ("nothing to retry", with(clean(), asks("t")), "RetryTaken"),
        ("an empty one", with(stalled(), asks("")), "ReleaseLock"),
        ("taken: the attempt it asked for", taken, "CreateMigrateJob, AttemptBegun"),
        ("during an attempt it waits", with(migrating(), asks("t")), "CreateBudget, ResumeJob"),
    ]);
}

#[test]
fn a_token_of_any_form_is_taken_once() {
    for token in ["again-", "v1.", "_", &"x".repeat(500), &"é".repeat(200)] {
        let mut seen = with(stalled(), asks(token));
        pass(&mut seen);
        assert_eq!(says(&pass(&mut seen)), "CreateMigrateJob, AttemptBegun", "{token}");
        assert_eq!(seen.status.retries.len(), 1, "{token}");
    }
}

#[test]
fn clean_is_void_once_another_release_may_have_run() {
    let back = |change: fn(&mut Attempt)| {
        let mut seen = clean();
        let mut attempt = seen.status.attempts[0].clone();
        (attempt.number, attempt.outcome, attempt.migrate.started_at) = (2, Some(AttemptOutcome::Failed), None);
        change(&mut attempt);
        Arc::make_mut(&mut seen.status).attempts.push(attempt);
        seen.status.is_clean()
    };
    assert!(back(|_| {}), "one that never started changes nothing");
    assert!(!back(|attempt| attempt.migrate.started_at = attempt.migrate.created_at.clone()));
    assert!(!back(|attempt| attempt.failure = Some(Failure { class: "Interrupted".into(), ..Failure::default() })));
    assert!(back(|attempt| attempt.failure = Some(Failure { class: "Runtime".into(), ..Failure::default() })));
}

#[test]
fn what_is_clean_or_stalled_only_tidies_up() {
    let expired = vec![Fence { name: "old".into(), uid: "o".into(), resource_version: "1".into() }; 2];
    let old = |seen: &mut Observed| seen.expired.clone_from(&expired);
    let free = |seen: &mut Observed| seen.lock = Lock::Free;
    holds(vec![
        ("clean, lock held", clean(), "ReleaseLock"),
        ("clean, tidy", with(clean(), free), ""),
        ("clean, old Jobs", with(with(clean(), free), old), "DeleteJob, DeleteJob"),
        ("clean, suspended", with(with(clean(), free), suspended), ""),
        ("clean, template refused", with(with(clean(), free), |seen| seen.refusal = Some("no".into())), ""),
        ("stalled, lock held", stalled(), "ReleaseLock"),
        ("stalled, tidy", with(stalled(), free), ""),
        ("stalled, old Jobs", with(with(stalled(), free), old), "DeleteJob, DeleteJob"),
    ]);
}

#[test]
fn suspended_or_refused_starts_nothing_and_gives_the_lock_back() {
    let mine = |seen: &mut Observed| seen.lock = lease();
    let refused = |seen: &mut Observed| seen.refusal = Some("podTemplate: no".into());
    holds(vec![
        ("suspended", with(queued(), suspended), ""),
        ("suspended with the lock", with(with(queued(), suspended), mine), "ReleaseLock"),
        ("suspended, a Job that was never let go", with(leftover(true, false), suspended), "ReleaseLock, DeleteJob"),
        ("suspended, a Job that somebody let go", with(leftover(false, false), suspended), "ReleaseLock"),
        ("refused", with(queued(), refused), "Failed Config/InvalidSpec"),
        ("refused with the lock", with(with(queued(), refused), mine), "ReleaseLock, Failed Config/InvalidSpec"),
    ]);
    assert!(with(with(queued(), refused), |seen| drop(pass(seen))).status.is_stalled());
}

#[test]
fn a_retry_waits_for_its_time_with_the_lock_held() {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
    pass(&mut seen);
    seen.migrate = JobSeen::Absent;
    let waits = decide(&seen);
    assert_eq!(says(&waits), "");
    let at = seen.status.next_attempt_at.as_ref().unwrap().0;
    assert_eq!(waits.requeue, std::time::Duration::try_from(at.duration_since(seen.now)).ok());
    seen.now = at;
    assert_eq!(says(&decide(&seen)), "CreateMigrateJob, AttemptBegun");
}

#[test]
fn one_run_at_a_time_works_on_a_database() {
    let lock = |lock: Lock| move |seen: &mut Observed| seen.lock = lock;
    let rival = |seen: &mut Observed| seen.rival = Some("b/job".into());
    let ahead = |seen: &mut Observed| seen.ahead = Some("b/first".into());
    let busy = "Waits DatabaseBusy";
    holds(vec![
        ("free", queued(), "AcquireLock"),
        ("free, but somebody came first", with(queued(), ahead), busy),
        ("free, but a Job works", with(queued(), rival), busy),
        ("held", with(queued(), lock(held("b/other", false))), busy),
        ("held by one that is gone", with(queued(), lock(held("b/gone", true))), "ReleaseLock, Waits DatabaseBusy"),
        ("its Job still works", with(with(queued(), lock(held("b/gone", true))), rival), busy),
        ("mine", with(queued(), lock(lease())), "CreateMigrateJob, AttemptBegun"),
        (
            "mine, though somebody came first",
            with(with(queued(), lock(lease())), ahead),
            "CreateMigrateJob, AttemptBegun",
        ),
        ("mine, but a Job works", with(with(queued(), lock(lease())), rival), busy),
    ]);
}

/// A Job under the next attempt's name that is not on record.
fn leftover(suspended: bool, finished: bool) -> Observed {
    with(with(queued(), |seen| seen.lock = lease()), |seen| {
        let JobSeen::Ours(mut view) = job(seen, "migrate", ContainerSeen::Waiting(None), suspended) else {
            unreachable!()
        };
        view.finished = finished;
        seen.migrate = JobSeen::Ours(view);
    })
}

#[test]
fn what_stands_under_the_next_attempts_name_is_ours_or_left_alone() {
    let seen = || with(queued(), |seen| seen.lock = lease());
    let stranger = with(seen(), |seen| seen.migrate = JobSeen::Stranger("shop-migrate-1".into()));
    holds(vec![
        ("a crash before the record", leftover(true, false), "CreateMigrateJob, AttemptBegun"),
        ("let go by somebody else", leftover(false, false), "Waits JobNotOnRecord"),
        ("ended: judged as this attempt", leftover(false, true), "CreateMigrateJob, AttemptBegun"),
        ("not ours", stranger, "Failed Config/JobNameTaken"),
    ]);
}
