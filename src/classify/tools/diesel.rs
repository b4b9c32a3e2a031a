//! Diesel.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Heads, Inside, Listed, Lists, Opens, Pending, Works};

/// What is known of it.
pub static DIESEL: ToolTable = ToolTable {
    migrate: Some(&["diesel", "migration", "run"]),
    check: Some(&["diesel", "migration", "list"]),
    clean: &["Migrations:"],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Running migration", r"^Running migration (?<name>\S+)$", Works),
    rule("[ ] ", r"^\s*\[ \] \d", Pending),
    rule("Migrations:", r"^Migrations:$", Lists),
    rule("[X] ", r"^\s*\[X\] \d", Listed),
    rule("Failed to run", r"Failed to run (?<name>\d\S*) with: ", Opens),
    rule("Failed to run migrations", r"Failed to run migrations(?::? *$|: (?:[^C]|C[^a]))", Opens),
    // SQLite had rolled back by itself, and the log of the statement alone says why.
    rule("diesel::database", r"^ERROR diesel::database: Failed to execute query .* err=", Opens),
    rule("Failed to run migrations", r"Failed to run migrations: Cannot perform this operation outside of", Inside),
    rule("Failed with:", r"^Failed with: ", Inside),
    rule("entity not found", r"^Failed with: entity not found", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Could not connect to database via", "", Opens),
    rule("The --database-url argument must be passed", "", Heads(Reason::MISSING_ENV)),
    rule("Unable to find migrations directory", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("is not a valid migrations directory", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule(
        "UnknownMigrationVersion",
        r#"UnknownMigrationVersion\((?:MigrationVersion\()?"?(?<name>[\w-]+)"#,
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("is not a valid database URL", "", Heads(Reason::INVALID_URL)),
    rule("Invalid connection URL", "", Heads(Reason::INVALID_URL)),
];
