//! sqlx, by its command line or embedded in a program.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Heads, Inside, Nothing, Opens, Pending, Text, Works};

/// What is known of it.
pub static SQLX: ToolTable = ToolTable {
    migrate: Some(&["sqlx", "migrate", "run"]),
    // `migrate info` calls a migration installed that failed half-way on MySQL.
    check: None,
    clean: &[],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("sqlx::query", "", Nothing),
    rule("Applied ", r"^Applied \d+/migrate ", Applied),
    rule("/pending", r"^\d+/pending ", Pending),
    rule("/installed", r"^\d+/installed ", Works),
    rule("different checksum", r"^(?<name>\d+)/installed \(different checksum\)", Heads(Reason::HISTORY_MISMATCH)),
    rule("error:", r"^error: ", Opens),
    rule("while executing migration", r"while executing migrations? (?<name>\d+):(?: |$)", Opens),
    rule("while executing migrations:", "", Opens),
    rule("Failed to run migrations", "", Opens),
    rule("Execute(Database(", "", Inside),
    rule("ExecuteMigration(", r"ExecuteMigration\(.*, (?<name>\d+)\)", Inside),
    rule(
        "was previously applied but",
        r"migration (?<name>\d+) was previously applied but (?:has been modified|is missing)",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("VersionMissing(", r"\bVersionMissing\((?<name>\d+)\)", Heads(Reason::HISTORY_MISMATCH)),
    rule("VersionMismatch(", r"\bVersionMismatch\((?<name>\d+)\)", Heads(Reason::HISTORY_MISMATCH)),
    rule("VersionTooOld(", r"\bVersionTooOld\((?<name>\d+)", Heads(Reason::HISTORY_MISMATCH)),
    rule("is partially applied", r"migration (?<name>\d+) is partially applied", Heads(Reason::DIRTY_STATE)),
    rule("Dirty(", r"\bDirty\((?<name>\d+)\)", Heads(Reason::DIRTY_STATE)),
    rule(
        "--database-url",
        r"(?i)(?:must be set|required arguments? were not provided|not provided)|^\s*--database-url",
        Heads(Reason::MISSING_ENV),
    ),
    rule("DATABASE_URL", r"DATABASE_URL`?,? must be set", Heads(Reason::MISSING_ENV)),
    rule("no driver found for URL scheme", "", Heads(Reason::INVALID_URL)),
    rule(
        "error with configuration:",
        r"error with configuration: (?:invalid (?:port|domain|IP|international)|empty host|relative URL)",
        Heads(Reason::INVALID_URL),
    ),
    rule("relative URL without a base", "", Heads(Reason::INVALID_URL)),
    rule("while resolving migrations", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("PoolTimedOut", "", Text(Reason::UNREACHABLE)),
];
