//! Small logs in the tools' own words, and those that were recorded of the real tools.
#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

pub mod forms;
pub mod others;
pub mod recorded;

pub use forms::FORMS;
pub use others::OTHERS;
use recorded::recordings;
use sluice::classify::{Class, Classifier, Ending, Step, Tool, Verdict};

/// The verdict on the log of a migrate step.
pub fn read(tool: Tool, log: &str, ending: Ending) -> Verdict {
    let mut classifier = Classifier::new(tool, Step::Migrate);
    classifier.push(log.as_bytes());
    classifier.finish(ending)
}

/// What Prisma prints before it begins.
pub const START: &str = "Prisma schema loaded from prisma/schema.prisma\n\
    Datasource \"db\": PostgreSQL database \"shop\", schema \"public\" at \"db:5432\"\n\n\
    3 migrations found in prisma/migrations\n\n";

/// Tool, what it prints, the class, the code, the migration.
pub type Failure = (Tool, &'static str, Class, Option<&'static str>, Option<&'static str>);

/// Failures in the tools' own words.
pub const FAILURES: &[Failure] = &[
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

/// Endings that are well.
pub const SUCCESSES: &[(Tool, &str)] = &[
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

/// A log, what wrote it, and how that ended.
pub struct Sample {
    pub name: String,
    pub tool: Tool,
    pub log: String,
    pub exit: i32,
}

impl Sample {
    /// Whether it is of the list above.
    pub fn is_own(&self) -> bool {
        self.name.starts_with("own")
    }

    pub fn read(&self, log: &str) -> Verdict {
        read(self.tool, log, Ending::Exited(self.exit))
    }
}

/// Every failure: of the lists, and of the recordings where there are any.
pub fn failures() -> Vec<Sample> {
    let listed = FAILURES.iter().chain(FORMS).chain(OTHERS);
    let own = listed.map(|(tool, log, ..)| sample("own", *tool, &format!("{}{log}", start(*tool)), 1));
    own.chain(of_recordings(false)).collect()
}

/// Every success.
pub fn successes() -> Vec<Sample> {
    let own = SUCCESSES.iter().map(|(tool, log)| sample("own", *tool, &format!("{}{log}", start(*tool)), 0));
    own.chain(of_recordings(true)).collect()
}

fn start(tool: Tool) -> &'static str {
    if tool == Tool::Prisma { START } else { "" }
}

fn sample(name: &str, tool: Tool, log: &str, exit: i32) -> Sample {
    Sample { name: format!("{name}, {tool}: {log:.60}"), tool, log: log.to_owned(), exit }
}

/// The recordings, of successes or of failures.
fn of_recordings(good: bool) -> impl Iterator<Item = Sample> {
    let migrated = recordings().into_iter().filter(|recording| !recording.asks());
    migrated.filter(move |recording| recording.succeeded() == good).map(|recording| Sample {
        name: recording.name(),
        tool: recording.tool,
        log: String::from_utf8_lossy(&recording.log).into_owned(),
        exit: recording.cell.exit.unwrap(),
    })
}

/// Fails with what is wrong, but for more of the same.
pub fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
}
