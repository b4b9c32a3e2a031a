//! The reconcile loop: observe, decide, apply, put on record, announce.

mod counts;
mod events;
mod gated;
mod gauges;
mod malformed;
mod merged;
mod sweep;
mod watches;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedSender;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use tracing::Instrument;

use crate::api::status::Enforcement;
use crate::api::{MigrationRun, MigrationRunStatus, labels};
use crate::apply::{self, Applier, Watermarks};
use crate::classify::Reason;
use crate::decide::pace::Pace;
use crate::decide::{Decision, Fact, Observed, decide};
use crate::observe::caches::{Caches, GuardedRun};
use crate::observe::{self, Observer};
use crate::runtime::clock::SharedClock;
use crate::runtime::lease::Leadership;
use crate::runtime::metrics::Metrics;
use crate::runtime::telemetry;
use crate::status::{self, Applied, hold};
use watches::{after, in_custody_of, labelled, runs_of_database, watch};

/// Why a pass ended early. The run is looked at again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading.
    #[error(transparent)]
    Observe(#[from] observe::Error),
    /// Writing.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// A run that cannot be read could not be told so.
    #[error("failed to report a malformed run: {0}")]
    ReportMalformed(#[source] Box<kube::Error>),
}

impl Error {
    fn name(&self) -> &'static str {
        match self {
            Self::Observe(error) => error.name(),
            Self::Apply(error) => error.name(),
            Self::ReportMalformed(_) => "ReportMalformed",
        }
    }

    /// Being overtaken is no failure: the event that overtook leads on.
    fn is_ordinary(&self) -> bool {
        matches!(self, Self::Observe(observe::Error::Stale(_)) | Self::Apply(apply::Error::Conflict { .. }))
    }
}

/// What an operator is started with.
#[derive(Clone)]
pub struct Settings {
    /// The operator's own namespace, where its Leases are.
    pub namespace: String,
    /// The namespaces that are watched; all where there is none.
    pub watch_namespaces: Vec<String>,
    /// What enforces the gate.
    pub enforcement: Enforcement,
    /// Runs that are reconciled at the same time.
    pub concurrency: u16,
    /// The time.
    pub clock: SharedClock,
    /// Whether this replica leads; absent where there is only one.
    pub leadership: Option<Leadership>,
    /// Counts.
    pub metrics: Metrics,
}

struct Operator {
    /// How often a write of those that others may undo was made of late, by its name and the Deployment's UID.
    paces: Mutex<BTreeMap<String, Pace>>,
    observer: Observer,
    applier: Applier,
    /// Runs to look at again for what became of another.
    wake: UnboundedSender<ObjectRef<GuardedRun>>,
    /// Deployments to look at again for what became of a run that names them.
    wake_gated: UnboundedSender<ObjectRef<Deployment>>,
    settings: Settings,
}

impl Operator {
    fn new(
        client: Client,
        caches: Caches,
        settings: Settings,
        wake: UnboundedSender<ObjectRef<GuardedRun>>,
        wake_gated: UnboundedSender<ObjectRef<Deployment>>,
    ) -> Self {
        let watermarks = Watermarks::default();
        let (namespace, watch_namespaces) = (settings.namespace.clone(), settings.watch_namespaces.clone());
        Self {
            paces: Mutex::default(),
            observer: Observer {
                client: client.clone(),
                caches,
                watermarks: watermarks.clone(),
                namespace: namespace.clone(),
                watch_namespaces,
                enforcement: settings.enforcement,
            },
            applier: Applier { client, watermarks, namespace, leadership: settings.leadership.clone() },
            settings,
            wake,
            wake_gated,
        }
    }
}

