//! SQLSTATE: the five characters of the SQL standard, with PostgreSQL's and CockroachDB's own.

use super::Meaning;
use crate::classify::reason::Reason;

/// Whether the text has the shape of a SQLSTATE: five digits or capitals, at least one digit.
pub fn is_shaped(text: &str) -> bool {
    text.len() == 5
        && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && text.bytes().any(|b| b.is_ascii_digit())
}

/// What a SQLSTATE means: the state itself first, its class (the first two characters) otherwise.
pub fn lookup(state: &str) -> Option<Meaning> {
    if !is_shaped(state) {
        return None;
    }
    exact(state).or_else(|| state.get(..2).and_then(by_class))
}

/// The states of the SQL standard and of ODBC that drivers print beside an exact number of their own.
pub fn broad(state: &str) -> Option<Meaning> {
    let reason = match state {
        "42S02" | "42S22" | "42S12" => Reason::MISSING_OBJECT,
        "42S01" | "42S21" | "42S11" => Reason::DUPLICATE_OBJECT,
        "08S01" | "08000" => Reason::CONNECTION_CLOSED,
        "08004" => Reason::UNREACHABLE,
        "23000" => Reason::CHECK_VIOLATION,
        "42000" | "21S01" | "21S02" => Reason::SYNTAX_ERROR,
        "22007" | "01000" => Reason::INVALID_CAST,
        // MySQL's driver for Java gives it to every value that does not fit.
        "22001" => Reason::VALUE_TOO_LONG,
        "70100" => Reason::STATEMENT_TIMEOUT,
        "28000" => Reason::AUTHENTICATION_FAILED,
        "40001" => Reason::DEADLOCK,
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

fn exact(state: &str) -> Option<Meaning> {
    let reason = match state {
        // Connections.
        "08001" | "08004" => Reason::UNREACHABLE,
        "08003" | "08006" | "08007" | "08P01" | "40003" => Reason::CONNECTION_CLOSED,
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" | "25P04" => Reason::SESSION_ENDED,
        "57P03" => Reason::STARTING_UP,
        "25006" => Reason::READ_ONLY,
        "53300" => Reason::TOO_MANY_CONNECTIONS,
        "26000" | "42P05" | "34000" => Reason::POOLER_MODE,
        // Rights.
        "28000" | "28P01" => Reason::AUTHENTICATION_FAILED,
        "42501" | "0LP01" | "0P000" => Reason::INSUFFICIENT_PRIVILEGE,
        "3D000" => Reason::DATABASE_MISSING,
        // Rows.
        "22001" | "22026" => Reason::VALUE_TOO_LONG,
        "22003" | "22008" | "22012" | "22015" | "2200H" => Reason::VALUE_OUT_OF_RANGE,
        "22004" | "23502" => Reason::NOT_NULL_VIOLATION,
        "23505" => Reason::UNIQUE_VIOLATION,
        "23503" | "23001" => Reason::FOREIGN_KEY_VIOLATION,
        "23514" | "23P01" | "44000" | "23000" => Reason::CHECK_VIOLATION,
        "21000" => Reason::UNIQUE_VIOLATION,
        // A guard that the migration's author raises speaks about the data.
        "P0001" | "P0004" => Reason::CHECK_VIOLATION,
        // The script.
        "42601" | "42602" | "42611" | "42622" | "42939" => Reason::SYNTAX_ERROR,
        "42701" | "42710" | "42712" | "42723" | "42P03" | "42P04" | "42P06" | "42P07" => Reason::DUPLICATE_OBJECT,
        "42703" | "42704" | "42883" | "42P01" | "42P02" | "42P10" | "3F000" => Reason::MISSING_OBJECT,
        "P0002" | "P0003" => Reason::CODE_ERROR,
        "55P03" => Reason::LOCK_TIMEOUT,
        "57014" => Reason::STATEMENT_TIMEOUT,
        "40001" | "40P01" => Reason::DEADLOCK,
        // CockroachDB: the transaction's outcome is not known.
        "XXA00" => Reason::CONNECTION_LOST_MIDWAY,
        "25P01" | "25P02" | "3B001" | "2D000" | "25000" => return Some(Meaning::Consequence),
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

fn by_class(class: &str) -> Option<Meaning> {
    let reason = match class {
        "00" | "01" | "02" => return Some(Meaning::Harmless),
        "08" => Reason::CONNECTION_CLOSED,
        "22" => Reason::INVALID_CAST,
        "23" => Reason::CHECK_VIOLATION,
        "28" => Reason::AUTHENTICATION_FAILED,
        "40" => Reason::DEADLOCK,
        "42" => Reason::INCOMPATIBLE_OPERATION,
        "53" => Reason::DISK_FULL,
        "57" => Reason::SESSION_ENDED,
        "58" | "XX" | "F0" => Reason::SERVER_INTERNAL,
        "0A" | "0B" | "20" | "24" | "25" | "27" | "2B" | "2F" | "38" | "39" | "54" | "55" | "HV" | "P0" | "72" => {
            Reason::INCOMPATIBLE_OPERATION
        }
        "03" | "09" | "0F" | "0Z" | "26" | "34" | "3B" | "3D" | "3F" => Reason::INCOMPATIBLE_OPERATION,
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::types::Class;

    fn class(state: &str) -> Option<Class> {
        match lookup(state) {
            Some(Meaning::Cause(reason)) => Some(reason.entry().class),
            _ => None,
        }
    }

    #[test]
    fn states_lead_to_their_class() {
        for (state, expected) in [
            ("08006", Class::Connectivity),
            ("23505", Class::DataConflict),
            ("2200F", Class::DataConflict),
            ("23P01", Class::DataConflict),
            ("25006", Class::Connectivity),
            ("28P01", Class::Permission),
            ("42501", Class::Permission),
            ("42804", Class::ScriptError),
            ("55P04", Class::ScriptError),
            ("0A000", Class::ScriptError),
            ("53100", Class::Connectivity),
            ("3D000", Class::Config),
            ("XX001", Class::Unknown),
        ] {
            assert_eq!(class(state), Some(expected), "{state}");
        }
    }

    #[test]
    fn consequences_notices_and_words_are_no_cause() {
        assert_eq!(lookup("25P02"), Some(Meaning::Consequence));
        assert_eq!(lookup("00000"), Some(Meaning::Harmless));
        assert_eq!(lookup("P1001X"), None);
        assert_eq!(lookup("ERROR"), None);
        assert_eq!(lookup("99999"), None);
    }
}
