//! Alembic, for SQLAlchemy.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Cause, Clean, Heads, Hint, Inside, Pending, Quotes, Starts, Underway, Vague, Works};

/// What is known of it.
pub static ALEMBIC: ToolTable = ToolTable {
    migrate: Some(&["alembic", "upgrade", "head"]),
    // Without the flag, one head of several is called a head too.
    check: Some(&["alembic", "current", "--check-heads"]),
    clean: &["(head)"],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Context impl", r"\bContext impl \w+", Starts),
    rule("Running upgrade", r"\bRunning upgrade .*?-> (?<name>[\w-]+)", Works),
    rule("Running stamp_revision", "", Works),
    rule("(head)", r"^(?:\w[\w-]* )?\(head\)", Clean),
    rule("Traceback", r"Traceback \(most recent call(?: last\):?)?$", Inside),
    rule("sqlalchemy.exc.", r"^sqlalchemy\.exc\.\w+: ", Inside),
    // What failed was a statement, not the connecting; the lines of progress may have been cut off.
    rule("[SQL:", r"^\[SQL: ", Underway),
    rule("[SQL:", r"^\[SQL: ", Quotes),
    rule(
        "Can't locate revision",
        r"Can't locate revision(?: identified by '(?<name>[^']+)')?",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("Multiple head revisions", "", Heads(Reason::HISTORY_MISMATCH)),
    rule("has multiple heads", r"script directory has multiple heads", Heads(Reason::HISTORY_MISMATCH)),
    rule("is not present", r"Revision \S+ referenced from .* is not present", Heads(Reason::HISTORY_MISMATCH)),
    rule("is detected in revisions", r"(?:Cycle|Loop) is detected in revisions", Heads(Reason::INVALID_SCHEMA)),
    rule("overlaps with other requested", r"Requested revision .* overlaps", Heads(Reason::HISTORY_MISMATCH)),
    rule(
        "Target database is not up to date",
        r"^(?:ERROR \[alembic\.util\.messaging\] |FAILED: )?Target database is not up to date",
        Pending,
    ),
    rule(
        "not on all head revisions",
        r"^(?:ERROR \[alembic\.util\.messaging\] |FAILED: )?Database is not on all head revisions",
        Pending,
    ),
    rule("No config file", r"No config file '?\S+'? found", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("No 'script_location' key found", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Path doesn't exist", r"Path doesn't exist: ", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Could not parse", r"Could not parse (?:SQLAlchemy|rfc1738) URL", Heads(Reason::INVALID_URL)),
    rule(
        "sqlalchemy/engine/url.py",
        r"/sqlalchemy/engine/url\.py.?, line \d+, in _?parse_",
        Heads(Reason::INVALID_URL),
    ),
    rule("Can't load plugin: sqlalchemy.dialects", "", Heads(Reason::INVALID_URL)),
    rule(
        "validation error",
        r"^pydantic\S*ValidationError: \d+ validation errors? for ",
        Heads(Reason::INVALID_SCHEMA),
    ),
    rule("ield required ", r"^\s*[Ff]ield required [\[(]type=", Cause(Reason::MISSING_ENV)),
    rule("string or URL object", r"Expected string or URL object, got None", Heads(Reason::MISSING_ENV)),
    rule("SQLALCHEMY_DATABASE_URI", r"^RuntimeError: Either 'SQLALCHEMY_DATABASE_URI'", Heads(Reason::MISSING_ENV)),
    rule("Flask application", r"^(?:Error|Usage).*: Could not locate a Flask app", Heads(Reason::MISSING_ENV)),
    rule("unrecognized arguments", r"^alembic: error: ", Heads(Reason::WRONG_COMMAND)),
    rule("KeyError:", r"^KeyError: '(?:[A-Z][A-Z0-9_]+|sqlalchemy\.url|url)'", Heads(Reason::MISSING_ENV)),
    rule(
        "IntegrityError",
        r"^(?:sqlalchemy|asyncpg|psycopg2?|sqlite3|pymysql|MySQLdb)\.(?:\w+\.)*IntegrityError: ",
        Vague(Reason::CHECK_VIOLATION),
    ),
    rule(
        "DataError",
        r"^(?:sqlalchemy|asyncpg|psycopg2?|sqlite3|pymysql|MySQLdb)\.(?:\w+\.)*DataError: ",
        Vague(Reason::INVALID_CAST),
    ),
    rule("TypeError:", r"^TypeError: ", Hint(Reason::CODE_ERROR)),
    rule(
        "Error:",
        r"^(?:NameError|AttributeError|SyntaxError|IndentationError|NotImplementedError|TypeError|ImportError): ",
        Vague(Reason::CODE_ERROR),
    ),
];
