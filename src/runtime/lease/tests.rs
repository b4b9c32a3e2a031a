//! Elections against an in-memory API server, each over a link of its own that can fail.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt, pending};
use http::{Method, Request, Response};
use kube::client::Body;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tower::{BoxError, Service};

use super::*;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
};

/// The Lease and its versions.
#[derive(Debug, Default)]
struct Store {
    lease: Option<Lease>,
    version: u64,
}

impl Store {
    fn call(&mut self, method: &Method, body: &[u8]) -> (u16, Option<Lease>) {
        let sent = serde_json::from_slice::<Lease>(body).ok();
        let current = self.lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        match *method {
            Method::GET if self.lease.is_none() => (404, None),
            Method::GET => (200, self.lease.clone()),
            Method::POST if self.lease.is_some() => (409, None),
            Method::PUT if self.lease.is_none() => (404, None),
            Method::PUT if sent.as_ref().unwrap().metadata.resource_version != current => (409, None),
            _ => {
                let mut lease = sent.unwrap();
                self.version += 1;
                lease.metadata.resource_version = Some(self.version.to_string());
                self.lease = Some(lease.clone());
                (200, Some(lease))
            }
        }
    }
}

/// What is wrong with a link.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Requests do not arrive.
    Cut,
    /// The next write arrives and is committed; its answer does not come back.
    AnswerLost,
    /// The next write is committed, and answered 503.
    Unavailable,
    /// Answers come late.
    Late(Duration),
}

#[derive(Clone)]
struct Link {
    store: Arc<Mutex<Store>>,
    fault: Arc<Mutex<Fault>>,
}

impl Service<Request<Body>> for Link {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let link = self.clone();
        async move {
            let method = request.method().clone();
            let fault = *link.fault.lock().unwrap();
            if fault == Fault::Cut {
                return pending().await;
            }
            let body = request.into_body().collect_bytes().await?;
            let (mut code, lease) = link.store.lock().unwrap().call(&method, &body);
            match fault {
                Fault::AnswerLost if method != Method::GET => {
                    *link.fault.lock().unwrap() = Fault::None;
                    return pending().await;
                }
                Fault::Unavailable if method != Method::GET => {
                    *link.fault.lock().unwrap() = Fault::None;
                    code = 503;
                }
                Fault::Late(delay) => sleep(delay).await,
                _ => {}
            }
            let body = match lease.filter(|_| code == 200) {
                Some(lease) => serde_json::to_vec(&lease)?,
                None => {
                    serde_json::to_vec(&serde_json::json!({"status": "Failure", "reason": reason(code), "code": code}))?
                }
            };
            Ok(Response::builder().status(code).body(body.into())?)
        }
        .boxed()
    }
}

/// The reason that the API server gives along with a code; kube goes by it.
fn reason(code: u16) -> &'static str {
    match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "ServiceUnavailable",
    }
}

/// A running candidate.
struct Replica {
    leadership: Leadership,
    fault: Arc<Mutex<Fault>>,
    stop: Option<oneshot::Sender<()>>,
    election: JoinHandle<Ended>,
}

