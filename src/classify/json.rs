//! Log lines that are JSON objects: their texts, one line each.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The fields that hold what was said, in the order in which they are read.
const FIELDS: &[&str] = &[
    "msg",
    "message",
    "log",
    "textPayload",
    "jsonPayload",
    "@message",
    "MESSAGE",
    "event",
    "error",
    "err",
    "code",
    "detail",
    "reason",
    "cause",
    "stack",
];
/// How deep objects are looked into.
const DEPTH: usize = 3;

/// The texts of a line that is a JSON object; nothing where it is not.
pub fn texts(line: &str) -> Option<Vec<Cow<'_, str>>> {
    let line = line.trim_start();
    // Most lines need no more than this look.
    if !line.starts_with('{') {
        return None;
    }
    let line = line.trim_end();
    if !line.ends_with('}') {
        return None;
    }
    let Said::Fields(fields) = serde_json::from_str(line).ok()? else { return None };
    let mut texts = Vec::new();
    fields.into_iter().for_each(|(name, value)| collect(name, value, 0, &mut texts));
    (!texts.is_empty()).then_some(texts)
}

fn collect<'l>(name: usize, value: Said<'l>, depth: usize, texts: &mut Vec<Cow<'l, str>>) {
    match value {
        Said::Text(text) if FIELDS.get(name) == Some(&"code") => texts.push(["code: '", &text, "'"].concat().into()),
        Said::Text(text) if text.contains('\n') => texts.extend(text.lines().map(|line| Cow::Owned(line.to_owned()))),
        Said::Text(text) => texts.extend((!text.is_empty()).then_some(text)),
        Said::Fields(fields) if depth < DEPTH => {
            fields.into_iter().for_each(|(name, value)| collect(name, value, depth + 1, texts));
        }
        Said::Fields(_) | Said::Nothing => {}
    }
}

/// A value, of which only texts and our fields are kept.
enum Said<'l> {
    Text(Cow<'l, str>),
    /// By their place in [`FIELDS`], in its order.
    Fields(Vec<(usize, Said<'l>)>),
    Nothing,
}

impl<'de> Deserialize<'de> for Said<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Said<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Said<'de>, E> {
        Ok(Said::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Said<'de>, E> {
        Ok(Said::Text(Cow::Borrowed(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said<'de>, A::Error> {
        let mut fields: Vec<(usize, Said<'de>)> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            fields.retain(|(other, _)| *other != name);
            fields.push((name, value));
        }
        fields.sort_unstable_by_key(|(name, _)| *name);
        Ok(Said::Fields(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Said::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Said<'de>, E> {
        Ok(Said::Nothing)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Said<'de>, E> {
        Ok(Said::Nothing)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Said<'de>, E> {
        Ok(Said::Nothing)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Said<'de>, E> {
        Ok(Said::Nothing)
    }

    fn visit_unit<E>(self) -> Result<Said<'de>, E> {
        Ok(Said::Nothing)
    }
}

/// A field's place in [`FIELDS`], read without keeping its name.
struct Name(Option<usize>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Naming;
        impl Visitor<'_> for Naming {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_str<E>(self, text: &str) -> Result<Name, E> {
                Ok(Name(FIELDS.iter().position(|field| *field == text)))
            }
        }
        deserializer.deserialize_str(Naming)
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
            Some(vec!["Error: P3018".into(), Cow::Borrowed(""), "Migration name: a".into(), "code: '42P07'".into()])
        );
        assert_eq!(texts("{ code: '42P07' }"), None);
        assert_eq!(texts("Error: P3018"), None);
    }
}
