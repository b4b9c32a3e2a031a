//! An attempt under way: each rule, by what is seen of its Jobs.

use super::*;
use crate::api::migration_run::{Check, Migrate};

/// A run whose migrate Job is on record and not let go yet.
pub fn begun() -> Observed {
    let mut seen = observed();
    pass(&mut seen);
    seen.lock = lease();
    pass(&mut seen);
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), true);
    seen
}

/// A run whose migration was seen running.
pub fn running() -> Observed {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ContainerSeen::Running(Some(seen.now)), false);
    pass(&mut seen);
    seen
}

/// A run whose migrate ended well; its check Job is there.
pub fn checking() -> Observed {
    let mut seen = running();
    seen.migrate = job(&seen, "migrate", ended(APPLIED, 0, Step::Migrate), false);
    pass(&mut seen);
    seen.check = job(&seen, "check", ContainerSeen::Waiting(None), false);
    seen
}

/// A run whose migrate failed; its triage Job is there.
pub fn triaging() -> Observed {
    let mut seen = running();
    seen.migrate = job(&seen, "migrate", ended(UNIQUE, 1, Step::Migrate), false);
    pass(&mut seen);
    pass(&mut seen);
    seen.check = job(&seen, "check", ContainerSeen::Waiting(None), false);
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

fn another_image(seen: &mut Observed) {
    spec_of(seen, |spec| spec.image = "shop:2".into());
}

fn migrate(seen: &mut Observed) -> &mut JobView {
    match &mut seen.migrate {
        JobSeen::Ours(view) => view,
        _ => unreachable!(),
    }
}

fn check(seen: &mut Observed) -> &mut JobView {
    match &mut seen.check {
        JobSeen::Ours(view) => view,
        _ => unreachable!(),
    }
}

/// A container as it is while its pod cannot start.
fn cannot_start(reason: Reason) -> ContainerSeen {
    ContainerSeen::Waiting(Some(Trouble { reason, message: "m".into() }))
}

fn holds(table: Vec<(&str, Observed, &str)>) {
    for (situation, seen, wanted) in table {
        assert_eq!(says(&decide(&seen)), wanted, "{situation}");
    }
}

#[test]
fn a_job_is_let_go_only_with_the_lock_and_nobody_beside() {
    let rival = |seen: &mut Observed| seen.rival = Some("b/job".into());
    let held = |seen: &mut Observed| seen.lock = Lock::Held { by: "b/x".into(), abandoned: None };
    holds(vec![
        ("all is well", begun(), "CreateBudget, ResumeJob"),
        ("a Job works", with(begun(), rival), "Waits DatabaseBusy"),
        ("the lock is lost", with(begun(), |seen| seen.lock = Lock::Free), "AcquireLock"),
        (
            "the lock is lost and a Job works",
            with(with(begun(), |seen| seen.lock = Lock::Free), rival),
            "Waits DatabaseBusy",
        ),
        ("another has the lock", with(begun(), held), "Waits DatabaseBusy"),
        (
            "suspended",
            with(begun(), |seen| spec_of(seen, |spec| spec.suspend = Some(true))),
            "DeleteJob, Concluded Withdrawn",
        ),
        ("another release", with(begun(), another_image), "DeleteJob, Concluded Withdrawn"),
        ("being deleted", with(begun(), |seen| seen.run.deleting = true), ""),
        (
            "another Job of that name",
            with(begun(), |seen| migrate(seen).job.uid = "other".into()),
            "Failed Interrupted/Killed",
        ),
    ]);
}

#[test]
fn a_migration_that_has_run_is_not_let_go_again() {
    let stopped = with(running(), |seen| seen.migrate = job(seen, "migrate", ContainerSeen::Waiting(None), true));
    assert_eq!(says(&decide(&stopped)), "DeleteJob, Failed Interrupted/Killed");
}

#[test]
fn nothing_but_its_deadline_ends_a_migration_that_runs() {
    let later = |seen: &mut Observed| seen.now = seen.now.checked_add(jiff::SignedDuration::from_hours(99)).unwrap();
    let suspend = |seen: &mut Observed| spec_of(seen, |spec| spec.suspend = Some(true));
    holds(vec![
        ("it has started", with(migrating(), |seen| seen.migrate = running().migrate), "MigrateStarted"),
        ("it runs", running(), ""),
        ("it runs for long", with(running(), later), ""),
        ("another release", with(running(), another_image), ""),
        ("suspended", with(running(), suspend), ""),
        ("the lock is lost", with(running(), |seen| seen.lock = Lock::Free), ""),
        ("a Job works beside it", with(running(), |seen| seen.rival = Some("x".into())), ""),
        ("suspended and gone on", with(running(), |seen| migrate(seen).suspended = true), ""),
    ]);
}

#[test]
fn a_pod_is_given_until_the_start_deadline() {
    let waits =
        |container: ContainerSeen| with(migrating(), |seen| seen.migrate = job(seen, "migrate", container, false));
    let late = |seen: &mut Observed| seen.now = seen.now.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    let ended_by_us = |seen: &mut Observed| migrate(seen).deadline = Some(1);
    let pulling = || waits(cannot_start(Reason::IMAGE_PULL));
    holds(vec![
        ("nothing is known", waits(ContainerSeen::Waiting(None)), ""),
        ("it is named", pulling(), "Waits ImagePull"),
        ("too late", with(pulling(), late), "EndJob, Waits ImagePull"),
        ("too late, nothing known", with(waits(ContainerSeen::Waiting(None)), late), "EndJob"),
        ("ended once", with(with(pulling(), late), ended_by_us), "Waits ImagePull"),
    ]);
    assert_eq!(decide(&pulling()).requeue, Some(std::time::Duration::from_secs(600)));
}

#[test]
fn a_job_whose_end_nobody_saw_is_a_failed_start_only_where_we_ended_it() {
    let finished = |deadline: i64, why: &'static str| {
        move |seen: &mut Observed| {
            let view = migrate(seen);
            (view.finished, view.deadline, view.failed) = (true, Some(deadline), Some(why.to_owned()));
        }
    };
    // A pod that waited for its image when it was last looked at.
    let waited = || {
        let mut seen = migrating();
        seen.migrate = job(&seen, "migrate", cannot_start(Reason::IMAGE_PULL), false);
        pass(&mut seen);
        migrate(&mut seen).container = ContainerSeen::Waiting(None);
        seen
    };
    let midway = |seen: Observed, deadline, why| with(seen, finished(deadline, why));
    holds(vec![
        (
            "ended at the start deadline",
            midway(waited(), 1, "DeadlineExceeded"),
            "Failed Runtime/ImagePull, Concluded Failed, RetryAt",
        ),
        (
            "the same, nothing known",
            midway(migrating_unsuspended(), 1, "DeadlineExceeded"),
            "Failed Runtime/StartDeadline, Concluded Failed",
        ),
        (
            "the image may have come meanwhile",
            midway(waited(), 2400, "DeadlineExceeded"),
            "Failed Interrupted/Deadline",
        ),
        ("its pod was deleted", midway(waited(), 2400, "BackoffLimitExceeded"), "Failed Interrupted/Killed"),
        ("it had started", midway(running(), 2400, "DeadlineExceeded"), "Failed Interrupted/Deadline"),
        ("it had started, and we ended it", midway(running(), 1, ""), "Failed Interrupted/Killed"),
        ("it is gone", with(running(), |seen| seen.migrate = JobSeen::Absent), "Failed Interrupted/Killed"),
        (
            "a stranger is there",
            with(running(), |seen| seen.migrate = JobSeen::Stranger("x".into())),
            "Failed Interrupted/Killed",
        ),
    ]);
}

