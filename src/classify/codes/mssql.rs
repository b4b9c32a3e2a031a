//! SQL Server's error numbers, its drivers' among them.

use super::Meaning;
use crate::classify::reason::Reason;

/// What a number means.
pub fn lookup(number: i32) -> Option<Meaning> {
    let reason = match number {
        // Connections.
        -2 | -1 | 2 | 40 | 53 | 258 | 10060 | 10061 | 11001 | 17142 | 976 | 983 | 40613 => Reason::UNREACHABLE,
        64 | 121 | 233 | 10053 | 10054 | 40197 | 596 => Reason::CONNECTION_CLOSED,
        18401 | 922 | 921 | 904 | 40501 => Reason::STARTING_UP,
        5828 | 10928 | 10929 | 17809 | 49918..=49920 => Reason::TOO_MANY_CONNECTIONS,
        3906 | 3908 => Reason::READ_ONLY,
        701 | 1101 | 1105 | 9002 => Reason::DISK_FULL,
        // Rights.
        18452 | 18456 | 18470 | 18486..=18488 | 40532 | 40615 => Reason::AUTHENTICATION_FAILED,
        229 | 230 | 262 | 297 | 300 | 916 | 15151 | 15247 => Reason::INSUFFICIENT_PRIVILEGE,
        4060 | 911 | 945 => Reason::DATABASE_MISSING,
        // Rows.
        1505 | 2601 | 2627 => Reason::UNIQUE_VIOLATION,
        547 => Reason::FOREIGN_KEY_VIOLATION,
        515 | 4901 => Reason::NOT_NULL_VIOLATION,
        2628 | 8152 => Reason::VALUE_TOO_LONG,
        220 | 8115 | 242 | 8134 => Reason::VALUE_OUT_OF_RANGE,
        241 | 245 | 8114 | 8169 => Reason::INVALID_CAST,
        512 => Reason::UNIQUE_VIOLATION,
        50000..=59999 => Reason::CHECK_VIOLATION,
        // The script.
        102 | 103 | 105 | 156 | 319 | 170 => Reason::SYNTAX_ERROR,
        1769
        | 1770
        | 1911
        | 207
        | 208
        | 2705..=2706
        | 2812
        | 3701
        | 3728
        | 4902
        | 4922..=4924
        | 1088
        | 2715
        | 2760
        | 15225
        | 1767 => Reason::MISSING_OBJECT,
        1779 | 1801 | 1913 | 2714 => Reason::DUPLICATE_OBJECT,
        1222 => Reason::LOCK_TIMEOUT,
        1205 | 1204 | 3960 => Reason::DEADLOCK,
        823..=825 | 5242 | 605 => Reason::SERVER_INTERNAL,
        1750 | 3902 | 3903 | 3930 | 3971 | 3998 | 266 => return Some(Meaning::Consequence),
        100..=999 | 1000..=5999 | 8000..=8999 | 11500..=11999 | 15000..=15999 | 33000..=33999 => {
            Reason::INCOMPATIBLE_OPERATION
        }
        _ => return None,
    };
    Some(Meaning::Cause(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_means_another_thing_than_in_mysql() {
        assert_eq!(lookup(1205), Some(Meaning::Cause(Reason::DEADLOCK)));
        assert_eq!(lookup(2714), Some(Meaning::Cause(Reason::DUPLICATE_OBJECT)));
        assert_eq!(lookup(1785), Some(Meaning::Cause(Reason::INCOMPATIBLE_OPERATION)));
        assert_eq!(lookup(1750), Some(Meaning::Consequence));
    }
}