impl Replica {
    fn start(store: &Arc<Mutex<Store>>, identity: &str) -> Self {
        let fault = Arc::new(Mutex::new(Fault::None));
        let link = Link { store: store.clone(), fault: fault.clone() };
        let election = LeaderElection::new(Client::new(link, "sluice"), "sluice", "sluice", identity, TIMING);
        let leadership = election.leadership();
        let (stop, stopped) = oneshot::channel();
        let election = tokio::spawn(election.run(stopped.map(|_| ())));
        Self { leadership, fault, stop: Some(stop), election }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    async fn acquired(&self) {
        timeout(Duration::from_secs(60), self.leadership.acquired()).await.expect("should lead within a minute");
    }

    async fn stop(mut self) -> Ended {
        self.stop.take().unwrap().send(()).unwrap();
        self.election.await.unwrap()
    }
}

fn spec(store: &Arc<Mutex<Store>>) -> LeaseSpec {
    store.lock().unwrap().lease.as_ref().unwrap().spec.clone().unwrap()
}

fn version(store: &Arc<Mutex<Store>>) -> u64 {
    store.lock().unwrap().version
}

async fn seconds(count: u64) {
    sleep(Duration::from_secs(count)).await;
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_when_it_is_stopped() {
    let store = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    let second = Replica::start(&store, "second");
    seconds(60).await;
    assert!(first.leadership.holds() && !second.leadership.holds());
    assert_eq!(spec(&store).lease_transitions, None);
    assert_eq!(spec(&store).lease_duration_seconds, Some(15));

    let watched = first.leadership.clone();
    let start = Instant::now();
    assert_eq!(first.stop().await, Ended::Released);
    assert!(!watched.holds());
    second.acquired().await;
    assert!(start.elapsed() <= TIMING.retry, "{:?}", start.elapsed());
    assert_eq!(spec(&store).holder_identity.as_deref(), Some("second"));
    assert_eq!(spec(&store).lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_stopped_writes_nothing() {
    let store = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    let second = Replica::start(&store, "second");
    seconds(1).await;
    let before = version(&store);
    assert_eq!(second.stop().await, Ended::Released);
    assert_eq!(version(&store), before);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_cut_off_stops_before_another_starts() {
    for cut_after in [100, 1_950, 2_000, 2_050, 3_999, 7_777] {
        let store = Arc::default();
        let first = Replica::start(&store, "first");
        first.acquired().await;
        let second = Replica::start(&store, "second");
        sleep(Duration::from_millis(cut_after)).await;
        first.set(Fault::Cut);
        let start = Instant::now();
        while !second.leadership.holds() {
            sleep(Duration::from_millis(10)).await;
            assert!(!(first.leadership.holds() && second.leadership.holds()), "both lead, cut after {cut_after} ms");
            assert!(start.elapsed() < TIMING.duration + 2 * TIMING.retry, "nobody leads, cut after {cut_after} ms");
        }
        assert!(start.elapsed() > TIMING.renew_deadline - TIMING.retry, "taken over too early");
        assert_eq!(first.election.await.unwrap(), Ended::Lost);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_committed_without_an_answer_does_not_end_it() {
    for fault in [Fault::AnswerLost, Fault::Unavailable] {
        let store = Arc::default();
        let first = Replica::start(&store, "first");
        first.acquired().await;
        first.set(fault);
        for _ in 0..300 {
            sleep(Duration::from_millis(100)).await;
            assert!(first.leadership.holds(), "{fault:?}");
        }
        assert!(version(&store) > 10, "{fault:?}");
        assert_eq!(*first.fault.lock().unwrap(), Fault::None, "the fault was met");
        assert_eq!(first.stop().await, Ended::Released);
        assert_eq!(spec(&store).holder_identity, None, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_renewal_still_releases() {
    let store = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    let before = version(&store);
    first.set(Fault::AnswerLost);
    while version(&store) == before {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(first.stop().await, Ended::Released);
    assert_eq!(spec(&store).holder_identity, None);
}

#[tokio::test(start_paused = true)]
async fn time_counts_from_the_start_of_the_request() {
    let store = Arc::default();
    let first = Replica::start(&store, "first");
    let start = Instant::now();
    first.acquired().await;
    first.set(Fault::Late(Duration::from_secs(2)));
    seconds(3).await;
    // The renewal sent at 2 s is on its way back until 4 s; the next ones do not arrive.
    first.set(Fault::Cut);
    first.leadership.lost().await;
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_another_took_ends_it_at_once() {
    let store: Arc<Mutex<Store>> = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    {
        let mut store = store.lock().unwrap();
        let mut lease = store.lease.clone().unwrap();
        lease.spec.as_mut().unwrap().holder_identity = Some("thief".to_owned());
        store.call(&Method::PUT, &serde_json::to_vec(&lease).unwrap());
    }
    let start = Instant::now();
    assert_eq!(first.election.await.unwrap(), Ended::Lost);
    assert!(start.elapsed() <= TIMING.retry);
    assert!(!first.leadership.holds());
    assert_eq!(spec(&store).holder_identity.as_deref(), Some("thief"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_deleted_ends_it() {
    let store: Arc<Mutex<Store>> = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    store.lock().unwrap().lease = None;
    assert_eq!(first.election.await.unwrap(), Ended::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_restart_under_the_same_name_goes_on_at_once() {
    let store = Arc::default();
    let first = Replica::start(&store, "first");
    first.acquired().await;
    first.election.abort();
    let start = Instant::now();
    Replica::start(&store, "first").acquired().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_lease_without_version_is_never_overwritten() {
    let store = Arc::new(Mutex::new(Store { lease: Some(Lease::default()), version: 0 }));
    let first = Replica::start(&store, "first");
    seconds(60).await;
    assert!(!first.leadership.holds());
    assert_eq!(version(&store), 0);
}
