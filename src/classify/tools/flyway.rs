//! Flyway: its command line, its Maven and Gradle plugins, and Spring Boot, which embeds it.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{
    Applied, Cause, Empty, Heads, Inside, Mentions, Nothing, Opens, Pending, Quotes, Starts, Underway, Vague,
    Validated, Works,
};

/// What is known of it.
pub static FLYWAY: ToolTable = ToolTable {
    migrate: Some(&["flyway", "migrate"]),
    check: Some(&["flyway", "validate"]),
    clean: &["Successfully validated 1 migration"],
    no_migrations: &["No migrations found. Are your locations set up correctly?"],
    speaks: true,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    // Progress.
    rule("flyway", r"(?i)^flyway (?:community|teams|enterprise|oss|desktop).* \d|^Flyway \d", Starts),
    rule(
        "Migrating schema",
        r#"^Migrating schema \S+ (?:to version|with repeatable migration) "?(?<name>[^"]+?)"?(?: \[.*\])?$"#,
        Works,
    ),
    rule("Successfully validated", r"^Successfully validated [1-9]\d* migrations?", Validated),
    rule(
        "Are your locations set up correctly?",
        r"^(?:WARNING: )?No migrations found\. Are your locations set up",
        Empty,
    ),
    // Endings that are well.
    rule("Successfully applied", r"^Successfully applied \d+ migrations? to ", Applied),
    rule("is up to date. No migration necessary", r"^Schema \S+ is up to date\. No migration necessary", Applied),
    // The account of a failure.
    rule(
        "failed",
        r#"^\s*(?:ERROR: |.*FlywayMigrateException: )?(?:Migration|Script) (?<name>[^\s"]+(?: [^\s"]+)*?) failed$"#,
        Opens,
    ),
    rule("Failed to execute script", r"^(?:ERROR: |.*Exception: )?Failed to execute script (?<name>\S.*)$", Opens),
    // Behind what Spring says of its bean, and in the tool's own JSON.
    rule(
        "failed",
        r#"^.*(?:[:.] |")(?:Migration|Script) (?<name>[A-Za-z]+[\w.-]*__[^\s"]+(?: [^\s"]+)*?) failed(?:$|\\n)"#,
        Opens,
    ),
    // Its oldest versions.
    rule("FlywaySqlScriptException: Error executing", "", Opens),
    rule("FlywaySqlScriptException: Error executing", "", Vague(Reason::MIGRATION_FAILED)),
    rule(
        "Unable to parse statement in",
        r"^(?:ERROR: |.*FlywayException: )?Unable to parse statement in (?:\S*[/\\])?(?<name>[^/\\\s]+)(?: \(.*\))? at line",
        Heads(Reason::SYNTAX_ERROR),
    ),
    rule("Migration of schema", r"^(?:ERROR: )?Migration of schema .* failed!", Inside),
    rule("Location", r"^\s*Location\s+: \S*?(?<name>[^/\\\s]+) \(", Mentions),
    // The drivers have one state for every connection that fails, and their own words come before anybody else's.
    rule(
        "Unknown host",
        r"^\s*Message\s+: (?:The connection attempt failed|Socket fail to connect to \S+)\. (?:\S+: )?Unknown host \S+$",
        Cause(Reason::DNS),
    ),
    rule("Message", r"^\s*Message\s+: ", Quotes),
    rule("Unable to obtain connection from database", "", Opens),
    rule("Unable to obtain J", r"(?i)Unable to obtain JDBC connection from DataSource", Opens),
    rule("Unable to insert row for version", "", Opens),
    rule("Unable to restore connection to its original state", "", Underway),
    rule("Unable to obtain table lock", "", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    rule("advisory lock", r"Unable to acquire .*advisory lock", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    // Histories that do not agree.
    rule(
        "Validate failed",
        r"^(?:ERROR: |.*Flyway(?:Validate)?Exception: )?Validate failed[:.] ",
        Heads(Reason::HISTORY_MISMATCH),
    ),
    rule(
        "mismatch for migration",
        r"Migration (?:[Cc]hecksum|type|description) mismatch for migration (?:version )?(?<name>\S+)",
        Cause(Reason::HISTORY_MISMATCH),
    ),
    rule("-> ", r"^-> (?:Applied to database|Resolved locally)\s*: ", Inside),
    rule(
        "Detected failed ",
        r"Detected failed (?:repeatable )?migration(?: to version)?:? (?<name>\S+)",
        Cause(Reason::FAILED_MIGRATION_RECORDED),
    ),
    rule(
        "contains a failed migration",
        r"Schema .* contains a failed migration to version (?<name>\S+)",
        Heads(Reason::FAILED_MIGRATION_RECORDED),
    ),
    rule(
        "has failed migration",
        r"(?i)schema .* has a? ?failed migration to version (?<name>\S+)",
        Heads(Reason::FAILED_MIGRATION_RECORDED),
    ),
    rule(
        "Detected applied migration not resolved locally",
        r"not resolved locally: (?<name>[^\s.]+(?:\.\d+)*)",
        Cause(Reason::HISTORY_MISMATCH),
    ),
    rule(
        "Detected resolved migration not applied",
        r"^(?:ERROR: )?(?:Validate failed: )?Detected resolved migration not applied",
        Pending,
    ),
    rule(
        "Detected resolved migration not applied",
        r"not applied to database: (?<name>[^\s.]+(?:\.\d+)*)",
        Cause(Reason::HISTORY_MISMATCH),
    ),
    rule("Found non-empty schema", "", Heads(Reason::BASELINE_NEEDED)),
    rule("Found more than one migration with version", "", Heads(Reason::INVALID_SCHEMA)),
    // Settings.
    rule("Unable to connect to the database. Configure the url", "", Heads(Reason::MISSING_ENV)),
    // Spring Boot, before it comes to this.
    rule("configure a DataSource", r"^Failed to configure a DataSource: 'url'", Heads(Reason::MISSING_ENV)),
    rule("suitable driver class", r"Failed to determine a suitable driver class", Inside),
    rule("No database found to handle", "", Heads(Reason::INVALID_URL)),
    rule("No Flyway database plugin found", "", Heads(Reason::INVALID_URL)),
    rule(
        "Unknown configuration",
        r"^(?:ERROR: )?Unknown configuration (?:parameter|property)",
        Heads(Reason::WRONG_COMMAND),
    ),
    rule("Invalid argument:", r"^(?:ERROR: )?Invalid argument: ", Heads(Reason::WRONG_COMMAND)),
    rule("Unable to resolve location", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Invalid ", r"^(?:ERROR: )?Invalid (?:flag|operation): ", Heads(Reason::WRONG_COMMAND)),
    rule("Invalid SQL filenames found", "", Heads(Reason::INVALID_SCHEMA)),
    rule("migration name format", r"(?i)(?:invalid|wrong) .*migration name format", Heads(Reason::INVALID_SCHEMA)),
    rule("Unable to instantiate JDBC driver", "", Heads(Reason::ENGINE_MISSING)),
    rule("Unable to autodetect JDBC driver", "", Heads(Reason::INVALID_URL)),
    rule("upgrade required:", r"Edition.* upgrade required: ", Heads(Reason::WRONG_PROVIDER)),
    rule("No value provided for placeholder", "", Heads(Reason::MISSING_ENV)),
    rule("Unsupported Database", "", Heads(Reason::WRONG_PROVIDER)),
    rule("DEBUG: ", r"^DEBUG: ", Nothing),
    rule("DB error ignored", r"^(?:WARNING: )?DB error ignored \(", Nothing),
    rule("DB: ", r"^(?:WARNING: )?DB: ", Nothing),
    rule("does not exist yet", r"^Schema history table \S+ does not exist yet$", Nothing),
    rule("(SQL state:", r"^(?:WARN(?:ING)?:? )?.*\(SQL state: \w+, error code: \d+\)$", Nothing),
];
