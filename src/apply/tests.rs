//! What is sent: no write without the version on which its decision rests.

use std::sync::{Arc, Mutex};

use k8s_openapi::api::apps::v1::Deployment;
use kube::client::Body;

use super::*;
use crate::decide::upkeep::tests::gated;
use crate::decide::upkeep::{Custody, Upkeep};
use crate::decide::{Effect, tests::observed};
use crate::gate::{Approved, Change};

fn fence() -> Fence {
    Fence { name: "x".into(), uid: "its-uid".into(), resource_version: "7".into() }
}

/// An applier whose API server answers every write with an error, and what it was sent. The run is as it was observed.
fn applier() -> (Applier, Arc<Mutex<Vec<Value>>>) {
    let run = observed().run;
    applier_with(Some(json!({ "name": run.name, "uid": run.uid, "generation": run.generation })))
}

/// The same, where a read of the run finds this.
fn applier_with(run: Option<Value>) -> (Applier, Arc<Mutex<Vec<Value>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let told = sent.clone();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (told, run) = (told.clone(), run.clone());
        async move {
            let path = request.uri().path().to_owned();
            let reads = request.method() == http::Method::GET && path.ends_with("/namespaces/a/migrationruns/shop");
            let (status, body) = match run {
                Some(metadata) if reads => (200, json!({ "metadata": metadata })),
                None if reads => (404, json!({ "status": "Failure", "reason": "NotFound", "code": 404 })),
                _ => {
                    let bytes = request.into_body().collect_bytes().await.unwrap();
                    told.lock().unwrap().push(serde_json::from_slice(&bytes).unwrap());
                    (500, Value::Null)
                }
            };
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, std::convert::Infallible>(http::Response::builder().status(status).body(body).unwrap())
        }
    });
    let client = Client::new(service, "a");
    let applier = Applier { client, watermarks: Watermarks::default(), namespace: "sluice".into(), leadership: None };
    (applier, sent)
}

/// Whether a request tests this: a patch by its operations, a deletion by its preconditions.
fn tests(sent: &Value, path: &str, value: &Value) -> bool {
    let operation = json!({ "op": "test", "path": path, "value": value });
    let precondition = path.replace("/metadata", "/preconditions");
    sent.as_array().is_some_and(|operations| operations.contains(&operation))
        || sent.pointer(&precondition) == Some(value)
}

#[tokio::test]
async fn no_write_to_what_is_there_goes_without_its_uid_and_version() {
    let seen = observed();
    let version = ("/metadata/resourceVersion", json!("7"));
    let effects = [
        (Effect::ReleaseLock(fence()), &version),
        // The Job controller writes to it all the time: what counts is that it is still suspended.
        (Effect::ResumeJob(fence()), &("/spec/suspend", json!(true))),
        (Effect::EndJob(fence()), &version),
        (Effect::DeleteJob(fence()), &version),
        (Effect::ApproveImages { deployment: fence(), approved: Approved::parse("shop:1") }, &version),
        (Effect::RevokeImages { deployment: fence(), approved: Approved::default() }, &version),
    ];
    for (effect, (path, value)) in effects {
        let (applier, sent) = applier();
        let decision = Decision::rest().effect(effect.clone());
        assert!(applier.apply(&seen, &decision).await.is_err(), "{effect:?}");
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 1, "{effect:?}");
        assert!(tests(&sent[0], "/metadata/uid", &json!("its-uid")), "{effect:?}: {}", sent[0]);
        assert!(tests(&sent[0], path, value), "{effect:?}: {}", sent[0]);
    }
}

#[tokio::test]
async fn nothing_is_approved_for_a_run_that_is_gone_or_wants_something_else() {
    let seen = observed();
    let approve = Effect::ApproveImages { deployment: fence(), approved: Approved::parse("shop:1") };
    let decision = Decision::rest().effect(approve);
    let deleted = "2026-01-02T03:04:05Z";
    let runs = [
        None,
        Some(json!({ "name": "shop", "uid": "another", "generation": 1 })),
        Some(json!({ "name": "shop", "uid": "u", "generation": 2 })),
        Some(json!({ "name": "shop", "uid": "u", "generation": 1, "deletionTimestamp": deleted })),
    ];
    for run in runs {
        let (applier, sent) = applier_with(run.clone());
        let answer = applier.apply(&seen, &decision).await;
        assert!(matches!(answer, Err(Error::Conflict { effect: "ApproveImages" })), "{run:?}: {answer:?}");
        assert_eq!(*sent.lock().unwrap(), Vec::<Value>::new(), "{run:?}");
    }
}

#[tokio::test]
async fn no_write_of_the_upkeep_either() {
    let gated = gated("b", Vec::new(), Vec::new());
    let change = Change { paused: Some(true), ..Change::default() };
    let custody = || Box::new(Custody { set: fence(), ..Custody::default() });
    let writes = [
        Upkeep::WriteRule(change),
        Upkeep::DeleteReplicaSet(fence()),
        Upkeep::DropRevision(fence()),
        Upkeep::TakeCustody(custody()),
        Upkeep::ScaleCustody(custody()),
        Upkeep::GiveBack(custody()),
        Upkeep::ExplainHold(Some("why".into())),
    ];
    for write in writes {
        let (applier, sent) = applier();
        assert!(applier.keep(&Deployment::default(), &gated, &write).await.is_err(), "{write:?}");
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 1, "{write:?}");
        assert!(tests(&sent[0], "/metadata/uid", &json!("its-uid")), "{write:?}: {}", sent[0]);
        assert!(tests(&sent[0], "/metadata/resourceVersion", &json!("7")), "{write:?}: {}", sent[0]);
    }
}

#[test]
fn a_patch_whose_test_fails_is_a_conflict_and_one_that_is_refused_says_why() {
    let conflict = |message: &str| {
        let status = Box::new(kube::core::Status { code: 422, message: message.into(), ..Default::default() });
        matches!(patch_refusal("ApproveImages", kube::Error::Api(status)), Error::Conflict { .. })
    };
    assert!(conflict("the server rejected our request due to an error in our request"));
    for refused in [
        "deployments.apps \"shop\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
        "admission webhook \"w\" denied the request: no",
        "Deployment.apps \"shop\" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes",
    ] {
        assert!(!conflict(refused), "{refused}");
    }
}
