//! The connection to the API server: every call has a deadline, retries are few, and writes are counted.
//!
//! From the outside in: the caller's layer · [`deadline`] · [`retry`] · [`writes`] · kube's own stack (headers,
//! authentication, TLS). kube's default retries are off: up to fifteen, of every method.

mod deadline;
mod retry;
mod writes;

use std::time::Duration;

use http::{HeaderValue, Request, Response, header::USER_AGENT};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, DynBody},
};
use tower::{
    BoxError, Layer, Service, ServiceExt, buffer::BufferLayer, layer::util::Identity, retry::RetryLayer,
    util::BoxService,
};

use self::{
    deadline::{DeadlineBody, DeadlineLayer},
    retry::FewRetries,
    writes::CountWritesLayer,
};
use super::metrics::Metrics;

const AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));
/// Calls that wait for their turn in the buffer that makes the stack cloneable.
const BUFFER: usize = 1024;
const CONNECT: Duration = Duration::from_secs(5);

/// Body of an answer, which fails when the deadline of its call passes.
pub type ApiBody = DeadlineBody<Box<DynBody>>;

/// The stack below the caller's layer.
pub type ApiService = BoxService<Request<Body>, Response<ApiBody>, BoxError>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a kubeconfig nor a service account was found.
    #[error("failed to find the cluster's address and credentials")]
    InferConfig(#[source] Box<kube::config::InferConfigError>),
    /// The configuration does not make a client.
    #[error("failed to build the client")]
    Build(#[source] Box<kube::Error>),
}

/// Connects to the cluster of the kubeconfig, else of the pod's service account.
///
/// `api_timeout` bounds each call from its start to the last byte of its answer, retries included; of a watch and of a
/// followed log it bounds the time to the answer's head, of another log also each pause between its bytes.
///
/// # Errors
/// When no configuration is found, or it does not make a client. The API server is not asked yet.
pub async fn connect(api_timeout: Duration, metrics: &Metrics) -> Result<Client, Error> {
    let config = Config::infer().await.map_err(|source| Error::InferConfig(Box::new(source)))?;
    connect_with(config, api_timeout, metrics, &Identity::new())
}

/// As [`connect`], with a configuration and the outermost layer of the caller, which sees each call of the program
/// once, before retries.
///
/// # Errors
/// When the configuration does not make a client.
pub fn connect_with<L, B>(config: Config, api_timeout: Duration, metrics: &Metrics, layer: &L) -> Result<Client, Error>
where
    L: Layer<ApiService>,
    L::Service: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
    B: http_body::Body<Data = axum::body::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Ok(stack(config, api_timeout, metrics)?.with_layer(layer).build())
}

/// The stack itself, to be wrapped and built. Must be called inside a Tokio runtime.
///
/// # Errors
/// When the configuration does not make a client.
pub fn stack(mut config: Config, api_timeout: Duration, metrics: &Metrics) -> Result<ClientBuilder<ApiService>, Error> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT.min(api_timeout));
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    let builder = ClientBuilder::try_from(config).map_err(|source| Error::Build(Box::new(source)))?;
    Ok(builder.with_layer(&Calls { api_timeout, metrics: metrics.clone() }))
}

/// What [`stack`] puts around kube's own.
struct Calls {
    api_timeout: Duration,
    metrics: Metrics,
}

impl<S> Layer<S> for Calls
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Service = ApiService;

    fn layer(&self, inner: S) -> ApiService {
        let counted = CountWritesLayer(self.metrics.clone()).layer(inner);
        let shared = BufferLayer::new(BUFFER).layer(counted);
        let retried = RetryLayer::new(FewRetries::default()).layer(shared);
        DeadlineLayer(self.api_timeout).layer(retried).boxed()
    }
}

#[cfg(test)]
mod tests;
