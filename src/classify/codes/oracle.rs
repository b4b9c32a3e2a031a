//! Oracle's `ORA-` numbers, for the tools that run on it.

use super::Meaning;
use crate::classify::reason::Reason;

/// What an `ORA-` number means.
pub fn lookup(number: i32) -> Option<Meaning> {
    let reason = match number {
        12541 | 12170 | 12535 | 12537 | 12543 | 17002 | 12560 => Reason::UNREACHABLE,
        12545 => Reason::DNS,
        12514 | 12505 | 12154 => Reason::DATABASE_MISSING,
        28759 | 28860 | 29024 => Reason::TLS,
        18 | 20 | 12516 | 12519 | 12520 => Reason::TOO_MANY_CONNECTIONS,
        28 | 3113 | 3114 | 3135 | 2396 | 12592 => Reason::CONNECTION_CLOSED,
        1033 | 1034 | 1090 | 12528 => Reason::STARTING_UP,
        1089 => Reason::SESSION_ENDED,
        16000 => Reason::READ_ONLY,
        257 | 1536 | 1652..=1655 | 1658 | 1659 | 4031 | 30036 => Reason::DISK_FULL,
        1005 | 1017 | 28000 | 28001 => Reason::AUTHENTICATION_FAILED,
        1031 | 1045 | 990 | 1720 => Reason::INSUFFICIENT_PRIVILEGE,
        1 | 1452 => Reason::UNIQUE_VIOLATION,
        2291 | 2292 | 2298 => Reason::FOREIGN_KEY_VIOLATION,
        1400 | 1407 | 2296 => Reason::NOT_NULL_VIOLATION,
        2290 | 2293 | 20000..=20999 => Reason::CHECK_VIOLATION,
        1722 | 1839 | 1841 | 1843 | 1847 | 1858 | 1861 => Reason::INVALID_CAST,
        12899 | 1401 => Reason::VALUE_TOO_LONG,
        1438 | 1426 | 1476 => Reason::VALUE_OUT_OF_RANGE,
        900..=903 | 905..=907 | 911 | 917 | 920..=923 | 925 | 926 | 933 | 936 => Reason::SYNTAX_ERROR,
        904 | 942 | 1418 | 1432 | 2289 | 4043 | 4080 | 2443 => Reason::MISSING_OBJECT,
        955 | 957 | 1408 | 1430 | 2260 | 2261 | 2264 | 2275 => Reason::DUPLICATE_OBJECT,
        54 | 30006 | 4021 => Reason::LOCK_TIMEOUT,
        1013 | 40 => Reason::STATEMENT_TIMEOUT,
        60 | 8177 => Reason::DEADLOCK,
        600 | 7445 | 1578 => Reason::SERVER_INTERNAL,
        6512 => return Some(Meaning::Consequence),
        3106..=3199 => Reason::CONNECTION_CLOSED,
        12150..=12699 => Reason::UNREACHABLE,
        900..=2999 | 6500..=6599 | 14000..=14999 | 22000..=24999 | 30000..=40999 => Reason::INCOMPATIBLE_OPERATION,
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_reason() {
        assert_eq!(lookup(942), Some(Meaning::Cause(Reason::MISSING_OBJECT)));
        assert_eq!(lookup(1), Some(Meaning::Cause(Reason::UNIQUE_VIOLATION)));
        assert_eq!(lookup(6512), Some(Meaning::Consequence));
    }
}
