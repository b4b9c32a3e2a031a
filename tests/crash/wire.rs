//! The operator's connection: counts its writes, and does one of them an injury.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body as Answer;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use http::{Method, Request, Response};
use kube::client::Body;
use sluice::runtime::client::ApiService;
use tokio::sync::watch;
use tower::buffer::Buffer;
use tower::{BoxError, Layer, Service, ServiceExt};

/// The Lease by which replicas elect their leader; its renewals are not counted.
pub const LEADER_LEASE: &str = "sluice-leader";

/// How much later than all else pods are listed: time enough to act without them.
const SLOW: Duration = Duration::from_millis(300);

/// What a case does to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stopped just before the write is sent; another starts at once.
    StopBefore,
    /// Stopped just after the write is answered; another starts at once.
    StopAfter,
    /// Stopped just after the write is answered; another starts when all Jobs that were let go are finished, and hears of
    /// their pods last.
    StopLong,
    /// The write is made, and answered by 503.
    Unavailable,
    /// The write is not made, and answered by 409.
    Conflict,
    /// Every request waits, from just before the write until [`Wire::thaw`].
    Freeze,
    /// No write is injured, but the watch of pods is silent.
    Unwatched,
    /// No write is injured, but pods are listed late.
    SlowPods,
    /// Nothing is injured, but another operator does the same work.
    Twin,
    /// Nothing is injured, and afterwards nothing may be written.
    Settled,
}

impl Kind {
    /// Whether there is a case for every write.
    pub fn is_at_a_write(self) -> bool {
        !matches!(self, Self::Unwatched | Self::SlowPods | Self::Twin | Self::Settled)
    }
}

/// What happens at which write, counted from 1; at none where the kind has no such thing.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub kind: Kind,
    pub at: usize,
}

/// One operator's connection; clones share it.
#[derive(Clone)]
pub struct Wire(Arc<State>);

struct State {
    fault: Option<Fault>,
    writes: Mutex<Vec<String>>,
    struck: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Wire {
    pub fn new(fault: Option<Fault>) -> Self {
        let (struck, open) = (watch::Sender::new(false), watch::Sender::new(true));
        Self(Arc::new(State { fault, writes: Mutex::default(), struck, open }))
    }

    /// Every write so far, such as `PATCH jobs`; one that was held back counts.
    pub fn writes(&self) -> Vec<String> {
        self.0.writes.lock().unwrap().clone()
    }

    /// Resolves when the fault has come.
    pub async fn struck(&self) {
        self.0.struck.subscribe().wait_for(|struck| *struck).await.unwrap();
    }

    /// Lets what was frozen go on.
    pub fn thaw(&self) {
        self.0.open.send_replace(true);
    }

    /// No request passes from now on.
    fn shut(&self) {
        self.0.open.send_replace(false);
        self.0.struck.send_replace(true);
    }

    /// Resolves while requests pass.
    fn pass(&self) -> BoxFuture<'static, ()> {
        let mut open = self.0.open.subscribe();
        async move {
            let _ = open.wait_for(|open| *open).await;
        }
        .boxed()
    }

    /// What happens at this request, if it is the write.
    fn injury(&self, request: &Request<Body>) -> Option<Kind> {
        let name = write(request)?;
        let mut writes = self.0.writes.lock().unwrap();
        writes.push(name);
        self.0.fault.filter(|fault| fault.at == writes.len()).map(|fault| fault.kind)
    }

    /// Holds reads of pods up, where that is the fault.
    fn hinder(&self, request: &Request<Body>) -> BoxFuture<'static, ()> {
        let of_pods = request.method() == Method::GET && request.uri().path().ends_with("/pods");
        let watches = request.uri().query().unwrap_or_default().contains("watch=true");
        match self.0.fault.map(|fault| fault.kind) {
            Some(Kind::Unwatched) if of_pods && watches => pending().boxed(),
            Some(Kind::SlowPods) if of_pods && !watches => tokio::time::sleep(SLOW).boxed(),
            _ => ready(()).boxed(),
        }
    }

    async fn carry(self, inner: Shared, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        self.pass().await;
        self.hinder(&request).await;
        match self.injury(&request) {
            None | Some(Kind::Unwatched | Kind::SlowPods | Kind::Twin | Kind::Settled) => send(inner, request).await,
            Some(Kind::StopBefore) => {
                self.shut();
                pending().await
            }
            Some(Kind::StopAfter | Kind::StopLong) => {
                send(inner, request).await?;
                self.shut();
                pending().await
            }
            Some(Kind::Unavailable) => {
                send(inner, request).await?;
                self.0.struck.send_replace(true);
                Ok(refusal(503, "ServiceUnavailable"))
            }
            Some(Kind::Conflict) => {
                self.0.struck.send_replace(true);
                Ok(refusal(409, "Conflict"))
            }
            Some(Kind::Freeze) => {
                self.shut();
                self.pass().await;
                send(inner, request).await
            }
        }
    }
}

/// Verb and resource of a write; none for a read.
fn write(request: &Request<Body>) -> Option<String> {
    let path = request.uri().path();
    if request.method() == Method::GET || path.ends_with(LEADER_LEASE) || request.method() == Method::HEAD {
        return None;
    }
    let after_namespace = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
    let resource = after_namespace.clone().next().unwrap_or(path);
    let status = if path.ends_with("/status") { "/status" } else { "" };
    Some(format!("{} {resource}{status}", request.method()))
}

fn send(inner: Shared, request: Request<Body>) -> BoxFuture<'static, Result<Response<Answer>, BoxError>> {
    inner.oneshot(request).map_ok(|response| response.map(Answer::new)).boxed()
}

fn refusal(code: u16, reason: &str) -> Response<Answer> {
    let status = serde_json::json!({ "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": "injected by the test", "reason": reason, "code": code });
    let response = Response::builder().status(code).header("content-type", "application/json");
    response.body(Answer::from(status.to_string())).unwrap()
}

/// A request is handed on only when its time has come, so what is behind has to be shared.
type Shared = Buffer<Request<Body>, <ApiService as Service<Request<Body>>>::Future>;

/// The service of a [`Wire`].
pub struct Wired {
    wire: Wire,
    inner: Shared,
}

impl Layer<ApiService> for Wire {
    type Service = Wired;

    fn layer(&self, inner: ApiService) -> Wired {
        Wired { wire: self.clone(), inner: Buffer::new(inner, 1024) }
    }
}

impl Service<Request<Body>> for Wired {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.wire.clone().carry(self.inner.clone(), request).boxed()
    }
}
