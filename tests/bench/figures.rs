//! Samples, and the table that they end in.

use std::fmt::Write;
use std::time::Duration;

/// Durations of one thing.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Duration>);

impl Samples {
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    pub fn p99(&self) -> Duration {
        self.quantile(0.99)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// By nearest rank; of few samples the 99th percentile is the largest.
    fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl From<Duration> for Samples {
    fn from(one: Duration) -> Self {
        Self(vec![one])
    }
}

/// How a figure is judged: a promise with its limits, or nothing promised.
pub struct Aim {
    text: &'static str,
    median: Duration,
    p99: Duration,
}

impl Aim {
    pub const NONE: Self = Self { text: "", median: Duration::MAX, p99: Duration::MAX };

    pub const fn median(text: &'static str, median: Duration) -> Self {
        Self { text, median, p99: Duration::MAX }
    }

    pub const fn both(text: &'static str, median: Duration, p99: Duration) -> Self {
        Self { text, median, p99 }
    }
}

/// Rows of Markdown, and whether each keeps its promise.
#[derive(Default)]
pub struct Table {
    rows: String,
}

impl Table {
    /// A time beside its floor.
    pub fn time(&mut self, what: &str, aim: &Aim, samples: &Samples, floor: Option<(&str, &Samples)>) {
        let kept = samples.median() < aim.median && samples.p99() < aim.p99;
        let floor = floor.map(|(name, floor)| (format!("{name}: {}", human(floor.median())), ratio(samples, floor)));
        let (floor, ratio) = floor.unwrap_or_default();
        let (median, p99) = (human(samples.median()), human(samples.p99()));
        self.row(&[what, &judged(aim.text, kept), &median, &p99, &samples.count().to_string(), &floor, &ratio]);
    }

    /// Any other figure: its value is in the place of the median.
    pub fn value(&mut self, what: &str, aim: &str, kept: bool, value: &str, samples: usize, beside: &str) {
        self.row(&[what, &judged(aim, kept), value, "", &samples.to_string(), beside, ""]);
    }

    pub fn print(&self) {
        print!("{}", self.rows);
    }

    fn row(&mut self, cells: &[&str]) {
        let row = format!("| {} |", cells.join(" | "));
        eprintln!("bench: {row}");
        writeln!(self.rows, "{row}").unwrap();
    }
}

/// The word by which `run` knows that a promise is broken.
fn judged(aim: &str, kept: bool) -> String {
    if kept { aim.to_owned() } else { format!("{aim}: **missed**") }
}

pub fn ratio(samples: &Samples, floor: &Samples) -> String {
    format!("{:.2}", samples.median().as_secs_f64() / floor.median().as_secs_f64().max(1e-9))
}

fn human(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}