fn migrating_unsuspended() -> Observed {
    with(migrating(), |seen| seen.migrate = job(seen, "migrate", ContainerSeen::Waiting(None), false))
}

#[test]
fn what_migrate_ended_with_is_judged() {
    let ends = |text: &str, exit: i32| {
        with(running(), |seen| seen.migrate = job(seen, "migrate", ended(text, exit, Step::Migrate), false))
    };
    let none = "No migration found in prisma/migrations\n\nNo pending migrations to apply.\n";
    let empty = |seen: &mut Observed| {
        let migrate = Some(Migrate { allow_empty: Some(true), ..Migrate::default() });
        spec_of(seen, |spec| spec.migrate = migrate);
        let inputs = crate::api::release::inputs_digest(&seen.spec, "a");
        let mut status = (*seen.status).clone();
        status.release.as_mut().unwrap().inputs = inputs;
        seen.status = Arc::new(status);
    };
    holds(vec![
        ("well", ends(APPLIED, 0), "DeleteBudget, CreateCheckJob, MigrateEnded, CheckBegun"),
        (
            "well, but another release is wanted",
            with(ends(APPLIED, 0), another_image),
            "DeleteBudget, MigrateEnded, Concluded Superseded",
        ),
        ("no migrations", ends(none, 0), "DeleteBudget, MigrateEnded, Failed Config/NoMigrations, Concluded Failed"),
        (
            "no migrations, as allowed",
            with(ends(none, 0), empty),
            "DeleteBudget, CreateCheckJob, MigrateEnded, CheckBegun",
        ),
        ("no migrations as it crashed", with(ends(none, 1), empty), "DeleteBudget, MigrateEnded, Failed Unknown/-"),
        (
            "a conflict: the database is asked",
            ends(UNIQUE, 1),
            "DeleteBudget, MigrateEnded, Failed DataConflict/UniqueViolation",
        ),
        (
            "a conflict, and another release is wanted",
            with(ends(UNIQUE, 1), another_image),
            "DeleteBudget, MigrateEnded, Failed DataConflict/UniqueViolation, Concluded Failed",
        ),
        (
            "unreachable",
            ends(UNREACHABLE, 1),
            "DeleteBudget, MigrateEnded, Failed Connectivity/Unreachable, Concluded Failed, RetryAt",
        ),
        ("it says nothing", ends("", 1), "DeleteBudget, MigrateEnded, Failed Unknown/-"),
        ("it says well and exits with 1", ends(APPLIED, 1), "DeleteBudget, MigrateEnded, Failed Unknown/-"),
    ]);
}

