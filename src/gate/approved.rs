//! The list of approved images, as `sluice.dev/approved-images` carries it: one image a line.
//!
//! A line break is the only character that separates, since it is the one that no reference of an image has: an image
//! that has one is never approved. The order means nothing to the gate; the operator writes the newest first.

use std::collections::BTreeMap;

use super::UNGATED;
use crate::api::labels;

/// Approved images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approved(Vec<String>);

impl Approved {
    /// How many releases the operator keeps approved: what has replicas, the last known good one, the newest clean one.
    pub const RELEASES: usize = 5;

    /// Reads the annotation's value.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.split('\n').filter(|image| !image.is_empty()).map(str::to_owned).collect())
    }

    /// Reads it from the annotations of a Deployment or a ReplicaSet; empty where it is absent.
    #[must_use]
    pub fn of(annotations: &BTreeMap<String, String>) -> Self {
        annotations.get(labels::APPROVED_IMAGES).map_or_else(Self::default, |text| Self::parse(text))
    }

    /// The list that approves the first [`Self::RELEASES`] of `releases`, each the images of its gated containers. The caller
    /// puts first what must stay.
    #[must_use]
    pub fn of_releases<R, I>(releases: R) -> Self
    where
        R: IntoIterator,
        R::Item: IntoIterator<Item = I>,
        I: Into<String>,
    {
        let mut list = Self::default();
        releases.into_iter().take(Self::RELEASES).flatten().for_each(|image| list.add(image.into()));
        list
    }

    /// What is approved where a Deployment is taken up: what runs.
    pub(super) fn of_running<'a>(images: impl Iterator<Item = &'a str>) -> Self {
        Self(images.filter(|image| is_image(image)).map(str::to_owned).collect())
    }

    /// Approves an image too, unless it cannot be one.
    pub fn add(&mut self, image: String) {
        if is_image(&image) && !self.0.contains(&image) {
            self.0.push(image);
        }
    }

    /// The list without an image.
    #[must_use]
    pub fn without(mut self, image: &str) -> Self {
        self.0.retain(|approved| approved != image);
        self
    }

    /// Whether the image is approved.
    #[must_use]
    pub fn has(&self, image: &str) -> bool {
        self.0.iter().any(|approved| approved == image)
    }

    /// Whether this is the mark of a workload that is not gated any more.
    #[must_use]
    pub fn is_ungated(&self) -> bool {
        self.has(UNGATED)
    }

    /// The images.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The annotation's value.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join("\n")
    }
}

/// Whether a text can be on the list: one that separates images, or stands for all of them, is none.
fn is_image(text: &str) -> bool {
    !text.is_empty() && text != UNGATED && !text.contains('\n')
}
