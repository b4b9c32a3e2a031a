//! Goose, whose error line carries the whole statement before the database's words.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Blames, ByCode, Cause, Done, Empty, Heads, Inside, Listed, Lists, Nothing, Opens, Pending, Vague};

/// What is known of it.
pub static GOOSE: ToolTable = ToolTable {
    migrate: Some(&["goose", "up"]),
    check: Some(&["goose", "status"]),
    clean: &["Applied At                  Migration"],
    no_migrations: &["no migration files found"],
    speaks: true,
    echoes_first: true,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    // Its own table is looked for before it is made: what counts is why it could not be made.
    rule(
        "goose_db_version",
        r"relation .{0,3}goose_db_version.{0,3} does not exist(?: \(SQLSTATE 42P01\))?\s*$",
        Nothing,
    ),
    rule("OK ", r"^OK\s+(?:\S+) \(", Done),
    rule("no migrations to run", r"^(?:goose: )?no migrations to run", Applied),
    rule(
        "successfully migrated database to version",
        r"^(?:goose: )?successfully migrated database to version",
        Applied,
    ),
    rule("up to current file version", r"^(?:goose: )?up to current file version", Applied),
    rule("Applied At", r"^\s*Applied At\s+Migration$", Lists),
    rule(" -- ", r"^\s*\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4} -- \S", Listed),
    rule("Pending ", r"^\s*Pending\s+-- ", Pending),
    rule("no migration files found", r"^(?:goose run: (?:[\w ]+: )*)?no migrations? (?:files )?found", Empty),
    // Every account of a failure, but not "no migration files found".
    rule("goose run:", r"^goose run: (?:[^n]|n[^o]|no[^ ])", Opens),
    rule("goose run:", r"^goose run: (?:ERROR )?(?<name>\d\S*\.(?:sql|go)): ", Opens),
    rule("goose:", r"^goose: (?:failed|error)", Opens),
    rule(
        "goose_db_version",
        r"goose_db_version.{0,3} does not exist \(SQLSTATE 42P01\); ERROR: .*\(SQLSTATE (?<state>[0-9A-Z]{5})\)",
        ByCode,
    ),
    rule(
        "goose_db_version",
        r"goose_db_version.{0,3} doesn't exist; Error (?<code>\d{4}) \((?<state>[0-9A-Z]{5})\): ",
        ByCode,
    ),
    rule("partial migration error", r"partial migration error \(type:\w+,version:(?<name>\d+)\)", Blames),
    rule("ERROR ", r"\bERROR (?<name>\S+\.(?:sql|go)): failed to (?:run|execute|parse|begin|commit)", Blames),
    rule("missing migration", r"^goose run: error: found \d+ missing migrations?", Heads(Reason::HISTORY_MISMATCH)),
    rule("version ", r"^\s+version \d+: \S", Inside),
    rule("missing migrations before current version", "", Heads(Reason::HISTORY_MISMATCH)),
    rule("missing (out-of-order)", r"\d+ missing \(out-of-order\) migration", Heads(Reason::HISTORY_MISMATCH)),
    rule("failed to parse SQL migration file", "", Cause(Reason::SYNTAX_ERROR)),
    rule("unexpected unfinished SQL query", "", Cause(Reason::SYNTAX_ERROR)),
    rule(
        "directory does not exist",
        r"directory does not exist|: no such file or directory",
        Heads(Reason::SCHEMA_FILE_MISSING),
    ),
    rule("no such file or directory", r"goose run: .*no such file or directory", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("unknown driver", r"goose run: .*unknown driver", Heads(Reason::INVALID_URL)),
    rule("unsupported driver", r"goose run: .*unsupported driver", Heads(Reason::INVALID_URL)),
    rule("unknown dialect", "", Heads(Reason::INVALID_URL)),
    rule("cannot parse `", r"^goose run: .*cannot parse `", Heads(Reason::INVALID_URL)),
    rule("failed to parse as", r"failed to parse as (?:DSN|URL|keyword)", Heads(Reason::INVALID_URL)),
    rule("Usage: goose", r"^Usage: goose ", Vague(Reason::WRONG_COMMAND)),
];
