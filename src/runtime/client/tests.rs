//! The stack around a scripted service.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::body::Bytes;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use http::Method;
use http_body::Frame;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::api::{Api, LogParams, PostParams, WatchParams};
use tokio::time::Instant;

use super::*;

/// What the scripted server does with a call.
#[derive(Clone)]
enum Answer {
    Status(u16),
    /// 429 with a `Retry-After`.
    Later(&'static str),
    /// The head after so many seconds.
    Slow(u64),
    /// Chunks of a body, each after a pause in seconds.
    Body(Vec<(u64, &'static str)>),
}

/// Answers by script, notes what was asked.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Method>>>,
}

impl Script {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    fn client(&self, metrics: &Metrics) -> Client {
        let calls = Calls { api_timeout: Duration::from_secs(10), metrics: metrics.clone() };
        ClientBuilder::new(self.clone(), "shop").with_layer(&calls).build()
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

struct Chunks(BoxStream<'static, &'static str>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_next_unpin(cx).map(|next| next.map(|text| Ok(Frame::data(text.into()))))
    }
}

fn body(chunks: Vec<(u64, &'static str)>) -> Box<DynBody> {
    let stream = futures::stream::unfold(chunks.into_iter(), |mut chunks| async move {
        let (pause, text) = chunks.next()?;
        tokio::time::sleep(Duration::from_secs(pause)).await;
        Some((text, chunks))
    });
    Box::new(Chunks(stream.boxed()))
}

impl Service<Request<Body>> for Script {
    type Response = Response<Box<DynBody>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.asked.lock().unwrap().push(request.method().clone());
        let answer = self.answers.lock().unwrap().pop_front().expect("more calls than answers");
        async move {
            let response = Response::builder();
            let response = match answer {
                Answer::Status(code @ ..400) => response.status(code).body(body(vec![(0, "{}")])),
                Answer::Status(code) => response.status(code).body(body(vec![(0, "not now")])),
                Answer::Later(seconds) => {
                    response.status(429).header("retry-after", seconds).body(body(vec![(0, "{}")]))
                }
                Answer::Slow(seconds) => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    response.body(body(vec![(0, "{}")]))
                }
                Answer::Body(chunks) => response.body(body(chunks)),
            };
            Ok(response?)
        }
        .boxed()
    }
}

async fn create_job(client: &Client) -> kube::Result<Job> {
    Api::namespaced(client.clone(), "shop").create(&PostParams::default(), &Job::default()).await
}

async fn get_job(client: &Client) -> kube::Result<Job> {
    Api::namespaced(client.clone(), "shop").get("a").await
}

#[track_caller]
fn assert_code<T: std::fmt::Debug>(result: kube::Result<T>, code: u16) {
    match result {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, code),
        other => panic!("expected status {code}, got {other:?}"),
    }
}

#[track_caller]
fn assert_deadline<T: std::fmt::Debug>(result: Result<T, impl std::error::Error + 'static>) {
    let error = result.unwrap_err();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut chain = String::new();
    while let Some(error) = cause {
        chain.push_str(&format!("{error}; "));
        cause = error.source();
    }
    assert!(chain.contains("did not answer within 10s"), "{chain}");
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_sent_again_after_503() {
    let script = Script::new([Answer::Status(503)]);
    let metrics = Metrics::new();
    assert_code(create_job(&script.client(&metrics)).await, 503);
    assert_eq!(*script.asked.lock().unwrap(), [Method::POST]);
    assert!(metrics.encode().unwrap().contains(r#"sluice_api_writes_total{verb="create",kind="Job"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn reads_are_retried_a_few_times() {
    let script = Script::new([Answer::Status(503), Answer::Status(504), Answer::Status(200)]);
    get_job(&script.client(&Metrics::new())).await.unwrap();
    assert_eq!(script.asked(), 3);

    let script = Script::new([503; 4].map(Answer::Status));
    assert_code(get_job(&script.client(&Metrics::new())).await, 503);
    assert_eq!(script.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_throttled_is_sent_again_and_counted_again() {
    let script = Script::new([Answer::Later("2"), Answer::Status(201)]);
    let metrics = Metrics::new();
    let start = Instant::now();
    create_job(&script.client(&metrics)).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 2);
    assert!(metrics.encode().unwrap().contains(r#"sluice_api_writes_total{verb="create",kind="Job"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_includes_the_wait_for_a_retry() {
    let script = Script::new([Answer::Later("600")]);
    let start = Instant::now();
    assert_deadline(create_job(&script.client(&Metrics::new())).await);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(script.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_head_and_body() {
    for answer in [Answer::Slow(60), Answer::Body(vec![(6, "{"), (6, "}")])] {
        let start = Instant::now();
        assert_deadline(get_job(&Script::new([answer]).client(&Metrics::new())).await);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_may_be_silent_but_must_begin() {
    const EVENT: &str = "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"Pod\",        \"metadata\":{\"resourceVersion\":\"7\"}}}\n";
    let script = Script::new([Answer::Body(vec![(100, EVENT)]), Answer::Slow(60)]);
    let pods: Api<Pod> = Api::namespaced(script.client(&Metrics::new()), "shop");
    let mut events = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert!(events.next().await.unwrap().is_ok());
    assert_deadline(pods.watch(&WatchParams::default(), "0").await.map(|_| ()));
}

#[tokio::test(start_paused = true)]
async fn a_log_may_be_long_but_not_stuck() {
    let script = Script::new([Answer::Body(vec![(6, "a"), (6, "b")]), Answer::Body(vec![(6, "a"), (60, "b")])]);
    let pods: Api<Pod> = Api::namespaced(script.client(&Metrics::new()), "shop");
    assert_eq!(pods.logs("p", &LogParams::default()).await.unwrap(), "ab");
    assert_deadline(pods.logs("p", &LogParams::default()).await);
}

#[tokio::test]
async fn a_layer_of_the_caller_is_outermost() {
    let config = Config::new("http://127.0.0.1:1".parse().unwrap());
    let refuse = tower::layer::layer_fn(|_: ApiService| {
        tower::service_fn(async |request: Request<Body>| {
            Err::<Response<ApiBody>, BoxError>(format!("stopped at {}", request.method()).into())
        })
    });
    let client = connect_with(config, Duration::from_secs(1), &Metrics::new(), &refuse).unwrap();
    assert!(get_job(&client).await.unwrap_err().to_string().contains("stopped at GET"));
}

#[tokio::test]
async fn calls_carry_the_agent() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = Config::new(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let client = connect_with(config, Duration::from_secs(5), &Metrics::new(), &Identity::new()).unwrap();
    get_job(&client).await.unwrap();
    let request = server.await.unwrap();
    assert!(request.contains(&format!("user-agent: {AGENT}\r\n")), "{request}");
}
