//! Entity Framework Core, by `dotnet ef` or a bundle.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, ByCode, Heads, Inside, Opens, Pending, Starts, Vague, Works};

/// What is known of it.
pub static EF_CORE: ToolTable = ToolTable {
    migrate: Some(&["./efbundle"]),
    check: None,
    clean: &[],
    no_migrations: &[],
    speaks: true,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Build started...", r"^Build started\.\.\.", Starts),
    rule("Applying migration '", r"^\s*Applying migration '(?<name>[^']+)'", Works),
    rule("Done.", r"^Done\.$", Applied),
    rule("No migrations were applied", r"^No migrations were applied\. The database is already up to date", Applied),
    rule("(Pending)", r"^\S+ \(Pending\)$", Pending),
    rule("Executed DbCommand", r"Executed DbCommand \(", Works),
    rule("Failed executing DbCommand", r"Failed executing DbCommand", Opens),
    rule("SqlException (0x", "", Inside),
    rule("PostgresException", r"PostgresException \(0x[0-9a-fA-F]+\): (?<state>[0-9A-Z]{5}): ", ByCode),
    rule("PostgresException", "", Inside),
    rule("SqlState:", r"^\s*SqlState: (?<state>[0-9A-Z]{5})$", ByCode),
    rule("SQLite Error", r"SQLite Error (?<code>\d+): ", ByCode),
    rule("PendingModelChangesWarning", "", Heads(Reason::INVALID_SCHEMA)),
    rule("doesn't match your migrations assembly", "", Heads(Reason::INVALID_SCHEMA)),
    rule("No DbContext was found", "", Heads(Reason::WRONG_COMMAND)),
    rule("More than one DbContext was found", "", Heads(Reason::WRONG_COMMAND)),
    rule("Unable to create a 'DbContext'", "", Heads(Reason::INVALID_SCHEMA)),
    rule("No project was found", "", Heads(Reason::WRONG_COMMAND)),
    rule("Unable to retrieve project metadata", "", Heads(Reason::WRONG_COMMAND)),
    rule("No migrations were found in assembly", "", Heads(Reason::NO_MIGRATIONS)),
    rule("reference Microsoft.EntityFrameworkCore.Design", "", Heads(Reason::ENGINE_MISSING)),
    rule("No executable found matching command", "", Heads(Reason::COMMAND_NOT_FOUND)),
    rule("No database provider has been configured", "", Heads(Reason::INVALID_SCHEMA)),
    rule(
        "Parameter 'connection",
        r"Value cannot be null\. \(Parameter 'connection(?:String)?'\)",
        Heads(Reason::MISSING_ENV),
    ),
    rule("Keyword not supported:", "", Heads(Reason::INVALID_URL)),
    rule("Build failed.", r"^Build failed\.", Heads(Reason::ENGINE_MISSING)),
    rule(
        "InvalidOperationException",
        r"^(?:Unhandled exception\. )?System\.InvalidOperationException: ",
        Vague(Reason::INVALID_SCHEMA),
    ),
    rule("MSB1009", r"error MSB1009: Project file does not exist", Heads(Reason::WRONG_COMMAND)),
    rule("ConnectionString property has not been initialized", "", Heads(Reason::MISSING_ENV)),
    rule("Format of the initialization string", "", Heads(Reason::INVALID_URL)),
    rule("Unable to find project assets", "", Heads(Reason::ENGINE_MISSING)),
    rule("specified command or file was not found", "", Heads(Reason::COMMAND_NOT_FOUND)),
    rule("__EFMigrationsLock", r"Failed to acquire|timeout.*__EFMigrationsLock", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
];
