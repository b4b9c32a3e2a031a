//! Kubernetes' strategic merge for a partial pod template: lists whose items have a key are merged by it, all others are
//! replaced.
//!
//! The keys are those of the API's `x-kubernetes-patch-merge-key`; see "Update API Objects in Place Using kubectl patch" in
//! the Kubernetes documentation.

use serde_json::{Map, Value};

/// Field and key of the lists in a pod template that are merged item by item.
const KEYED: [(&str, &str); 13] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("ports", "containerPort"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("resourceClaims", "name"),
    ("schedulingGates", "name"),
    ("ephemeralContainers", "name"),
];

/// Lists whose items hold one of several fields (`retainKeys` in the API's patch strategy).
const ONE_OF: [&str; 2] = ["volumes", "resourceClaims"];

/// Lays `patch` over `base`. A null takes a field away.
pub fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => merge_objects(base, patch),
        (base, patch) => *base = patch.clone(),
    }
}

fn merge_objects(base: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (field, value) in patch {
        if value.is_null() {
            base.remove(field);
            continue;
        }
        let key = KEYED.iter().find(|(list, _)| list == field).map(|(_, key)| *key);
        match (base.get_mut(field), value, key) {
            (Some(Value::Array(items)), Value::Array(patches), Some(key)) => merge_lists(items, patches, field, key),
            (Some(here @ Value::Object(_)), Value::Object(_), _) => merge(here, value),
            _ => {
                base.insert(field.clone(), value.clone());
            }
        }
    }
}

fn merge_lists(items: &mut Vec<Value>, patches: &[Value], list: &str, key: &str) {
    for patch in patches {
        let name = patch.get(key);
        match items.iter_mut().find(|item| name.is_some() && item.get(key) == name) {
            Some(item) => {
                keep(item, patch, list, key);
                merge(item, patch);
            }
            None => items.push(patch.clone()),
        }
    }
}

