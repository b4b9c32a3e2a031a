//! What the operator counts and times, in OpenMetrics.
//!
//! Every label value is a `&'static str`, so the number of series is bounded by the program, not by what users create.
//! A metric is written after its fact is on record. Gauges are computed at the scrape, so that they cannot go stale.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text},
    metrics::{
        MetricType,
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::ConstGauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};

/// Content type of the text that [`Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a converged reconciliation to one that waits for the API server.
const RECONCILE_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// From a check of a clean database to a long migration.
const STEP_BUCKETS: [f64; 10] = [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0];

/// How many runs are in a state and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCount {
    /// Where the runs are.
    pub state: &'static str,
    /// Class of their failure, empty without one.
    pub class: &'static str,
    /// How many.
    pub count: u64,
}

/// What is known of the gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Gated Deployments.
    pub deployments: Vec<GatedCount>,
    /// For how long the Deployment that is held for longest has been.
    pub longest_hold: Duration,
    /// For how long the rollback that is under way for longest has been.
    pub longest_custody: Duration,
}

/// How many gated Deployments are in a state, and how they serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatedCount {
    /// Open or held.
    pub state: &'static str,
    /// How they serve.
    pub serving: &'static str,
    /// How many.
    pub count: u64,
}

/// The operator's metrics; clones share them.
#[derive(Clone)]
pub struct Metrics {
    attempts: Family<AttemptLabels, Counter>,
    steps: Family<StepLabels, Histogram, Buckets>,
    reconciles: Histogram,
    reconcile_errors: Family<ErrorLabels, Counter>,
    api_writes: Family<WriteLabels, Counter>,
    retries: Family<ClassLabels, Counter>,
    stale_sync_skips: Counter,
    gauges: Arc<Gauges>,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sluice");
        let metrics = Self {
            attempts: Family::default(),
            steps: Family::new_with_constructor(Buckets(&STEP_BUCKETS)),
            reconciles: Histogram::new(RECONCILE_BUCKETS),
            reconcile_errors: Family::default(),
            api_writes: Family::default(),
            retries: Family::default(),
            stale_sync_skips: Counter::default(),
            gauges: Arc::default(),
            registry: Arc::default(),
        };
        metrics.register(&mut registry);
        Self { registry: Arc::new(registry), ..metrics }
    }

    /// Names without prefix, unit and `_total`, which the registry adds.
    fn register(&self, to: &mut Registry) {
        to.register("build", "Version of the operator", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        to.register(
            "attempts",
            "Attempts that ended, by outcome, and by class and reason of failure",
            self.attempts.clone(),
        );
        to.register_with_unit("step", "Time that a step of a run took", Unit::Seconds, self.steps.clone());
        to.register_with_unit("reconcile", "Time of one reconciliation", Unit::Seconds, self.reconciles.clone());
        to.register("reconcile_errors", "Reconciliations that failed", self.reconcile_errors.clone());
        to.register("api_writes", "Writes sent to the API server, retries included", self.api_writes.clone());
        to.register("retries", "Attempts that were started again by themselves, by class", self.retries.clone());
        to.register(
            "stale_sync_skips",
            "Reconciliations put off since the cache was older than the last write",
            self.stale_sync_skips.clone(),
        );
        to.register_collector(Box::new(self.gauges.clone()));
    }

    /// An attempt ended and is on record; class and reason are "none" for a clean one.
    pub fn attempt_ended(&self, outcome: &'static str, class: &'static str, reason: &'static str) {
        self.attempts.get_or_create(&AttemptLabels { outcome, class, reason }).inc();
    }

    /// A step of a run ended after `took`.
    pub fn step_ended(&self, step: &'static str, took: Duration) {
        self.steps.get_or_create(&StepLabels { step }).observe(took.as_secs_f64());
    }

    /// A reconciliation ended after `took`, whatever came of it.
    pub fn reconciled(&self, took: Duration) {
        self.reconciles.observe(took.as_secs_f64());
    }

    /// A reconciliation failed; `error` is the variant's name.
    pub fn reconcile_failed(&self, error: &'static str) {
        self.reconcile_errors.get_or_create(&ErrorLabels { error }).inc();
    }

    /// A write went to the API server.
    pub fn api_write(&self, verb: &'static str, kind: &'static str) {
        self.api_writes.get_or_create(&WriteLabels { verb, kind }).inc();
    }

    /// A failed attempt is tried again by itself.
    pub fn retry_scheduled(&self, class: &'static str) {
        self.retries.get_or_create(&ClassLabels { class }).inc();
    }

    /// A reconciliation decided nothing, since the cache was older than the last write.
    pub fn stale_sync_skipped(&self) {
        self.stale_sync_skips.inc();
    }

    /// Says how to count the runs, at each scrape. The first caller stays.
    pub fn count_runs_with(&self, count: impl Fn() -> Vec<RunCount> + Send + Sync + 'static) {
        let _ = self.gauges.runs.set(Box::new(count));
    }

    /// Says how to count what is gated, at each scrape. The first caller stays.
    pub fn count_gated_with(&self, count: impl Fn() -> GateCounts + Send + Sync + 'static) {
        let _ = self.gauges.gate.set(Box::new(count));
    }

    /// Says how to know whether this replica leads, at each scrape. The first caller stays.
    pub fn leader_is_known_by(&self, leads: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self.gauges.leads.set(Box::new(leads));
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// When a metric cannot be encoded, which the library's signature allows.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

type Provider<T> = OnceLock<Box<dyn Fn() -> T + Send + Sync>>;

/// What is computed at the scrape.
#[derive(Default)]
struct Gauges {
    runs: Provider<Vec<RunCount>>,
    gate: Provider<GateCounts>,
    leads: Provider<bool>,
}

impl fmt::Debug for Gauges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauges").finish_non_exhaustive()
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let leads = self.leads.get().is_some_and(|leads| leads());
        let help = "1 on the replica that leads";
        let leader = encoder.encode_descriptor("leader", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(leads)).encode(leader)?;

        let help = "Runs by state and class of failure";
        let mut runs = encoder.encode_descriptor("runs", help, None, MetricType::Gauge)?;
        for RunCount { state, class, count } in self.runs.get().map(|count| count()).unwrap_or_default() {
            let labels = [("state", state), ("class", class)];
            ConstGauge::new(count).encode(runs.encode_family(&labels)?)?;
        }
        self.gate.get().map_or(Ok(()), |count| encode_gate(&count(), &mut encoder))
    }
}

