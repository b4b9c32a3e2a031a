//! A deadline for each call, body included: kube itself waits for an answer for ever.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tower::{BoxError, Layer, Service};

/// A call took longer than it may. A write that ends so may have been committed.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {0:?}")]
pub struct DeadlinePassed(Duration);

/// Gives each call this long.
#[derive(Debug, Clone, Copy)]
pub struct DeadlineLayer(pub Duration);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, limit: self.0 }
    }
}

/// The service of [`DeadlineLayer`].
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    inner: S,
    limit: Duration,
}

impl<S, R, B> Service<Request<R>> for Deadline<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
{
    type Response = Response<DeadlineBody<B>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let (limit, pace) = (self.limit, Pace::of(&request));
        let end = Instant::now() + limit;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = timeout_at(end, answer).await.map_err(|_| DeadlinePassed(limit))?.map_err(Into::into)?;
            Ok(response.map(|inner| DeadlineBody::new(inner, pace, end, limit)))
        })
    }
}

/// How the body of an answer is expected to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// In one go.
    Whole,
    /// A log of any length: for as long as bytes keep coming.
    Steady,
    /// A watch or a followed log, silent for as long as nothing happens; kube's watcher has an idle limit of its own.
    Endless,
}

impl Pace {
    fn of<R>(request: &Request<R>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let asks = |name: &str| query.split('&').any(|pair| pair.strip_prefix(name).is_some_and(is_true));
        match *request.method() {
            Method::GET if asks("watch=") || asks("follow=") => Self::Endless,
            Method::GET if request.uri().path().ends_with("/log") => Self::Steady,
            _ => Self::Whole,
        }
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

/// A body that fails when its time is up.
#[derive(Debug)]
pub struct DeadlineBody<B> {
    inner: B,
    pace: Pace,
    end: Option<Pin<Box<Sleep>>>,
    limit: Duration,
}

impl<B> DeadlineBody<B> {
    fn new(inner: B, pace: Pace, end: Instant, limit: Duration) -> Self {
        let end = match pace {
            Pace::Whole => Some(end),
            Pace::Steady => Some(Instant::now() + limit),
            Pace::Endless => None,
        };
        Self { inner, pace, end: end.map(|end| Box::pin(sleep_until(end))), limit }
    }
}

impl<B> Body for DeadlineBody<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            if let (Pace::Steady, Some(end)) = (this.pace, &mut this.end) {
                end.as_mut().reset(Instant::now() + this.limit);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match &mut this.end {
            Some(end) => end.as_mut().poll(cx).map(|()| Some(Err(DeadlinePassed(this.limit).into()))),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_read_from_the_request() {
        let cases = [
            (Method::GET, "/api/v1/pods?limit=500", Pace::Whole),
            (Method::GET, "/api/v1/pods?&watch=true&timeoutSeconds=290", Pace::Endless),
            (Method::GET, "/api/v1/pods?watch=1", Pace::Endless),
            (Method::GET, "/api/v1/pods?watch=false", Pace::Whole),
            (Method::GET, "/api/v1/pods?labelSelector=watch%3Dtrue", Pace::Whole),
            (Method::GET, "/api/v1/namespaces/a/pods/p/log?container=migrate", Pace::Steady),
            (Method::GET, "/api/v1/namespaces/a/pods/p/log?&follow=true&container=migrate", Pace::Endless),
            (Method::GET, "/api/v1/namespaces/a/pods/log", Pace::Steady),
            (Method::POST, "/apis/batch/v1/namespaces/a/jobs?watch=true", Pace::Whole),
        ];
        for (method, uri, pace) in cases {
            let request = Request::builder().method(&method).uri(uri).body(()).unwrap();
            assert_eq!(Pace::of(&request), pace, "{method} {uri}");
        }
    }
}
