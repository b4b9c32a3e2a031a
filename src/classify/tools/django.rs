//! Django's migrations.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Clean, Done, Heads, Hint, Inside, Pending, Starts, Underway, Vague, Works};

/// What is known of it.
pub static DJANGO: ToolTable = ToolTable {
    migrate: Some(&["python", "manage.py", "migrate", "--noinput"]),
    check: Some(&["python", "manage.py", "migrate", "--check", "--plan"]),
    clean: &["No planned migration operations."],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Operations to perform:", r"^Operations to perform:", Starts),
    rule("Applying ", r"^\s*Applying (?<name>[\w.]+?)\.\.\.(?:\s*$|Traceback)", Works),
    rule("Applying ", r"^\s*Applying [\w.]+?\.\.\. (?:OK|FAKED)", Done),
    rule(" OK", r"^\s+OK$", Done),
    rule("No migrations to apply", r"^\s*No migrations to apply\.", Applied),
    rule("No planned migration operations", r"^\s*No planned migration operations\.", Clean),
    rule("Planned operations:", r"^Planned operations:", Pending),
    rule("Traceback", r"Traceback \(most recent call(?: last\):?)?$", Inside),
    // What failed was a statement, not the connecting; the lines of progress may have been cut off.
    rule("django/db/", r"/django/db/(?:migrations/operations/|backends/base/schema)", Underway),
    rule("in _execute", r"/django/db/backends/utils\.py.?, line \d+, in _?execute$", Underway),
    rule("django.db.utils.", r"^django\.db\.utils\.\w+: ", Inside),
    rule(
        "is applied before its dependency",
        r"Migration (?<name>\S+) is applied before its dependency",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("Conflicting migrations detected", "", Heads(Reason::HISTORY_MISMATCH)),
    rule(
        "NodeNotFoundError",
        r"NodeNotFoundError: Migration (?<name>\S+) dependencies",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule("CircularDependencyError", "", Heads(Reason::INVALID_SCHEMA)),
    rule("SystemCheckError", r"SystemCheckError: System check identified", Heads(Reason::INVALID_SCHEMA)),
    rule("is required (found", r"NotSupportedError: .* or later is required \(found", Heads(Reason::WRONG_PROVIDER)),
    rule("UndefinedValueError", r"UndefinedValueError: \w+ not found", Heads(Reason::MISSING_ENV)),
    rule("BadMigrationError", "", Heads(Reason::INVALID_SCHEMA)),
    rule("ImproperlyConfigured", r"ImproperlyConfigured: Error loading \w+ module", Heads(Reason::ENGINE_MISSING)),
    rule(
        "ImproperlyConfigured",
        r"ImproperlyConfigured: .*(?:[Ee]nvironment|not set|must not be empty|is empty|supply)",
        Heads(Reason::MISSING_ENV),
    ),
    rule("ImproperlyConfigured", r"ImproperlyConfigured: ", Heads(Reason::INVALID_SCHEMA)),
    rule("FieldDoesNotExist", "", Heads(Reason::CODE_ERROR)),
    rule("KeyError:", r"^KeyError: '[A-Z][A-Z0-9_]+'", Heads(Reason::MISSING_ENV)),
    rule(
        "CommandError:",
        r"^CommandError: (?:No installed app|Unknown|Cannot find a migration)",
        Heads(Reason::WRONG_COMMAND),
    ),
    rule("Unknown command:", r"^Unknown command: '", Heads(Reason::WRONG_COMMAND)),
    rule("can't open file", r"python\S*: can't open file '.*manage\.py'", Heads(Reason::COMMAND_NOT_FOUND)),
    rule("TypeError:", r"^TypeError: ", Hint(Reason::CODE_ERROR)),
    rule(
        "Error:",
        r"^(?:NameError|AttributeError|SyntaxError|IndentationError|NotImplementedError|TypeError|ImportError|ValueError|LookupError|RuntimeError): ",
        Vague(Reason::CODE_ERROR),
    ),
    rule("IntegrityError", r"^django\.db\.utils\.IntegrityError: ", Vague(Reason::CHECK_VIOLATION)),
    rule("DataError", r"^django\.db\.utils\.DataError: ", Vague(Reason::INVALID_CAST)),
    rule("NotSupportedError", r"^django\.db\.utils\.NotSupportedError: ", Vague(Reason::INCOMPATIBLE_OPERATION)),
];
