//! Ruby on Rails' Active Record. Its error comes before the lines of the migrations where the streams are merged.

use crate::classify::reason::Reason;
use crate::classify::rules::{Rule, Says, rule};
use crate::classify::tool::ToolTable;

use Says::{ByCode, Cause, Done, Heads, Hint, Inside, Listed, Lists, Mentions, Opens, Pending, Text, Vague, Works};

/// What is known of it.
pub static RAILS: ToolTable = ToolTable {
    migrate: Some(&["bin/rails", "db:migrate"]),
    // The first of the two exits with 1 where migrations wait and says nothing where none do; the second always speaks.
    check: Some(&["bin/rails", "db:abort_if_pending_migrations", "db:migrate:status"]),
    clean: &["Status   Migration ID    Migration Name"],
    no_migrations: &[],
    speaks: false,
    echoes_first: false,
    records_failure: false,
    rules: RULES,
};

static RULES: &[Rule] = &[
    // The oldest versions print no number; whoever copies a log may lose the bars.
    rule(": migrating =", r"^== +(?<name>(?:\d+ )?\w+): migrating =", Works),
    rule(": migrating", r"^(?<name>\d{14} \w+): migrating$", Works),
    rule(": reverting =", r"^== +(?<name>(?:\d+ )?\w+): reverting =", Works),
    rule(": migrated (", r"^== +(?:\d+ )?\w+: migrated \(", Done),
    rule("You have ", r"^You have \d+ pending migrations?:", Pending),
    rule("PendingMigrationError", r"^\S*PendingMigrationError", Pending),
    rule("Migration ID", r"^\s*Status\s+Migration ID\s+Migration Name", Lists),
    rule("up    ", r"^\s*up\s+\d+\s", Listed),
    rule("down    ", r"^\s*down\s+\d+\s", Pending),
    rule("aborted!", r"^\s*(?:\S*(?:rails|rake)) aborted!", Opens),
    rule("all later migrations canceled", r"An error has occurred, (?:this and )?all later migrations", Inside),
    rule(
        "all later migrations canceled",
        r"An error has occurred, (?:this and )?all later migrations",
        Vague(Reason::MIGRATION_FAILED),
    ),
    rule("#strong_migrations", r"^=== Dangerous operation detected #strong", Cause(Reason::INCOMPATIBLE_OPERATION)),
    rule("db/migrate/", r"\bdb/migrate/(?<name>\d+_\w+)\.rb", Mentions),
    rule("NoDatabaseError", "", Text(Reason::DATABASE_MISSING)),
    rule("We could not find your database", "", Text(Reason::DATABASE_MISSING)),
    rule("ConcurrentMigrationError", "", Heads(Reason::ADVISORY_LOCK_TIMEOUT)),
    rule("IrreversibleMigration", "", Heads(Reason::INCOMPATIBLE_OPERATION)),
    rule("DuplicateMigration", r"DuplicateMigration(?:Name|Version)Error", Heads(Reason::INVALID_SCHEMA)),
    rule("UnknownMigrationVersionError", "", Heads(Reason::HISTORY_MISMATCH)),
    rule("ProtectedEnvironmentError", "", Heads(Reason::WRONG_COMMAND)),
    rule("EnvironmentMismatchError", "", Heads(Reason::WRONG_COMMAND)),
    rule("NoEnvironmentInSchemaError", "", Heads(Reason::WRONG_COMMAND)),
    rule("AdapterNotSpecified", "", Heads(Reason::MISSING_ENV)),
    rule("AdapterNotFound", "", Heads(Reason::INVALID_URL)),
    rule("URI::Invalid", r"URI::Invalid(?:URI|Component)Error", Heads(Reason::INVALID_URL)),
    rule("Cannot load database configuration", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Could not load database configuration", "", Heads(Reason::SCHEMA_FILE_MISSING)),
    rule("Missing `secret_key_base`", "", Heads(Reason::MISSING_ENV)),
    rule("KeyError: key not found:", r#"KeyError: key not found: "[A-Z]"#, Heads(Reason::MISSING_ENV)),
    rule("Don't know how to build task", "", Heads(Reason::WRONG_COMMAND)),
    rule("Bundler::GemNotFound", "", Heads(Reason::ENGINE_MISSING)),
    rule(
        "Could not find ",
        r"^Could not find \S+ in (?:any of the sources|locally installed gems)",
        Heads(Reason::ENGINE_MISSING),
    ),
    rule("but the gem is not loaded", r"^Specified '\w+' for database adapter, but", Heads(Reason::ENGINE_MISSING)),
    rule("Error loading the", r"Error loading the '\w+' Active Record adapter", Heads(Reason::ENGINE_MISSING)),
    // What Ruby itself says stands alone below the heading.
    rule("undefined ", r"^undefined (?:method|local variable or method) ['`]", Hint(Reason::CODE_ERROR)),
    rule("uninitialized constant", r"^uninitialized constant [A-Z]", Hint(Reason::CODE_ERROR)),
    rule("wrong number of arguments", r"^wrong number of arguments \(", Hint(Reason::CODE_ERROR)),
    rule("has no association called", r"^'\w+' has no association called '", Hint(Reason::CODE_ERROR)),
    rule("Directly inheriting from ActiveRecord::Migration", "", Cause(Reason::CODE_ERROR)),
    rule(
        "Error",
        r"^\s*(?:NameError|NoMethodError|ArgumentError|SyntaxError|TypeError|NotImplementedError|FrozenError)(?:: |$)",
        Vague(Reason::CODE_ERROR),
    ),
    rule("ActiveRecord::NotNullViolation", "", Text(Reason::NOT_NULL_VIOLATION)),
    rule("ActiveRecord::RecordNotUnique", "", Text(Reason::UNIQUE_VIOLATION)),
    rule("ActiveRecord::InvalidForeignKey", "", Text(Reason::FOREIGN_KEY_VIOLATION)),
    rule("ActiveRecord::ValueTooLong", "", Text(Reason::VALUE_TOO_LONG)),
    rule("ActiveRecord::RangeError", "", Text(Reason::VALUE_OUT_OF_RANGE)),
    rule("ActiveRecord::LockWaitTimeout", "", Text(Reason::LOCK_TIMEOUT)),
    rule("ActiveRecord::QueryCanceled", "", Text(Reason::STATEMENT_TIMEOUT)),
    rule("ActiveRecord::SerializationFailure", "", Text(Reason::DEADLOCK)),
    rule("ActiveRecord::CheckViolation", "", Text(Reason::CHECK_VIOLATION)),
    rule("ActiveRecord::ConnectionNotEstablished", "", Vague(Reason::UNREACHABLE)),
    rule("Trilogy::", r"\bTrilogy::\w+: (?:trilogy_\w+: )?(?<code>[1-4]\d{3}): ", ByCode),
    rule("ActiveRecord::Deadlocked", "", Text(Reason::DEADLOCK)),
    rule("ActiveRecord::MismatchedForeignKey", "", Text(Reason::INCOMPATIBLE_OPERATION)),
    rule("ActiveRecord::RecordInvalid", "", Text(Reason::CHECK_VIOLATION)),
];
