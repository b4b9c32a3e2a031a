use serde_json::{Value, json};

use super::*;

fn good() -> Value {
    json!({
        "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "shop" },
        "spec": {
            "image": "ghcr.io/acme/shop:1",
            "database": { "urlFrom": { "secretKeyRef": { "name": "shop-db", "key": "DATABASE_URL" } } },
        },
    })
}

/// The faults of a good run with one change.
fn but(pointer: &str, value: Value) -> Vec<String> {
    let mut run = good();
    let mut place = &mut run;
    for field in pointer.split('.') {
        place = &mut place[field];
    }
    *place = value;
    told(&run)
}

fn told(object: &Value) -> Vec<String> {
    let faults = of_object(object).unwrap();
    faults.into_iter().map(|Fault { field, message }| format!("{field}: {message}")).collect()
}

#[test]
fn a_good_run_has_no_fault() {
    assert_eq!(told(&good()), Vec::<String>::new());
}

#[test]
fn each_fault_is_named_with_its_field() {
    for (pointer, value, fault) in [
        ("spec.image", Value::Null, "spec.image: is required"),
        ("spec.image", json!(1.25), "spec.image: must be of type string, and is number: write quotes"),
        ("spec.image", json!(""), "spec.image: must be at least 1 characters"),
        ("spec.image", json!("a b"), "an image has no spaces"),
        ("spec.Image", json!("x"), "spec.Image: is not known: write image"),
        ("spec.imagine", json!("x"), "spec.imagine: is not known here; known are check, "),
        ("spec.tool", json!("prisma"), "spec.tool: \"prisma\" is not one of Prisma, "),
        ("spec.suspend", json!("yes"), "spec.suspend: must be of type boolean, and is string"),
        ("spec.history", json!({ "limit": 1.5 }), "spec.history.limit: must be of type integer"),
        ("spec.history", json!({ "limit": -1 }), "spec.history.limit: must be at least"),
        ("spec.migrate", json!({ "command": "npx" }), "spec.migrate.command: must be of type array, and is string"),
        ("spec.migrate", json!({ "env": [{ "value": "x" }] }), "spec.migrate.env[0].name: is required"),
        (
            "spec.targets",
            json!([{ "kind": "Deployment", "name": "a" }, { "kind": "Deployment", "name": "a" }]),
            "spec.targets[1]: has the same kind and name as another",
        ),
        ("spec.migrate", json!({ "timeout": "30 minutes" }), "migrate.timeout must be a duration"),
        ("spec.podTemplate", json!({ "spec": { "nodeName": 1 } }), "podTemplate does not make a pod"),
        ("spec.podTemplate", json!({ "spec": { "tolerance": [] } }), "podTemplate.spec.tolerance is not known"),
        (
            "apiVersion",
            json!("sluice.dev/v1"),
            "apiVersion: \"sluice.dev/v1\" is not served: write sluice.dev/v1alpha1",
        ),
        ("metadata", json!({}), "metadata.name: is required"),
    ] {
        let faults = but(pointer, value.clone());
        assert!(faults.len() == 1 && faults[0].contains(fault), "{pointer}: {value}: {faults:?}");
    }
}

#[test]
fn a_gated_deployment_is_judged_by_the_gates_own_rule() {
    let with = |labels: Value, annotations: Value, paused: Value| {
        told(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "shop", "labels": labels, "annotations": annotations },
            "spec": { "paused": paused, "template": { "spec": { "containers": [{ "name": "web", "image": "shop:1" }] } } },
        }))
    };
    let gated = || json!({ "sluice.dev/gated": "true" });
    assert_eq!(with(gated(), json!({}), Value::Null), Vec::<String>::new());
    assert_eq!(with(json!({}), json!({}), json!(true)), Vec::<String>::new());
    for (labels, annotations, paused, fault) in [
        (json!({ "sluice.dev/gated": "yes" }), json!({}), Value::Null, "has the value \"true\" and no other"),
        (gated(), json!({ "sluice.dev/containers": "wep" }), Value::Null, "no container has the name wep"),
        (json!({}), json!({ "sluice.dev/required-runs": "a" }), Value::Null, "has no effect without the label"),
        (gated(), json!({}), json!(false), "leave it out"),
        (gated(), json!({ "sluice.dev/held-by": "me" }), Value::Null, "is Sluice's"),
        (gated(), json!({ "sluice.dev/bypass": "shop:1" }), Value::Null, "needs a reason"),
    ] {
        let faults = with(labels, annotations, paused);
        assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?}");
    }
}

#[test]
fn many_objects_are_read_and_others_passed_over() {
    let text = "# a comment\n---\n---\nkind: Service\napiVersion: v1\nmetadata: {name: a}\n---\n";
    let objects = documents(text).unwrap();
    assert_eq!(objects.len(), 1);
    let mut told = String::new();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [good(), objects[0]] });
    assert_eq!(of_file("a.yaml", &[list], &mut told), 0);
    assert_eq!(told, "a.yaml: 1 without a fault, 1 other objects not looked at\n");
    assert!(documents("a: [").is_err());
}
