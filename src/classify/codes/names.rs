//! The names that drivers give to codes: exceptions of PostgreSQL's in Python and Ruby, symbols of MySQL's.

use super::{Meaning, mysql};

/// The SQLSTATE that an exception's class stands for; drivers name their classes one by one after the states.
pub fn state(name: &str) -> Option<&'static str> {
    let plain = name.strip_suffix("Error").unwrap_or(name);
    STATES.iter().find(|(class, _)| *class == plain || *class == name).map(|(_, state)| *state)
}

/// What a symbol means.
pub fn lookup(name: &str) -> Option<Meaning> {
    symbol_number(name.strip_prefix("ER_")?).and_then(mysql::lookup)
}

/// `PG::ConnectionBad` is not here: it stands for everything that goes wrong at connect, and its text says what.
const STATES: &[(&str, &str)] = &[
    ("UniqueViolation", "23505"),
    ("ForeignKeyViolation", "23503"),
    ("RestrictViolation", "23001"),
    ("NotNullViolation", "23502"),
    ("CheckViolation", "23514"),
    ("ExclusionViolation", "23P01"),
    ("IntegrityConstraintViolation", "23000"),
    ("RaiseException", "P0001"),
    ("Raise", "P0001"),
    ("AssertFailure", "P0004"),
    ("InvalidTextRepresentation", "22P02"),
    ("InvalidDatetimeFormat", "22007"),
    ("CannotCoerce", "42846"),
    ("CharacterNotInRepertoire", "22021"),
    ("InvalidParameterValue", "22023"),
    ("NullValueNotAllowed", "22004"),
    ("StringDataRightTruncation", "22001"),
    ("NumericValueOutOfRange", "22003"),
    ("DatetimeFieldOverflow", "22008"),
    ("DivisionByZero", "22012"),
    ("CardinalityViolation", "21000"),
    ("Syntax", "42601"),
    ("SyntaxError", "42601"),
    ("PostgresSyntax", "42601"),
    ("NameTooLong", "42622"),
    ("UndefinedTable", "42P01"),
    ("UndefinedColumn", "42703"),
    ("UndefinedObject", "42704"),
    ("UndefinedFunction", "42883"),
    ("InvalidSchemaName", "3F000"),
    ("DuplicateTable", "42P07"),
    ("DuplicateColumn", "42701"),
    ("DuplicateObject", "42710"),
    ("DuplicateFunction", "42723"),
    ("DuplicateSchema", "42P06"),
    ("DuplicateDatabase", "42P04"),
    ("DuplicateAlias", "42712"),
    ("InsufficientPrivilege", "42501"),
    ("InvalidPassword", "28P01"),
    ("InvalidAuthorizationSpecification", "28000"),
    ("InvalidCatalogName", "3D000"),
    ("LockNotAvailable", "55P03"),
    ("QueryCanceled", "57014"),
    ("DeadlockDetected", "40P01"),
    ("TRDeadlockDetected", "40P01"),
    ("SerializationFailure", "40001"),
    ("TRSerializationFailure", "40001"),
    ("AdminShutdown", "57P01"),
    ("CrashShutdown", "57P02"),
    ("CannotConnectNow", "57P03"),
    ("DatabaseDropped", "57P04"),
    ("IdleSessionTimeout", "57P05"),
    ("IdleInTransactionSessionTimeout", "25P03"),
    ("ConnectionDoesNotExist", "08003"),
    ("ConnectionFailure", "08006"),
    ("TooManyConnections", "53300"),
    ("ReadOnlySqlTransaction", "25006"),
    ("ReadOnlySQLTransaction", "25006"),
    ("DiskFull", "53100"),
    ("OutOfMemory", "53200"),
    ("DatatypeMismatch", "42804"),
    ("FeatureNotSupported", "0A000"),
    ("DependentObjectsStillExist", "2BP01"),
    ("ObjectNotInPrerequisiteState", "55000"),
    ("ObjectInUse", "55006"),
    ("UnsafeNewEnumValueUsage", "55P04"),
    ("ActiveSqlTransaction", "25001"),
    ("ActiveSQLTransaction", "25001"),
    ("InFailedSqlTransaction", "25P02"),
    ("InFailedSQLTransaction", "25P02"),
    ("InvalidTableDefinition", "42P16"),
    ("InvalidObjectDefinition", "42P17"),
    ("InvalidColumnDefinition", "42611"),
    ("InvalidColumnReference", "42P10"),
    ("InvalidForeignKey", "42830"),
    ("WrongObjectType", "42809"),
    ("GroupingError", "42803"),
    ("AmbiguousColumn", "42702"),
    ("InternalError_", "XX000"),
    ("DataCorrupted", "XX001"),
];

