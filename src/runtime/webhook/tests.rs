use serde_json::{Value, json};

use super::answer;
use super::bundle::{Authorities, Published};

const OPERATOR: &str = "system:serviceaccount:sluice-system:sluice";

fn review(who: &str, image: &str, approved: &str) -> Value {
    let object = |image: &str, approved: &str| {
        json!({
            "metadata": { "name": "shop", "labels": { "sluice.dev/gated": "true" }, "annotations": { "sluice.dev/approved-images": approved } },
            "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": image }] } } },
        })
    };
    json!({ "request": { "uid": "u", "userInfo": { "username": who }, "oldObject": object("a:1", "a:1"), "object": object(image, approved) } })
}

/// The answer's patch on the object that was sent.
fn patched(review: &Value) -> Value {
    let answer = answer(review, OPERATOR).unwrap();
    assert_eq!((&answer["response"]["uid"], &answer["response"]["allowed"]), (&json!("u"), &json!(true)));
    let mut object = review["request"]["object"].clone();
    if let Some(patch) = answer["response"].get("patch") {
        let k8s_openapi::ByteString(bytes) = serde_json::from_value(patch.clone()).unwrap();
        let patch: json_patch::Patch = serde_json::from_slice(&bytes).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[test]
fn it_answers_with_the_rule() {
    let held = patched(&review("ann", "a:2", "a:2"));
    assert_eq!(held["spec"]["paused"], json!(true));
    assert_eq!(held["metadata"]["annotations"]["sluice.dev/approved-images"], json!("a:1"));
    let approved = patched(&review(OPERATOR, "a:2", "a:2"));
    assert_eq!(approved["spec"].get("paused"), None);
    assert_eq!(answer(&review("ann", "a:1", "a:1"), OPERATOR).unwrap()["response"].get("patch"), None);
    assert_eq!(answer(&json!({ "kind": "Pod" }), OPERATOR), None);
}

#[test]
fn every_replica_is_in_the_bundle_until_it_runs_out() {
    let published = |pem: &str, until| Published { pem: vec![pem.to_owned()], until };
    let one = Authorities::parse("not ours").with("a", published("A", 10), 0);
    let two = one.with("b", published("B", 20), 5);
    assert_eq!(two.bundle(), "AB");
    assert_eq!(Authorities::parse(&two.text()), two);
    assert_eq!(two.with("b", published("B", 20), 5), two, "nothing new is nothing to write");
    assert_eq!(two.with("b", published("C", 30), 10).bundle(), "C", "A has run out");
    let crowd = (0..40).fold(two, |all, n| all.with(&format!("r{n}"), published("R", 100 + n), 5));
    assert_eq!(crowd.bundle().len(), 16);
    assert!(crowd.with("a", published("A", 10), 5).bundle().contains('A'), "its own always stays");
}
