//! SQLite's result codes, plain and extended.

use super::Meaning;
use crate::classify::reason::Reason;

/// What a result code means. The plain code 1 says nothing but "error": the text decides.
pub fn lookup(code: i32) -> Option<Meaning> {
    let reason = match code {
        275 | 1811 | 1043..=1059 | 531 => Reason::CHECK_VIOLATION,
        787 => Reason::FOREIGN_KEY_VIOLATION,
        1299 => Reason::NOT_NULL_VIOLATION,
        1555 | 2067 | 2579 => Reason::UNIQUE_VIOLATION,
        3091 => Reason::INVALID_CAST,
        14 | 270 | 526 | 782 | 1038 => Reason::INSUFFICIENT_PRIVILEGE,
        other => match other & 0xff {
            3 | 8 | 23 => Reason::INSUFFICIENT_PRIVILEGE,
            5 | 6 => Reason::DATABASE_BUSY,
            7 | 10 | 13 => Reason::DISK_FULL,
            9 => Reason::STATEMENT_TIMEOUT,
            11 | 26 => Reason::SERVER_INTERNAL,
            14 => Reason::INSUFFICIENT_PRIVILEGE,
            17 => Reason::CONNECTION_CLOSED,
            18 => Reason::VALUE_TOO_LONG,
            19 => Reason::CHECK_VIOLATION,
            20 => Reason::INVALID_CAST,
            _ => return None,
        },
    };
    Some(Meaning::Cause(reason))
}

/// Whether a code is that of every broken constraint, whichever it was.
pub fn is_family(code: &str) -> bool {
    matches!(code, "19" | "SQLITE_CONSTRAINT")
}

/// What a symbolic name such as `SQLITE_CONSTRAINT_UNIQUE` means.
pub fn by_name(name: &str) -> Option<Meaning> {
    let rest = name.strip_prefix("SQLITE_")?;
    let reason = match rest {
        "CONSTRAINT_UNIQUE" | "CONSTRAINT_PRIMARYKEY" | "CONSTRAINT_ROWID" => Reason::UNIQUE_VIOLATION,
        "CONSTRAINT_FOREIGNKEY" => Reason::FOREIGN_KEY_VIOLATION,
        "CONSTRAINT_NOTNULL" => Reason::NOT_NULL_VIOLATION,
        "MISMATCH" | "CONSTRAINT_DATATYPE" => Reason::INVALID_CAST,
        "TOOBIG" => Reason::VALUE_TOO_LONG,
        _ if rest.starts_with("CONSTRAINT") => Reason::CHECK_VIOLATION,
        _ if rest.starts_with("BUSY") || rest.starts_with("LOCKED") => Reason::DATABASE_BUSY,
        _ if rest.starts_with("READONLY") || rest.starts_with("CANTOPEN") => Reason::INSUFFICIENT_PRIVILEGE,
        "AUTH" | "PERM" => Reason::INSUFFICIENT_PRIVILEGE,
        "FULL" | "NOMEM" => Reason::DISK_FULL,
        _ if rest.starts_with("IOERR") => Reason::DISK_FULL,
        "CORRUPT" | "NOTADB" => Reason::SERVER_INTERNAL,
        "INTERRUPT" => Reason::STATEMENT_TIMEOUT,
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_codes_and_names_agree() {
        for (code, name) in [
            (2067, "SQLITE_CONSTRAINT_UNIQUE"),
            (787, "SQLITE_CONSTRAINT_FOREIGNKEY"),
            (1299, "SQLITE_CONSTRAINT_NOTNULL"),
            (5, "SQLITE_BUSY"),
            (14, "SQLITE_CANTOPEN"),
            (8, "SQLITE_READONLY"),
            (13, "SQLITE_FULL"),
        ] {
            assert_eq!(lookup(code), by_name(name), "{name}");
            assert!(lookup(code).is_some(), "{name}");
        }
        assert_eq!(lookup(1), None);
        assert_eq!(by_name("SQLITE_ERROR"), None);
    }
}