fn symbol_number(symbol: &str) -> Option<i32> {
    let number = match symbol {
        "DUP_ENTRY" => 1062,
        "DUP_FIELDNAME" => 1060,
        "DUP_KEYNAME" => 1061,
        "TABLE_EXISTS_ERROR" => 1050,
        "NO_SUCH_TABLE" => 1146,
        "BAD_FIELD_ERROR" => 1054,
        "BAD_TABLE_ERROR" => 1051,
        "PARSE_ERROR" => 1064,
        "CANT_DROP_FIELD_OR_KEY" => 1091,
        "NO_REFERENCED_ROW" | "NO_REFERENCED_ROW_2" => 1452,
        "ROW_IS_REFERENCED" | "ROW_IS_REFERENCED_2" => 1451,
        "BAD_NULL_ERROR" => 1048,
        "INVALID_USE_OF_NULL" => 1138,
        "DATA_TOO_LONG" => 1406,
        "WARN_DATA_OUT_OF_RANGE" => 1264,
        "WARN_DATA_TRUNCATED" => 1265,
        "TRUNCATED_WRONG_VALUE" => 1292,
        "TRUNCATED_WRONG_VALUE_FOR_FIELD" => 1366,
        "CHECK_CONSTRAINT_VIOLATED" => 3819,
        "CONSTRAINT_FAILED" => 4025,
        "LOCK_WAIT_TIMEOUT" => 1205,
        "LOCK_DEADLOCK" => 1213,
        "QUERY_INTERRUPTED" => 1317,
        "QUERY_TIMEOUT" => 3024,
        "STATEMENT_TIMEOUT" => 1969,
        "ACCESS_DENIED_ERROR" => 1045,
        "DBACCESS_DENIED_ERROR" => 1044,
        "TABLEACCESS_DENIED_ERROR" => 1142,
        "SPECIFIC_ACCESS_DENIED_ERROR" => 1227,
        "NOT_SUPPORTED_AUTH_MODE" => 1251,
        "BAD_DB_ERROR" => 1049,
        "CON_COUNT_ERROR" => 1040,
        "OPTION_PREVENTS_STATEMENT" => 1290,
        "CANT_CREATE_TABLE" => 1005,
        "FK_INCOMPATIBLE_COLUMNS" => 3780,
        "TOO_LONG_KEY" => 1071,
        "TOO_LONG_IDENT" => 1059,
        "RECORD_FILE_FULL" => 1114,
        "CONNECTION_KILLED" => 1927,
        "SERVER_SHUTDOWN" => 1053,
        "INVALID_DEFAULT" => 1067,
        "SIGNAL_EXCEPTION" => 1644,
        _ => return None,
    };
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::codes::sqlstate;

    #[test]
    fn exceptions_stand_for_states_that_mean_something() {
        for (name, state) in STATES {
            assert!(sqlstate::lookup(state).is_some() || sqlstate::broad(state).is_some(), "{name}: {state}");
        }
        assert_eq!(state("UniqueViolationError"), Some("23505"));
        assert_eq!(state("DuplicateTableError"), Some("42P07"));
        assert_eq!(state("SyntaxError"), Some("42601"));
        assert_eq!(state("ConnectionBad"), None);
        assert_eq!(state("Error"), None);
    }

    #[test]
    fn symbols_stand_for_numbers() {
        assert_eq!(lookup("ER_DUP_ENTRY"), mysql::lookup(1062));
        assert!(lookup("ER_DUP_ENTRY").is_some());
        assert_eq!(lookup("ER_NEW_ONE"), None);
    }
}
