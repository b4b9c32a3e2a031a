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
    SYMBOLS.iter().find(|(_, name)| *name == symbol).map(|(number, _)| *number)
}

/// MySQL's and MariaDB's symbols without their `ER_`, by number.
const SYMBOLS: &[(i32, &str)] = &[
    (1005, "CANT_CREATE_TABLE"),
    (1007, "DB_CREATE_EXISTS"),
    (1008, "DB_DROP_EXISTS"),
    (1021, "DISK_FULL"),
    (1022, "DUP_KEY"),
    (1030, "GET_ERRNO"),
    (1040, "CON_COUNT_ERROR"),
    (1044, "DBACCESS_DENIED_ERROR"),
    (1045, "ACCESS_DENIED_ERROR"),
    (1046, "NO_DB_ERROR"),
    (1048, "BAD_NULL_ERROR"),
    (1049, "BAD_DB_ERROR"),
    (1050, "TABLE_EXISTS_ERROR"),
    (1051, "BAD_TABLE_ERROR"),
    (1052, "NON_UNIQ_ERROR"),
    (1053, "SERVER_SHUTDOWN"),
    (1054, "BAD_FIELD_ERROR"),
    (1055, "WRONG_FIELD_WITH_GROUP"),
    (1058, "WRONG_VALUE_COUNT"),
    (1059, "TOO_LONG_IDENT"),
    (1060, "DUP_FIELDNAME"),
    (1061, "DUP_KEYNAME"),
    (1062, "DUP_ENTRY"),
    (1064, "PARSE_ERROR"),
    (1065, "EMPTY_QUERY"),
    (1066, "NONUNIQ_TABLE"),
    (1067, "INVALID_DEFAULT"),
    (1068, "MULTIPLE_PRI_KEY"),
    (1069, "TOO_MANY_KEYS"),
    (1071, "TOO_LONG_KEY"),
    (1072, "KEY_COLUMN_DOES_NOT_EXITS"),
    (1074, "TOO_BIG_FIELDLENGTH"),
    (1075, "WRONG_AUTO_KEY"),
    (1091, "CANT_DROP_FIELD_OR_KEY"),
    (1093, "UPDATE_TABLE_USED"),
    (1101, "BLOB_CANT_HAVE_DEFAULT"),
    (1109, "UNKNOWN_TABLE"),
    (1114, "RECORD_FILE_FULL"),
    (1115, "UNKNOWN_CHARACTER_SET"),
    (1117, "TOO_MANY_FIELDS"),
    (1118, "TOO_BIG_ROWSIZE"),
    (1129, "HOST_IS_BLOCKED"),
    (1130, "HOST_NOT_PRIVILEGED"),
    (1136, "WRONG_VALUE_COUNT_ON_ROW"),
    (1138, "INVALID_USE_OF_NULL"),
    (1140, "MIX_OF_GROUP_FUNC_AND_FIELDS"),
    (1142, "TABLEACCESS_DENIED_ERROR"),
    (1143, "COLUMNACCESS_DENIED_ERROR"),
    (1146, "NO_SUCH_TABLE"),
    (1149, "SYNTAX_ERROR"),
    (1153, "NET_PACKET_TOO_LARGE"),
    (1170, "BLOB_KEY_WITHOUT_LENGTH"),
    (1171, "PRIMARY_CANT_HAVE_NULL"),
    (1193, "UNKNOWN_SYSTEM_VARIABLE"),
    (1203, "TOO_MANY_USER_CONNECTIONS"),
    (1205, "LOCK_WAIT_TIMEOUT"),
    (1213, "LOCK_DEADLOCK"),
    (1215, "CANNOT_ADD_FOREIGN"),
    (1226, "USER_LIMIT_REACHED"),
    (1227, "SPECIFIC_ACCESS_DENIED_ERROR"),
    (1235, "NOT_SUPPORTED_YET"),
    (1241, "OPERAND_COLUMNS"),
    (1242, "SUBQUERY_NO_1_ROW"),
    (1251, "NOT_SUPPORTED_AUTH_MODE"),
    (1253, "COLLATION_CHARSET_MISMATCH"),
    (1264, "WARN_DATA_OUT_OF_RANGE"),
    (1265, "WARN_DATA_TRUNCATED"),
    (1267, "CANT_AGGREGATE_2COLLATIONS"),
    (1273, "UNKNOWN_COLLATION"),
    (1286, "UNKNOWN_STORAGE_ENGINE"),
    (1290, "OPTION_PREVENTS_STATEMENT"),
    (1292, "TRUNCATED_WRONG_VALUE"),
    (1304, "SP_ALREADY_EXISTS"),
    (1305, "SP_DOES_NOT_EXIST"),
    (1317, "QUERY_INTERRUPTED"),
    (1356, "VIEW_INVALID"),
    (1359, "TRG_ALREADY_EXISTS"),
    (1360, "TRG_DOES_NOT_EXIST"),
    (1364, "NO_DEFAULT_FOR_FIELD"),
    (1365, "DIVISION_BY_ZERO"),
    (1366, "TRUNCATED_WRONG_VALUE_FOR_FIELD"),
    (1396, "CANNOT_USER"),
    (1406, "DATA_TOO_LONG"),
    (1418, "BINLOG_UNSAFE_ROUTINE"),
    (1419, "BINLOG_CREATE_ROUTINE_NEED_SUPER"),
    (1451, "ROW_IS_REFERENCED"),
    (1451, "ROW_IS_REFERENCED_2"),
    (1452, "NO_REFERENCED_ROW"),
    (1452, "NO_REFERENCED_ROW_2"),
    (1503, "UNIQUE_KEY_NEED_ALL_FIELDS_IN_PF"),
    (1506, "FOREIGN_KEY_ON_PARTITIONED"),
    (1553, "DROP_INDEX_FK"),
    (1564, "PARTITION_FUNCTION_IS_NOT_ALLOWED"),
    (1568, "CANT_CHANGE_TX_CHARACTERISTICS"),
    (1586, "DUP_ENTRY_WITH_KEY_NAME"),
    (1628, "TOO_LONG_TABLE_COMMENT"),
    (1644, "SIGNAL_EXCEPTION"),
    (1690, "DATA_OUT_OF_RANGE"),
    (1698, "ACCESS_DENIED_NO_PASSWORD_ERROR"),
    (1792, "CANT_EXECUTE_IN_READ_ONLY_TRANSACTION"),
    (1820, "MUST_CHANGE_PASSWORD"),
    (1822, "FK_NO_INDEX_PARENT"),
    (1824, "FK_CANNOT_OPEN_PARENT"),
    (1826, "FK_DUP_NAME"),
    (1828, "FK_COLUMN_CANNOT_DROP"),
    (1829, "FK_COLUMN_CANNOT_DROP_CHILD"),
    (1832, "FK_COLUMN_CANNOT_CHANGE"),
    (1833, "FK_COLUMN_CANNOT_CHANGE_CHILD"),
    (1836, "READ_ONLY_MODE"),
    (1845, "ALTER_OPERATION_NOT_SUPPORTED"),
    (1846, "ALTER_OPERATION_NOT_SUPPORTED_REASON"),
    (1927, "CONNECTION_KILLED"),
    (1969, "STATEMENT_TIMEOUT"),
    (3024, "QUERY_TIMEOUT"),
    (3102, "GENERATED_COLUMN_FUNCTION_IS_NOT_ALLOWED"),
    (3140, "INVALID_JSON_TEXT"),
    (3152, "JSON_USED_AS_KEY"),
    (3159, "SECURE_TRANSPORT_REQUIRED"),
    (3730, "FK_CANNOT_DROP_PARENT"),
    (3734, "FK_NO_COLUMN_PARENT"),
    (3780, "FK_INCOMPATIBLE_COLUMNS"),
    (3819, "CHECK_CONSTRAINT_VIOLATED"),
    (3821, "CHECK_CONSTRAINT_NOT_FOUND"),
    (3822, "CHECK_CONSTRAINT_DUP_NAME"),
    (3959, "DEPENDENT_BY_CHECK_CONSTRAINT"),
    (4025, "CONSTRAINT_FAILED"),
];

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
        for (number, symbol) in SYMBOLS {
            assert!(mysql::lookup(*number).is_some(), "{symbol}");
            assert_eq!(lookup(&format!("ER_{symbol}")), mysql::lookup(*number), "{symbol}: twice");
        }
        assert_eq!(lookup("ER_NEW_ONE"), None);
    }
}
