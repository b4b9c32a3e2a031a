//! Any other tool, and plain SQL clients: the database's codes and words alone decide.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Mentions, Text, Vague};

/// No command and no sentence is known: the user names the commands, and an exit code of 0 from the check suffices.
pub static CUSTOM: ToolTable = ToolTable {
    migrate: None,
    check: None,
    clean: &[],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

/// Of tools that are often met: sql-migrate, refinery, node-pg-migrate, tern, Laravel's; Umzug, on which MikroORM and others
/// stand; go-pg's. None of them opens an account: a program of the user's own prints what it likes.
static RULES: &[Rule] = &[
    rule(
        "failed: Original error:",
        r"\bMigration (?<name>\S+) \((?:up|down)\) failed: Original error:",
        Vague(Reason::MIGRATION_FAILED),
    ),
    rule(" FAIL", r"^\s*(?<name>\d{4}_\d\d_\d\d_\d{6}_\w+) \.{3,} .*FAIL$", Vague(Reason::MIGRATION_FAILED)),
    rule("ERROR #", r"^(?<name>\d+_\w+): ERROR #[0-9A-Z]{5} ", Vague(Reason::MIGRATION_FAILED)),
    rule("migrations/", r"\bmigrations/(?<name>\d{8,}[\w.-]*\.(?:rb|py|php|[cm]?[jt]s|sql)):\d", Mentions),
    rule(
        "unknown migration in database",
        r"because of (?<name>\S+): unknown migration in",
        Text(Reason::HISTORY_MISMATCH),
    ),
    rule("different than filesystem", r"applied migration \S+ is different than", Text(Reason::HISTORY_MISMATCH)),
    rule("is missing from the filesystem", r"migration \S+ is missing from the", Text(Reason::HISTORY_MISMATCH)),
    rule("Hashes don't match for migrations", "", Text(Reason::HISTORY_MISMATCH)),
    rule("is preceding already run migration", "", Text(Reason::HISTORY_MISMATCH)),
    rule("Another migration is already running", "", Text(Reason::ADVISORY_LOCK_TIMEOUT)),
];
