//! What the rule writes, as data, and how it is put on an object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Workload;
use crate::api::labels;

/// What becomes of the fields that belong to the rule. `None` leaves one as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `sluice.dev/approved-images`.
    pub approved: Option<String>,
    /// `sluice.dev/held-by`; `Some(None)` takes it off.
    pub held_by: Option<Option<String>>,
    /// Takes `sluice.dev/bypass` off.
    pub bypass_ends: bool,
    /// `spec.paused`.
    pub paused: Option<bool>,
}

impl Change {
    /// The workload with the change.
    #[must_use]
    pub fn of(&self, sent: &Workload) -> Workload {
        let mut after = sent.clone();
        for (key, value) in self.annotations() {
            match value {
                Some(value) => after.annotations.insert(key.to_owned(), value.to_owned()),
                None => after.annotations.remove(key),
            };
        }
        after.paused = self.paused.unwrap_or(sent.paused);
        after
    }

    /// The operations of a JSON patch (RFC 6902) for the object as it was sent; none where nothing changes.
    #[must_use]
    pub fn operations(&self, sent: &Value) -> Vec<Value> {
        let found = sent.pointer("/metadata/annotations").and_then(Value::as_object);
        let mut operations = Vec::new();
        for (key, value) in self.annotations() {
            let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
            match (value, found.and_then(|found| found.get(key))) {
                (Some(value), before) if before.and_then(Value::as_str) != Some(value) => {
                    operations.push(json!({ "op": "add", "path": path, "value": value }));
                }
                (None, Some(_)) => operations.push(json!({ "op": "remove", "path": path })),
                _ => {}
            }
        }
        if found.is_none() && !operations.is_empty() {
            operations.insert(0, json!({ "op": "add", "path": "/metadata/annotations", "value": Map::new() }));
        }
        let paused = sent.pointer("/spec/paused").and_then(Value::as_bool).unwrap_or_default();
        if let Some(wanted) = self.paused.filter(|wanted| *wanted != paused) {
            operations.push(json!({ "op": "add", "path": "/spec/paused", "value": wanted }));
        }
        operations
    }

    /// What becomes of each annotation of the rule that does not stay.
    fn annotations(&self) -> BTreeMap<&'static str, Option<&str>> {
        let mut changed = BTreeMap::new();
        if let Some(approved) = &self.approved {
            changed.insert(labels::APPROVED_IMAGES, Some(approved.as_str()));
        }
        if let Some(held_by) = &self.held_by {
            changed.insert(labels::HELD_BY, held_by.as_deref());
        }
        if self.bypass_ends {
            changed.insert(labels::BYPASS, None);
        }
        changed
    }
}
