//! The gate's rule over HTTPS, for clusters whose API server cannot apply it itself.
//!
//! One path, `/hold`: a mutating webhook that answers with the patch of [`crate::gate::judge`]. What is refused and told stays with
//! the chart's validating policies, which every supported cluster has. Nothing is written and nothing is asked, so an answer is
//! a matter of microseconds, a dry run is like any other write, and it needs no leader: every replica serves.
//!
//! The certificates live in memory only ([`authority`]); the API server learns of them from the webhook's configuration, which
//! [`keeper`] holds true.

pub mod authority;
pub mod bundle;
pub mod keeper;
mod tls;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

pub use tls::{Serving, serve};

use crate::gate::{Request, Workload, judge};

/// Two objects of the size that the API server stores at most, and what is around them.
const LARGEST: usize = 8 << 20;

/// The routes. `operator` is the user name that the API server knows the operator by.
pub fn routes(operator: &str) -> Router {
    Router::new().route("/hold", post(hold)).layer(DefaultBodyLimit::max(LARGEST)).with_state(operator.to_owned())
}

async fn hold(State(operator): State<String>, body: Bytes) -> Response {
    let review = serde_json::from_slice::<Value>(&body).ok();
    match review.and_then(|review| answer(&review, &operator)) {
        Some(answer) => ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The answer to an AdmissionReview; none where it is not one.
fn answer(review: &Value, operator: &str) -> Option<Value> {
    let request = review.get("request")?;
    let (uid, object) = (request.get("uid")?, request.get("object")?);
    let old = request.get("oldObject").filter(|old| !old.is_null()).map(Workload::read);
    let new = Workload::read(object);
    let by_operator = request.pointer("/userInfo/username").and_then(Value::as_str) == Some(operator);
    let change = judge(&Request { old: old.as_ref(), new: &new, by_operator, may_bypass: false });
    let patch = change.operations(object);
    let response = if patch.is_empty() {
        json!({ "uid": uid, "allowed": true })
    } else {
        let patch = ByteString(Value::from(patch).to_string().into_bytes());
        json!({ "uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch })
    };
    Some(json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response }))
}

#[cfg(test)]
mod tests;
