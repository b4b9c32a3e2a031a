//! What is shown to others has no credential and no value of a row.

use serde_json::Value;

use crate::classify::redact;

/// An object without literal values of variables, without what only repeats it, and with every text redacted.
pub fn object(mut value: Value) -> Value {
    visit(&mut value);
    value
}

/// Annotation in which kubectl repeats the whole object.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn visit(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for repeats in [APPLIED, "managedFields"] {
                fields.remove(repeats);
            }
            for variable in fields.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(literal) = variable.get_mut("value") {
                    *literal = Value::from("***");
                }
            }
            fields.values_mut().for_each(visit);
        }
        Value::Array(items) => items.iter_mut().for_each(visit),
        Value::String(text) => *text = lines(text).trim_end_matches('\n').to_owned(),
        _ => {}
    }
}

/// Text, line by line.
pub fn lines(text: &str) -> String {
    let mut hide = Lines::default();
    text.lines().map(|line| format!("{}\n", hide.line(line))).collect()
}

/// Lines as they come: those between the marks of a private key are the key.
#[derive(Debug, Default)]
pub struct Lines {
    in_key: bool,
}

impl Lines {
    /// The next line.
    pub fn line(&mut self, line: &str) -> String {
        self.in_key = (self.in_key || line.contains("-----BEGIN ")) && !line.contains("-----END ");
        if self.in_key { "***".to_owned() } else { redact::line(line) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_be_a_secret_is_withheld_and_the_rest_stays() {
        let shown = object(json!({
            "metadata": { "managedFields": [1], "annotations": { APPLIED: "hunter2", "note": "kept" } },
            "spec": { "containers": [{
                "env": [{ "name": "A", "value": "hunter2" }, { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s" } } }],
                "args": ["postgres://a:hunter2@db/shop"],
            }] },
        }));
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
        assert_eq!(shown["metadata"]["annotations"], json!({ "note": "kept" }));
        assert_eq!(shown["spec"]["containers"][0]["env"][1]["valueFrom"]["secretKeyRef"]["name"], "s");
        let key = lines("a\n-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\nb\n");
        assert!(!key.contains("hunter2") && key.ends_with("b\n"), "{key}");
    }
}
