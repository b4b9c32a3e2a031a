//! dbmate.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Cause, Clean, Done, Empty, Heads, Opens, Pending, Underway, Vague, Works};

/// What is known of it.
pub static DBMATE: ToolTable = ToolTable {
    migrate: Some(&["dbmate", "--wait", "--no-dump-schema", "up"]),
    check: Some(&["dbmate", "status", "--exit-code"]),
    clean: &["Pending: 0"],
    no_migrations: &["no migration files found"],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Applying:", r"^Applying: (?<name>\S+)$", Works),
    rule("Applied:", r"^Applied: \S+ in ", Done),
    rule("Pending: 0", r"^Pending: 0$", Clean),
    rule("Pending:", r"^Pending: [1-9]\d*$", Pending),
    rule("Applied: 0", r"^Applied: 0$", Empty),
    rule("no migration files found", r"^(?:Error: )?no migration files found", Empty),
    rule("Error:", r"^Error: ", Opens),
    // "Applied" is said before the commit; what cannot connect in the first place says so.
    rule("connection", r"^Error: (?:driver: bad|invalid) connection$", Underway),
    rule("could not find migrations directory", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("unsupported driver", "", Heads(Reason::INVALID_URL)),
    rule("invalid url, have you set", "", Heads(Reason::MISSING_ENV)),
    rule("unable to connect to database", "", Vague(Reason::UNREACHABLE)),
    rule("dbmate requires each migration to define an up", "", Cause(Reason::SYNTAX_ERROR)),
];
