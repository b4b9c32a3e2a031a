//! The structural schema of a definition, applied without an API server.
//!
//! Only what definitions of ours use: type, required, enum, format of integers, bounds of length and value, lists with keys, and
//! what is unknown, which an API server drops and kubectl refuses (`--validate=strict`).
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>

use serde_json::{Map, Value};

use super::Fault;

/// All that does not fit. A null is an absent field, as the API server reads it.
pub fn faults(schema: &Value, value: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    visit(schema, value, "", &mut faults);
    faults
}

fn visit(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    if schema.get("x-kubernetes-int-or-string").and_then(Value::as_bool) == Some(true) {
        if !value.is_string() && !value.is_i64() && !value.is_u64() {
            faults.push(Fault::at(path, "must be a string or an integer"));
        }
        return;
    }
    if let Some(kind) = schema.get("type").and_then(Value::as_str)
        && !is_of(kind, value)
    {
        faults.push(Fault::at(path, format!("must be of type {kind}, and is {}", kind_of(value))));
        return;
    }
    bounds(schema, value, path, faults);
    match value {
        Value::Object(fields) => object(schema, fields, path, faults),
        Value::Array(items) => list(schema, items, path, faults),
        _ => {}
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean: write quotes around it, if it is meant as text",
        Value::Number(_) => "number: write quotes around it, if it is meant as text",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn bounds(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    // Lengths and bounds of ours are far below where f64 becomes inexact.
    #[allow(clippy::cast_precision_loss)]
    let (size, unit, names) = match value {
        Value::String(text) => (text.chars().count() as f64, "characters", ["minLength", "maxLength"]),
        Value::Array(items) => (items.len() as f64, "items", ["minItems", "maxItems"]),
        Value::Number(number) => (number.as_f64().unwrap_or_default(), "", ["minimum", "maximum"]),
        _ => return,
    };
    let [least, most] = names.map(bound);
    if let Some(least) = least.filter(|least| size < *least) {
        faults.push(Fault::at(path, format!("must be at least {least} {unit}").trim_end()));
    }
    if let Some(most) = most.filter(|most| size > *most) {
        faults.push(Fault::at(path, format!("must be at most {most} {unit}").trim_end()));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        faults.push(Fault::at(path, format!("{value} is not one of {}", allowed.join(", "))));
    }
}

fn object(schema: &Value, fields: &Map<String, Value>, path: &str, faults: &mut Vec<Fault>) {
    let place = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let present = |field: &str| fields.get(field).is_some_and(|value| !value.is_null());
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !present(required) {
            faults.push(Fault::at(place(required), "is required"));
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    let open = schema.get("x-kubernetes-preserve-unknown-fields").and_then(Value::as_bool) == Some(true);
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        match (known.and_then(|known| known.get(field)), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema)) => visit(schema, value, &place(field), faults),
            // A schema without properties says nothing about them, but for one that has none at all.
            (None, None) if open || known.is_none() => {}
            (None, None) => faults.push(Fault::at(place(field), unknown(field, known))),
        }
    }
}

/// With the field that was meant, if one is near.
fn unknown(field: &str, known: Option<&Map<String, Value>>) -> String {
    let plain = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    let near = known.into_iter().flat_map(Map::keys).find(|name| plain(name) == plain(field));
    match near {
        Some(near) => format!("is not known: write {near}"),
        None => {
            let names: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
            format!("is not known here; known are {}", names.join(", "))
        }
    }
}

fn list(schema: &Value, items: &[Value], path: &str, faults: &mut Vec<Fault>) {
    if let Some(of) = schema.get("items") {
        for (place, item) in items.iter().enumerate() {
            visit(of, item, &format!("{path}[{place}]"), faults);
        }
    }
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    let keys: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
    if keys.is_empty() {
        return;
    }
    let key = |item: &Value| keys.iter().map(|key| item.get(*key).cloned()).collect::<Vec<_>>();
    for (place, item) in items.iter().enumerate() {
        if items.iter().take(place).any(|before| key(before) == key(item)) {
            faults
                .push(Fault::at(format!("{path}[{place}]"), format!("has the same {} as another", keys.join(" and "))));
        }
    }
}
