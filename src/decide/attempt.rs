//! An attempt under way: let the Job go, wait for its end, judge it, ask the database.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::effect::Effect;
use super::fact::Fact;
use super::observed::{ContainerSeen, Ended, JobSeen, JobView, Lock, Observed, Trouble};
use super::release::since;
use super::{Decision, backoff, failure};
use crate::api::names;
use crate::api::release::inputs_digest;
use crate::api::status::{Attempt, AttemptOutcome, CleanRecord, Failure, Triage};
use crate::classify::Reason;

/// The next thing to do for the active attempt.
#[must_use]
pub fn go_on(observed: &Observed, attempt: &Attempt) -> Decision {
    if attempt.migration_is_judged() {
        return check(observed, attempt);
    }
    match &observed.migrate {
        JobSeen::Ours(job) if job.job.uid == attempt.migrate.uid => migrate(observed, attempt, job),
        JobSeen::Absent if observed.orphan.is_some() => {
            let pod = observed.orphan.as_deref().unwrap_or_default();
            let what = format!("Job {} is gone, but its pod {pod} has not ended yet", attempt.migrate.job);
            Decision::wait("PodStillRuns", what)
        }
        JobSeen::Ours(_) | JobSeen::Stranger(_) | JobSeen::Absent => {
            let what = format!("Job {} is gone, and with it how its migration ended", attempt.migrate.job);
            fail(observed, attempt, failure::unseen_end(Reason::KILLED, attempt.number, &what, observed.now))
        }
    }
}

fn migrate(observed: &Observed, attempt: &Attempt, job: &JobView) -> Decision {
    if let ContainerSeen::Ended(ended) = &job.container {
        return migrate_ended(observed, attempt, job, ended);
    }
    if job.finished {
        return ended_unseen(observed, attempt, job);
    }
    match &job.container {
        ContainerSeen::Running(at) if attempt.migrate.started_at.is_none() => {
            Decision::rest().fact(Fact::MigrateStarted(*at))
        }
        ContainerSeen::Waiting(_) if job.suspended && attempt.migrate.started_at.is_some() => {
            stopped(observed, attempt, job)
        }
        ContainerSeen::Waiting(_) if job.suspended => let_go(observed, job),
        ContainerSeen::Waiting(trouble) => awaits_start(observed, job, trouble.as_ref()),
        // Only the Job's own deadline ends a migration that runs.
        _ => Decision::rest(),
    }
}

/// The only irreversible step: its intent, the Job's UID, is on record, the lock is held and nobody else works on the database.
fn let_go(observed: &Observed, job: &JobView) -> Decision {
    if observed.spec.suspended() || superseded(observed) {
        let withdrawn = Decision::rest().effect(Effect::DeleteJob(job.job.clone()));
        return withdrawn.fact(Fact::Concluded(AttemptOutcome::Withdrawn));
    }
    let attempt = observed.status.active_attempt().map_or(1, |attempt| attempt.number);
    match (&observed.lock, &observed.rival) {
        (Lock::Mine(_), None) => Decision::rest()
            .effect(Effect::CreateBudget { attempt, job: job.job.clone() })
            .effect(Effect::ResumeJob(job.job.clone())),
        (_, Some(rival)) => Decision::wait(
            "DatabaseBusy",
            format!("Job {rival} still works on the database; this run goes on when it has ended"),
        ),
        (Lock::Free, None) => Decision::rest().effect(Effect::AcquireLock { database: database(observed) }),
        (Lock::Held { by, .. }, None) => {
            Decision::wait("DatabaseBusy", format!("run {by} has the database; this one goes on when it is done"))
        }
    }
}

/// Somebody suspended the Job while its migration ran, which takes its pod away. Resumed, it would migrate a second time.
fn stopped(observed: &Observed, attempt: &Attempt, job: &JobView) -> Decision {
    let what = format!("Job {} was suspended while its migration ran", attempt.migrate.job);
    let failed = failure::unseen_end(Reason::KILLED, attempt.number, &what, observed.now);
    let deleted = Decision::rest().effect(Effect::DeleteJob(job.job.clone()));
    Decision { effects: deleted.effects, ..fail(observed, attempt, failed) }
}

