//! Few and short retries, and none that could do something twice.

use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::{Sleep, sleep};
use tower::{BoxError, retry::Policy};

const LIMIT: u32 = 3;
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// Retries what the server says it did not do: any call answered by 429, and reads answered by 503 or 504.
///
/// A write answered by 503 or 504 may have been committed, so it goes back to the reconciler, which looks before it
/// writes again. A `Retry-After` in seconds is kept to; the call's deadline ends it where that is too long.
#[derive(Debug, Clone, Default)]
pub struct FewRetries {
    done: u32,
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for FewRetries {
    type Future = Sleep;

    fn retry(&mut self, request: &mut Request<Body>, result: &mut Result<Response<B>, BoxError>) -> Option<Sleep> {
        let response = result.as_ref().ok()?;
        if self.done >= LIMIT || !may_retry(request.method(), response.status()) {
            return None;
        }
        let delay = FIRST_DELAY * 2_u32.pow(self.done);
        self.done += 1;
        Some(sleep(delay.max(retry_after(response).unwrap_or_default())))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut clone = Request::new(request.body().try_clone()?);
        *clone.method_mut() = request.method().clone();
        *clone.uri_mut() = request.uri().clone();
        *clone.version_mut() = request.version();
        *clone.headers_mut() = request.headers().clone();
        *clone.extensions_mut() = request.extensions().clone();
        Some(clone)
    }
}

fn may_retry(method: &Method, status: StatusCode) -> bool {
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => method.is_safe(),
        _ => false,
    }
}

fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
