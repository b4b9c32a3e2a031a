//! What was recorded of the real tools (`tests/tools/recorded`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use sluice::classify::{Classifier, Ending, Step, Tool, Verdict};

/// What is expected where nothing fails.
pub const SUCCEEDED: &str = "Succeeded";

/// One directory of recordings: a tool on a database.
#[derive(Deserialize)]
pub struct Manifest {
    pub tool: String,
    pub version: String,
    pub beside: String,
    pub database: String,
    pub situations: Map<String, Value>,
}

/// What is provoked, in the order of the table.
#[derive(Deserialize)]
pub struct Situation {
    pub name: String,
    pub what: String,
    pub expected: BTreeMap<String, Vec<String>>,
}

/// One recording, or why there is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    pub exit: Option<i32>,
    #[serde(default)]
    pub expected: Vec<String>,
    pub untold: Option<String>,
    pub not_reached: Option<String>,
}

pub struct Recording {
    pub path: PathBuf,
    pub tool: Tool,
    pub cell: Cell,
    pub log: Vec<u8>,
}

impl Recording {
    pub fn read_as(&self, tool: Tool, ending: Ending) -> Verdict {
        let step = if self.asks() { Step::Check } else { Step::Migrate };
        let mut classifier = Classifier::new(tool, step);
        classifier.push(&self.log);
        classifier.finish(ending)
    }

    /// Whether it is of the command that asks what is pending.
    pub fn asks(&self) -> bool {
        self.path.file_name().unwrap().to_string_lossy().starts_with("check-")
    }

    /// Its place among the recordings.
    pub fn name(&self) -> String {
        self.path.strip_prefix(recorded()).unwrap().display().to_string()
    }

    pub fn ended(&self) -> Ending {
        Ending::Exited(self.cell.exit.unwrap())
    }

    pub fn succeeded(&self) -> bool {
        self.cell.expected == [SUCCEEDED]
    }
}

pub fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/recorded")
}

pub fn manifests() -> Vec<(PathBuf, Manifest)> {
    let mut found: Vec<_> = fs::read_dir(recorded()).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("manifest.json").exists());
    found.sort();
    let read = |path: &Path| serde_json::from_str(&fs::read_to_string(path.join("manifest.json")).unwrap()).unwrap();
    found.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

pub fn cell(manifest: &Manifest, name: &str) -> Option<Cell> {
    manifest.situations.get(name).map(|value| serde_json::from_value(value.clone()).unwrap())
}

pub fn recordings() -> Vec<Recording> {
    let mut found = Vec::new();
    for (directory, manifest) in manifests() {
        let tool = manifest.tool.parse().unwrap();
        for name in manifest.situations.keys() {
            let cell = cell(&manifest, name).unwrap();
            if cell.exit.is_some() {
                let path = directory.join(format!("{name}.log"));
                let log = fs::read(&path).unwrap();
                found.push(Recording { path, tool, cell, log });
            }
        }
    }
    assert!(found.len() > 600, "the recordings are not where they were");
    found
}

pub fn situations() -> Vec<Situation> {
    serde_json::from_str(&fs::read_to_string(recorded().join("situations.json")).unwrap()).unwrap()
}