/// A pod that cannot start is named at once and given until the start deadline, since GitOps may still bring what is missing.
fn awaits_start(observed: &Observed, job: &JobView, trouble: Option<&Trouble>) -> Decision {
    let limit = observed.spec.start_timeout();
    let waited = job.resumed_at.map_or(Duration::ZERO, |at| since(at, observed.now));
    // Between two tries of the kubelet nothing is said: what it said last still holds.
    let last = observed.status.waiting.as_ref().map(|waiting| (waiting.reason.as_str(), waiting.message.as_str()));
    let decision = match trouble.map(|trouble| (trouble.reason.as_str(), trouble.message.as_str())).or(last) {
        Some((reason, message)) => Decision::wait(reason, message),
        None => Decision::rest(),
    };
    match limit.checked_sub(waited).filter(|left| !left.is_zero()) {
        Some(left) => decision.after(left),
        None if job.deadline == Some(1) => decision,
        None => decision.effect(Effect::EndJob(job.job.clone())),
    }
}

/// The Job is finished and its pod says nothing of our container's end.
fn ended_unseen(observed: &Observed, attempt: &Attempt, job: &JobView) -> Decision {
    let failed = match never_started(observed, "Migrate", attempt, job) {
        Some(failed) => failed,
        None => unseen(observed, attempt, job),
    };
    fail(observed, attempt, failed)
}

/// The failure of a pod that this operator gave up at the start deadline. Only that proves that nothing ran: what was
/// waited for when it was last looked may have come since, and a migration that ran unseen may be half done.
fn never_started(observed: &Observed, step: &str, attempt: &Attempt, job: &JobView) -> Option<Failure> {
    let record = if step == "Migrate" { Some(&attempt.migrate) } else { attempt.check.as_ref() };
    let ContainerSeen::Waiting(trouble) = &job.container else { return None };
    if job.deadline != Some(1) || record.is_some_and(|record| record.started_at.is_some()) {
        return None;
    }
    let waited = || {
        let waiting = observed.status.waiting.as_ref()?;
        Some(Trouble { reason: Reason::custom(waiting.reason.clone()), message: waiting.message.clone() })
    };
    let trouble = trouble.clone().or_else(waited);
    Some(failure::of_start(step, attempt.number, trouble.as_ref(), observed.now))
}

/// The failure of a Job that ended while nobody looked.
fn unseen(observed: &Observed, attempt: &Attempt, job: &JobView) -> Failure {
    let why = job.failed.as_deref().filter(|why| !why.is_empty()).unwrap_or("no reason given");
    let reason = if why == "DeadlineExceeded" { Reason::DEADLINE } else { Reason::KILLED };
    let what = format!("Job {} ended ({why}), and nobody saw how its container did", job.job.name);
    failure::unseen_end(reason, attempt.number, &what, observed.now)
}

fn migrate_ended(observed: &Observed, attempt: &Attempt, job: &JobView, ended: &Ended) -> Decision {
    let ended_fact = Fact::MigrateEnded(Box::new(ended.clone()));
    let tidied = Decision::rest().effect(Effect::DeleteBudget { name: job.job.name.clone() });
    if !failure::migrate_ended_well(observed, ended) {
        let failed = failure::of_step("Migrate", attempt.number, ended, observed.now);
        let failed = fail(observed, attempt, failure::with_what_is_known(observed, failed));
        return tidied.fact(ended_fact).and(failed);
    }
    if superseded(observed) {
        return tidied.fact(ended_fact).fact(Fact::Concluded(AttemptOutcome::Superseded));
    }
    let name = check_name(observed, attempt);
    tidied
        .effect(Effect::CreateCheckJob { name: name.clone(), attempt: attempt.number })
        .fact(ended_fact)
        .fact(Fact::CheckBegun { job: name })
}

/// The check after a migrate that ended well, or the triage after one that failed.
fn check(observed: &Observed, attempt: &Attempt) -> Decision {
    if superseded(observed) {
        return overtaken(observed, attempt);
    }
    let job = match &observed.check {
        JobSeen::Ours(job) => job,
        JobSeen::Absent => {
            // It changes nothing, so one that was deleted is simply asked again.
            let name = check_name(observed, attempt);
            let create = Effect::CreateCheckJob { name: name.clone(), attempt: attempt.number };
            return Decision::rest().effect(create).fact(Fact::CheckBegun { job: name });
        }
        JobSeen::Stranger(name) => {
            let failed = failure::of_taken_name("Check", name, attempt.number, observed.now);
            return conclude_check(observed, attempt, failed);
        }
    };
    match &job.container {
        ContainerSeen::Ended(ended) => check_ended(observed, attempt, ended),
        _ if job.finished => {
            let failed = never_started(observed, "Check", attempt, job)
                .unwrap_or_else(|| failure::as_check(unseen(observed, attempt, job)));
            conclude_check(observed, attempt, failed)
        }
        ContainerSeen::Waiting(trouble) => match awaits_start(observed, job, trouble.as_ref()) {
            decision if attempt.failure.is_none() => decision,
            decision => Decision { facts: Vec::new(), ..decision },
        },
        ContainerSeen::Running(_) => Decision::rest(),
    }
}

