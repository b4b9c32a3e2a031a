//! Log lines that are JSON objects: their texts, one line each.

use serde_json::Value;

/// The fields that hold what was said, in the order in which they are read.
const FIELDS: &[&str] =
    &["level", "msg", "message", "log", "error", "err", "code", "detail", "reason", "cause", "stack"];

/// The texts of a line that is a JSON object; nothing where it is not.
pub fn texts(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    if !(line.starts_with('{') && line.ends_with('}')) {
        return None;
    }
    let Value::Object(fields) = serde_json::from_str(line).ok()? else { return None };
    let mut texts = Vec::new();
    for name in FIELDS {
        if let Some(value) = fields.get(*name) {
            collect(name, value, 0, &mut texts);
        }
    }
    (!texts.is_empty()).then_some(texts)
}

fn collect(name: &str, value: &Value, depth: usize, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if name == "code" => texts.push(format!("code: '{text}'")),
        Value::String(text) => texts.extend(text.lines().map(str::to_owned)),
        Value::Object(fields) if depth < 3 => {
            for field in FIELDS {
                if let Some(inner) = fields.get(*field) {
                    collect(field, inner, depth + 1, texts);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_log_objects_are_read_and_other_lines_are_left() {
        let line = r#"{"level":"error","msg":"Error: P3018\n\nMigration name: a","err":{"code":"42P07"}}"#;
        assert_eq!(
            texts(line),
            Some(vec![
                "error".into(),
                "Error: P3018".into(),
                String::new(),
                "Migration name: a".into(),
                "code: '42P07'".into()
            ])
        );
        assert_eq!(texts("{ code: '42P07' }"), None);
        assert_eq!(texts("Error: P3018"), None);
    }
}
