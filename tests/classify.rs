//! What the classifier promises, on small logs in the tools' own words: the verdict of each.

mod logs;

use logs::others::FRAGMENTS;
use logs::{FAILURES, FORMS, OTHERS, START, SUCCESSES, read};
use sluice::classify::{Class, Classifier, Ending, Outcome, Step, Tool};

#[test]
fn failures_are_read() {
    for (tool, log, class, code, migration) in FAILURES.iter().chain(FORMS).chain(OTHERS).chain(FRAGMENTS) {
        let text = if *tool == Tool::Prisma { format!("{START}{log}") } else { (*log).to_owned() };
        let verdict = read(*tool, &text, Ending::Exited(1));
        assert_eq!(verdict.outcome, Outcome::Failed, "{log}");
        assert_eq!(verdict.class, Some(*class), "{log}");
        assert_eq!(verdict.code.as_deref(), *code, "{log}");
        assert_eq!(verdict.migration.as_deref(), *migration, "{log}");
    }
}

#[test]
fn an_exit_code_of_zero_beside_a_failure_is_unknown_with_its_class() {
    for (tool, log, ..) in FAILURES.iter().chain(FORMS).chain(OTHERS).chain(FRAGMENTS) {
        let verdict = read(*tool, log, Ending::Exited(0));
        assert_eq!(verdict.outcome, Outcome::Unknown, "{log}");
        assert!(!verdict.retryable, "{log}");
    }
}

#[test]
fn successes_are_read_and_need_an_exit_code_that_agrees() {
    for (tool, log) in SUCCESSES {
        assert_eq!(read(*tool, log, Ending::Exited(0)).outcome, Outcome::Succeeded, "{log}");
        assert_eq!(read(*tool, log, Ending::Exited(1)).outcome, Outcome::Unknown, "{log}");
        assert_eq!(read(*tool, log, Ending::OomKilled).class, Some(Class::Interrupted), "{log}");
        assert_eq!(read(*tool, log, Ending::Unknown).outcome, Outcome::Unknown, "{log}");
    }
}

#[test]
fn an_image_without_migrations_is_not_clean() {
    let log = "No migration found in prisma/migrations\n\n\nNo pending migrations to apply.\n";
    let verdict = read(Tool::Prisma, log, Ending::Exited(0));
    assert_eq!((verdict.outcome, verdict.class), (Outcome::Failed, Some(Class::Config)));
    let log = "Successfully validated 0 migrations (execution time 00:00.006s)\nWARNING: No migrations found. Are your locations set up correctly?\n\
        Schema \"public\" is up to date. No migration necessary.\n";
    let verdict = read(Tool::Flyway, log, Ending::Exited(0));
    assert_eq!((verdict.outcome, verdict.class), (Outcome::Failed, Some(Class::Config)));
}

#[test]
fn a_check_believes_its_own_sentence_alone() {
    let check = |tool: Tool, log: &str, code| {
        let mut classifier = Classifier::new(tool, Step::Check);
        classifier.push(log.as_bytes());
        classifier.finish(Ending::Exited(code))
    };
    assert_eq!(check(Tool::Prisma, "Database schema is up to date!\n", 0).outcome, Outcome::Succeeded);
    assert_eq!(check(Tool::Prisma, "All migrations have been successfully applied.\n", 0).outcome, Outcome::Unknown);
    assert_eq!(check(Tool::Prisma, "", 0).outcome, Outcome::Unknown);
    assert_eq!(check(Tool::Custom, "", 0).outcome, Outcome::Succeeded);
    let pending = "Following migrations have not yet been applied:\n20260101_a\n";
    assert_eq!(check(Tool::Prisma, pending, 1).outcome, Outcome::Pending);
    let failed = check(Tool::Prisma, "Following migration have failed:\n20260101_a\n", 1);
    assert_eq!((failed.class, failed.migration.as_deref()), (Some(Class::Blocked), Some("20260101_a")));
}

