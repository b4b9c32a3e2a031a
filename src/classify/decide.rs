//! From what was said and how the container ended to the verdict. The ending comes first; the text refines it.

use super::reason::Reason;
use super::run::{Run, Signal, Weight};
use super::tool::ToolTable;
use super::types::{Class, Confidence, Ending, Outcome, Step, Verdict};
use super::{codes, redact};

/// Exit codes that shells and runtimes give to signals from outside: interrupt, kill, terminate.
const KILLED: [i32; 3] = [128 + 2, 128 + 9, 128 + 15];

/// The verdict on one run of the tool.
pub(super) fn decide(run: &Run, table: &ToolTable, step: Step, ending: Ending) -> Verdict {
    let mut verdict = match ending {
        Ending::Exited(code) if KILLED.contains(&code) => ended(step, Reason::KILLED),
        Ending::Signalled(_) | Ending::Deleted => ended(step, Reason::KILLED),
        Ending::OomKilled => ended(step, if step == Step::Migrate { Reason::OOM_MIDWAY } else { Reason::OOM }),
        Ending::DeadlineExceeded => ended(step, Reason::DEADLINE),
        Ending::Evicted => ended(step, if step == Step::Migrate { Reason::KILLED } else { Reason::EVICTED }),
        Ending::NodeLost => {
            ended(step, if step == Step::Migrate { Reason::NODE_LOST_MIDWAY } else { Reason::NODE_LOST })
        }
        Ending::Exited(0) => well(run, table, step),
        Ending::Exited(code) => badly(run, table, step, code),
        Ending::NotGiven => by_text(run, table, step),
        Ending::Unknown => unknown_end(by_text(run, table, step)),
    };
    if verdict.outcome != Outcome::Succeeded {
        verdict.evidence = redact::evidence(run.evidence.iter().cloned());
        if verdict.migration.is_none() && verdict.class == Some(Class::Interrupted) {
            verdict.migration = run.blamed.clone().or_else(|| run.at_work.clone()).map(|name| redact::line(&name));
        }
    }
    verdict
}

/// Ended from outside. A check changes nothing, so for it this is no more than a lost answer.
fn ended(step: Step, reason: Reason) -> Verdict {
    let mut verdict = Verdict::failed(reason, Confidence::High, Vec::new());
    if step == Step::Check {
        verdict.outcome = Outcome::Unknown;
    }
    verdict
}

/// The process ended with 0.
fn well(run: &Run, table: &ToolTable, step: Step) -> Verdict {
    if no_migrations(run) {
        return failure(run, table, Reason::NO_MIGRATIONS, Confidence::High);
    }
    match success(run, table, step) {
        true => Verdict::of(Outcome::Succeeded, Confidence::High),
        false if contradicts(run) => contradiction(run, table),
        false if run.pending.is_some() => Verdict::of(Outcome::Pending, Confidence::High),
        false if quiet_success(run, table, step) => Verdict::of(Outcome::Succeeded, Confidence::Medium),
        false => nothing(Outcome::Unknown),
    }
}

/// The process ended by itself with another code than 0.
fn badly(run: &Run, table: &ToolTable, step: Step, code: i32) -> Verdict {
    if no_migrations(run) && run.applied.is_none() {
        return failure(run, table, Reason::NO_MIGRATIONS, Confidence::High);
    }
    // For a check it is no fault that migrations wait: it is the answer.
    if step == Step::Check && run.pending.is_some() && run.pending == run.cause.as_ref().map(|cause| cause.at) {
        return Verdict::of(Outcome::Pending, Confidence::High);
    }
    if let Some(cause) = cause_after_success(run) {
        let sure = if cause.weight >= Weight::Code { Confidence::High } else { Confidence::Medium };
        return failure(
            run,
            table,
            cause.reason.clone(),
            if cause.weight <= Weight::Hint { Confidence::Low } else { sure },
        );
    }
    if run.pending.is_some() {
        return Verdict::of(Outcome::Pending, Confidence::High);
    }
    if matches!(code, 126 | 127) {
        return failure(run, table, Reason::COMMAND_NOT_FOUND, Confidence::High);
    }
    if run.account.is_none() && (run.applied.is_some() || run.clean.is_some()) {
        return nothing(Outcome::Unknown);
    }
    if run.account.is_some() && run.in_migration() {
        return failure(run, table, Reason::MIGRATION_FAILED, Confidence::Low);
    }
    let mut verdict = nothing(Outcome::Failed);
    fill(&mut verdict, run);
    verdict
}