/// Runs the operator until `shutdown`, then ends what is in flight. `ready` is called once when all caches are filled.
pub async fn run(
    client: Client,
    settings: Settings,
    ready: impl FnOnce() + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (streams, caches) = watch(&client, &settings);
    gauges::measure(&settings.metrics, &caches, settings.clock.clone());
    let (wake, peers) = futures::channel::mpsc::unbounded();
    let (changed, of_gated) = futures::channel::mpsc::unbounded();
    let shutdown = shutdown.shared();
    let operator = Arc::new(Operator::new(client, caches.clone(), settings.clone(), wake, changed.clone()));
    let (runs, filled) = (caches.runs.clone(), caches.filled());
    let runs_come_last = after(filled.clone(), streams.runs);
    let swept_after = filled.clone();
    let wait = async move {
        if filled.await && runs.wait_until_ready().await.is_ok() {
            ready();
        }
    };
    let by_database = |caches: &Caches| {
        let runs = caches.runs.clone();
        move |labels: &BTreeMap<String, String>| runs_of_database(&runs, labels)
    };
    let gated_changed = tell_gated(changed, caches.clone());
    let custody_changed = gated_changed.clone();
    let (of_job, of_lease, jobs) = (by_database(&caches), by_database(&caches), caches.jobs.clone());
    let controller = Controller::for_stream(runs_come_last, caches.runs.clone())
        .with_config(Config::default().concurrency(settings.concurrency))
        .graceful_shutdown_on(shutdown.clone())
        .watches_stream(streams.jobs, move |job: Job| {
            let mut runs = of_job(job.labels());
            runs.extend(labelled(&job));
            runs
        })
        .watches_stream(streams.pods, |pod: Pod| labelled(&pod))
        .watches_stream(streams.leases, move |lease: Lease| of_lease(lease.labels()))
        .watches_stream(streams.events, move |event: Event| {
            let of = &event.involved_object;
            let job = ObjectRef::new(of.name.as_deref().unwrap_or_default())
                .within(of.namespace.as_deref().unwrap_or_default());
            jobs.get(&job).and_then(|job| labelled(job.as_ref()))
        })
        .watches_stream(streams.deployments, move |deployment: Deployment| {
            gated_changed(ObjectRef::from_obj(&deployment))
        })
        .watches_stream(streams.custody, move |set: ReplicaSet| {
            in_custody_of(&set).map(&custody_changed).unwrap_or_default()
        })
        .reconcile_on(peers)
        .run(reconcile, after_error, operator.clone())
        .for_each(|_| futures::future::ready(()));
    let sweep = async {
        if swept_after.await {
            sweep::run(operator.clone(), shutdown.clone()).await;
        }
    };
    futures::join!(wait, controller, gated::run(operator.clone(), of_gated, shutdown.clone()), sweep);
}

/// Tells whoever keeps gated Deployments of one that has changed, and gives the runs that name it.
fn tell_gated(
    changed: UnboundedSender<ObjectRef<Deployment>>,
    caches: Caches,
) -> impl Fn(ObjectRef<Deployment>) -> Vec<ObjectRef<GuardedRun>> + Clone + Send + Sync + 'static {
    move |deployment| {
        let runs = caches.runs_that_name(deployment.namespace.as_deref().unwrap_or_default(), &deployment.name);
        // Whoever listens there has ended where this cannot be sent.
        let _ = changed.unbounded_send(deployment);
        runs.into_iter().map(|run| ObjectRef::from_obj(run.as_ref())).collect()
    }
}

async fn reconcile(run: Arc<GuardedRun>, operator: Arc<Operator>) -> Result<Action, Error> {
    let begun = Instant::now();
    let span = telemetry::run(&run.namespace().unwrap_or_default(), &run.name_any(), &run.uid().unwrap_or_default());
    let result = match &run.0 {
        Ok(run) => pass(&Arc::new(run.clone()), &operator).instrument(span).await,
        Err(invalid) => {
            let now = operator.settings.clock.now();
            malformed::report(invalid, &operator.applier.client, now).instrument(span).await
        }
    };
    operator.settings.metrics.reconciled(begun.elapsed());
    result
}

