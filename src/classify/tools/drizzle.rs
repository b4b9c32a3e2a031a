//! Drizzle Kit. It prints no error for many failures: the exit code alone tells then.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{Applied, Cause, Heads, Inside, NoticeNext, Opens, Sets, Starts};

/// What is known of it.
pub static DRIZZLE: ToolTable = ToolTable {
    migrate: Some(&["npx", "drizzle-kit", "migrate"]),
    check: None,
    clean: &[],
    no_migrations: &[],
    speaks: true,
    echoes_first: true,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    rule("Reading config file", r"^Reading config file ", Starts),
    // Its only word of progress, before the connection is made and until the end.
    rule("applying migrations...", "", Sets),
    rule(
        "migrations applied successfully",
        r"^(?:\[.{1,4}\] applying migrations\.\.\.)*\[.{1,4}\] migrations applied successfully!",
        Applied,
    ),
    rule("Changes applied", r"^\[.{1,4}\] Changes applied", Applied),
    rule("No changes detected", r"^\[.{1,3}\] No changes detected", Applied),
    rule("severity:", r"\bseverity: 'NOTICE'", NoticeNext),
    rule("DrizzleQueryError", r"^(?:\S*Error: )?DrizzleQueryError: Failed query:", Opens),
    rule("Failed query:", r"(?:^|\.\.\.)\s*Error {2}Failed query: ", Opens),
    rule("PostgresError:", r"^\s*(?:\[?cause\]?: )?(?:\w+ )?PostgresError: ", Inside),
    rule("Please provide required params", "", Heads(Reason::MISSING_ENV)),
    rule("are required for", r#"Either connection "url" or"#, Heads(Reason::MISSING_ENV)),
    rule("Interactive prompts require a TTY", "", Heads(Reason::WRONG_COMMAND)),
    rule("meta/_journal.json", r"(?i)can't find meta/_journal\.json", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("drizzle.config", r"(?i)drizzle\.config\.\w+ file does not exist", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Please install ", r"Please install (?:either|'?\S+'? )", Heads(Reason::ENGINE_MISSING)),
    rule("data-loss statements", "", Cause(Reason::DATA_LOSS)),
];
