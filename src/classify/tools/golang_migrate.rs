//! golang-migrate. A failed migration leaves its version dirty, which is all that later runs say.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Done, Empty, Heads, Opens, Underway, Works};

/// What is known of it.
pub static GOLANG_MIGRATE: ToolTable = ToolTable {
    migrate: Some(&["migrate", "-path", "/migrations", "-database", "$(DATABASE_URL)", "up"]),
    check: None,
    clean: &[],
    no_migrations: &["error: first .: file does not exist"],
    speaks: false,
    echoes_first: true,
    records_failure: true,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Read and execute", r"^(?:Read and execute|Start buffering) (?<name>\d+/[ud] \S+)", Works),
    rule("Start buffering", r"^Start buffering (?<name>\d+/[ud] \S+)", Works),
    rule("Finished ", r"^Finished \d+/[ud] \S+ \(", Done),
    rule("/u ", r"^\d+/u \S+ \([\d.]+\w+\)$", Applied),
    rule("no change", r"^(?:error: )?no change$", Applied),
    rule("first .: file does not exist", r"^(?:error: )?first \S+ file does not exist", Empty),
    // Every account of a failure, but not "no change" and "first .".
    rule("error:", r"^error: (?:[^fn]|f[^i]|n[^o])", Opens),
    rule("Dirty database version", r"Dirty database version (?<name>\d+)", Heads(Reason::DIRTY_STATE)),
    rule("migration failed", r"\bmigration failed(?:: | in line(?: |$))", Opens),
    rule("migration failed", r"^(?:error: )?migration failed(?:: | in line )", Underway),
    rule(" in line ", r"^error: .* in line \d+: ", Underway),
    rule("failed to open database", r"\bfailed to open database", Opens),
    rule(
        "no migration found for version",
        r"no migration found for version (?<name>\d+)",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("failed to open source", r"failed to open source,? ", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule(
        "no such file or directory",
        r"^error: open \S+: no such file or directory",
        Heads(Reason::SCHEMA_FILE_MISSING),
    ),
    rule("duplicate migration file", r"^error: .*duplicate migration file", Heads(Reason::INVALID_SCHEMA)),
    rule("can't acquire", r"can't acquire (?:database )?lock", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    rule("try lock failed", "", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    rule("unknown driver", r"(?:database|source) driver: unknown driver", Heads(Reason::INVALID_URL)),
    rule("no scheme", r"^error: .*no scheme", Heads(Reason::INVALID_URL)),
    rule("URL cannot be empty", r"^error: .*URL cannot be empty", Heads(Reason::MISSING_ENV)),
    rule("parse \"", r#"^error: parse ""#, Heads(Reason::INVALID_URL)),
    rule("must specify", r"^error: must specify (?:path|database|source)", Heads(Reason::MISSING_ENV)),
];