/// Nobody knows how it ended: the text alone, with less confidence.
fn by_text(run: &Run, table: &ToolTable, step: Step) -> Verdict {
    if no_migrations(run) {
        return failure(run, table, Reason::NO_MIGRATIONS, Confidence::Medium);
    }
    if success(run, table, step) {
        return Verdict::of(Outcome::Succeeded, Confidence::Medium);
    }
    if let Some(cause) = &run.cause {
        let sure = if cause.weight >= Weight::Guess { Confidence::Medium } else { Confidence::Low };
        let verdict = failure(run, table, cause.reason.clone(), sure);
        // A text without an ending may be cut: that a log is missing from it proves nothing.
        return if verdict.reason == Some(Reason::FAILED_WITHOUT_LOG) { recorded(verdict) } else { verdict };
    }
    if run.account.is_some() && run.in_migration() {
        return failure(run, table, Reason::MIGRATION_FAILED, Confidence::Low);
    }
    if run.account.is_some() {
        let mut verdict = nothing(Outcome::Unknown);
        fill(&mut verdict, run);
        return verdict;
    }
    if run.pending.is_some() {
        return Verdict::of(Outcome::Pending, Confidence::Medium);
    }
    if step == Step::Migrate && run.alive.is_some() && quiet_success(run, table, step) {
        return Verdict::of(Outcome::Succeeded, Confidence::Low);
    }
    nothing(Outcome::Unknown)
}

fn recorded(verdict: Verdict) -> Verdict {
    let Verdict { code, sql_state, migration, confidence, .. } = verdict;
    Verdict { code, sql_state, migration, ..Verdict::failed(Reason::FAILED_MIGRATION_RECORDED, confidence, Vec::new()) }
}

/// The container ended and nobody recorded how: the text can tell of a failure, never of a success.
fn unknown_end(verdict: Verdict) -> Verdict {
    match verdict.outcome {
        Outcome::Succeeded | Outcome::Pending => nothing(Outcome::Unknown),
        _ => verdict,
    }
}

/// The image carried nothing to apply, and nothing else went wrong.
fn no_migrations(run: &Run) -> bool {
    let alone = run.account.is_none() || run.account == run.empty;
    run.empty.is_some() && run.cause.is_none() && alone && run.pending.is_none()
}

/// The tool's sentence, later than every account of a failure. For a check only its own sentence counts.
fn success(run: &Run, table: &ToolTable, step: Step) -> bool {
    let said = match step {
        Step::Migrate => run.applied.max(run.clean),
        Step::Check => run.clean.max(run.validated).max(run.lists_applied_alone(table.begins_a_list())),
    };
    said.is_some_and(|at| run.account.is_none_or(|account| account < at) && !run.quoting)
}

/// Something was said that a success does not say.
fn contradicts(run: &Run) -> bool {
    let alive_later = |at: u64| run.alive.is_some_and(|alive| alive > at);
    run.account.is_some() || run.cause.as_ref().is_some_and(|cause| cause.framed || !alive_later(cause.at))
}

/// An exit code of 0 from a tool that need not say anything.
fn quiet_success(run: &Run, table: &ToolTable, step: Step) -> bool {
    match step {
        Step::Migrate => !table.speaks && run.pending.is_none() && !(table.marks_done() && run.at_work.is_some()),
        Step::Check => !table.says_when_clean(),
    }
}

/// The cause, unless the tool said success later and the cause is only somebody's words before it.
fn cause_after_success(run: &Run) -> Option<&Signal> {
    let said = run.applied.max(run.clean);
    run.cause.as_ref().filter(|cause| cause.framed || said.is_none_or(|at| at < cause.at))
}

