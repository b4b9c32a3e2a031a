//! The names that drivers give to codes: Python and Ruby exceptions of PostgreSQL, MySQL's symbols.

use super::{Meaning, mysql};
use crate::classify::reason::Reason;

/// What an exception's class or a symbol means.
pub fn lookup(name: &str) -> Option<Meaning> {
    if let Some(symbol) = name.strip_prefix("ER_") {
        return symbol_number(symbol).and_then(mysql::lookup);
    }
    let reason = match name.strip_suffix("Error").unwrap_or(name) {
        "UniqueViolation" => Reason::UNIQUE_VIOLATION,
        "ForeignKeyViolation" | "RestrictViolation" => Reason::FOREIGN_KEY_VIOLATION,
        "NotNullViolation" | "NullValueNotAllowed" => Reason::NOT_NULL_VIOLATION,
        "CheckViolation" | "ExclusionViolation" | "IntegrityConstraintViolation" | "RaiseException" | "Raise" => {
            Reason::CHECK_VIOLATION
        }
        "InvalidTextRepresentation" | "InvalidDatetimeFormat" | "DataException" | "Data" | "CannotCoerce" => {
            Reason::INVALID_CAST
        }
        "StringDataRightTruncation" => Reason::VALUE_TOO_LONG,
        "NumericValueOutOfRange" | "DatetimeFieldOverflow" | "DivisionByZero" => Reason::VALUE_OUT_OF_RANGE,
        "CardinalityViolation" => Reason::UNIQUE_VIOLATION,
        "Syntax" | "PostgresSyntax" => Reason::SYNTAX_ERROR,
        "UndefinedTable" | "UndefinedColumn" | "UndefinedObject" | "UndefinedFunction" | "InvalidSchemaName" => {
            Reason::MISSING_OBJECT
        }
        "DuplicateTable" | "DuplicateColumn" | "DuplicateObject" | "DuplicateFunction" | "DuplicateSchema"
        | "DuplicateDatabase" | "DuplicateAlias" => Reason::DUPLICATE_OBJECT,
        "InsufficientPrivilege" => Reason::INSUFFICIENT_PRIVILEGE,
        "InvalidPassword" | "InvalidAuthorizationSpecification" => Reason::AUTHENTICATION_FAILED,
        "InvalidCatalogName" => Reason::DATABASE_MISSING,
        "LockNotAvailable" => Reason::LOCK_TIMEOUT,
        "QueryCanceled" => Reason::STATEMENT_TIMEOUT,
        "DeadlockDetected" | "TRDeadlockDetected" | "SerializationFailure" | "TRSerializationFailure" => {
            Reason::DEADLOCK
        }
        "AdminShutdown"
        | "CrashShutdown"
        | "DatabaseDropped"
        | "IdleSessionTimeout"
        | "IdleInTransactionSessionTimeout"
        | "ConnectionDoesNotExist"
        | "ConnectionFailure"
        | "UnableToSend" => Reason::CONNECTION_CLOSED,
        "ConnectionBad" | "CannotConnectNow" => return connection(name),
        "TooManyConnections" => Reason::TOO_MANY_CONNECTIONS,
        "ReadOnlySqlTransaction" | "ReadOnlySQLTransaction" => Reason::READ_ONLY,
        "DiskFull" | "OutOfMemory" => Reason::DISK_FULL,
        "DatatypeMismatch"
        | "FeatureNotSupported"
        | "DependentObjectsStillExist"
        | "ObjectNotInPrerequisiteState"
        | "ActiveSqlTransaction"
        | "ActiveSQLTransaction"
        | "InvalidTableDefinition"
        | "InvalidColumnDefinition"
        | "InvalidForeignKey"
        | "WrongObjectType"
        | "GroupingError"
        | "InvalidObjectDefinition"
        | "ObjectInUse"
        | "UnsafeNewEnumValueUsage"
        | "AmbiguousColumn"
        | "InvalidColumnReference" => Reason::INCOMPATIBLE_OPERATION,
        "InFailedSqlTransaction" | "InFailedSQLTransaction" => return Some(Meaning::Consequence),
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

/// `PG::ConnectionBad` stands for everything that goes wrong at connect; its text says what.
fn connection(name: &str) -> Option<Meaning> {
    (name == "CannotConnectNow" || name == "CannotConnectNowError").then_some(Meaning::Cause(Reason::STARTING_UP))
}

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

    #[test]
    fn exceptions_and_symbols_are_known() {
        for (name, reason) in [
            ("UniqueViolation", Reason::UNIQUE_VIOLATION),
            ("UniqueViolationError", Reason::UNIQUE_VIOLATION),
            ("DuplicateTableError", Reason::DUPLICATE_OBJECT),
            ("ER_DUP_ENTRY", Reason::UNIQUE_VIOLATION),
            ("PostgresSyntaxError", Reason::SYNTAX_ERROR),
        ] {
            assert_eq!(lookup(name), Some(Meaning::Cause(reason)), "{name}");
        }
        assert_eq!(lookup("ConnectionBad"), None);
        assert_eq!(lookup("Error"), None);
    }
}
