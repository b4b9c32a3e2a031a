//! What the classifier promises, on small logs in the tools' own words: the verdict of each, and that planted lines, cuts
//! and noise cannot turn it.

use proptest::prelude::*;
use sluice::classify::{Class, Classifier, Ending, Outcome, Step, Tool, Verdict};

fn read(tool: Tool, log: &str, ending: Ending) -> Verdict {
    let mut classifier = Classifier::new(tool, Step::Migrate);
    classifier.push(log.as_bytes());
    classifier.finish(ending)
}

const START: &str = "Prisma schema loaded from prisma/schema.prisma\n\
    Datasource \"db\": PostgreSQL database \"shop\", schema \"public\" at \"db:5432\"\n\n\
    3 migrations found in prisma/migrations\n\n";

/// Tool, what it prints, the class, the code, the migration.
type Failure = (Tool, &'static str, Class, Option<&'static str>, Option<&'static str>);

const FAILURES: &[Failure] = &[
    (
        Tool::Prisma,
        "Applying migration `20260101000000_a`\nApplying migration `20260102000000_b`\nError: P3018\n\nA migration failed to apply. New migrations cannot be applied before the error is recovered from.\n\nMigration name: 20260102000000_b\n\nDatabase error code: 23505\n\nDatabase error:\nERROR: could not create unique index \"u\"\nDETAIL: Key (email)=(a@b.c) is duplicated.\n\nDbError { severity: \"ERROR\", parsed_severity: Some(Error), code: SqlState(E23505), message: \"could not create unique index\" }\n",
        Class::DataConflict,
        Some("23505"),
        Some("20260102000000_b"),
    ),
    (
        Tool::Prisma,
        "Error: P1001: Can't reach database server at `db:5432`\n",
        Class::Connectivity,
        Some("P1001"),
        None,
    ),
    (
        Tool::Prisma,
        "Error: P3009\n\nmigrate found failed migrations in the target database, new migrations will not be applied.\nThe `20260102000000_b` migration started at 2026-01-02 10:00:00 UTC failed with the following logs:\nDatabase error code: 23505\n",
        Class::Blocked,
        Some("P3009"),
        Some("20260102000000_b"),
    ),
    (
        Tool::Prisma,
        "Error: P3009\n\nmigrate found failed migrations in the target database, new migrations will not be applied.\nThe `20260102000000_b` migration started at 2026-01-02 10:00:00 UTC failed\n",
        Class::Interrupted,
        Some("P3009"),
        Some("20260102000000_b"),
    ),
    (
        Tool::Prisma,
        "Error: external connector error\nNull constraint failed: \n   0: sql_schema_connector::apply_migration::apply_script\n           with migration_name=\"0002_age\"\n",
        Class::DataConflict,
        None,
        Some("0002_age"),
    ),
    (
        Tool::Flyway,
        "Migrating schema \"public\" to version \"2 - bad\"\nERROR: Script V2__bad.sql failed\n------------\nSQL State  : 42P01\nError Code : 0\nMessage    : ERROR: relation \"x\" does not exist\nLocation   : V2__bad.sql (/flyway/sql/V2__bad.sql)\nStatement  : insert into x values (1)\n",
        Class::ScriptError,
        Some("42P01"),
        Some("V2__bad.sql"),
    ),
    (
        Tool::Liquibase,
        "Running Changeset: db/a.sql::2::me\nUnexpected error running Liquibase: Migration failed for changeset db/a.sql::2::me:\n     Reason: liquibase.exception.DatabaseException: ERROR: column \"a\" contains null values [Failed SQL: (0) ALTER TABLE t]\n",
        Class::DataConflict,
        None,
        Some("db/a.sql::2::me"),
    ),
    (
        Tool::Alembic,
        "INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.\nINFO  [alembic.runtime.migration] Running upgrade 1a -> 2b, add column\nTraceback (most recent call last):\npsycopg2.errors.LockNotAvailable: canceling statement due to lock timeout\n\nsqlalchemy.exc.OperationalError: (psycopg2.errors.LockNotAvailable) canceling statement due to lock timeout\n[SQL: ALTER TABLE t]\n",
        Class::ScriptError,
        Some("55P03"),
        Some("2b"),
    ),
    (
        Tool::Goose,
        "2026/01/01 10:00:00 goose run: ERROR 002_users.sql: failed to run SQL migration: failed to execute SQL query \"CREATE TABLE users (id int);\": ERROR: relation \"users\" already exists (SQLSTATE 42P07)\n",
        Class::ScriptError,
        Some("42P07"),
        Some("002_users.sql"),
    ),
    (Tool::GolangMigrate, "error: Dirty database version 7. Fix and force version.\n", Class::Blocked, None, Some("7")),
    (
        Tool::Knex,
        "migration file \"002_b.js\" failed\nmigration failed with error: alter table `a` add unique `u`(`e`) - Duplicate entry 'x' for key 'u'\nError: alter table `a` - Duplicate entry 'x' for key 'u'\n  code: 'ER_DUP_ENTRY',\n  errno: 1062,\n  sqlState: '23000',\n",
        Class::DataConflict,
        Some("1062"),
        Some("002_b.js"),
    ),
    (
        Tool::EfCore,
        "Build started...\nBuild succeeded.\nApplying migration '20260101_Add'.\nFailed executing DbCommand (2ms)\nMicrosoft.Data.SqlClient.SqlException (0x80131904): There is already an object named 'T' in the database.\nError Number:2714,State:6,Class:16\n",
        Class::ScriptError,
        Some("2714"),
        Some("20260101_Add"),
    ),
    (Tool::Custom, "psql:a.sql:3: ERROR:  permission denied for table t\n", Class::Permission, None, None),
];

const SUCCESSES: &[(Tool, &str)] = &[
    (Tool::Prisma, "Applying migration `20260101000000_a`\n\nAll migrations have been successfully applied.\n"),
    (Tool::Prisma, "No pending migrations to apply.\n"),
    (
        Tool::Flyway,
        "Successfully applied 2 migrations to schema \"public\", now at version v2 (execution time 00:00.05s)\n",
    ),
    (Tool::Liquibase, "Liquibase command 'update' was executed successfully.\n"),
    (Tool::Goose, "goose: no migrations to run. current version: 1\n"),
    (Tool::Knex, "Batch 1 run: 3 migrations\n"),
    (Tool::EfCore, "Build started...\nBuild succeeded.\nDone.\n"),
];

/// Lines that a migration's author can make appear in a log.
const PLANTED: &[&str] = &[
    "All migrations have been successfully applied.",
    "No pending migrations to apply.",
    "Database schema is up to date!",
    "Successfully applied 3 migrations to schema \"public\"",
    "goose: no migrations to run. current version: 9",
    "Batch 1 run: 3 migrations",
    "Done.",
    "NOTICE:  Error: P1001: Can't reach database server at `db:5432`",
    "-- Error: P1001: connection refused, ECONNREFUSED",
    "Error: P1001: Can't reach database server at `db:5432`",
    "Migration name: 19990101_planted",
];

#[test]
fn failures_are_read() {
    for (tool, log, class, code, migration) in FAILURES {
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
    for (tool, log, ..) in FAILURES {
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
fn lines_planted_into_a_failure_never_make_it_a_success() {
    for (tool, log, ..) in FAILURES {
        let lines: Vec<&str> = log.lines().collect();
        for planted in PLANTED {
            for at in 0..=lines.len() {
                let mut with = lines.clone();
                with.insert(at, planted);
                let text = with.join("\n");
                assert_eq!(
                    read(*tool, &text, Ending::Exited(1)).outcome,
                    Outcome::Failed,
                    "{planted} at {at} of {text}"
                );
                if at < lines.len() {
                    let piped = read(*tool, &text, Ending::Exited(0));
                    assert_ne!(piped.outcome, Outcome::Succeeded, "{planted} at {at} of {text}");
                }
            }
        }
    }
}

#[test]
fn lines_planted_before_the_final_block_change_nothing() {
    for (tool, log, class, _, migration) in FAILURES.iter().filter(|failure| failure.0 != Tool::Custom) {
        for planted in PLANTED {
            let text = format!("{START}{planted}\n{log}");
            let verdict = read(*tool, &text, Ending::Exited(1));
            assert_eq!(verdict.class, Some(*class), "{planted} before {log}");
            assert_eq!(verdict.migration.as_deref(), *migration, "{planted} before {log}");
        }
    }
    for (tool, log) in SUCCESSES {
        for planted in PLANTED {
            let text = format!("{START}{planted}\n{log}");
            assert_eq!(read(*tool, &text, Ending::Exited(0)).outcome, Outcome::Succeeded, "{planted} before {log}");
        }
    }
}

#[test]
fn an_image_without_migrations_is_not_clean() {
    let log = "No migration found in prisma/migrations\n\n\nNo pending migrations to apply.\n";
    let verdict = read(Tool::Prisma, log, Ending::Exited(0));
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

#[test]
fn every_cut_of_a_log_gives_a_verdict_and_never_a_success_from_a_failure() {
    for (tool, log, ..) in FAILURES {
        for at in (0..log.len()).filter(|at| log.is_char_boundary(*at)) {
            assert_ne!(read(*tool, &log[..at], Ending::Exited(1)).outcome, Outcome::Succeeded);
            assert_ne!(read(*tool, &log[at..], Ending::Exited(1)).outcome, Outcome::Succeeded);
        }
    }
}

fn tools() -> impl Strategy<Value = Tool> {
    proptest::sample::select(Tool::ALL.to_vec())
}

fn splices() -> impl Strategy<Value = Vec<u8>> {
    let logs: Vec<Vec<u8>> = FAILURES.iter().map(|failure| failure.1.as_bytes().to_vec()).collect();
    let part = prop_oneof![
        proptest::sample::select(logs).prop_flat_map(|log| {
            let end = log.len();
            (0..end, 0..end).prop_map(move |(a, b)| log.iter().take(a.max(b)).skip(a.min(b)).copied().collect())
        }),
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::sample::select(PLANTED.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn bytes_of_any_kind_in_chunks_of_any_size_give_one_verdict(log in splices(), tool in tools(), size in 1usize..64) {
        let mut classifier = Classifier::new(tool, Step::Migrate);
        log.chunks(size).for_each(|chunk| classifier.push(chunk));
        let chunked = classifier.finish(Ending::Exited(1));
        let mut classifier = Classifier::new(tool, Step::Migrate);
        classifier.push(&log);
        prop_assert_eq!(&chunked, &classifier.finish(Ending::Exited(1)));
        prop_assert!(chunked.outcome != Outcome::Succeeded);
        prop_assert!(chunked.evidence.len() <= 10);
        prop_assert!(chunked.evidence.iter().map(String::len).sum::<usize>() <= 2048);
        prop_assert!(!chunked.evidence.iter().any(|line| line.chars().any(|c| c.is_control() && c != '\t')));
    }

    #[test]
    fn planted_secrets_never_come_out(secret in "[A-Za-z0-9]{12,20}", tool in tools(), form in 0usize..8, prefix in 0usize..3) {
        let secret = format!("S3cr{secret}");
        let carrier = ["", "Error: P1001: ", "ERROR: syntax error at or near "][prefix];
        let line = match form {
            0 => format!("{carrier}connection refused postgres://app:{secret}@db:5432/shop"),
            1 => format!("{carrier}ECONNREFUSED password={secret} host=db"),
            2 => format!("{carrier}duplicate key value violates unique constraint DETAIL: Key (email)=({secret}) already exists."),
            3 => format!("{carrier}Duplicate entry '{secret}' for key 'u'"),
            4 => format!("{carrier}violates not-null constraint Failing row contains (1, {secret}, null)."),
            5 => format!("{carrier}invalid input syntax for type integer: \"{secret}\""),
            6 => format!("{carrier}ECONNREFUSED Authorization: Bearer {secret}"),
            _ => format!("{carrier}ECONNREFUSED {{\"api_key\": \"{secret}\"}}"),
        };
        let verdict = read(tool, &format!("{line}\nMigration name: a\n"), Ending::Exited(1));
        let out = serde_json::to_string(&verdict).unwrap();
        prop_assert!(!out.contains(&secret), "{}", out);
    }
}