/// Takes from an item what cannot stand beside what the patch brings: a volume has one source, and a variable has one value.
fn keep(item: &mut Value, patch: &Value, list: &str, key: &str) {
    let (Value::Object(item), Value::Object(patch)) = (item, patch) else { return };
    let brings = patch.keys().any(|field| field != key);
    match list {
        "env" if brings => item.retain(|field, _| field == key),
        _ if ONE_OF.contains(&list) && brings => item.retain(|field, _| field == key || patch.contains_key(field)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keyed_lists_merge_by_their_key_and_others_are_replaced() {
        let mut base = json!({ "spec": {
            "containers": [{ "name": "migrate", "env": [{ "name": "A", "value": "1" }], "args": ["x"] }],
            "tolerations": [{ "key": "a" }],
        }});
        let patch = json!({ "spec": {
            "containers": [
                { "name": "migrate", "env": [{ "name": "A", "value": "2" }, { "name": "B", "value": "3" }], "args": ["y", "z"] },
                { "name": "proxy", "image": "p" },
            ],
            "tolerations": [{ "key": "b" }],
        }});
        merge(&mut base, &patch);
        assert_eq!(
            base,
            json!({ "spec": {
                "containers": [
                    { "name": "migrate", "env": [{ "name": "A", "value": "2" }, { "name": "B", "value": "3" }], "args": ["y", "z"] },
                    { "name": "proxy", "image": "p" },
                ],
                "tolerations": [{ "key": "b" }],
            }})
        );
    }

    fn merged(mut base: Value, patch: Value) -> Value {
        merge(&mut base, &patch);
        base
    }

    #[test]
    fn an_env_variable_takes_its_new_source_instead_of_the_old_value() {
        let secret = json!({ "secretKeyRef": { "name": "s", "key": "k" } });
        let map = json!({ "configMapKeyRef": { "name": "c", "key": "k" } });
        let table = [
            (json!({ "value": "1" }), json!({ "value": "2" })),
            (json!({ "value": "1" }), json!({ "valueFrom": secret })),
            (json!({ "valueFrom": secret }), json!({ "value": "2" })),
            (json!({ "valueFrom": secret }), json!({ "valueFrom": map })),
        ];
        for (base, patch) in table {
            let named = |mut variable: Value| {
                variable["name"] = json!("A");
                json!({ "env": [variable] })
            };
            assert_eq!(merged(named(base), named(patch.clone())), named(patch));
        }
        let bare = json!({ "env": [{ "name": "A" }] });
        let base = json!({ "env": [{ "name": "A", "value": "1" }] });
        assert_eq!(merged(base.clone(), bare), base);
    }

    #[test]
    fn a_volume_has_one_source() {
        let base = json!({ "volumes": [{ "name": "tmp", "emptyDir": {} }] });
        let table = [
            (
                json!({ "name": "tmp", "persistentVolumeClaim": { "claimName": "c" } }),
                json!([{ "name": "tmp", "persistentVolumeClaim": { "claimName": "c" } }]),
            ),
            (
                json!({ "name": "tmp", "emptyDir": { "sizeLimit": "1Gi" } }),
                json!([{ "name": "tmp", "emptyDir": { "sizeLimit": "1Gi" } }]),
            ),
            (json!({ "name": "tmp" }), json!([{ "name": "tmp", "emptyDir": {} }])),
            (
                json!({ "name": "ca", "secret": { "secretName": "ca" } }),
                json!([{ "name": "tmp", "emptyDir": {} }, { "name": "ca", "secret": { "secretName": "ca" } }]),
            ),
        ];
        for (patch, wanted) in table {
            assert_eq!(merged(base.clone(), json!({ "volumes": [patch] })), json!({ "volumes": wanted }));
        }
    }

    #[test]
    fn each_list_is_merged_by_the_key_of_the_api() {
        // Field, items of base and patch, and what comes of them.
        let table = [
            (
                "volumeMounts",
                json!([{ "mountPath": "/a", "name": "x" }]),
                json!([{ "mountPath": "/a", "name": "y" }]),
                1,
            ),
            (
                "volumeMounts",
                json!([{ "mountPath": "/a", "name": "x" }]),
                json!([{ "mountPath": "/b", "name": "x" }]),
                2,
            ),
            ("ports", json!([{ "containerPort": 80 }]), json!([{ "containerPort": 80, "name": "web" }]), 1),
            ("ports", json!([{ "containerPort": 80 }]), json!([{ "containerPort": 81 }]), 2),
            ("initContainers", json!([{ "name": "a" }]), json!([{ "name": "a", "image": "i" }]), 1),
            ("initContainers", json!([{ "name": "a" }]), json!([{ "name": "b" }]), 2),
            ("imagePullSecrets", json!([{ "name": "a" }]), json!([{ "name": "b" }]), 2),
            ("hostAliases", json!([{ "ip": "1" }]), json!([{ "ip": "1", "hostnames": ["h"] }]), 1),
            (
                "topologySpreadConstraints",
                json!([{ "topologyKey": "z" }]),
                json!([{ "topologyKey": "z", "maxSkew": 1 }]),
                1,
            ),
            ("tolerations", json!([{ "key": "a" }]), json!([{ "key": "b" }]), 1),
            ("envFrom", json!([{ "prefix": "a" }]), json!([{ "prefix": "b" }]), 1),
            ("command", json!(["a", "b"]), json!(["c"]), 1),
            ("containers", json!([{ "name": "a" }]), json!([{ "image": "nameless" }]), 2),
        ];
        for (list, base, patch, length) in table {
            let merged = merged(json!({ list: base }), json!({ list: patch }));
            let items = merged[list].as_array().unwrap();
            assert_eq!(items.len(), length, "{list}: {items:?}");
            let last = patch.as_array().unwrap().last().unwrap();
            assert!(items.contains(last), "{list}: {items:?}");
        }
    }

    #[test]
    fn a_null_takes_a_field_away() {
        let base = json!({ "securityContext": { "runAsNonRoot": true } });
        let patch = json!({ "securityContext": { "runAsNonRoot": null, "runAsUser": 0 }, "absent": null });
        assert_eq!(merged(base, patch), json!({ "securityContext": { "runAsUser": 0 } }));
    }

    #[test]
    fn a_label_called_like_a_list_is_no_list() {
        let base = json!({ "metadata": { "labels": { "env": "a" } } });
        assert_eq!(
            merged(base, json!({ "metadata": { "labels": { "env": "b" } } })),
            json!({ "metadata": { "labels": { "env": "b" } } })
        );
    }
}