#[test]
fn clean_is_what_a_check_says() {
    let says_of = |text: &str, exit: i32| {
        with(checking(), |seen| seen.check = job(seen, "check", ended(text, exit, Step::Check), false))
    };
    let pending = "1 migration found in prisma/migrations\nFollowing migration have not yet been applied:\n20260101000000_init\n\n\
        To apply migrations in development run prisma migrate dev.\n";
    let ended_by_us = |seen: &mut Observed| (check(seen).finished, check(seen).deadline) = (true, Some(1));
    let unseen = |seen: &mut Observed| check(seen).finished = true;
    let pulling = |seen: &mut Observed| check(seen).container = cannot_start(Reason::IMAGE_PULL);
    let late = |seen: &mut Observed| seen.now = seen.now.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    holds(vec![
        ("it waits", checking(), ""),
        ("it cannot start", with(checking(), pulling), "Waits ImagePull"),
        ("too late", with(with(checking(), pulling), late), "EndJob, Waits ImagePull"),
        (
            "we ended it",
            with(with(checking(), pulling), ended_by_us),
            "Failed Runtime/ImagePull, Concluded Failed, RetryAt",
        ),
        ("nobody saw its end", with(checking(), unseen), "Failed Interrupted/Killed, Concluded Failed"),
        ("it was deleted", with(checking(), |seen| seen.check = JobSeen::Absent), "CreateCheckJob, CheckBegun"),
        (
            "not ours",
            with(checking(), |seen| seen.check = JobSeen::Stranger("c".into())),
            "Failed Config/JobNameTaken, Concluded Failed",
        ),
        ("another release is wanted", with(checking(), another_image), "EndJob, Concluded Superseded"),
        (
            "another release is wanted, and it has ended",
            with(with(checking(), unseen), another_image),
            "Concluded Superseded",
        ),
        (
            "another release is wanted, and it is clean",
            with(says_of(UP_TO_DATE, 0), another_image),
            "Concluded Superseded",
        ),
        ("clean", says_of(UP_TO_DATE, 0), "CheckEnded, Concluded Clean, Clean"),
        ("pending", says_of(pending, 1), "CheckEnded, Failed Unknown/-, Concluded Failed"),
        (
            "unreachable",
            says_of(UNREACHABLE, 1),
            "CheckEnded, Failed Connectivity/Unreachable, Concluded Failed, RetryAt",
        ),
        ("silent", says_of("", 0), "CheckEnded, Failed Unknown/-, Concluded Failed"),
    ]);
}