/// The spec has moved on: nothing waits for an answer any more, and no check may run beside the next migration.
fn overtaken(observed: &Observed, attempt: &Attempt) -> Decision {
    let (answer, open) = match &observed.check {
        JobSeen::Ours(job) => match &job.container {
            ContainerSeen::Ended(ended) => (Some(ended.as_ref()), None),
            _ if job.finished => (None, None),
            _ => (None, Some(Effect::EndJob(job.job.clone()))),
        },
        JobSeen::Absent | JobSeen::Stranger(_) => (None, None),
    };
    let concluded = match &attempt.failure {
        Some(_) => conclude_triage(answer),
        None => Decision::rest().fact(Fact::Concluded(AttemptOutcome::Superseded)),
    };
    open.into_iter().fold(concluded, Decision::effect)
}

fn check_ended(observed: &Observed, attempt: &Attempt, ended: &Ended) -> Decision {
    let said = Fact::CheckEnded(Box::new(ended.clone()));
    if attempt.failure.is_some() {
        return Decision::rest().fact(said).and(conclude_triage(Some(ended)));
    }
    if failure::check_is_clean(observed, ended) {
        let at = ended.ended_at.unwrap_or(observed.now);
        let clean = observed.status.release.as_ref().map(|release| CleanRecord {
            image: release.image.clone(),
            database_id: release.database_id.clone(),
            digest: release.digest.clone(),
            at: Time(at),
        });
        let done = Decision::rest().fact(said).fact(Fact::Concluded(AttemptOutcome::Clean));
        return clean.map(Fact::Clean).into_iter().fold(done, Decision::fact);
    }
    let failed = failure::of_step("Check", attempt.number, ended, observed.now);
    Decision::rest().fact(said).and(fail(observed, attempt, failed))
}

fn conclude_check(observed: &Observed, attempt: &Attempt, failed: Failure) -> Decision {
    if attempt.failure.is_some() {
        return conclude_triage(None);
    }
    fail(observed, attempt, failed)
}

/// The attempt has failed already, and that failure stays; what the database said is added to it, if it could be asked.
fn conclude_triage(ended: Option<&Ended>) -> Decision {
    let unknown = || Triage { outcome: "Unknown".to_owned(), ..Triage::default() };
    let said = ended.map_or_else(unknown, triage);
    Decision::rest().fact(Fact::Triaged(said)).fact(Fact::Concluded(AttemptOutcome::Failed))
}

/// Puts the failure on record, before anything else; then a triage, a retry, or rest.
fn fail(observed: &Observed, attempt: &Attempt, failed: Failure) -> Decision {
    if failure::needs_triage(&failed) && attempt.check.is_none() && !superseded(observed) {
        return Decision::rest().fact(Fact::Failed(Box::new(failed)));
    }
    let made = observed.status.release.as_ref().map_or(0, |release| release.retries);
    let bounds = observed.spec.retry();
    let retried = failure::retried(&failed);
    let exhausted = retried && made >= bounds.limit;
    let failed = if exhausted { failure::exhausted(failed) } else { failed };
    let decision = Decision::rest().fact(Fact::Failed(Box::new(failed))).fact(Fact::Concluded(AttemptOutcome::Failed));
    if !retried || exhausted {
        return decision;
    }
    let delay = backoff::delay(&bounds, made, &observed.run.uid);
    match jiff::SignedDuration::try_from(delay).ok().and_then(|delay| observed.now.checked_add(delay).ok()) {
        Some(at) => decision.fact(Fact::RetryAt(at)).after(delay),
        None => decision,
    }
}

fn triage(ended: &Ended) -> Triage {
    let verdict = &ended.verdict;
    let class = verdict.class.map(|class| match &verdict.reason {
        Some(reason) => format!("{class}/{reason}"),
        None => class.to_string(),
    });
    Triage {
        outcome: verdict.outcome.to_string(),
        reason: class,
        migration: verdict.migration.clone(),
        evidence: verdict.evidence.clone(),
    }
}

/// Whether the spec has changed since the release was taken up.
fn superseded(observed: &Observed) -> bool {
    let inputs = inputs_digest(&observed.spec, &observed.run.namespace);
    observed.status.release.as_ref().is_some_and(|release| release.inputs != inputs)
}

fn check_name(observed: &Observed, attempt: &Attempt) -> String {
    observed.job_name("check", attempt.number)
}

fn database(observed: &Observed) -> String {
    let id = observed.status.release.as_ref().map(|release| release.database_id.as_str());
    names::digest_hex(&[id.unwrap_or_default()])
}
