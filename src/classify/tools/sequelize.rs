//! Sequelize, by its command line or Umzug.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Done, Heads, Inside, Listed, Lists, Opens, Pending, Starts, Text, Works};

/// What is known of it.
pub static SEQUELIZE: ToolTable = ToolTable {
    migrate: Some(&["npx", "sequelize-cli", "db:migrate"]),
    check: Some(&["npx", "sequelize-cli", "db:migrate:status"]),
    clean: &["Sequelize CLI ["],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Sequelize CLI [", r"^Sequelize CLI \[", Starts),
    rule(": migrating =", r"^== (?<name>.+): migrating =", Works),
    rule(": migrated (", r"^== .+: migrated \(", Done),
    rule(
        "No migrations were executed",
        r"^No migrations were executed, database schema was already up to date",
        Applied,
    ),
    rule("Sequelize CLI [", r"^Sequelize CLI \[", Lists),
    rule("up ", r"^up \S+\.(?:c|m)?[jt]s$", Listed),
    rule("down ", r"^down \S+\.(?:c|m)?[jt]s$", Pending),
    rule("ERROR:", r"^ERROR: ", Opens),
    // By Umzug, in a program.
    rule("Sequelize", r"^(?:\{ |Unhandled rejection |Error: )?Sequelize\w*Error\b", Inside),
    rule("MigrationError:", r"MigrationError: Migration (?<name>\S+) \((?:up|down)\) failed", Opens),
    rule("event: 'migrating'", r"event: 'migrating', name: '(?<name>[^']+)'", Works),
    rule("event: 'migrated'", r"event: 'migrated', name: '", Done),
    rule("Validation error", r"^ERROR: Validation error", Text(Reason::UNIQUE_VIOLATION)),
    rule("Have you run", r"^ERROR: Cannot find .* Have you run", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Error reading", r"^ERROR: Error reading ", Heads(Reason::INVALID_SCHEMA)),
    rule("package manually", r"Please install \S+ package manually", Heads(Reason::ENGINE_MISSING)),
    rule("Dialect needs to be explicitly supplied", "", Heads(Reason::MISSING_ENV)),
    rule("The dialect ", r"The dialect \S+ is not supported", Heads(Reason::INVALID_URL)),
    rule("Unable to find migration", r"Unable to find migration: (?<name>\S+)", Heads(Reason::HISTORY_MISMATCH)),
    rule("SequelizeConnectionRefusedError", "", Text(Reason::UNREACHABLE)),
    rule("SequelizeHostNotFoundError", "", Text(Reason::DNS)),
    rule("SequelizeAccessDeniedError", "", Text(Reason::AUTHENTICATION_FAILED)),
    rule("SequelizeHostNotReachableError", "", Text(Reason::UNREACHABLE)),
    rule("SequelizeConnectionTimedOutError", "", Text(Reason::UNREACHABLE)),
    rule("SequelizeConnectionAcquireTimeoutError", "", Text(Reason::UNREACHABLE)),
];