async fn pass(run: &Arc<MigrationRun>, operator: &Operator) -> Result<Action, Error> {
    if operator.observer.watermarks.is_behind(run.as_ref()) {
        operator.settings.metrics.stale_sync_skipped();
        return Err(observe::Error::Stale(run.name_any()).into());
    }
    let observed = operator.observer.observe(run, operator.settings.clock.now()).await?;
    let decision = decide(&observed);
    for effect in &decision.effects {
        tracing::info!(effect = effect.name(), irreversible = effect.irreversible(), "applying");
    }
    let applied = match operator.applier.apply(&observed, &decision).await {
        Err(apply::Error::Refused { effect, message }) => {
            record(run, operator, &observed, &awaiting(&decision, &message), &Applied::default()).await?;
            return Err(apply::Error::Refused { effect, message }.into());
        }
        applied => applied?,
    };
    record(run, operator, &observed, &decision, &applied).await?;
    Ok(match decision.requeue {
        Some(delay) => Action::requeue(delay),
        // Without a write there is no event of our own to wake the next pass, but an effect always makes one.
        None => Action::await_change(),
    })
}

/// What is on record while the cluster refuses a write: who waits for what. How a migration ended stands by itself.
fn awaiting(refused: &Decision, message: &str) -> Decision {
    let asks = refused.facts.iter().any(|fact| matches!(fact, Fact::CheckBegun { .. }));
    let ended = refused.facts.iter().filter(|fact| asks && matches!(fact, Fact::MigrateEnded(_))).cloned();
    let waits = Decision::wait(Reason::of_refusal(message).as_str(), message);
    Decision { facts: ended.chain(waits.facts).collect(), ..Decision::rest() }
}

async fn record(
    run: &Arc<MigrationRun>,
    operator: &Operator,
    observed: &Observed,
    decision: &Decision,
    applied: &Applied,
) -> Result<(), Error> {
    if observed.run.deleting {
        return Ok(());
    }
    let next = status::next(observed, decision, applied);
    let before = run.status.clone().unwrap_or_default();
    if operator.applier.record(run, next.clone()).await? {
        counts::count(&operator.settings.metrics, &decision.facts, &next);
        events::tell(observed, run, &decision.facts, &before, &next, &operator.applier.client).await;
        wake_peers(operator, run);
        wake_held(operator, run, &before, &next);
    }
    Ok(())
}

/// Runs that name the same Deployments may wait for this one.
fn wake_peers(operator: &Operator, run: &MigrationRun) {
    let namespace = run.namespace().unwrap_or_default();
    for target in run.spec.targets() {
        let named = operator.observer.caches.runs_that_name(&namespace, &target.name);
        for peer in named.into_iter().filter(|peer| peer.uid() != run.uid()) {
            // The controller has ended where nobody listens.
            let _ = operator.wake.unbounded_send(ObjectRef::from_obj(peer.as_ref()));
        }
    }
}

/// What is held says why on itself, in the words of its runs.
fn wake_held(operator: &Operator, run: &MigrationRun, before: &MigrationRunStatus, next: &MigrationRunStatus) {
    let suspended = run.spec.suspended();
    if hold::why(before, suspended) == hold::why(next, suspended) {
        return;
    }
    for target in run.spec.targets() {
        let named = ObjectRef::<Deployment>::new(&target.name).within(&run.namespace().unwrap_or_default());
        let found = operator.observer.caches.deployments.get(&named);
        if found.is_some_and(|deployment| deployment.annotations().contains_key(labels::HELD_BY)) {
            // Whoever listens there has ended where this cannot be sent.
            let _ = operator.wake_gated.unbounded_send(named);
        }
    }
}

fn after_error(_: Arc<GuardedRun>, error: &Error, operator: Arc<Operator>) -> Action {
    if error.is_ordinary() {
        tracing::debug!(%error, "looking again");
        return Action::requeue(Duration::from_millis(200));
    }
    operator.settings.metrics.reconcile_failed(error.name());
    tracing::warn!(%error, "failed to reconcile; looking again");
    match error {
        // No event tells when a policy or a right has changed.
        Error::Apply(apply::Error::Refused { .. }) => Action::requeue(Duration::from_secs(10)),
        _ => Action::requeue(Duration::from_secs(2)),
    }
}