#[test]
fn a_triage_adds_to_the_failure_and_never_replaces_it() {
    let ended_by_us = |seen: &mut Observed| (check(seen).finished, check(seen).deadline) = (true, Some(1));
    let answered = |text: &str, exit: i32| {
        with(triaging(), |seen| seen.check = job(seen, "check", ended(text, exit, Step::Check), false))
    };
    let failed = "Following migration have failed:\n20260102000000_unique\n";
    let unknown = "Triaged Unknown, Concluded Failed";
    let absent = |seen: &mut Observed| seen.check = JobSeen::Absent;
    let table = vec![
        ("it cannot start", with(triaging(), |seen| check(seen).container = cannot_start(Reason::IMAGE_PULL)), ""),
        ("it did not start", with(triaging(), ended_by_us), unknown),
        ("not ours", with(triaging(), |seen| seen.check = JobSeen::Stranger("c".into())), unknown),
        ("it was deleted", with(triaging(), absent), "CreateCheckJob, CheckBegun"),
        ("another release is wanted", with(triaging(), another_image), "EndJob, Triaged Unknown, Concluded Failed"),
        ("another release is wanted before it is there", with(with(triaging(), absent), another_image), unknown),
        (
            "another release is wanted as it answers",
            with(answered(failed, 1), another_image),
            "Triaged Failed, Concluded Failed",
        ),
        ("it names the migration", answered(failed, 1), "CheckEnded, Triaged Failed, Concluded Failed"),
        ("it says clean", answered(UP_TO_DATE, 0), "CheckEnded, Triaged Succeeded, Concluded Failed"),
    ];
    for (situation, seen, _) in &table {
        let mut after = seen.clone();
        pass(&mut after);
        assert_eq!(after.status.failure.as_ref().unwrap().class, "DataConflict", "{situation}");
        assert!(!after.status.is_clean(), "{situation}");
    }
    holds(table);
}

#[test]
fn a_job_that_only_sidecars_keep_open_is_ended_whatever_else_is_decided() {
    let open = |seen: &mut Observed| {
        seen.kept_open = vec![Fence { name: "j".into(), uid: "u".into(), resource_version: "1".into() }];
    };
    holds(vec![
        ("while it is checked", with(checking(), open), "EndJob"),
        ("when it is clean", with(super::release::clean(), open), "ReleaseLock, EndJob"),
        ("when it has stalled", with(super::release::stalled(), open), "ReleaseLock, EndJob"),
        ("when the run is deleted", with(with(checking(), open), |seen| seen.run.deleting = true), ""),
    ]);
}

#[test]
fn what_the_kubelet_said_last_holds_between_its_tries() {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", cannot_start(Reason::IMAGE_PULL), false);
    pass(&mut seen);
    seen.migrate = job(&seen, "migrate", ContainerSeen::Waiting(None), false);
    assert_eq!(says(&decide(&seen)), "Waits ImagePull");
    seen.migrate = job(&seen, "migrate", ContainerSeen::Running(None), false);
    pass(&mut seen);
    assert!(seen.status.waiting.is_none());
}

#[test]
fn a_lost_answer_of_a_check_is_not_told_as_a_broken_migration() {
    let mut seen = checking();
    check(&mut seen).finished = true;
    pass(&mut seen);
    let failure = seen.status.failure.as_ref().unwrap();
    assert_eq!(failure.step, "Check");
    assert!(failure.message.contains("migrate had ended well") && failure.message.contains("sluice.dev/retry"));
}

#[test]
fn the_deadline_of_a_start_follows_the_spec() {
    let mut seen = migrating_unsuspended();
    spec_of(&mut seen, |spec| {
        spec.start_timeout = Some(std::time::Duration::from_secs(90).into());
        spec.check = Some(Check::default());
    });
    assert_eq!(decide(&seen).requeue, Some(std::time::Duration::from_secs(90)));
}
