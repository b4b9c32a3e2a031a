//! What the gate sees of a Deployment or a ReplicaSet.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::PodSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::Approved;
use crate::api::labels;

/// The parts of a workload that a gate rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Its name; empty where the API server has yet to make one.
    pub name: String,
    /// Its own labels, not its pods'.
    pub labels: BTreeMap<String, String>,
    /// Its own annotations.
    pub annotations: BTreeMap<String, String>,
    /// The containers of its template, then the init containers.
    pub containers: Vec<Container>,
    /// `spec.paused`.
    pub paused: bool,
}

/// A container of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name, which no other container of the pod has.
    pub name: String,
    /// Its image as written; empty where there is none, which the API server refuses.
    pub image: String,
    /// Whether it runs as long as the pod: a container, or an init container that always restarts (a sidecar).
    pub serves: bool,
}

impl Container {
    fn carries(&self, named: &[&str]) -> bool {
        if named.is_empty() { self.serves } else { named.contains(&self.name.as_str()) }
    }
}

impl Workload {
    /// Reads the JSON of a Deployment or a ReplicaSet. What is missing or of another type is taken as absent.
    #[must_use]
    pub fn read(object: &Value) -> Self {
        let words = |path: &str| -> BTreeMap<String, String> {
            let found = object.pointer(path).and_then(Value::as_object).into_iter().flatten();
            found.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        let list = |path: &str| object.pointer(path).and_then(Value::as_array).into_iter().flatten();
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let container =
            |each: &Value, serves| Container { name: text(each, "name"), image: text(each, "image"), serves };
        let serving = list("/spec/template/spec/containers").map(|each| container(each, true));
        let init = list("/spec/template/spec/initContainers")
            .map(|each| container(each, text(each, "restartPolicy") == "Always"));
        Self {
            name: object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            labels: words("/metadata/labels"),
            annotations: words("/metadata/annotations"),
            containers: serving.chain(init).collect(),
            paused: object.pointer("/spec/paused").and_then(Value::as_bool).unwrap_or_default(),
        }
    }

    fn typed(metadata: &ObjectMeta, pod: Option<&PodSpec>, paused: Option<bool>) -> Self {
        let container = |name: &str, image: &Option<String>, serves| Container {
            name: name.to_owned(),
            image: image.clone().unwrap_or_default(),
            serves,
        };
        let serving = pod.into_iter().flat_map(|pod| &pod.containers).map(|c| container(&c.name, &c.image, true));
        let init = pod.into_iter().flat_map(|pod| pod.init_containers.iter().flatten());
        let init = init.map(|c| container(&c.name, &c.image, c.restart_policy.as_deref() == Some("Always")));
        Self {
            name: metadata.name.clone().unwrap_or_default(),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
            containers: serving.chain(init).collect(),
            paused: paused.unwrap_or_default(),
        }
    }

    /// Whether it has the label. Its value does not count here: the guard lets only one in.
    #[must_use]
    pub fn is_gated(&self) -> bool {
        self.labels.contains_key(labels::GATED)
    }

    /// Whether the rule has taken it up: it has the label, and the list that the rule writes at its every pass.
    #[must_use]
    pub fn is_taken_up(&self) -> bool {
        self.is_gated() && self.annotations.contains_key(labels::APPROVED_IMAGES)
    }

    /// As it was before it had the label, as far as is known: with the images that it has.
    #[must_use]
    pub fn without_gate(&self) -> Self {
        let mut before = self.clone();
        before.labels.remove(labels::GATED);
        before
    }

    /// Whether admission holds it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.annotation(labels::HELD_BY).is_empty()
    }

    /// The list that it carries.
    #[must_use]
    pub fn approved(&self) -> Approved {
        Approved::of(&self.annotations)
    }

    /// The runs that must all be clean for it; empty: any run that names it.
    #[must_use]
    pub fn required_runs(&self) -> Vec<&str> {
        names(self.annotation(labels::REQUIRED_RUNS))
    }

    /// The names in its `sluice.dev/containers`; empty: all that serve.
    #[must_use]
    pub fn named_containers(&self) -> Vec<&str> {
        names(self.annotation(labels::CONTAINERS))
    }

    /// Its gated containers: those that carry the release.
    #[must_use]
    pub fn gated_containers(&self) -> Vec<&Container> {
        self.carriers(&self.named_containers())
    }

    /// The release: the images of its gated containers, each once.
    #[must_use]
    pub fn gated_images(&self) -> BTreeSet<&str> {
        self.gated_containers().into_iter().map(|c| c.image.as_str()).filter(|image| !image.is_empty()).collect()
    }

    /// The images that its release waits for: gated, neither approved by `approved` nor let go by a bypass.
    #[must_use]
    pub fn waits_for(&self, approved: &Approved) -> BTreeSet<&str> {
        let bypassed = self.bypassed();
        let waits = |image: &&str| !approved.has(image) && !bypassed.contains(image);
        if approved.is_ungated() { BTreeSet::new() } else { self.gated_images().into_iter().filter(waits).collect() }
    }

    /// The images that a person lets go.
    #[must_use]
    pub fn bypassed(&self) -> Vec<&str> {
        let lines = self.annotation(labels::BYPASS).split('\n');
        lines.map(|line| line.split(' ').next().unwrap_or_default()).filter(|image| !image.is_empty()).collect()
    }

    pub(super) fn annotation(&self, key: &str) -> &str {
        self.annotations.get(key).map(String::as_str).unwrap_or_default()
    }

    /// The containers that carry the release, by these names.
    pub(super) fn carriers(&self, named: &[&str]) -> Vec<&Container> {
        self.containers.iter().filter(|c| c.carries(named)).collect()
    }

    /// All other containers.
    pub(super) fn left_out(&self, named: &[&str]) -> Vec<&Container> {
        self.containers.iter().filter(|c| !c.carries(named)).collect()
    }

    /// Those of these names that no container has.
    pub(super) fn lacks<'a>(&self, named: &[&'a str]) -> Vec<&'a str> {
        named.iter().copied().filter(|name| !self.containers.iter().any(|c| c.name == *name)).collect()
    }
}

impl From<&Deployment> for Workload {
    fn from(object: &Deployment) -> Self {
        let spec = object.spec.as_ref();
        Self::typed(&object.metadata, spec.and_then(|s| s.template.spec.as_ref()), spec.and_then(|s| s.paused))
    }
}

impl From<&ReplicaSet> for Workload {
    fn from(object: &ReplicaSet) -> Self {
        let template = object.spec.as_ref().and_then(|spec| spec.template.as_ref());
        Self::typed(&object.metadata, template.and_then(|template| template.spec.as_ref()), None)
    }
}

/// Names with commas between them; what is empty is no name.
fn names(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}
