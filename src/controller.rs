//! The reconcile loop: observe, decide, apply, put on record, announce.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, ObjectReference, Pod};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::{Event as Announced, EventType, Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tracing::Instrument;

use crate::api::{MigrationRun, MigrationRunStatus, labels, names};
use crate::apply::{self, Applier, Watermarks};
use crate::decide::{Fact, decide};
use crate::observe::caches::{self, Caches, GuardedRun};
use crate::observe::{self, Observer};
use crate::runtime::clock::SharedClock;
use crate::runtime::lease::Leadership;
use crate::runtime::metrics::{Metrics, RunCount};
use crate::runtime::telemetry;
use crate::status::{self, announce::announcements};

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
    /// The only namespace that is watched; all where absent.
    pub watch_namespace: Option<String>,
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
    observer: Observer,
    applier: Applier,
    recorder: Recorder,
    settings: Settings,
}

/// Runs the operator until `shutdown`, then ends what is in flight. `ready` is called once when all caches are filled.
pub async fn run(
    client: Client,
    settings: Settings,
    ready: impl FnOnce() + Send + 'static,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let (streams, caches) = watch(&client, &settings);
    count_runs(&settings.metrics, caches.runs.clone());
    let watermarks = Watermarks::default();
    let operator = Arc::new(Operator {
        observer: Observer {
            client: client.clone(),
            caches: caches.clone(),
            watermarks: watermarks.clone(),
            namespace: settings.namespace.clone(),
            watch_namespace: settings.watch_namespace.clone(),
        },
        applier: Applier {
            client: client.clone(),
            watermarks,
            namespace: settings.namespace.clone(),
            leadership: settings.leadership.clone(),
        },
        recorder: Recorder::new(client, Reporter { controller: "sluice".into(), instance: None }),
        settings: settings.clone(),
    });
    let (runs, filled) = (caches.runs.clone(), caches.filled());
    let runs_come_last = after(filled.clone(), streams.runs);
    let wait = async move {
        if filled.await && runs.wait_until_ready().await.is_ok() {
            ready();
        }
    };
    let by_database = |caches: &Caches| {
        let runs = caches.runs.clone();
        move |labels: &std::collections::BTreeMap<String, String>| runs_of_database(&runs, labels)
    };
    let (of_job, of_lease, jobs) = (by_database(&caches), by_database(&caches), caches.jobs.clone());
    let controller = Controller::for_stream(runs_come_last, caches.runs.clone())
        .with_config(Config::default().concurrency(settings.concurrency))
        .graceful_shutdown_on(shutdown)
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
        .run(reconcile, after_error, operator)
        .for_each(|_| futures::future::ready(()));
    futures::join!(wait, controller);
}

/// Objects of a page of a first list.
const PAGE: u32 = 100;

/// A watch's objects, each after the cache has it.
type Touched<K> = BoxStream<'static, Watched<K>>;

struct Streams {
    runs: Touched<GuardedRun>,
    jobs: Touched<Job>,
    pods: Touched<Pod>,
    leases: Touched<Lease>,
    events: Touched<Event>,
}

type Watched<K> = Result<K, watcher::Error>;

/// The watches: only what carries our labels, and the one kind of Event that says what no object does.
fn watch(client: &Client, settings: &Settings) -> (Streams, Caches) {
    let namespace = settings.watch_namespace.as_deref();
    let ours = watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_SLUICE));
    let refused = watcher::Config::default().fields("involvedObject.kind=Job,reason=FailedCreate");
    let leases: Api<Lease> = Api::namespaced(client.clone(), &settings.namespace);
    let (runs_store, runs) = cached(scoped::<GuardedRun>(client, namespace), watcher::Config::default(), |_| {});
    let (jobs_store, jobs) = cached(scoped::<Job>(client, namespace), ours.clone(), caches::trim_job);
    let (pods_store, pods) = cached(scoped::<Pod>(client, namespace), ours.clone(), caches::trim_pod);
    let (leases_store, leases) = cached(leases, ours, |_| {});
    let (events_store, events) = cached(scoped::<Event>(client, namespace), refused, |_| {});
    let caches =
        Caches { runs: runs_store, jobs: jobs_store, pods: pods_store, leases: leases_store, events: events_store };
    (Streams { runs, jobs, pods, leases, events }, caches)
}

