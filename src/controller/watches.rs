//! What is watched, what is kept of it, and which runs a change concerns.

use futures::stream::{BoxStream, select_all};
use futures::{FutureExt, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use super::Settings;
use super::merged::merged;
use crate::api::{labels, names};
use crate::observe::caches::{self, Caches, GuardedRun};
use crate::observe::scope::scoped;
use crate::observe::serving::applies_pause;

/// Objects of a page of a first list.
const PAGE: u32 = 100;

/// A watch's objects, each after the cache has it.
type Touched<K> = BoxStream<'static, Watched<K>>;

/// The watches of all kinds.
pub struct Streams {
    pub runs: Touched<GuardedRun>,
    pub jobs: Touched<Job>,
    pub pods: Touched<Pod>,
    pub leases: Touched<Lease>,
    pub events: Touched<Event>,
    pub deployments: Touched<Deployment>,
    /// ReplicaSets in custody.
    pub custody: Touched<ReplicaSet>,
}

type Watched<K> = Result<K, watcher::Error>;

/// The watches: only what carries our labels, and the one kind of Event that says what no object does.
pub fn watch(client: &Client, settings: &Settings) -> (Streams, Caches) {
    let served = Served { client, namespaces: &settings.watch_namespaces };
    let ours = watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGED_BY_SLUICE));
    let refused = watcher::Config::default().fields("involvedObject.kind=Job,reason=FailedCreate");
    let leases: Api<Lease> = Api::namespaced(client.clone(), &settings.namespace);
    let (runs_store, runs) = served.cached::<GuardedRun>(watcher::Config::default(), |_| {});
    let (jobs_store, jobs) = served.cached::<Job>(ours.clone(), caches::trim_job);
    let (pods_store, pods) = served.cached::<Pod>(ours.clone(), caches::trim_pod);
    let (leases_store, leases) = cached(&[], vec![leases], ours, |_| {});
    let (events_store, events) = served.cached::<Event>(refused, |_| {});
    let gated = watcher::Config::default().labels(labels::GATED);
    let (deployments_store, deployments) = served.cached::<Deployment>(gated, caches::trim_deployment);
    let held = watcher::Config::default().labels(labels::CUSTODY);
    // What is decided by them is read anew; the watch only tells when to.
    let (custody_store, custody) = served.cached::<ReplicaSet>(held, caches::trim_replica_set);
    let caches = Caches {
        runs: runs_store,
        jobs: jobs_store,
        pods: pods_store,
        leases: leases_store,
        events: events_store,
        deployments: deployments_store,
        custody: custody_store,
    };
    (Streams { runs, jobs, pods, leases, events, deployments, custody }, caches)
}

/// Runs come when all else is there: a pass that began earlier would take a pod that it has not heard of for one that is gone.
pub fn after<K: Send + 'static>(
    filled: impl Future<Output = bool> + Send + 'static,
    touched: Touched<K>,
) -> Touched<K> {
    filled.map(|filled| if filled { touched } else { futures::stream::empty().boxed() }).flatten_stream().boxed()
}

/// The namespaces that are watched.
struct Served<'a> {
    client: &'a Client,
    namespaces: &'a [String],
}

impl Served<'_> {
    fn cached<K>(&self, config: watcher::Config, trim: fn(&mut K)) -> (Store<K>, Touched<K>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        cached(self.namespaces, scoped(self.client, self.namespaces), config, trim)
    }
}

/// A cache and its watches, of several namespaces or one of all there is. `trim` takes away what nothing is decided by.
fn cached<K>(
    namespaces: &[String],
    apis: Vec<Api<K>>,
    config: watcher::Config,
    trim: fn(&mut K),
) -> (Store<K>, Touched<K>)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    // Pages as they come are much larger than what is kept of them.
    let trimmed = move |object: &mut K| {
        object.meta_mut().managed_fields = keep_wishes(object.meta_mut().managed_fields.take());
        trim(object);
    };
    let config = config.page_size(PAGE);
    let watches = apis.into_iter().map(|api| watcher(api, config.clone()).default_backoff().modify(trimmed).boxed());
    let stream = match namespaces {
        [] | [_] => select_all(watches).boxed(),
        some => merged(some, watches.collect(), reader.clone()),
    };
    (reader, reflector::reflector(writer, stream).touched_objects().boxed())
}

