//! SeaORM.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Heads, Inside, Listed, Lists, Opens, Pending, Starts, Text, Works};

/// What is known of it.
pub static SEA_ORM: ToolTable = ToolTable {
    migrate: Some(&["migration", "up"]),
    check: Some(&["migration", "status"]),
    clean: &["Checking migration status"],
    no_migrations: &[],
    speaks: true,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Applying all pending migrations", "", Starts),
    rule("Applying migration '", r"Applying migration '(?<name>[^']+)'(?:[^.]|$)", Works),
    rule("has been applied", r"^Migration '[^']+' has been applied", Applied),
    rule("No pending migrations", r"^No pending migrations", Applied),
    rule("... Pending", r"^Migration '[^']+'\.\.\. Pending", Pending),
    rule("Checking migration status", r"^Checking migration status", Lists),
    rule("... Applied", r"^Migration '[^']+'\.\.\. Applied", Listed),
    rule("Fail to acquire database connection", "", Opens),
    rule("Execution Error:", "", Inside),
    rule("(SqlxError(", r"\b(?:Exec|Query|Conn)\(SqlxError\(", Inside),
    rule("Query Error:", r"(?:^|: )Query Error: ", Inside),
    rule("Connection Error:", r"(?:^|: )Connection Error: ", Inside),
    rule(
        "is missing, this migration has been applied",
        r"version '(?<name>[^']+)' is missing",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("Environment variable 'DATABASE_URL' not set", "", Heads(Reason::MISSING_ENV)),
    rule(
        "The connection string",
        r"The connection string '.*' (?:has no supporting driver|cannot be parsed)",
        Heads(Reason::INVALID_URL),
    ),
    rule("PoolTimedOut", "", Text(Reason::UNREACHABLE)),
    rule(
        "Migration directory",
        r"(?i)migration directory .*(?:not found|does not exist)",
        Heads(Reason::SCHEMA_FILE_MISSING),
    ),
];
