//! Counts the writes that are sent, by verb and kind.

use std::task::{Context, Poll};

use http::{Method, Request};
use tower::{Layer, Service};

use crate::runtime::metrics::Metrics;

/// Counts into these metrics.
#[derive(Debug, Clone)]
pub struct CountWritesLayer(pub Metrics);

impl<S> Layer<S> for CountWritesLayer {
    type Service = CountWrites<S>;

    fn layer(&self, inner: S) -> CountWrites<S> {
        CountWrites { inner, metrics: self.0.clone() }
    }
}

/// The service of [`CountWritesLayer`].
#[derive(Debug, Clone)]
pub struct CountWrites<S> {
    inner: S,
    metrics: Metrics,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for CountWrites<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        if let Some(verb) = verb(request.method()) {
            self.metrics.api_write(verb, kind(request.uri().path()));
        }
        self.inner.call(request)
    }
}

/// The API verb of a write; none for a read.
fn verb(method: &Method) -> Option<&'static str> {
    match *method {
        Method::POST => Some("create"),
        Method::PUT => Some("update"),
        Method::PATCH => Some("patch"),
        Method::DELETE => Some("delete"),
        _ => None,
    }
}

/// The kind that a path of the API is about, of those that Sluice writes.
fn kind(path: &str) -> &'static str {
    match resource(path).unwrap_or_default() {
        "jobs" => "Job",
        "leases" => "Lease",
        "poddisruptionbudgets" => "PodDisruptionBudget",
        "migrationruns" => "MigrationRun",
        "events" => "Event",
        _ => "other",
    }
}

/// The resource in `/api/v1/…` or `/apis/<group>/<version>/…`, with or without `namespaces/<name>/` before it.
fn resource(path: &str) -> Option<&str> {
    let mut parts = path.trim_start_matches('/').split('/');
    match parts.next()? {
        "api" => parts.next()?,
        "apis" => parts.nth(1)?,
        _ => return None,
    };
    let first = parts.next()?;
    if first != "namespaces" {
        return Some(first);
    }
    parts.next()?;
    Some(parts.next().unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_from_paths() {
        let cases = [
            ("/apis/batch/v1/namespaces/shop/jobs", "Job"),
            ("/apis/batch/v1/namespaces/jobs/jobs/leases", "Job"),
            ("/apis/coordination.k8s.io/v1/namespaces/sluice/leases/sluice", "Lease"),
            ("/apis/policy/v1/namespaces/shop/poddisruptionbudgets/a", "PodDisruptionBudget"),
            ("/apis/sluice.dev/v1alpha1/namespaces/shop/migrationruns/a/status", "MigrationRun"),
            ("/apis/sluice.dev/v1alpha1/migrationruns", "MigrationRun"),
            ("/apis/events.k8s.io/v1/namespaces/shop/events", "Event"),
            ("/api/v1/namespaces/shop/events", "Event"),
            ("/api/v1/namespaces/jobs", "other"),
            ("/api/v1/namespaces/shop/pods/jobs", "other"),
            ("/version", "other"),
            ("", "other"),
        ];
        for (path, expected) in cases {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn reads_are_not_writes() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert_eq!(verb(&method), None, "{method}");
        }
        assert_eq!(verb(&Method::PUT), Some("update"));
    }
}
