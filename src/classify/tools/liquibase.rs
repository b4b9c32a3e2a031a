//! Liquibase, version 3 and 4.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Blames, Cause, Clean, Heads, Inside, Opens, Pending, Starts, Works};

/// What is known of it.
pub static LIQUIBASE: ToolTable = ToolTable {
    migrate: Some(&["liquibase", "update"]),
    check: Some(&["liquibase", "status"]),
    clean: &["is up to date"],
    no_migrations: &[],
    speaks: true,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Starting Liquibase", r"^(?:INFO:? )?Starting Liquibase at", Starts),
    rule("Running Changeset:", r"Running Changeset: ?(?<name>\S+::\S+::.+)$", Works),
    rule("Rolling Back Changeset:", r"^Rolling Back Changeset: ?(?<name>\S+::\S+::.+)$", Works),
    rule("No inverse to ", r"\bNo inverse to \S+ created", Heads(Reason::INCOMPATIBLE_OPERATION)),
    rule("Lexical error at line", "", Cause(Reason::SYNTAX_ERROR)),
    rule("Database is up to date, no change", r"^Database is up to date, no change ?sets? to execute", Applied),
    rule("is up to date", r"^(?:\S+@)?\S+ is up to date$|^is up to date", Clean),
    rule("was executed successfully", r"(?i)^liquibase command 'update\S*' was executed successfully", Applied),
    rule(
        "Update has been successful",
        r"(?i)^liquibase:? update has been successful|^Update has been successful",
        Applied,
    ),
    rule("not been applied to", r"^\d+ change ?sets? ha(?:s|ve) not been applied to ", Pending),
    rule("Migration failed for change", r"Migration failed for change ?set (?<name>\S.*?::\S+::[^:]+?):?$", Opens),
    rule("Migration failed for change", r"Migration failed for change ?set (?<name>\S+?::.+?::[^:]+?):\s", Opens),
    rule("Change Set", r"Change ?Set (?<name>\S+::\S+::\S+) failed", Blames),
    rule(
        "encountered an exception",
        r"^(?:.*\[liquibase\.[\w.]+\] (?:\(\S+\) )?)?Change ?Set (?<name>\S+?::.+?::\S+) encountered an exception",
        Opens,
    ),
    rule("Unexpected error running Liquibase", r"(?i)^(?:ERROR: )?Unexpected error running Liquibase: ", Inside),
    rule("Exception Primary Reason", "", Inside),
    rule("Exception Primary Class", r"^ERROR: Exception Primary Class:\s+UnknownHostException$", Cause(Reason::DNS)),
    rule("Could not acquire change log lock", "", Heads(Reason::STALE_LOCK)),
    rule("Validation Failed", r"(?i)\bValidation Failed:", Heads(Reason::HISTORY_MISMATCH)),
    rule(" check sum", r"^\s*\d+ change ?sets? check sum", Cause(Reason::HISTORY_MISMATCH)),
    rule("but is now:", r"(?<name>\S+?::.+?::[^:]+?) was: \S+ but is now: ", Blames),
    rule("had duplicate identifiers", "", Cause(Reason::INVALID_SCHEMA)),
    rule("was not found in the configured search path", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule(
        "does not exist",
        r"(?i)(?:changelog|file) \S+ does not exist|^unexpected error running liquibase: \S+\.(?:ya?ml|xml|json|sql) does not exist$",
        Heads(Reason::SCHEMA_FILE_MISSING),
    ),
    rule(
        "Error parsing",
        r"(?i)error parsing .*(?:\.xml|\.ya?ml|\.json|changelog|line \d+)",
        Heads(Reason::INVALID_SCHEMA),
    ),
    // Its own tables are looked for and made while the changelog is read.
    rule(
        "Error parsing",
        r"(?i)error parsing .* : (?:An error occurred while attempting to|liquibase\.exception\.DatabaseException: )",
        Opens,
    ),
    rule("Syntax error in file", "", Heads(Reason::INVALID_SCHEMA)),
    rule("Unknown change type", "", Heads(Reason::INVALID_SCHEMA)),
    rule("Cannot find database driver", "", Heads(Reason::ENGINE_MISSING)),
    // Spring Boot, before it comes to this.
    rule("configure a DataSource", r"^Failed to configure a DataSource: 'url'", Heads(Reason::MISSING_ENV)),
    rule("suitable driver class", r"Failed to determine a suitable driver class", Inside),
    rule("Missing required ", r"(?i)missing required (?:argument|option)", Heads(Reason::MISSING_ENV)),
    rule("Invalid argument", r"(?i)^(?:Error: )?Invalid argument '--(?:url|changelog)", Heads(Reason::MISSING_ENV)),
    rule("Unexpected argument", r"(?i)^unexpected argument\(s\)", Heads(Reason::WRONG_COMMAND)),
    // The details above it name the class of the exception, which its own sentence leaves out.
    rule("Exception Details", r"^ERROR: Exception Details$", Opens),
    rule("Connection could not be created to", "", Inside),
    rule("Precondition", r"(?i)preconditions? failed", Heads(Reason::CHECK_VIOLATION)),
];
