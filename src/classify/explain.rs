//! The page of help for a reason.

use super::decide::BEFORE_CONNECTION;
use super::reason::{Entry, Reason};
use super::types::{Branch, Class};

/// The page for a reason, in plain words: what it means, what the database has been through, the way on, what Sluice does.
pub fn explain(entry: &Entry) -> String {
    let parts = parts(entry).map(|(title, text)| format!("{title}\n  {text}\n"));
    format!("{} ({})\n\n{}", entry.name, entry.class, parts.join("\n"))
}

/// The parts of the page, each with its title.
pub fn parts(entry: &Entry) -> [(&'static str, String); 4] {
    [
        ("What it means", entry.meaning.to_owned()),
        ("What the database has been through", left_behind(entry).to_owned()),
        ("The way on", format!("{} {}", branch(entry.branch), entry.way_out)),
        ("What Sluice does by itself", by_itself(entry).to_owned()),
    ]
}

const fn branch(branch: Branch) -> &'static str {
    match branch {
        Branch::A => "Branch A: repair what surrounds the migration, then run the same release again.",
        Branch::B => "Branch B: back the affected rows up, correct them, then run again.",
        Branch::C => "Branch C: stop the rollout and ship a corrected migration in a new release.",
        Branch::ByHand => "By hand: look at the database before anything is run again.",
    }
}

/// What a failure of this reason leaves in the database.
pub fn left_behind(entry: &Entry) -> &'static str {
    let is = |reasons: &[Reason]| reasons.iter().any(|reason| reason.as_str() == entry.name);
    let before = is(&BEFORE_CONNECTION) || is(&[Reason::ADVISORY_LOCK_TIMEOUT, Reason::POOLER_MODE]);
    let anywhere = [Reason::INSUFFICIENT_PRIVILEGE, Reason::TOOL_CRASHED];
    match entry.class {
        Class::Connectivity if before => "Nothing: the tool did not get as far as a migration.",
        _ if entry.class == Class::Connectivity || is(&anywhere) => {
            "Nothing, if it came before the first statement. In the middle of a migration, the failed statement was not applied: \
             PostgreSQL, SQL Server and SQLite take the whole transaction back where the tool opened one, MySQL and MariaDB keep \
             every statement before it."
        }
        Class::Connectivity | Class::Permission => "Nothing: the server let nobody in.",
        Class::DataConflict | Class::ScriptError => {
            "The failed statement was not applied, and no row was changed by it. PostgreSQL, SQL Server and SQLite take the whole \
             migration back where the tool ran it in a transaction; MySQL and MariaDB keep every statement before it. Migrations \
             before it are applied. Prisma and others record the failure, and refuse to go on until that record is resolved."
        }
        Class::Blocked => {
            "Nothing in this run: the tool refused before the first statement. An earlier run may have left something."
        }
        Class::Config | Class::Runtime => "Nothing: the tool did not reach a migration.",
        Class::Interrupted => {
            "Nobody knows: the statement under way may be committed, taken back, or still running on the server. Ask the database \
             (the tool's history table, and pg_stat_activity or its like) before anything else."
        }
        Class::Unknown => "Not known from the log. Ask the tool's status command, and look at its history table.",
    }
}

const fn by_itself(entry: &Entry) -> &'static str {
    match (entry.retryable, entry.class) {
        (true, Class::Connectivity | Class::Runtime) => {
            "It tries the same release again, with growing pauses and up to recovery.retry.limit times, where the log shows that no \
             SQL can have been executed. Else, and after the last try, it waits for a person."
        }
        (true, _) => {
            "It asks the check step what is left, and waits: time alone may help, but a part of the migration may have been \
             executed. Set the annotation sluice.dev/retry to a new token, or ship another release."
        }
        (false, Class::Connectivity | Class::Permission | Class::Config | Class::Runtime) => {
            "It keeps the evidence in status and waits for the annotation sluice.dev/retry with a new token, or for another release."
        }
        (false, _) => {
            "It asks the check step what is left, keeps the evidence in status, and waits for the annotation sluice.dev/retry with \
             a new token, or for another release."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::REASONS;

    #[test]
    fn every_page_answers_the_four_questions_in_sentences() {
        for entry in REASONS {
            for (title, text) in parts(entry) {
                assert!(text.ends_with('.') && !text.contains("  "), "{}: {title}: {text}", entry.name);
            }
            assert!(explain(entry).lines().count() > 10, "{}", entry.name);
        }
    }
}
