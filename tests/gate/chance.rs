//! Random Deployments of few values, so that what matters collides often. The same seed makes the same ones.

use serde_json::{Map, Value, json};
use sluice::api::labels;

const IMAGES: [&str; 15] = [
    "a:1", "a:1", "a:1", "a:1", "a:1", "a:1", "a:2", "a:2", "a:2", "a:3", "a:1\na:2", "r:5/a", "a:latest", "r:5/a@b",
    "*",
];

/// A xorshift generator.
pub struct Chance(u64);

impl Chance {
    pub const fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % u64::try_from(bound).unwrap()).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// A Deployment. It wants no pods.
    pub fn deployment(&mut self, name: &str) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": name, "labels": self.labels() },
            "spec": {
                "replicas": 0,
                "selector": { "matchLabels": { "app": "x" } },
                "template": { "metadata": { "labels": { "app": "x" } }, "spec": self.containers() },
            },
        });
        let annotations = self.annotations();
        if !annotations.is_empty() || self.one_in(2) {
            object["metadata"]["annotations"] = annotations.into();
        }
        if self.one_in(3) {
            object["spec"]["paused"] = true.into();
        }
        object
    }

    /// A write to `old`, which changes some of it or all; or a new object.
    pub fn write(&mut self, old: Option<&Value>, name: &str) -> Value {
        let Some(old) = old else { return self.deployment(name) };
        let mut new = self.deployment(old["metadata"]["name"].as_str().unwrap());
        if self.one_in(6) {
            return back(new, old);
        }
        for path in ["/metadata/labels", "/spec/template/spec", "/spec/paused"] {
            if !self.one_in(3) {
                put(&mut new, path, old.pointer(path).cloned());
            }
        }
        for key in [labels::APPROVED_IMAGES, labels::HELD_BY, labels::CONTAINERS, labels::BYPASS] {
            if !self.one_in(4) {
                let path = format!("/metadata/annotations/{}", key.replace('/', "~1"));
                put(&mut new, &path, old.pointer(&path).cloned());
            }
        }
        new
    }

    fn labels(&mut self) -> Value {
        let value = self.of(&[Some("true"), Some("true"), Some("true"), Some("true"), Some("no"), None]);
        value.map_or_else(|| json!({}), |value| json!({ labels::GATED: value }))
    }

    fn annotations(&mut self) -> Map<String, Value> {
        let choices: [(&str, &[&str]); 4] = [
            (labels::APPROVED_IMAGES, &["", "a:1", "a:1", "a:1\na:2", "a:1\na:2", "a:3\n\na:1", "*"]),
            (labels::HELD_BY, &["", "admission", "admission", "admission+user", "x"]),
            (labels::CONTAINERS, &["", "app", "app", "app,web", " web , log", "ghost", "app,ghost", ",", "log"]),
            (labels::BYPASS, &["", "a:2 x", "a:2 x", "a:3 now", "a:2", "a:2 x\na:3 y", " a:2 x", "a:2 x\n"]),
        ];
        let mut annotations = Map::new();
        for (key, values) in choices {
            if !self.one_in(2) {
                annotations.insert(key.to_owned(), self.of(values).into());
            }
        }
        annotations
    }

    fn containers(&mut self) -> Value {
        let (mut serving, mut init) = (Vec::new(), Vec::new());
        for name in ["app", "web", "log"] {
            let image = self.of(&IMAGES);
            let mut container = json!({ "name": name, "image": image });
            match self.below(5) {
                0 => init.push(container),
                1 => {
                    container["restartPolicy"] = "Always".into();
                    init.push(container);
                }
                2 if name != "app" => {}
                _ => serving.push(container),
            }
        }
        if serving.is_empty() {
            serving.push(json!({ "name": "only", "image": self.of(&["a:1", "a:2"]) }));
        }
        if init.is_empty() {
            json!({ "containers": serving })
        } else {
            json!({ "containers": serving, "initContainers": init })
        }
    }
}

/// `old` again, with the images that are approved most often.
fn back(mut new: Value, old: &Value) -> Value {
    for path in ["/metadata/labels", "/metadata/annotations", "/spec/paused", "/spec/template/spec"] {
        put(&mut new, path, old.pointer(path).cloned());
    }
    for list in ["containers", "initContainers"] {
        let found = new["spec"]["template"]["spec"][list].as_array_mut();
        found.into_iter().flatten().for_each(|container| container["image"] = "a:1".into());
    }
    new
}

/// Sets or removes what `path` names, where what holds it is there.
fn put(object: &mut Value, path: &str, value: Option<Value>) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/");
    let Some(Value::Object(parent)) = object.pointer_mut(parent) else { return };
    match value {
        Some(value) => parent.insert(key, value),
        None => parent.remove(&key),
    };
}