/// Runs come when all else is there: a pass that began earlier would take a pod that it has not heard of for one that is gone.
fn after<K: Send + 'static>(filled: impl Future<Output = bool> + Send + 'static, touched: Touched<K>) -> Touched<K> {
    filled.map(|filled| if filled { touched } else { futures::stream::empty().boxed() }).flatten_stream().boxed()
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// A cache and its watch. `trim` takes away what nothing is decided by.
fn cached<K>(api: Api<K>, config: watcher::Config, trim: fn(&mut K)) -> (Store<K>, Touched<K>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    // Pages as they come are much larger than what is kept of them.
    let stream = watcher(api, config.page_size(PAGE)).default_backoff().modify(move |object| {
        object.meta_mut().managed_fields = keep_retry(object.meta_mut().managed_fields.take());
        trim(object);
    });
    (reader, reflector::reflector(writer, stream).touched_objects().boxed())
}

/// Field managers are large and of use only for who asked for a retry.
fn keep_retry(
    managers: Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>>,
) -> Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>> {
    let field = format!("f:{}", labels::RETRY);
    let mut managers = managers?;
    managers.retain(|entry| {
        let annotations = entry.fields_v1.as_ref().and_then(|fields| fields.0.pointer("/f:metadata/f:annotations"));
        annotations.is_some_and(|annotations| annotations.get(&field).is_some())
    });
    (!managers.is_empty()).then_some(managers)
}

fn labelled<K: Resource>(object: &K) -> Option<ObjectRef<GuardedRun>> {
    let run = object.labels().get(labels::RUN)?;
    Some(ObjectRef::new(run).within(&object.namespace()?))
}

fn runs_of_database(
    runs: &Store<GuardedRun>,
    labels: &std::collections::BTreeMap<String, String>,
) -> Vec<ObjectRef<GuardedRun>> {
    let database = labels.get(labels::DATABASE).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let Some(database) = database else { return Vec::new() };
    let concerned = runs.state_filter(|run| {
        run.0.as_ref().is_ok_and(|run| {
            let release = run.status.as_ref().and_then(|status| status.release.as_ref());
            let digest = match release {
                Some(release) => names::digest(&[&release.database_id]),
                None => names::digest(&[&run.spec.database_id(run.metadata.namespace.as_deref().unwrap_or_default())]),
            };
            digest == database
        })
    });
    concerned.iter().map(|run| ObjectRef::from_obj(run.as_ref())).collect()
}

async fn reconcile(run: Arc<GuardedRun>, operator: Arc<Operator>) -> Result<Action, Error> {
    let begun = Instant::now();
    let span = telemetry::run(&run.namespace().unwrap_or_default(), &run.name_any(), &run.uid().unwrap_or_default());
    let result = match &run.0 {
        Ok(run) => pass(&Arc::new(run.clone()), &operator).instrument(span).await,
        Err(invalid) => malformed(invalid, &operator).instrument(span).await,
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
    let applied = operator.applier.apply(&observed, &decision).await?;
    if observed.run.deleting {
        return Ok(Action::await_change());
    }
    let next = status::next(&observed, &decision, &applied);
    let before = run.status.clone().unwrap_or_default();
    let written = operator.applier.record(run, next.clone()).await?;
    if written {
        count(&operator.settings.metrics, &decision.facts, &next);
        tell(run, &decision.facts, &before, &next, operator).await;
    }
    Ok(match decision.requeue {
        Some(delay) => Action::requeue(delay),
        // Without a write there is no event of our own to wake the next pass, but an effect always makes one.
        None => Action::await_change(),
    })
}

/// Counts what is on record, once it is.
fn count(metrics: &Metrics, facts: &[Fact], status: &MigrationRunStatus) {
    for fact in facts {
        match fact {
            Fact::Concluded(outcome) => {
                let class = status.failure.as_ref().map_or("none", |failure| class_label(&failure.class));
                let outcome = match outcome {
                    crate::api::status::AttemptOutcome::Clean => "clean",
                    crate::api::status::AttemptOutcome::Failed => "failed",
                    crate::api::status::AttemptOutcome::Superseded => "superseded",
                    crate::api::status::AttemptOutcome::Withdrawn => "withdrawn",
                };
                metrics.attempt_ended(outcome, class);
            }
            Fact::RetryAt(_) => {
                let class = status.failure.as_ref().map_or("none", |failure| class_label(&failure.class));
                metrics.retry_scheduled(class);
            }
            Fact::MigrateEnded(ended) => step_ended(metrics, "migrate", ended),
            Fact::CheckEnded(ended) => step_ended(metrics, "check", ended),
            _ => {}
        }
    }
}

fn step_ended(metrics: &Metrics, step: &'static str, ended: &crate::decide::observed::Ended) {
    if let (Some(from), Some(to)) = (ended.started_at, ended.ended_at) {
        metrics.step_ended(step, Duration::try_from(to.duration_since(from)).unwrap_or_default());
    }
}

/// A class as a label of bounded choice.
fn class_label(class: &str) -> &'static str {
    use crate::classify::Class;
    const NAMES: [(Class, &str); 9] = [
        (Class::Connectivity, "Connectivity"),
        (Class::Permission, "Permission"),
        (Class::DataConflict, "DataConflict"),
        (Class::ScriptError, "ScriptError"),
        (Class::Blocked, "Blocked"),
        (Class::Config, "Config"),
        (Class::Runtime, "Runtime"),
        (Class::Interrupted, "Interrupted"),
        (Class::Unknown, "Unknown"),
    ];
    NAMES.iter().find(|(_, name)| *name == class).map_or("Unknown", |(_, name)| name)
}

/// Events are for people: one that cannot be written is logged, the record stands.
async fn tell(
    run: &MigrationRun,
    facts: &[Fact],
    before: &MigrationRunStatus,
    after: &MigrationRunStatus,
    operator: &Operator,
) {
    let job = job_of(run, after);
    for said in announcements(facts, before, after) {
        tracing::info!(reason = said.reason, "{}", said.note);
        let event = Announced {
            type_: if said.warning { EventType::Warning } else { EventType::Normal },
            reason: said.reason,
            note: Some(said.note),
            action: "Reconcile".into(),
            secondary: job.clone(),
        };
        if let Err(error) = operator.recorder.publish(&event, &run.object_ref(&())).await {
            tracing::warn!(%error, "failed to write an event");
        }
    }
}

/// The Job of the attempt that an Event speaks of. Events are folded when they agree in all but their note, and each attempt
/// has something else to say.
fn job_of(run: &MigrationRun, status: &MigrationRunStatus) -> Option<ObjectReference> {
    let migrate = &status.current_attempt()?.migrate;
    Some(ObjectReference {
        api_version: Some("batch/v1".to_owned()),
        kind: Some("Job".to_owned()),
        namespace: run.namespace(),
        name: Some(migrate.job.clone()),
        uid: Some(migrate.uid.clone()),
        ..ObjectReference::default()
    })
}

/// A run that cannot be read is told so by name; what it holds is not printed, since it may be a secret put in the wrong place.
async fn malformed(run: &InvalidObject, operator: &Operator) -> Result<Action, Error> {
    const MESSAGE: &str = "The spec cannot be read by this version of Sluice: compare it with `kubectl explain mrun.spec`, \
                           then apply it again. Nothing is started.";
    tracing::warn!("a run cannot be read");
    let resource = ApiResource::erase::<MigrationRun>(&());
    let namespace = run.metadata.namespace.clone().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(operator.applier.client.clone(), &namespace, &resource);
    let generation = run.metadata.generation.unwrap_or_default();
    let name = run.metadata.name.clone().unwrap_or_default();
    let current = api.get_status(&name).await.map_err(|error| Error::ReportMalformed(Box::new(error)))?;
    if current.data.pointer("/status/summary").and_then(serde_json::Value::as_str) == Some(MESSAGE)
        && current.data.pointer("/status/observedGeneration").and_then(serde_json::Value::as_i64) == Some(generation)
    {
        return Ok(Action::await_change());
    }
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(operator.settings.clock.now());
    let set = |kind: &str, value: bool| {
        crate::api::conditions::condition(kind, Some(value), "InvalidSpec", MESSAGE, generation, &now)
    };
    let conditions = [set("Ready", false), set("Stalled", true), set("Succeeded", false), set("Finished", true)];
    let status = json!({
        "metadata": { "resourceVersion": run.metadata.resource_version },
        "status": { "observedGeneration": generation, "step": "AwaitRetry", "summary": MESSAGE, "conditions": conditions },
    });
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .map_err(|error| Error::ReportMalformed(Box::new(error)))?;
    Ok(Action::await_change())
}

fn after_error(_: Arc<GuardedRun>, error: &Error, operator: Arc<Operator>) -> Action {
    if error.is_ordinary() {
        tracing::debug!(%error, "looking again");
        return Action::requeue(Duration::from_millis(200));
    }
    operator.settings.metrics.reconcile_failed(error.name());
    tracing::warn!(%error, "failed to reconcile; looking again");
    Action::requeue(Duration::from_secs(2))
}

/// Runs by state and class, counted at the scrape.
fn count_runs(metrics: &Metrics, runs: Store<GuardedRun>) {
    metrics.count_runs_with(move || {
        let mut counts = std::collections::BTreeMap::<(&'static str, &'static str), u64>::new();
        for run in runs.state() {
            let DeserializeGuard(Ok(run)) = run.as_ref() else {
                *counts.entry(("malformed", "Config")).or_default() += 1;
                continue;
            };
            let status = run.status.clone().unwrap_or_default();
            let state = match status::situation::of(&status, run.spec.suspended()) {
                status::situation::Situation::Working => "working",
                status::situation::Situation::Suspended => "suspended",
                status::situation::Situation::Stalled => "stalled",
                status::situation::Situation::Clean => "clean",
            };
            let class = status.failure.as_ref().map_or("none", |failure| class_label(&failure.class));
            *counts.entry((state, class)).or_default() += 1;
        }
        Iterator::map(counts.into_iter(), |((state, class), count)| RunCount { state, class, count }).collect()
    });
}
