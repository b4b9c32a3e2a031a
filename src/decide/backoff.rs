//! The delay before a retry: doubling, bounded, jittered.

use std::time::Duration;

use crate::api::migration_run::RetryBounds;
use crate::api::names;

/// Delay before retry number `made + 1`: half of it fixed, half spread by a digest of `seed`, so that a thousand runs of one
/// lost database do not come back in the same second, and a decision made twice is the same.
#[must_use]
pub fn delay(bounds: &RetryBounds, made: i32, seed: &str) -> Duration {
    let doublings = u32::try_from(made.clamp(0, 30)).unwrap_or(30);
    let full = bounds.initial.saturating_mul(2_u32.saturating_pow(doublings)).min(bounds.max.max(bounds.initial));
    let spread = names::digest(&[seed, &made.to_string()]) % 1000;
    let half = full / 2;
    half.saturating_add(half.saturating_mul(u32::try_from(spread).unwrap_or(0)) / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: RetryBounds =
        RetryBounds { limit: 10, initial: Duration::from_secs(5), max: Duration::from_secs(300) };

    #[test]
    fn it_grows_to_the_bound() {
        assert!(delay(&BOUNDS, 0, "u") <= Duration::from_secs(5));
        assert!(delay(&BOUNDS, 3, "u") >= Duration::from_secs(20));
        assert!(delay(&BOUNDS, 100, "u") >= Duration::from_secs(150));
    }

    #[test]
    fn runs_are_spread() {
        assert_ne!(delay(&BOUNDS, 3, "a"), delay(&BOUNDS, 3, "b"));
    }

    proptest! {
        #[test]
        fn it_never_leaves_its_bounds(made in i32::MIN..i32::MAX, seed in ".*") {
            let delay = delay(&BOUNDS, made, &seed);
            prop_assert!(delay >= Duration::from_millis(2500) && delay <= BOUNDS.max);
        }
    }
}