/// Field managers are large and of use only for who asked for a retry or a rollback.
fn keep_wishes(
    managers: Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>>,
) -> Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry>> {
    let fields = [labels::RETRY, labels::ROLLBACK].map(|key| format!("f:{key}"));
    let mut managers = managers?;
    managers.retain(|entry| {
        if applies_pause(entry) {
            return true;
        }
        let annotations = entry.fields_v1.as_ref().and_then(|fields| fields.0.pointer("/f:metadata/f:annotations"));
        annotations.is_some_and(|annotations| fields.iter().any(|field| annotations.get(field).is_some()))
    });
    (!managers.is_empty()).then_some(managers)
}

/// The Deployment that a ReplicaSet in custody belongs to.
pub fn in_custody_of(set: &ReplicaSet) -> Option<ObjectRef<Deployment>> {
    let owner = set.owner_references().iter().find(|owner| owner.kind == "Deployment")?;
    Some(ObjectRef::new(&owner.name).within(&set.namespace()?))
}

/// The run that an object is labelled with.
pub fn labelled<K: Resource>(object: &K) -> Option<ObjectRef<GuardedRun>> {
    let run = object.labels().get(labels::RUN)?;
    Some(ObjectRef::new(run).within(&object.namespace()?))
}

/// The runs of the database that an object is labelled with.
pub fn runs_of_database(
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    use kube::client::Body;

    use super::*;
    use crate::runtime::clock::SystemClock;
    use crate::runtime::metrics::Metrics;

    /// The paths that an operator in namespace `own` watches, where `namespaces` are named to it and all is refused.
    async fn asked(namespaces: &[&str]) -> BTreeSet<String> {
        let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let heard = asked.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            heard.lock().unwrap().insert(request.uri().path().to_owned());
            let refusal = serde_json::json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
                "message": "no", "reason": "Forbidden" });
            async move { http::Response::builder().status(403).body(Body::from(refusal.to_string().into_bytes())) }
        });
        let settings = Settings {
            namespace: "own".into(),
            watch_namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            enforcement: Default::default(),
            concurrency: 1,
            clock: Arc::new(SystemClock),
            leadership: None,
            metrics: Metrics::new(),
        };
        let (streams, _) = watch(&Client::new(service, "own"), &settings);
        let Streams { runs, jobs, pods, leases, events, deployments, custody } = streams;
        let each = namespaces.len().max(1);
        futures::join!(
            refused(runs, each),
            refused(jobs, each),
            refused(pods, each),
            refused(leases, 1),
            refused(events, each),
            refused(deployments, each),
            refused(custody, each)
        );
        asked.lock().unwrap().clone()
    }

    /// Waits until each of so many watches has been refused once.
    async fn refused<K>(touched: Touched<K>, watches: usize) {
        assert!(touched.take(watches).all(|said| futures::future::ready(said.is_err())).await);
    }

    const KINDS: [&str; 6] = [
        "/apis/sluice.dev/v1alpha1 migrationruns",
        "/apis/batch/v1 jobs",
        "/api/v1 pods",
        "/api/v1 events",
        "/apis/apps/v1 deployments",
        "/apis/apps/v1 replicasets",
    ];
    const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/own/leases";

    #[tokio::test(start_paused = true)]
    async fn no_watch_goes_beyond_the_namespaces_that_are_named() {
        let each = |namespace: &'static str| {
            KINDS.map(|kind| kind.replace(' ', &format!("/namespaces/{namespace}/"))).into_iter()
        };
        let own = || std::iter::once(LEASES.to_owned());
        assert_eq!(asked(&["a"]).await, each("a").chain(own()).collect());
        assert_eq!(asked(&["a", "b"]).await, each("a").chain(each("b")).chain(own()).collect());
        let all = KINDS.map(|kind| kind.replace(' ', "/")).into_iter();
        assert_eq!(asked(&[]).await, all.chain(own()).collect());
    }
}