/// Whatever a log leaves open, nothing is tried again after SQL (docs/adr/0006).
#[test]
fn only_where_no_sql_can_have_been_executed_time_helps() {
    const WORKED: &str = "CREATE TABLE\nINSERT 0 2\n";
    const APPLIED: &str =
        "Operations to perform:\n  Apply all migrations: a\nRunning migrations:\n  Applying a.0001_b... OK\n";
    const BEGUN: &str =
        "Operations to perform:\n  Apply all migrations: a\nRunning migrations:\n  Applying a.0001_b...";
    const UPGRADE: &str = "INFO  [alembic.runtime.migration] Context impl MySQLImpl.\n";
    const RUNNING: &str = "INFO  [alembic.runtime.migration] Running upgrade 1a -> 2b, add column\n";
    const CLOSED: &str = "server closed the connection unexpectedly";
    const ENDED: &str = "terminating connection due to administrator command";
    const LOST: &str = "sqlalchemy.exc.OperationalError: (MySQLdb.OperationalError) (2013, 'Lost connection to server during query')\n";
    const REFUSED: &str = "sqlalchemy.exc.OperationalError: (MySQLdb.OperationalError) (2003, \"Can't connect to server on 'db' (111)\")\n";
    let table = [
        // A client that does not say what it has done.
        (Tool::Custom, format!("{WORKED}psql:m.sql:9: {CLOSED}\n"), "ConnectionClosed", false),
        (Tool::Custom, format!("{WORKED}psql:m.sql:9: FATAL:  {ENDED}\n"), "SessionEnded", false),
        (Tool::Custom, format!("psql:m.sql:9: FATAL:  {ENDED}\n"), "SessionEnded", false),
        (
            Tool::Custom,
            "could not receive data from server: Connection timed out\n".to_owned(),
            "ConnectionClosed",
            false,
        ),
        (Tool::Custom, "read tcp 10.0.0.2:4->10.0.0.1:5432: i/o timeout\n".to_owned(), "ConnectionClosed", false),
        (Tool::Custom, "Error: read ETIMEDOUT\n".to_owned(), "ConnectionClosed", false),
        (Tool::Custom, "ERROR 1053 (08S01) at line 3: Server shutdown in progress\n".to_owned(), "SessionEnded", false),
        (Tool::Custom, "ERROR:  cannot execute UPDATE in a read-only transaction\n".to_owned(), "ReadOnly", false),
        (Tool::Custom, "Error: database is locked\n".to_owned(), "DatabaseBusy", false),
        (
            Tool::Custom,
            "psql: error: connection to server at \"db\" failed: Connection refused\n".to_owned(),
            "Unreachable",
            true,
        ),
        (Tool::Custom, "psql: error: FATAL:  the database system is starting up\n".to_owned(), "StartingUp", true),
        // Tools that say which migration they work on.
        (Tool::Django, format!("django.db.utils.OperationalError: {CLOSED}\n"), "ConnectionClosed", true),
        (Tool::Django, format!("{APPLIED}django.db.utils.OperationalError: {CLOSED}\n"), "ConnectionClosed", false),
        (Tool::Django, format!("{BEGUN}\ndjango.db.utils.OperationalError: {CLOSED}\n"), "ConnectionLostMidway", false),
        (Tool::Django, format!("{BEGUN}\ndjango.db.utils.OperationalError: {ENDED}\n"), "ConnectionLostMidway", false),
        (
            Tool::Django,
            format!("{BEGUN}\ndjango.db.utils.OperationalError: read-only transaction\n"),
            "ReadOnly",
            false,
        ),
        // A script that tries again by itself: what its first try has done is not undone by the second.
        (Tool::Alembic, format!("{UPGRADE}{REFUSED}"), "Unreachable", true),
        (Tool::Alembic, format!("{UPGRADE}{RUNNING}{LOST}{UPGRADE}{REFUSED}"), "Unreachable", false),
        // Its only word of progress comes before it connects.
        (
            Tool::Drizzle,
            "[⣷] applying migrations...Error: connect ECONNREFUSED 10.0.0.1:5432\n".to_owned(),
            "Unreachable",
            true,
        ),
        (Tool::Drizzle, "[⣷] applying migrations...Error: read ECONNRESET\n".to_owned(), "ConnectionLostMidway", false),
    ];
    for (tool, log, reason, retryable) in table {
        let verdict = read(tool, &log, Ending::Exited(1));
        let said = (verdict.reason.as_ref().map(|reason| reason.as_str()), verdict.retryable);
        assert_eq!(said, (Some(reason), retryable), "{tool}: {log}");
    }
}
