//! Keeps the documents true: links lead somewhere, what they name exists, and their tables follow from the code.
//!
//! `WRITE_DOCS=1` makes it write the tables instead of comparing them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use sluice::api::MigrationRun;
use sluice::api::status::Failure;
use sluice::classify::{Class, REASONS, Reason, explained};
use sluice::decide::failure::retried;

mod exposed;
#[path = "docs/failures.rs"]
mod failures;
#[path = "docs/reference.rs"]
mod reference;

const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// Fields of status or of Kubernetes' own types, whose parts are not told a second time.
const OPAQUE: [&str; 5] = ["migrate.env", "migrate.envFrom", "conditions", "attempts.check", "attempts.failure"];

/// Kubernetes' own words that no code of ours needs, and the head that kubectl makes of a column.
const KUBERNETES: [&str; 2] = ["Terminating", "CLASS"];

struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    fn read(path: &Path) -> Self {
        Self { path: path.to_owned(), text: fs::read_to_string(path).unwrap() }
    }

    fn name(&self) -> String {
        self.path.strip_prefix(TOP).unwrap().display().to_string()
    }

    /// Lines of code blocks, and code within prose.
    fn code(&self) -> Vec<String> {
        let (_, blocks) = split(&self.text);
        let lines = blocks.iter().flat_map(|block| block.lines()).map(str::to_owned);
        lines.chain(self.names()).collect()
    }

    /// Code within prose alone: what stands there is meant as a name.
    fn names(&self) -> Vec<String> {
        let (prose, _) = split(&self.text);
        found(&regex("`([^`\n]+)`"), &prose)
    }

    fn anchors(&self) -> BTreeSet<String> {
        let (prose, _) = split(&self.text);
        let headings = prose.lines().filter_map(|line| line.strip_prefix('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }
}

/// Prose and code blocks of a document.
fn split(text: &str) -> (String, Vec<String>) {
    let (mut prose, mut blocks, mut inside) = (String::new(), Vec::<String>::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            if inside {
                blocks.push(String::new());
            }
        } else if inside {
            blocks.last_mut().unwrap().push_str(&format!("{line}\n"));
        } else {
            prose.push_str(&format!("{line}\n"));
        }
    }
    (prose, blocks)
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(TOP).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| ends.iter().any(|wanted| end == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn source(name: &str) -> String {
    fs::read_to_string(Path::new(TOP).join(name)).unwrap()
}

fn documents() -> Vec<Document> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "charts/sluice/README.md"];
    let top = top.iter().map(|name| Path::new(TOP).join(name));
    let all: Vec<_> = top.chain(files("docs", &["md"])).map(|path| Document::read(&path)).collect();
    assert!(all.len() > 10, "the documents are not where they were");
    all
}

/// Fails with all that `wrong` says of any document.
fn each_document(wrong: impl Fn(&Document) -> Vec<String>) {
    let faults: Vec<String> = documents()
        .iter()
        .flat_map(|document| {
            let name = document.name();
            wrong(document).into_iter().map(move |fault| format!("{name}: {fault}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// What the first groups of `pattern` are in `text`.
fn found(pattern: &Regex, text: &str) -> Vec<String> {
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn links_lead_somewhere() {
    let links = regex(r"\]\(([^)\s]+)\)");
    each_document(|document| {
        let mut faults = Vec::new();
        for link in found(&links, &split(&document.text).0) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { document.path.clone() } else { document.path.with_file_name(file) };
            if !target.exists() {
                faults.push(format!("{link} leads nowhere"));
            } else if !anchor.is_empty() && !Document::read(&target).anchors().contains(anchor) {
                faults.push(format!("{link}: there is no such heading"));
            }
        }
        faults
    });
}

#[test]
fn commands_and_files_exist() {
    let makefiles = ["Makefile", "charts/generate.mk"].map(source);
    let target = regex(r"(?m)^([a-z][a-z0-9-]*):");
    let targets: BTreeSet<String> = makefiles.iter().flat_map(|text| found(&target, text)).collect();
    let help = Command::new(env!("CARGO_BIN_EXE_sluice")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let subcommands: BTreeSet<String> = found(&regex(r"(?m)^  ([a-z]+) "), &help).into_iter().collect();
    assert!(targets.contains("demo") && subcommands.contains("explain"));
    let make = regex(r"(?:^|[ =;&(])make ([a-z][a-z0-9-]*)");
    let command = regex(r"(?:^|\$ |\| )sluice ([a-z]+)");
    let explained = regex(r"sluice explain ([A-Z]\w+)");
    let file = regex(r"^((?:src|tests|charts|docs|deploy|crds|examples|\.ci)/[\w./-]*)(?: |$)");
    each_document(|document| {
        let mut faults = Vec::new();
        for line in document.code() {
            for target in found(&make, &line) {
                if !targets.contains(&target) {
                    faults.push(format!("make {target} does not exist"));
                }
            }
            for command in found(&command, &line) {
                if !subcommands.contains(&command) {
                    faults.push(format!("sluice {command} does not exist"));
                }
            }
            for reason in found(&explained, &line) {
                if Reason::find(&reason).is_none() {
                    faults.push(format!("sluice explain {reason} explains nothing"));
                }
            }
        }
        for name in document.names() {
            for file in found(&file, &name) {
                if !Path::new(TOP).join(&file).exists() {
                    faults.push(format!("{file} does not exist"));
                }
            }
        }
        faults
    });
}

#[test]
fn names_exist_in_the_code() {
    let mut sources: String = ["src", "charts", "crds", "deploy", "tests"]
        .iter()
        .flat_map(|folder| files(folder, &["rs", "yaml", "tpl"]))
        .filter(|path| !path.ends_with("tests/docs.rs") && !path.starts_with(Path::new(TOP).join("tests/docs")))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    sources.push_str(&source("Cargo.toml"));
    let mut words: BTreeSet<&str> = regex(r"\w+").find_iter(&sources).map(|word| word.as_str()).collect();
    words.extend(KUBERNETES);
    let crd = crd();
    let key = regex(r"sluice\.dev/([a-z][a-z-]*[a-z])\b");
    let keys: BTreeSet<String> = found(&key, &sources).into_iter().collect();
    let camel = regex(r"^[A-Z][A-Za-z0-9]+(?:[/=][A-Z][A-Za-z0-9]+)*$");
    let field = regex(r"^((?:spec|status|migrate|check|database|recovery|history)(?:\.[a-zA-Z]+)+)$");
    each_document(|document| {
        let mut faults = Vec::new();
        for key in found(&key, &document.text) {
            if !keys.contains(&key) {
                faults.push(format!("sluice.dev/{key} is no label or annotation"));
            }
        }
        for name in document.names() {
            if camel.is_match(&name) {
                faults.extend(
                    name.split(['/', '='])
                        .filter(|word| !words.contains(word))
                        .map(|word| format!("{word} is no name of ours")),
                );
            }
            if let Some(path) = found(&field, &name).first()
                && !is_field(&crd, path)
            {
                faults.push(format!("{path} is no field"));
            }
        }
        faults
    });
}

/// The schema of MigrationRun.
fn crd() -> Value {
    let crd: Value = serde_saphyr::from_str(&source("crds/migrationruns.sluice.dev.yaml")).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn is_field(crd: &Value, path: &str) -> bool {
    let mut parts = path.split('.').peekable();
    let of_spec = !["spec", "status"].contains(parts.peek().unwrap());
    let mut schema = if of_spec { &crd["properties"]["spec"] } else { crd };
    for part in parts {
        let within = if schema["items"].is_object() { &schema["items"] } else { schema };
        match within["properties"].get(part) {
            Some(found) => schema = found,
            None => return within["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true),
        }
    }
    true
}

/// The paths of all that is written in `value`.
fn paths(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    into.insert(path.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| paths(value, &format!("{path}.{name}"), into)),
        Value::Array(items) => items.iter().for_each(|value| paths(value, &format!("{path}[]"), into)),
        _ => {}
    }
}

#[test]
fn the_runs_in_the_documents_are_read_whole() {
    let runs = |text: &str| -> Vec<String> {
        let documents = split(text).1.join("\n---\n");
        let documents = documents.split("\n---\n").map(str::to_owned);
        documents.filter(|text| text.contains("kind: MigrationRun\n") && text.starts_with("apiVersion:")).collect()
    };
    assert!(documents().iter().any(|document| !runs(&document.text).is_empty()), "no document shows a run");
    each_document(|document| {
        let fault = |text: &String| -> Option<String> {
            let written: Value = serde_saphyr::from_str(text).unwrap();
            let run: MigrationRun = match serde_json::from_value(written.clone()) {
                Ok(run) => run,
                Err(error) => return Some(format!("a run cannot be read: {error}")),
            };
            let (mut wanted, mut read) = (BTreeSet::new(), BTreeSet::new());
            paths(&written["spec"], "spec", &mut wanted);
            paths(&serde_json::to_value(run.spec).unwrap(), "spec", &mut read);
            wanted.difference(&read).next().map(|path| format!("{path} of a run is not read"))
        };
        runs(&document.text).iter().filter_map(fault).collect()
    });
}

#[test]
fn every_metric_is_described_and_no_other() {
    let exposed = exposed::text();
    let registering = regex(r#"(?:register|register_with_unit|encode_descriptor)\(\s*(")"#);
    let registered = found(&registering, &source("src/runtime/metrics.rs")).len();
    assert_eq!(exposed.matches("# TYPE ").count(), registered, "give the new metric a value here, so that it shows");

    let (first, name, all) = (regex("`([^`]+)`"), regex(r"\b(sluice_[a-z_]+[a-z])\b"), regex("`([a-z_]+)`"));
    let has = exposed::families(&exposed);
    let page = Document::read(&Path::new(TOP).join("docs/metrics.md"));
    let rows = page.text.lines().filter(|line| line.starts_with("| `sluice_"));
    let described: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            (found(&first, cells[1])[0].clone(), found(&all, cells[2]).into_iter().collect())
        })
        .collect();
    assert_eq!(described, has);
    each_document(|document| {
        let named = found(&name, &document.text).into_iter();
        named
            .filter(|name| !has.contains_key(&exposed::family(name)))
            .map(|name| format!("{name} is no metric"))
            .collect()
    });
}

/// The table of fields below `schema`.
fn fields(schema: &Value) -> String {
    let mut table = "| field | type | what it is |\n|---|---|---|\n".to_owned();
    rows(schema, "", "", &mut table);
    table
}

fn rows(schema: &Value, path: &str, shown: &str, table: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let (path, shown) = (format!("{path}{name}"), format!("{shown}{name}"));
        let list = field["items"].is_object();
        let must = if required.contains(&name.as_str()) { ", required" } else { "" };
        let description = field["description"].as_str().unwrap_or_default();
        let description = description.replace('\n', " ").replace('<', "&lt;").replace('|', "\\|");
        table.push_str(&format!("| `{shown}` | {}{must} | {description} |\n", kind(field)));
        if !OPAQUE.contains(&path.as_str()) {
            let (within, mark) = if list { (&field["items"], "[]") } else { (field, "") };
            rows(within, &format!("{path}."), &format!("{shown}{mark}."), table);
        }
    }
}

/// The type of a field, in a word; or its values.
fn kind(field: &Value) -> String {
    let values = field["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
    match field["type"].as_str().unwrap_or_default() {
        "string" if !values.is_empty() => values.join(", "),
        "string" if field["format"] == "date-time" => "time".to_owned(),
        "array" => "list".to_owned(),
        other => other.to_owned(),
    }
}

/// The tables of reasons, a class each.
fn reasons() -> String {
    let mut text = String::new();
    for class in Class::ALL {
        let of_class: Vec<_> = REASONS.iter().filter(|entry| entry.class == class).collect();
        text.push_str(&format!(
            "\n### {class}\n\n| reason | what it means | the way on | tried again by itself |\n|---|---|---|---|\n"
        ));
        for entry in of_class {
            let failure = Failure { class: class.to_string(), retryable: entry.retryable, ..Failure::default() };
            let again = if retried(&failure) { "yes" } else { "no" };
            text.push_str(&format!("| `{}` | {} | {} | {again} |\n", entry.name, entry.meaning, entry.way_out));
        }
    }
    format!("{}\n", text.trim())
}

/// A page for every reason, as `sluice explain` prints it.
fn pages() -> String {
    let mut text = String::new();
    for entry in REASONS {
        text.push_str(&format!("\n## {}\n\n{}, branch {}\n\n", entry.name, entry.class, entry.branch));
        for (title, words) in explained(entry) {
            text.push_str(&format!("**{title}.** {words}\n\n"));
        }
    }
    format!("{}\n", text.trim())
}

/// `text` with what stands between the marks of `part` replaced.
fn with_part(text: &str, part: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {part}:begin -->\n"), format!("<!-- {part}:end -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{content}\n{end}{after}")
}

#[test]
fn the_tables_are_what_the_code_says() {
    let crd = crd();
    let spec = fields(&crd["properties"]["spec"]);
    // What a status must have is of no use to who reads it.
    let status = fields(&crd["properties"]["status"]).replace(", required", "");
    let parts = [
        ("docs/fields.md", "spec", spec),
        ("docs/fields.md", "status", status),
        ("docs/states.md", "reasons", reasons()),
        ("docs/reasons.md", "pages", pages()),
    ];
    let of_failures = failures::parts();
    let parts = parts
        .into_iter()
        .chain(of_failures.iter().map(|(file, part, content)| (file.as_str(), *part, content.clone())));
    let mut stale = Vec::new();
    for (file, part, content) in parts {
        let document = Document::read(&Path::new(TOP).join(file));
        let wanted = with_part(&document.text, part, &content);
        if wanted == document.text {
            continue;
        }
        if std::env::var_os("WRITE_DOCS").is_some() {
            fs::write(&document.path, wanted).unwrap();
        } else {
            stale.push(format!("{file}: {part}"));
        }
    }
    assert!(stale.is_empty(), "out of date, run `WRITE_DOCS=1 cargo test --test docs`: {}", stale.join(", "));
}

#[test]
fn the_schema_of_a_verdict_is_what_the_command_prints() {
    let schema = serde_json::to_value(schemars::schema_for!(sluice::cli::classify::Report)).unwrap();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(Path::new(TOP).join("docs/verdict.schema.json"), &text).unwrap();
    }
    assert_eq!(source("docs/verdict.schema.json"), text, "run `WRITE_DOCS=1 cargo test --test docs`");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let known: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    for (text, code) in [("Error: P3018\n\nMigration name: a\n\nDatabase error code: 23505\n", "1"), ("", "0")] {
        fs::write(&log, text).unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_sluice"));
        let verdict =
            { run }.args(["classify", "--tool", "Prisma", "--format", "json", "--exit-code", code]).arg(&log).output();
        let verdict: Value = serde_json::from_slice(&verdict.unwrap().stdout).unwrap();
        assert_eq!(verdict["schema"], "sluice.dev/verdict/v1");
        for name in schema["required"].as_array().unwrap() {
            assert!(verdict.get(name.as_str().unwrap()).is_some(), "{name} is missing of {verdict}");
        }
        for (name, value) in verdict.as_object().unwrap() {
            let field = schema["properties"].get(name).unwrap_or_else(|| panic!("{name} is not in the schema"));
            let values = values(&schema, field);
            assert!(values.is_empty() || values.contains(value), "{name}: {value} is not of {values:?}");
            seen.insert(name.clone());
        }
    }
    assert_eq!(seen.iter().map(String::as_str).collect::<BTreeSet<_>>(), known, "a field is never printed");
}

/// The values that a field of the schema may have; none where it may have any.
fn values(schema: &Value, field: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = field["enum"].as_array().into_iter().flatten().cloned().collect();
    all.extend(field.get("const").cloned());
    let name = field["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
    all.extend(name.map(|name| values(schema, &schema["$defs"][name])).into_iter().flatten());
    let kinds = ["oneOf", "anyOf"].into_iter().flat_map(|kind| field[kind].as_array().into_iter().flatten());
    all.extend(kinds.flat_map(|kind| values(schema, kind)));
    all
}

#[test]
fn every_decision_has_its_number_and_its_three_parts() {
    let mut numbers = BTreeSet::new();
    for path in files("docs/adr", &["md"]) {
        let document = Document::read(&path);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let number: u32 = name[..4].parse().unwrap();
        assert!(numbers.insert(number), "two decisions have the number of {name}");
        assert!(document.text.starts_with(&format!("# {number} ")), "{name}: the title has another number");
        for part in ["**Context.**", "**Decision.**", "**Consequences.**"] {
            assert!(document.text.contains(part), "{name} has no {part}");
        }
    }
    assert!(numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()), "{numbers:?}");
}
