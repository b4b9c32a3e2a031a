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
            (Some(Value::Array(items)), Value::Array(patches), Some(key)) => merge_lists(items, patches, key),
            (Some(here @ Value::Object(_)), Value::Object(_), _) => merge(here, value),
            _ => {
                base.insert(field.clone(), value.clone());
            }
        }
    }
}

fn merge_lists(items: &mut Vec<Value>, patches: &[Value], key: &str) {
    for patch in patches {
        let name = patch.get(key);
        match items.iter_mut().find(|item| name.is_some() && item.get(key) == name) {
            Some(item) => merge(item, patch),
            None => items.push(patch.clone()),
        }
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

    #[test]
    fn an_env_variable_takes_its_new_source_instead_of_the_old_value() {
        let mut base = json!({ "securityContext": { "runAsNonRoot": true } });
        merge(&mut base, &json!({ "securityContext": { "runAsNonRoot": null, "runAsUser": 0 } }));
        assert_eq!(base, json!({ "securityContext": { "runAsUser": 0 } }));
    }
}
