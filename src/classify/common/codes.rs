//! The shapes in which drivers and tools print a database's code.

use crate::classify::rules::{Rule, Says, rule};

/// MySQL's number, with or without its SQLSTATE.
const MYSQL: &str = r"(?i)\berror (?<code>[1-4]\d{3})(?: ?\((?<state>[0-9A-Z]{5})\)|: )";
/// The field of an error object.
const FIELD: &str = r#"\bcode\\?["']?: ?\\?["'](?<state>[0-9A-Z]{5})\\?["']"#;

/// Notices first, which are not errors; then codes in their frames.
pub static CODES: &[Rule] = &[
    // A notice, a warning or a hint is not an error, whatever it says.
    rule("NOTICE:", r"(?:^|[\s\[:])NOTICE:", Says::Nothing),
    rule("already exists, skipping", "", Says::Nothing),
    rule("does not exist, skipping", "", Says::Nothing),
    rule("sqlx::postgres::notice", "", Says::Nothing),
    rule("HINT:", r"^\s*HINT:", Says::Nothing),
    // But not Flyway's "WARNING: No migrations found": a server's has two spaces.
    rule("WARNING:", r"^\s*(?:psql:\S+ )?WARNING:(?:$|  | ?[^N ]| N[^o]| No[^ ]| No [^m])", Says::Nothing),
    // SQLSTATE in all its spellings, first those of PHP that put MySQL's number behind it.
    rule("SQLSTATE[", r"SQLSTATE\[(?<state>[0-9A-Z]{5})\] \[(?<code>[12]\d{3})\]", Says::ByCode),
    rule("SQLSTATE[", r"SQLSTATE\[(?<state>[0-9A-Z]{5})\]: [A-Z][\w ]+: (?<code>[1-4]\d{3}) ", Says::ByCode),
    rule(
        "sqlstate",
        r#"(?i)\bsqlstate["']?(?:\(E?|\[|: ?|=| |\s*=>\s*|":\s*)["']?(?<state>[0-9A-Z]{5})\b"#,
        Says::ByCode,
    ),
    rule("sql state", r"(?i)(?:\b|\\n)sql state\s*:?\s*(?<state>[0-9A-Z]{5})\b", Says::ByCode),
    // What psql prints where it is told to be verbose, and go-pg always.
    rule("ERROR:  ", r"\bERROR:  (?<state>(?:[0-9][0-9A-Z]|P0|XX|HV|F0)[0-9A-Z]{3}): ", Says::ByCode),
    rule("FATAL:  ", r"\bFATAL:  (?<state>(?:[0-9][0-9A-Z]|P0|XX|HV|F0)[0-9A-Z]{3}): ", Says::ByCode),
    // What JDBC's driver and the tools of its kind put before the severity.
    rule("] FATAL:", r"\[(?<state>[0-9A-Z]{5})\] FATAL: ", Says::ByCode),
    rule("] ERROR:", r"\[(?<state>[0-9A-Z]{5})\] ERROR: ", Says::ByCode),
    // Go's lib/pq, which ends its sentence with it.
    rule("pq: ", r"\bpq: .* \((?<state>(?:[0-9][0-9A-Z]|P0|XX|HV|F0)[0-9A-Z]{3})\)$", Says::ByCode),
    rule("(Postgrex.Error)", r"\(Postgrex\.Error\) \w+ (?<state>[0-9A-Z]{5}) \(", Says::ByCode),
    rule("ERROR #", r"\bERROR #(?<state>[0-9A-Z]{5}) ", Says::ByCode),
    rule("code: '", FIELD, Says::ByCode),
    rule("code: \"", FIELD, Says::ByCode),
    rule("code: \\\"", FIELD, Says::ByCode),
    rule("code: Some(", r#"\bcode: Some\("(?<state>[0-9A-Z]{5})"\)"#, Says::ByCode),
    rule("code\":\"", FIELD, Says::ByCode),
    rule("code\": \"", FIELD, Says::ByCode),
    rule("code':'", FIELD, Says::ByCode),
    rule("code': '", FIELD, Says::ByCode),
    // But not PG::Error, which says nothing.
    rule("PG::", r"\bPG::(?<code>[A-DF-Z]\w+|E[a-qs-z]\w+)", Says::ByCode),
    rule("psycopg", r"\bpsycopg(?:2|_c|_binary)?\.errors\.(?<code>[A-Z]\w+)", Says::ByCode),
    rule("asyncpg.exceptions", r"\basyncpg\.exceptions\.(?:_base\.)?(?<code>[A-Z]\w+)", Says::ByCode),
    // MySQL and MariaDB.
    rule("error 1", MYSQL, Says::ByCode),
    rule("error 2", MYSQL, Says::ByCode),
    rule("error 3", MYSQL, Says::ByCode),
    rule("error 4", MYSQL, Says::ByCode),
    rule("error code", r"(?i)\berror code\s*[:=]?\s*(?<code>-?\d{1,5})\b", Says::ByCode),
    rule("errno", r#"(?i)\berrno["']?[:=]? ?(?<code>[1-4]\d{3})\b"#, Says::ByCode),
    rule("Error (", r#"Error \((?<code>[1-4]\d{3}), ["']"#, Says::ByCode),
    rule("Error: (", r#"Error: \((?<code>[1-4]\d{3}), ["'<]"#, Says::ByCode),
    rule("Error) (", r#"Error\) \((?<code>[1-4]\d{3}), ["'<]"#, Says::ByCode),
    rule("from database:", r"returned from database: (?<code>\d{4}) \((?<state>[0-9A-Z]{5})\): ", Says::ByCode),
    rule("`ERROR ", r"`ERROR (?<state>[0-9A-Z]{5}) \((?<code>[1-4]\d{3})\): ", Says::ByCode),
    rule("ER_", r#"\b(?<code>ER_[A-Z_]{4,})\b"#, Says::ByCode),
    // SQL Server.
    rule("Error Number:", r"Error Number:(?<code>-?\d+)", Says::ByCode),
    rule("Msg ", r"\bMsg (?<code>\d+), Level \d+", Says::ByCode),
    rule(") (SQL", r"\((?<code>[1-9]\d{1,4})\) \(SQL(?:Exec|Driver|Param|Prepare)", Says::ByCode),
    rule("number: ", r"\bnumber: (?<code>\d{3,5}),(?:$| message)", Says::ByCode),
    // Liquibase, of whatever driver.
    rule("[Failed SQL: (", r"\[Failed SQL: \((?<code>[1-9]\d*|-\d{2,})\)", Says::ByCode),
    // Oracle.
    rule("ORA-", r"\b(?<code>ORA-\d{5})", Says::ByCode),
    // SQLite.
    rule("SQLITE_", r"\b(?<code>SQLITE_[A-Z_]+)\b", Says::ByCode),
    rule("(code: ", r"\(code: (?<code>\d{1,4})\)", Says::ByCode),
    rule("extended_code", r"\bextended_code: (?<code>\d+)", Says::ByCode),
];
