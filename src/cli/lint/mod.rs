//! `kubectl sluice lint FILE…`: what the API server and the operator would say of manifests, without either.

mod deployment;
mod run;
mod structure;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

/// Says what is wrong with MigrationRuns and gated Deployments in files, without a cluster
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Files with YAML or JSON, each with one object or many; directories with such files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// A fault, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field, such as `spec.image`; empty for the object as a whole.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Fault {
    fn at(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Checks all files. Exits with 1 where something is wrong, 2 where a file cannot be read.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let (mut text, mut faults, mut unread) = (String::new(), 0, false);
    for file in args.files.iter().flat_map(|path| files_of(path)) {
        let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
        match read(&file).and_then(|content| documents(&content)) {
            Ok(objects) => faults += of_file(&name, &objects, &mut text),
            Err(message) => {
                eprintln!("sluice lint: {name}: {message}");
                unread = true;
            }
        }
    }
    let printed = super::print("lint", text.as_bytes());
    match (unread, faults) {
        (true, _) => ExitCode::from(2),
        (false, 0) => printed,
        _ => ExitCode::FAILURE,
    }
}

fn of_file(name: &str, objects: &[Value], text: &mut String) -> usize {
    let (mut faults, mut looked) = (0, 0);
    for object in objects.iter().flat_map(items) {
        let Some(found) = of_object(object) else { continue };
        looked += 1;
        faults += found.len();
        for Fault { field, message } in found {
            let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
            text.push_str(&format!("{name}: {}: {field}{message}\n", title(object)));
        }
    }
    let others = objects.iter().flat_map(items).count() - looked;
    if faults == 0 {
        let others = if others == 0 { String::new() } else { format!(", {others} other objects not looked at") };
        text.push_str(&format!("{name}: {looked} without a fault{others}\n"));
    }
    faults
}

/// What is wrong with an object; none where it is none of ours to judge.
fn of_object(object: &Value) -> Option<Vec<Fault>> {
    let is = |field: &str, value: &str| {
        object.get(field).and_then(Value::as_str).is_some_and(|text| text.starts_with(value))
    };
    match object.get("kind").and_then(Value::as_str) {
        Some("MigrationRun") if is("apiVersion", "sluice.dev/") => Some(run::faults(object)),
        Some("Deployment") if is("apiVersion", "apps/") => Some(deployment::faults(object)),
        _ => None,
    }
}

fn title(object: &Value) -> String {
    let word = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let name = Some(word("/metadata/name")).filter(|name| !name.is_empty()).unwrap_or(word("/metadata/generateName"));
    format!("{}/{name}", word("/kind").to_lowercase())
}

/// The objects of a List, else the object itself.
fn items(object: &Value) -> Vec<&Value> {
    match object.get("items").and_then(Value::as_array) {
        Some(items) if object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List")) => {
            items.iter().collect()
        }
        _ => vec![object],
    }
}

fn files_of(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_owned()] };
    let known =
        |path: &PathBuf| path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(known).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        let mut text = String::new();
        return std::io::stdin().read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The objects of a file; what is empty between two is none.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

#[cfg(test)]
mod tests;
