//! How often the rule is written where somebody else writes the contrary: no tug of war.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::release::since;

/// Writes that are made in [`WITHIN`] at most.
pub const MOST: usize = 6;
/// The time in which they are counted.
pub const WITHIN: Duration = Duration::from_secs(60);

/// The last writes of the rule to one Deployment.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<Timestamp>);

impl Pace {
    /// Counts one write now, or says how long to wait before the next.
    ///
    /// # Errors
    /// When there were as many as there may be.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Duration> {
        self.0.retain(|at| *at <= now && since(*at, now) < WITHIN);
        match self.0.front() {
            Some(first) if self.0.len() >= MOST => Err(WITHIN.saturating_sub(since(*first, now))),
            _ => {
                self.0.push_back(now);
                Ok(())
            }
        }
    }

    /// Whether nothing is counted any more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.0.back().is_none_or(|last| since(*last, now) >= WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    #[test]
    fn six_writes_a_minute_and_no_more() {
        let mut pace = Pace::default();
        for second in 0..6 {
            assert_eq!(pace.take(at(second)), Ok(()));
        }
        assert_eq!(pace.take(at(6)), Err(Duration::from_secs(54)));
        assert_eq!(pace.take(at(60)), Ok(()), "the first is a minute ago");
        assert_eq!(pace.take(at(60)), Err(Duration::from_secs(1)));
        assert!(!pace.is_over(at(119)));
        assert!(pace.is_over(at(120)));
    }

    #[test]
    fn a_clock_that_goes_back_stops_nothing() {
        let mut pace = Pace::default();
        for _ in 0..6 {
            assert_eq!(pace.take(at(100)), Ok(()));
        }
        assert_eq!(pace.take(at(0)), Ok(()));
    }
}
