//! TypeORM.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Heads, Inside, Listed, Nothing, Opens, Pending, Vague, Works};

/// What is known of it.
pub static TYPEORM: ToolTable = ToolTable {
    migrate: Some(&["npx", "typeorm", "migration:run", "-d", "dist/data-source.js"]),
    check: Some(&["npx", "typeorm", "migration:show", "-d", "dist/data-source.js"]),
    clean: &["[X] "],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("query:", r"^(?:executing )?query: ", Nothing),
    // What is undone after a failure, and what fails then, is a consequence.
    rule("query failed: ROLLBACK", r"^query failed: ROLLBACK", Nothing),
    rule("query failed:", r"^query failed: ", Opens),
    rule("query failed:", r"^query failed: ", Vague(Reason::MIGRATION_FAILED)),
    rule("already loaded in the database", r"^\d+ migrations? (?:are|is) already loaded in the database", Works),
    rule("No migrations are pending", r"^No migrations are pending", Applied),
    rule("has been executed successfully", r"^Migration \S+ has been +executed successfully", Applied),
    rule("[X] ", r"^\[X\] ", Listed),
    rule("[ ] ", r"^\[ \] ", Pending),
    rule("Migration \"", r#"^Migration "(?<name>[^"]+)" failed, error: "#, Opens),
    rule("Error during migration", r"^Error during migration (?:run|show)", Inside),
    rule("QueryFailedError", r"^QueryFailedError: ", Inside),
    rule("Unable to open file", r"(?i)^(?:Error: )?Unable to open file", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Invalid file path given", r"(?i)^(?:Error: )?Invalid file path given", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Given data source file must contain", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("any orm configuration files", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Duplicate migrations:", "", Heads(Reason::INVALID_SCHEMA)),
    rule("migration name is wrong", "", Heads(Reason::CODE_ERROR)),
    rule("Missing required argument", r"^Missing required argument", Heads(Reason::WRONG_COMMAND)),
    rule("MissingDriverError", "", Heads(Reason::INVALID_URL)),
    rule("DriverPackageNotInstalledError", "", Heads(Reason::ENGINE_MISSING)),
];
