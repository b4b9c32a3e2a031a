//! Durations as kubectl writes them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How long ago, in at most two units; what lies ahead reads as `0s`.
pub fn since(then: &Time, now: Timestamp) -> String {
    words(now.as_second().saturating_sub(then.0.as_second()))
}

/// How long it took from the one to the other.
pub fn between(from: &Time, to: &Time) -> String {
    words(to.0.as_second().saturating_sub(from.0.as_second()))
}

fn words(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, of: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{of}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_units_at_most() {
        for (seconds, text) in [
            (-5, "0s"),
            (59, "59s"),
            (119, "119s"),
            (125, "2m5s"),
            (180, "3m"),
            (3600, "60m"),
            (11_100, "3h5m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (700_000, "8d"),
        ] {
            assert_eq!(super::words(seconds), text);
        }
    }
}
