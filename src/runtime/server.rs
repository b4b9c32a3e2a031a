//! The probes and the metrics over HTTP: GET and HEAD of /healthz, /readyz and /metrics.
//!
//! What is served carries no data of any object. A connection that sends nothing for a while is closed.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
    serve::Listener,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep, timeout},
};

use super::metrics::{self, Metrics};

/// Longer than the usual pauses between probes and scrapes, so that their connections are kept.
const IDLE: Duration = Duration::from_secs(75);
/// How long answers under way may take once the server is to end.
const DRAIN: Duration = Duration::from_secs(2);

/// What the probes tell; clones share it.
///
/// `/healthz` fails only once a part of the process has said that it cannot go on, since a restart is the answer to it.
/// A process that is stuck does not answer at all, which the kubelet's probe takes for the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<HealthState>);

#[derive(Debug, Default)]
struct HealthState {
    ready: AtomicBool,
    broken: OnceLock<&'static str>,
}

impl Health {
    /// Alive, not ready yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says whether the caches have synced (a replica that waits to lead is ready too), or the process is to end.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }

    /// Says for good that the process needs a restart, and why. The first reason stays.
    pub fn set_broken(&self, why: &'static str) {
        let _ = self.0.broken.set(why);
    }

    fn live(&self) -> Result<(), &'static str> {
        self.0.broken.get().map_or(Ok(()), |why| Err(*why))
    }

    fn ready(&self) -> Result<(), &'static str> {
        self.live()?;
        if self.0.ready.load(Ordering::Acquire) { Ok(()) } else { Err("caches have not synced") }
    }
}

/// The routes.
pub fn routes(health: Health, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async |State(health): State<Health>| probe(health.live())))
        .route("/readyz", get(async |State(health): State<Health>| probe(health.ready())))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(scrape)).with_state(metrics))
}

/// Listens at `address`.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves `routes` until `shutdown`, and then ends within two seconds.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (ended, ending) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        shutdown.await;
        drop(ended);
    };
    let serving = axum::serve(IdleListener { inner: listener, idle: IDLE }, routes).with_graceful_shutdown(shutdown);
    let mut serving = std::pin::pin!(serving.into_future());
    tokio::select! {
        result = &mut serving => return result,
        _ = ending => {}
    }
    timeout(DRAIN, serving).await.unwrap_or(Ok(()))
}

fn probe(state: Result<(), &'static str>) -> Response {
    match state {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Accepts connections that end when their peer has sent nothing for `idle`.
struct IdleListener {
    inner: TcpListener,
    idle: Duration,
}

impl Listener for IdleListener {
    type Io = IdleStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (IdleStream, SocketAddr) {
        let (inner, peer) = Listener::accept(&mut self.inner).await;
        (IdleStream { inner, idle: self.idle, end: Box::pin(sleep(self.idle)) }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

struct IdleStream {
    inner: TcpStream,
    idle: Duration,
    end: Pin<Box<Sleep>>,
}

impl AsyncRead for IdleStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(cx, buf) {
            let end = Instant::now() + self.idle;
            self.end.as_mut().reset(end);
            return Poll::Ready(read);
        }
        ready!(self.end.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for IdleStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::{Method, Request},
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    use super::*;

    async fn ask(health: &Health, method: Method, path: &str) -> (StatusCode, String, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = routes(health.clone(), Metrics::new()).oneshot(request).await.unwrap();
        let content = response.headers().get(CONTENT_TYPE).map(|v| v.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, content.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_tell_what_is_known() {
        let health = Health::new();
        assert_eq!(ask(&health, Method::GET, "/healthz").await.0, StatusCode::OK);
        let (status, _, text) = ask(&health, Method::GET, "/readyz").await;
        assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "caches have not synced\n"));
        health.set_ready(true);
        assert_eq!(ask(&health, Method::GET, "/readyz").await.0, StatusCode::OK);
        health.set_broken("lost the lease");
        health.set_broken("later");
        for path in ["/healthz", "/readyz"] {
            let (status, _, text) = ask(&health, Method::GET, path).await;
            assert_eq!((status, text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "lost the lease\n"), "{path}");
        }
    }

    #[tokio::test]
    async fn metrics_are_openmetrics() {
        let (status, content, text) = ask(&Health::new(), Method::GET, "/metrics").await;
        assert_eq!((status, content.as_str()), (StatusCode::OK, metrics::CONTENT_TYPE));
        assert!(text.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn only_get_and_head_of_known_paths() {
        let health = Health::new();
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(ask(&health, Method::POST, path).await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
        let (status, _, text) = ask(&health, Method::HEAD, "/healthz").await;
        assert_eq!((status, text.as_str()), (StatusCode::OK, ""));
        assert_eq!(ask(&health, Method::GET, "/debug").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn serves_until_shutdown_though_a_connection_stays_open() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, routes(Health::new(), Metrics::new()), async {
            let _ = stopped.await;
        }));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /hea").await.unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        stop.send(()).unwrap();
        timeout(DRAIN * 5, server).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut listener = IdleListener { inner: listener, idle: Duration::from_millis(50) };
        let (mut stream, _) = listener.accept().await;
        peer.write_all(b"G").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'G');
        assert_eq!(stream.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
