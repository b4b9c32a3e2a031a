//! The authorities of all replicas, as they stand on the webhook's configuration. Pure.
//!
//! Each replica puts its own under its name and leaves the others alone; what has run out goes. `caBundle` is all of them. A
//! replica that is gone leaves a certificate whose key went with it, which harms nothing until it runs out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// At most so many replicas, the longest lived first: pods that come and go must not fill the object.
const MOST: usize = 16;

/// What a replica has published.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Published {
    /// Its authorities: that which it serves with, and the next.
    pub pem: Vec<String>,
    /// When the last of them runs out, in seconds since 1970.
    pub until: u64,
}

/// All that is published, by replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(BTreeMap<String, Published>);

impl Authorities {
    /// Reads the annotation; what cannot be read is nobody's.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// The same with what `replica` publishes, and without what has run out.
    #[must_use]
    pub fn with(&self, replica: &str, published: Published, now: u64) -> Self {
        let mut next: Vec<_> =
            self.0.clone().into_iter().filter(|(name, each)| name != replica && each.until > now).collect();
        next.sort_by_key(|(_, each)| std::cmp::Reverse(each.until));
        next.truncate(MOST - 1);
        next.push((replica.to_owned(), published));
        Self(next.into_iter().collect())
    }

    /// The annotation.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The `caBundle`.
    #[must_use]
    pub fn bundle(&self) -> String {
        self.0.values().flat_map(|each| &each.pem).map(String::as_str).collect()
    }
}
