//! Holds the chart's values, their schema and its README equal. `tests/chart/render` renders it; this needs no Helm.
//!
//! `WRITE_DOCS=1` makes it write the README's table instead of comparing it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

const BEGIN: &str = "<!-- values:begin -->\n";
const END: &str = "<!-- values:end -->";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/sluice").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&read("values.schema.json")).unwrap()
}

/// A schema, or what it refers to.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/definitions/"));
    reference.map_or(schema, |name| &root["definitions"][name])
}

/// A value that has no parts of its own, by its path: what is refused and what not says its schema.
struct Leaf {
    path: String,
    schema: Value,
    default: Value,
}

fn leaves() -> Vec<Leaf> {
    fn within(root: &Value, schema: &Value, values: &Value, path: &str, found: &mut Vec<Leaf>) {
        let schema = resolved(root, schema);
        let Some(properties) = schema["properties"].as_object() else {
            found.push(Leaf { path: path.to_owned(), schema: schema.clone(), default: values.clone() });
            return;
        };
        assert_eq!(schema["additionalProperties"], Value::Bool(false), "{path}: unknown keys are not refused");
        let values = values.as_object().unwrap_or_else(|| panic!("{path} has no values"));
        for key in values.keys() {
            assert!(properties.contains_key(key), "{path}.{key} is not in the schema");
        }
        for (key, schema) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let Some(value) = values.get(key) else {
                assert_eq!(path, "global", "it is in the schema and has no value");
                continue;
            };
            within(root, schema, value, &path, found);
        }
    }
    let (schema, mut found) = (schema(), Vec::new());
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    within(&schema, &schema, &values, "", &mut found);
    assert!(found.len() > 60, "the values are not where they were");
    found
}

/// The comment above each key of the values, by its path.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut above, mut at) = (BTreeMap::new(), Vec::<String>::new(), Vec::<(usize, String)>::new());
    for line in read("values.yaml").lines() {
        let indent = line.len() - line.trim_start().len();
        match line.trim().strip_prefix('#') {
            Some(comment) => above.push(comment.trim().to_owned()),
            None if line.trim().is_empty() => above.clear(),
            None => {
                let Some((key, _)) = line.trim().split_once(':') else { continue };
                at.retain(|(outer, _)| *outer < indent);
                at.push((indent, key.to_owned()));
                let path = at.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
                found.insert(path, above.join(" "));
                above.clear();
            }
        }
    }
    found
}

/// The type of a value in a word; or all that it may be.
fn kind(leaf: &Leaf) -> String {
    if let Some(values) = leaf.schema["enum"].as_array() {
        return values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    match &leaf.schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        kind => match kind.as_str().unwrap() {
            "array" => "list".to_owned(),
            "object" => "map".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn table() -> String {
    let comments = comments();
    let mut table = "| value | type | default | what it is for |\n|---|---|---|---|\n".to_owned();
    for leaf in leaves() {
        let comment = comments.get(&leaf.path).filter(|comment| !comment.is_empty());
        let comment = comment.unwrap_or_else(|| panic!("values.yaml does not say what {} is for", leaf.path));
        let comment = comment.replace('|', "\\|").replace('<', "&lt;");
        let default = match &leaf.default {
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        table.push_str(&format!("| `{}` | {} | {default} | {comment} |\n", leaf.path, kind(&leaf)));
    }
    table
}

#[test]
fn the_readme_says_what_the_values_say() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(path("README.md"), &wanted).unwrap();
    } else {
        assert!(readme == wanted, "out of date, run `WRITE_DOCS=1 cargo test --test chart`");
    }
}

#[test]
fn every_default_is_of_its_type() {
    for Leaf { path, schema, default } in leaves() {
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => {
                assert!(
                    schema["enum"].as_array().unwrap().contains(&default),
                    "{path}: {default} is none of its values"
                );
                continue;
            }
        };
        let is = match &default {
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Null => "null",
        };
        assert!(kinds.contains(&is), "{path}: {default} is no {kinds:?}");
    }
}

/// A parent chart hands it down, whatever a chart reads.
#[test]
fn global_is_allowed_and_nothing_else_is_that_has_no_value() {
    let schema = schema();
    assert_eq!(schema["properties"]["global"]["type"], "object");
    assert_eq!(schema["properties"]["global"].get("properties"), None);
    assert_eq!(schema["additionalProperties"], Value::Bool(false));
}