fn encode_gate(seen: &GateCounts, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Deployments with the gate's label, and how they serve";
    let mut gated = encoder.encode_descriptor("gated_deployments", help, None, MetricType::Gauge)?;
    for GatedCount { state, serving, count } in &seen.deployments {
        let labels = [("state", *state), ("serving", *serving)];
        ConstGauge::new(*count).encode(gated.encode_family(&labels)?)?;
    }
    let seconds = Some(&Unit::Seconds);
    let help = "How long the Deployment that is held for longest has been, 0 where none is";
    let hold = encoder.encode_descriptor("longest_hold", help, seconds, MetricType::Gauge)?;
    ConstGauge::new(seen.longest_hold.as_secs_f64()).encode(hold)?;
    let help = "How long the rollback that is under way for longest has been, 0 where none is";
    let custody = encoder.encode_descriptor("longest_custody", help, seconds, MetricType::Gauge)?;
    ConstGauge::new(seen.longest_custody.as_secs_f64()).encode(custody)
}

#[derive(Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabels {
    outcome: &'static str,
    class: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    error: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    verb: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: &'static str,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[track_caller]
    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }

    #[test]
    fn facts_show_under_their_names() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        clone.attempt_ended("Failed", "Connectivity", "Dns");
        clone.attempt_ended("Failed", "Connectivity", "Dns");
        clone.step_ended("Migrate", Duration::from_secs(7));
        clone.reconciled(Duration::from_millis(2));
        clone.reconcile_failed("CreateJob");
        clone.api_write("create", "Job");
        clone.retry_scheduled("Connectivity");
        clone.stale_sync_skipped();
        let text = metrics.encode().unwrap();
        has(&text, r#"sluice_attempts_total{outcome="Failed",class="Connectivity",reason="Dns"} 2"#);
        has(&text, r#"sluice_step_seconds_bucket{le="5.0",step="Migrate"} 0"#);
        has(&text, r#"sluice_step_seconds_bucket{le="10.0",step="Migrate"} 1"#);
        has(&text, "sluice_reconcile_seconds_count 1");
        has(&text, r#"sluice_reconcile_errors_total{error="CreateJob"} 1"#);
        has(&text, r#"sluice_api_writes_total{verb="create",kind="Job"} 1"#);
        has(&text, r#"sluice_retries_total{class="Connectivity"} 1"#);
        has(&text, "sluice_stale_sync_skips_total 1");
        has(&text, concat!("sluice_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"));
        has(&text, "sluice_leader 0");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn gauges_are_computed_at_the_scrape() {
        let metrics = Metrics::new();
        let leads = Arc::new(AtomicBool::new(true));
        let seen = leads.clone();
        metrics.leader_is_known_by(move || seen.load(Ordering::Relaxed));
        metrics.count_runs_with(|| vec![RunCount { state: "Stalled", class: "DataConflict", count: 3 }]);
        has(&metrics.encode().unwrap(), "sluice_leader 1");
        leads.store(false, Ordering::Relaxed);
        let text = metrics.encode().unwrap();
        has(&text, "sluice_leader 0");
        has(&text, r#"sluice_runs{state="Stalled",class="DataConflict"} 3"#);
        assert!(!text.contains("sluice_longest"), "a replica that does not lead knows nothing of the gate");
        let (longest_hold, longest_custody) = (Duration::from_millis(1500), Duration::ZERO);
        let deployments = vec![GatedCount { state: "held", serving: "full", count: 2 }];
        let seen = GateCounts { deployments, longest_hold, longest_custody };
        metrics.count_gated_with(move || seen.clone());
        let text = metrics.encode().unwrap();
        has(&text, r#"sluice_gated_deployments{state="held",serving="full"} 2"#);
        has(&text, "sluice_longest_hold_seconds 1.5");
        has(&text, "sluice_longest_custody_seconds 0.0");
    }
}