/// Exit code 0 beside an account of a failure, as a pipe into `tee` gives it.
fn contradiction(run: &Run, table: &ToolTable) -> Verdict {
    let mut verdict = match &run.cause {
        Some(cause) => failure(run, table, cause.reason.clone(), Confidence::Low),
        None => nothing(Outcome::Unknown),
    };
    verdict.outcome = Outcome::Unknown;
    verdict.retryable = false;
    fill(&mut verdict, run);
    verdict
}

fn nothing(outcome: Outcome) -> Verdict {
    let mut verdict = Verdict::of(outcome, Confidence::Low);
    verdict.class = Some(Class::Unknown);
    verdict.branch = Some(Class::Unknown.branch());
    verdict
}

fn failure(run: &Run, table: &ToolTable, reason: Reason, confidence: Confidence) -> Verdict {
    let reason = midway(run, reason);
    let mut verdict = Verdict::failed(reason.clone(), confidence, Vec::new());
    let locks = [Reason::LOCK_TIMEOUT, Reason::STATEMENT_TIMEOUT, Reason::DEADLOCK].contains(&reason);
    let recorded = table.records_failure && run.in_migration();
    let kept = locks && !run.is_transactional();
    verdict.retryable &= !recorded && !kept && (locks || untouched(run, table, &reason));
    if let Some(earlier) = run.earlier.as_ref().filter(|_| reason == Reason::FAILED_MIGRATION_RECORDED) {
        verdict.branch = Some(earlier.entry().branch);
    }
    fill(&mut verdict, run);
    verdict
}

/// What a step can fail for before it has a connection, and only then.
pub(super) const BEFORE_CONNECTION: [Reason; 5] =
    [Reason::UNREACHABLE, Reason::DNS, Reason::TLS, Reason::TOO_MANY_CONNECTIONS, Reason::STARTING_UP];

/// Whether no SQL of the step can have been executed where it failed for this reason, which alone lets time help
/// (docs/adr/0006). Where there was a connection, only a tool that says which migration it is at proves it by its silence.
pub(super) fn untouched(run: &Run, table: &ToolTable, reason: &Reason) -> bool {
    let outside = matches!(reason.entry().class, Class::Connectivity | Class::Runtime | Class::Config);
    let unconnected = BEFORE_CONNECTION.contains(reason);
    outside && !run.has_begun() && (unconnected || table.shows_progress() && !run.in_migration())
}

/// What a reason becomes where a migration was under way.
fn midway(run: &Run, reason: Reason) -> Reason {
    let lost = reason == Reason::CONNECTION_CLOSED || reason == Reason::SESSION_ENDED;
    match reason {
        _ if !run.in_migration() => reason,
        _ if lost => Reason::CONNECTION_LOST_MIDWAY,
        reason if reason == Reason::OOM => Reason::OOM_MIDWAY,
        reason if reason == Reason::FAILED_MIGRATION_RECORDED && run.recorded_without_log() => {
            Reason::FAILED_WITHOUT_LOG
        }
        reason => reason,
    }
}

/// The codes and the name.
fn fill(verdict: &mut Verdict, run: &Run) {
    let cause = run.cause.as_ref();
    let blocked = cause.is_some_and(|cause| cause.weight >= Weight::Heading);
    let own = cause.and_then(|cause| cause.code.clone());
    let framed = run.tool_code.clone().filter(|_| blocked);
    let found = own.or(framed).or_else(|| run.loose_code.clone());
    verdict.sql_state = run.state.clone().filter(|_| !blocked);
    verdict.code =
        found.or_else(|| verdict.sql_state.clone()).or_else(|| run.tool_code.clone()).map(|c| redact::line(&c));
    let at_work = run.at_work.clone().filter(|_| verdict.class != Some(Class::Config));
    verdict.migration =
        run.blamed.clone().or(at_work).or_else(|| run.mentioned.clone()).map(|name| redact::line(&name));
    debug_assert!(verdict.sql_state.as_deref().is_none_or(codes::sqlstate::is_shaped));
}
