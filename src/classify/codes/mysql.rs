//! MySQL's and MariaDB's error numbers, the server's and the client library's.

use super::Meaning;
use crate::classify::reason::Reason;

/// What a number means.
pub fn lookup(number: i32) -> Option<Meaning> {
    let reason = match number {
        // Connections.
        2002 | 2003 | 1042 => Reason::UNREACHABLE,
        2005 => Reason::DNS,
        2026 | 3159 => Reason::TLS,
        1040 | 1203 | 1226 | 1129 => Reason::TOO_MANY_CONNECTIONS,
        1043 | 1152 | 1158..=1161 | 1184 | 2006 | 2013 | 2055 | 4031 => Reason::CONNECTION_CLOSED,
        1053 | 1077..=1080 | 1927 => Reason::SESSION_ENDED,
        // MariaDB's connector for Java, of a connection that is gone.
        1220 => Reason::CONNECTION_CLOSED,
        1290 | 1792 | 1836 => Reason::READ_ONLY,
        3 | 1021 | 1030 | 1037 | 1038 | 1041 | 1114 => Reason::DISK_FULL,
        // Rights.
        1045 | 1130 | 1251 | 1698 | 1820 | 2054 | 2059 | 3118 | 1862 | 4151 => Reason::AUTHENTICATION_FAILED,
        1044 | 1131..=1133 | 1142 | 1143 | 1227 | 1370 | 1396 | 1410 | 1419 | 1141 | 1147 | 1449 => {
            Reason::INSUFFICIENT_PRIVILEGE
        }
        1049 | 1046 => Reason::DATABASE_MISSING,
        // Rows.
        1022 | 1062 | 1169 | 1557 | 1586 => Reason::UNIQUE_VIOLATION,
        1216 | 1217 | 1451 | 1452 => Reason::FOREIGN_KEY_VIOLATION,
        1048 | 1138 | 1263 | 1364 => Reason::NOT_NULL_VIOLATION,
        3819 | 4025 => Reason::CHECK_VIOLATION,
        1265 | 1292 | 1366 | 1411 | 1412 | 1525 | 3140 => Reason::INVALID_CAST,
        1406 => Reason::VALUE_TOO_LONG,
        1264 | 1690 | 1365 | 1416 | 1367 => Reason::VALUE_OUT_OF_RANGE,
        1242 => Reason::UNIQUE_VIOLATION,
        1644 => Reason::CHECK_VIOLATION,
        // The script.
        1064 | 1065 | 1149 | 4161 => Reason::SYNTAX_ERROR,
        1050 | 1007 | 1060 | 1061 | 1068 | 1304 | 1359 | 1826 | 3822 | 1125 | 1537 | 1517 => Reason::DUPLICATE_OBJECT,
        1008 | 1051 | 1054 | 1072 | 1091 | 1109 | 1128 | 1146 | 1176 | 1305 | 1360 | 1824 | 1286 | 1115 | 1273
        | 3823 | 1539 | 1347 | 1356 | 3821 => Reason::MISSING_OBJECT,
        1205 | 1099 | 1100 => Reason::LOCK_TIMEOUT,
        1317 | 3024 | 1969 | 1028 => Reason::STATEMENT_TIMEOUT,
        1206 | 1213 | 3058 => Reason::DEADLOCK,
        1194 | 1195 | 1034 | 1035 | 1712 | 126 | 127 | 145 => Reason::SERVER_INTERNAL,
        1000..=1999 | 3000..=3999 | 4000..=4999 | 6125 => Reason::INCOMPATIBLE_OPERATION,
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_reason() {
        for (number, reason) in [
            (1062, Reason::UNIQUE_VIOLATION),
            (1452, Reason::FOREIGN_KEY_VIOLATION),
            (1265, Reason::INVALID_CAST),
            (1064, Reason::SYNTAX_ERROR),
            (1091, Reason::MISSING_OBJECT),
            (1059, Reason::INCOMPATIBLE_OPERATION),
            (1205, Reason::LOCK_TIMEOUT),
            (2013, Reason::CONNECTION_CLOSED),
            (1045, Reason::AUTHENTICATION_FAILED),
        ] {
            assert_eq!(lookup(number), Some(Meaning::Cause(reason)), "{number}");
        }
        assert_eq!(lookup(12), None);
    }
}
