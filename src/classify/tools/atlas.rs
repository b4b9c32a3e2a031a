//! Atlas, versioned and declarative.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Blames, Cause, Clean, Done, Heads, Inside, Mentions, Pending, Starts, Works};

/// What is known of it.
pub static ATLAS: ToolTable = ToolTable {
    migrate: Some(&["atlas", "migrate", "apply", "--url", "$(DATABASE_URL)"]),
    check: None,
    clean: &["Migration Status: OK"],
    no_migrations: &[],
    speaks: false,
    echoes_first: true,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Migrating to version", r"^Migrating to version \S+", Starts),
    rule("migrating version", r"^\s*-- migrating version (?<name>\S+)", Works),
    rule("-- ok (", r"^\s*-- ok \(", Done),
    rule("No migration files to execute", r"^No migration files to execute", Applied),
    rule("Schema is synced, no changes to be made", r"^Schema is synced, no changes to be made", Applied),
    rule("Migration Status: OK", r"^Migration Status: OK", Clean),
    rule("Migration Status: PENDING", r"^Migration Status: PENDING", Pending),
    rule("Current Version:", r"Current Version:\s+(?<name>\S+) \(\d+ statements? applied\)", Mentions),
    rule("Last migration attempt had errors", "", Heads(Reason::FAILED_MIGRATION_RECORDED)),
    rule("with errors)", r"-- \d+ migrations? ok,? \(\d+ with errors\)", Inside),
    rule("Error:", r"^\s*Error: ", Inside),
    rule("checksum mismatch", r"^Error: checksum mismatch", Heads(Reason::INVALID_SCHEMA)),
    rule("You have a checksum error", "", Heads(Reason::INVALID_SCHEMA)),
    rule("checksum file not found", "", Heads(Reason::INVALID_SCHEMA)),
    rule("connected database is not clean", "", Heads(Reason::BASELINE_NEEDED)),
    rule("from version \"", r#"\bfrom version "(?<name>\d[^"]*)": "#, Blames),
    rule("out of order", r"(?:was|were) added out of order", Heads(Reason::HISTORY_MISMATCH)),
    rule("non-linear", "", Heads(Reason::HISTORY_MISMATCH)),
    rule("lock is held by other session", "", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    rule("unknown driver", r"sql/sqlclient: (?:unknown driver|missing driver)", Heads(Reason::INVALID_URL)),
    rule("missing driver", r"sql/sqlclient: missing driver", Heads(Reason::INVALID_URL)),
    rule("required flag(s)", r"^Error: required flag\(s\) ", Heads(Reason::MISSING_ENV)),
    rule("no such file or directory", r"^Error: .*no such file or directory", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("destructive changes detected", "", Cause(Reason::DATA_LOSS)),
];
