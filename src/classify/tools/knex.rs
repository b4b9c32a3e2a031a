//! Knex, whose message repeats the statement and puts the database's words last.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Clean, Empty, Heads, Inside, Nothing, Opens, Pending, Starts};

/// What is known of it.
pub static KNEX: ToolTable = ToolTable {
    migrate: Some(&["npx", "knex", "migrate:latest"]),
    check: Some(&["npx", "knex", "migrate:status"]),
    clean: &["No Pending Migration files Found."],
    no_migrations: &[],
    speaks: true,
    echoes_first: true,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Using environment:", r"^Using environment: ", Starts),
    rule("Batch ", r"^Batch \d+ run: \d+ migrations?", Applied),
    rule("Already up to date", r"^Already up to date$", Applied),
    rule("No Pending Migration files Found", r"^No Pending Migration files Found", Clean),
    rule("No Completed Migration files Found", r"^No Completed Migration files Found", Empty),
    rule("Pending Migration file", r"^Found \d+ Pending Migration files?", Pending),
    rule("migration file", r#"migration file "(?<name>[^"]+)" failed"#, Opens),
    rule(" failed with error:", r"migrations? failed with error: ", Inside),
    rule(
        "migration directory is corrupt",
        r"following files are missing: (?:\[object|(?<name>[^\s,]+))",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("Migration table is already locked", "", Heads(Reason::STALE_LOCK)),
    rule("MigrationLocked", "", Heads(Reason::STALE_LOCK)),
    rule(
        "Can't take lock to run migrations",
        r"Can't take lock to run migrations(?:$|: Migration table is already locked)",
        Heads(Reason::STALE_LOCK),
    ),
    // Else the statement that would have taken it failed, and the database says why.
    rule("Can't take lock to run migrations", r"Can't take lock to run migrations: [^M]", Opens),
    rule("No configuration file found", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("No default configuration file", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Failed to resolve config file", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Unknown configuration option", r"knex: Unknown configuration option '", Heads(Reason::INVALID_SCHEMA)),
    rule(
        "knexfile",
        r"(?i)(?:cannot find|failed to resolve|no such file).*knexfile",
        Heads(Reason::SCHEMA_FILE_MISSING),
    ),
    rule("configuration option", r"knex: Required configuration option '", Heads(Reason::MISSING_ENV)),
    rule("Invalid migration:", r"Invalid migration: \S+ must have both an up and down", Heads(Reason::CODE_ERROR)),
    rule("knex: run", r"knex: run\b", Heads(Reason::ENGINE_MISSING)),
    rule("Transaction query already complete", "", Nothing),
    rule(
        "do not mix transactions and DDL",
        r"^Transaction was implicitly committed, do not mix transactions and DDL with MySQL \(#805\)$",
        Nothing,
    ),
];
