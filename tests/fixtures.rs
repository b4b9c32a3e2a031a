//! Reads what the real tools printed (`tests/tools/recorded`) and compares with what was provoked. No tool, no database, no
//! network: `make fixtures` records again.
//!
//! `WRITE_DOCS=1` makes it write the tables of docs/tools.md instead of comparing them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod logs;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use logs::none;
use logs::recorded::{Cell, Recording, SUCCEEDED, Situation, cell, manifests, recordings, situations};
use sluice::classify::{Class, Ending, Outcome, Reason, Tool, Verdict};

const TOP: &str = env!("CARGO_MANIFEST_DIR");
/// What is expected besides reasons.
const OUTCOMES: [&str; 3] = [SUCCEEDED, "Pending", "Unknown"];
const LARGEST: usize = 16 * 1024;

/// What a verdict comes to, in the words in which it is expected.
fn said(verdict: &Verdict) -> String {
    match &verdict.reason {
        Some(reason) => reason.to_string(),
        None => verdict.outcome.to_string(),
    }
}

/// What is wrong with a reading. Whether a failure is one and a success is one is asked besides what it is called. A list that
/// cannot tell is no check of ours: whoever makes it one vouches for its exit code.
fn fault(recording: &Recording, verdict: &Verdict) -> Option<String> {
    let Cell { expected, untold, .. } = &recording.cell;
    let said = said(verdict);
    let silent = verdict.reason.is_none() || verdict.reason == Some(Reason::MIGRATION_FAILED);
    let right = expected.contains(&said) || untold.is_some() && silent;
    let fits = match verdict.outcome {
        Outcome::Succeeded => recording.succeeded() || untold.is_some() && recording.asks(),
        Outcome::Failed => !recording.succeeded(),
        Outcome::Pending | Outcome::Unknown => recording.asks() && !recording.succeeded(),
    };
    let name = recording.name();
    (!right || !fits).then(|| format!("{name}: read as {} {said}, provoked was {expected:?}", verdict.outcome))
}

#[test]
fn every_recording_is_read_as_what_was_provoked() {
    none(
        recordings()
            .iter()
            .filter_map(|recording| fault(recording, &recording.read_as(recording.tool, recording.ended())))
            .collect(),
    );
}

#[test]
fn no_failure_is_read_as_a_success_whatever_is_known_of_it() {
    let mut faults = Vec::new();
    for recording in recordings().iter().filter(|recording| !recording.succeeded() && !recording.asks()) {
        // What a tool had printed when it was killed is what a success prints so far: only the ending tells.
        let killed = recording.path.ends_with("process-killed.log");
        let known: &[_] = if killed { &[recording.ended()] } else { &[recording.ended(), Ending::NotGiven] };
        for tool in [recording.tool, Tool::guess(&recording.log), Tool::Custom] {
            for ending in known.iter().copied().chain([Ending::Unknown]) {
                if recording.read_as(tool, ending).outcome == Outcome::Succeeded {
                    faults.push(format!("{} as {tool}, {ending:?}", recording.path.display()));
                }
            }
        }
    }
    none(faults);
}

/// What was provoked before there was a connection, and what was refused to the tool's own table, before any migration.
const UNCONNECTED: [&str; 4] = ["unreachable", "dns", "too-many-connections", "bad-url"];
const REFUSED_AT_ONCE: [&str; 2] = ["read-only", "lock-timeout"];

#[test]
fn nothing_is_tried_again_that_may_have_executed_sql() {
    let mut faults = Vec::new();
    for recording in recordings().into_iter().filter(|recording| !recording.asks()) {
        let is = |names: &[&str]| names.iter().any(|name| recording.path.ends_with(format!("{name}.log")));
        let tried = |tool, ending| {
            let verdict = recording.read_as(tool, ending);
            verdict.retryable && matches!(verdict.class, Some(Class::Connectivity | Class::Runtime))
        };
        if is(&UNCONNECTED[..3]) && recording.cell.untold.is_none() && !tried(recording.tool, recording.ended()) {
            faults.push(format!("{} is not tried again", recording.path.display()));
        }
        // Whoever does not know the tool cannot know that its own table is no migration.
        let none: &[Tool] = match () {
            () if is(&UNCONNECTED) => &[],
            () if is(&REFUSED_AT_ONCE) => &[Tool::Custom],
            () => &[recording.tool, Tool::guess(&recording.log), Tool::Custom],
        };
        for tool in none {
            for ending in [recording.ended(), Ending::Unknown, Ending::NotGiven] {
                if tried(*tool, ending) {
                    faults.push(format!("{} as {tool}, {ending:?}, is tried again", recording.path.display()));
                }
            }
        }
    }
    none(faults);
}

#[test]
fn a_guessed_tool_gives_the_same_class_or_none() {
    let wrong = |recording: &&Recording| {
        let named = recording.read_as(recording.tool, recording.ended());
        let guessed = recording.read_as(Tool::guess(&recording.log), recording.ended());
        guessed.class != named.class && !matches!(guessed.class, None | Some(Class::Unknown))
    };
    none(
        recordings()
            .iter()
            .filter(|recording| !recording.asks())
            .filter(wrong)
            .map(|r| format!("{} as {}", r.path.display(), Tool::guess(&r.log)))
            .collect(),
    );
}

/// What waits, what failed and what nobody could ask is never clean, and what is clean is read so.
#[test]
fn a_check_is_clean_where_nothing_is_pending_and_nowhere_else() {
    let (mut faults, mut clean) = (Vec::new(), BTreeSet::new());
    let told = |recording: &&Recording| recording.asks() && recording.tool.table().check.is_some();
    for recording in recordings().iter().filter(told) {
        let (tool, name) = (recording.tool, recording.name());
        if name.ends_with("check-clean.log") && recording.read_as(tool, recording.ended()).outcome == Outcome::Succeeded
        {
            clean.insert(tool);
        }
        for ending in [recording.ended(), Ending::NotGiven].into_iter().filter(|_| !recording.succeeded()) {
            if recording.read_as(tool, ending).outcome == Outcome::Succeeded {
                faults.push(format!("{name}, {ending:?}, is read as clean"));
            }
        }
        for ending in [Ending::Exited(1), Ending::Unknown, Ending::OomKilled] {
            if recording.read_as(tool, ending).outcome == Outcome::Succeeded {
                faults.push(format!("{name}, {ending:?}, is read as clean"));
            }
        }
    }
    let asked = Tool::ALL.into_iter().filter(|tool| tool.table().check.is_some() && !clean.contains(tool));
    faults.extend(asked.map(|tool| format!("{tool} has a check that no recording shows to be clean")));
    none(faults);
}

/// The log as something that carries it hands it on.
fn carried(log: &[u8], prefix: &str) -> Vec<u8> {
    String::from_utf8_lossy(log).split_inclusive('\n').flat_map(|line| [prefix, line]).collect::<String>().into_bytes()
}

#[test]
fn what_carries_a_log_does_not_turn_its_verdict() {
    let mut faults = Vec::new();
    for mut recording in recordings() {
        let plain = recording.read_as(recording.tool, recording.ended());
        let log = std::mem::take(&mut recording.log);
        for prefix in ["2026-01-02T03:04:05.678901234Z ", "migrate-1  | ", "2026-01-02T03:04:05.678901234Z stderr F "] {
            recording.log = carried(&log, prefix);
            let verdict = recording.read_as(recording.tool, recording.ended());
            if (verdict.outcome, verdict.class, &verdict.reason) != (plain.outcome, plain.class, &plain.reason) {
                faults.push(format!("{} after {prefix:?}: {:?}", recording.path.display(), verdict.reason));
            }
        }
    }
    none(faults);
}

#[test]
fn the_end_of_a_log_alone_gives_the_same_class_or_one_that_asks_a_person() {
    const KEPT: usize = 2 * 1024;
    let mut faults = Vec::new();
    for mut recording in recordings().into_iter().filter(|recording| !recording.succeeded() && !recording.asks()) {
        let whole = recording.read_as(recording.tool, recording.ended());
        let from = recording.log.len().saturating_sub(KEPT);
        recording.log.drain(..from);
        let verdict = recording.read_as(recording.tool, recording.ended());
        let provoked = verdict.reason.as_ref().is_some_and(|r| recording.cell.expected.iter().any(|e| e == r.as_str()));
        let asks = provoked || verdict.class == whole.class || !verdict.retryable;
        if verdict.outcome == Outcome::Succeeded || !asks {
            faults.push(format!("{}: {:?} for {:?}", recording.path.display(), verdict.reason, whole.reason));
        }
    }
    none(faults);
}

#[test]
fn recordings_are_small_whole_and_of_no_machine() {
    let mut faults = Vec::new();
    for (directory, manifest) in manifests() {
        for situation in situations().iter().filter(|situation| !manifest.situations.contains_key(&situation.name)) {
            faults.push(format!("{} lacks {}", directory.display(), situation.name));
        }
        let named = |file: &str| cell(&manifest, file).is_some_and(|cell| cell.exit.is_some());
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.extension().is_some_and(|end| end == "log") && !named(&stem) {
                faults.push(format!("{} is in no manifest", path.display()));
            }
        }
    }
    for recording in recordings() {
        let text = String::from_utf8_lossy(&recording.log);
        if recording.log.len() > LARGEST {
            faults.push(format!("{} is too large", recording.path.display()));
        }
        for of_machine in ["/work/", ".cache/", "/tmp/tmp", ".pyenv", "/root/", "work-"] {
            if text.contains(of_machine) {
                faults.push(format!("{} holds {of_machine}", recording.path.display()));
            }
        }
        if recording.cell.expected.iter().any(|name| !OUTCOMES.contains(&name.as_str()) && Reason::find(name).is_none())
        {
            faults.push(format!("{}: {:?} is no reason", recording.path.display(), recording.cell.expected));
        }
    }
    none(faults);
}

/// One table for a database, and below it why cells are empty or silent.
fn table(kind: &str, situations: &[Situation]) -> String {
    let all: Vec<_> = manifests().into_iter().filter(|(path, _)| path.to_string_lossy().ends_with(kind)).collect();
    let mut notes: Vec<String> = Vec::new();
    let mut note = |text: String| {
        let at = notes.iter().position(|known| *known == text).unwrap_or_else(|| {
            notes.push(text);
            notes.len() - 1
        });
        format!("({})", at + 1)
    };
    let mut lines = vec![format!(
        "| situation | expected | {} |",
        all.iter().map(|(_, m)| m.tool.as_str()).collect::<Vec<_>>().join(" | ")
    )];
    lines.push(format!("|---|---|{}", "---|".repeat(all.len())));
    for situation in situations {
        let cells = all.iter().map(|(_, manifest)| match cell(manifest, &situation.name) {
            None => "?".to_owned(),
            Some(Cell { not_reached: Some(why), .. }) => format!("– {}", note(why)),
            Some(Cell { untold: Some(why), .. }) => format!("silent {}", note(why)),
            Some(cell) if cell.expected == situation.expected[kind] => "yes".to_owned(),
            Some(cell) => cell.expected.join(" or "),
        });
        let cells: Vec<_> = cells.collect();
        lines.push(format!(
            "| {} | {} | {} |",
            situation.name,
            situation.expected[kind].join(" or "),
            cells.join(" | ")
        ));
    }
    let total = all.len() * situations.len();
    let reached = all
        .iter()
        .flat_map(|(_, m)| situations.iter().filter_map(|s| cell(m, &s.name)))
        .filter(|cell| cell.exit.is_some());
    lines.push(format!("\nReached: {} of {total}.\n", reached.count()));
    lines.extend(notes.iter().enumerate().map(|(at, text)| format!("{}. {text}", at + 1)));
    lines.join("\n")
}

fn tables() -> String {
    let situations = situations();
    let mut parts = vec!["| tool | version | beside it | databases |\n|---|---|---|---|".to_owned()];
    let all = manifests();
    let names: BTreeSet<&str> = all.iter().map(|(_, manifest)| manifest.tool.as_str()).collect();
    for name in names {
        let of: Vec<_> = all.iter().map(|(_, manifest)| manifest).filter(|manifest| manifest.tool == name).collect();
        let databases: Vec<_> = of.iter().map(|manifest| manifest.database.as_str()).collect();
        parts.push(format!("| {name} | {} | {} | {} |", of[0].version, of[0].beside, databases.join(", ")));
    }
    parts.push("\n| situation | what is provoked |\n|---|---|".to_owned());
    parts.extend(situations.iter().map(|situation| format!("| {} | {} |", situation.name, situation.what)));
    for (kind, title) in [("postgres", "PostgreSQL"), ("mariadb", "MariaDB"), ("sqlite", "SQLite")] {
        if all.iter().any(|(path, _)| path.to_string_lossy().ends_with(kind)) {
            parts.push(format!("\n### {title}\n\n{}", table(kind, &situations)));
        }
    }
    parts.join("\n")
}

/// The commands that each tool brings to a run, and what its check has to print.
fn commands() -> String {
    let mut lines = vec!["| tool | migrate | check | clean is |\n|---|---|---|---|".to_owned()];
    for tool in Tool::ALL {
        let table = tool.table();
        let words = |command: Option<&[&str]>| command.map(|words| format!("`{}`", words.join(" ")));
        let said = table.clean.first().map(|said| said.trim()).unwrap_or_default();
        let clean = match said {
            "" => "exit code 0".to_owned(),
            said if table.lists() => format!("exit code 0 and a list without one that waits, beginning with `{said}`"),
            said => format!("exit code 0 and `{said}`"),
        };
        let (migrate, check) = (words(table.migrate), words(table.check));
        let of_your_own = |field: &str| format!("write `{field}.command`");
        let (migrate, check) = (migrate.unwrap_or(of_your_own("migrate")), check.unwrap_or(of_your_own("check")));
        lines.push(format!("| {tool} | {migrate} | {check} | {clean} |"));
    }
    lines.join("\n")
}

/// The text with what stands between the marks of this name replaced.
fn between(text: &str, name: &str, with: &str) -> String {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->\n"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{with}\n{end}{after}")
}

#[test]
fn the_document_says_what_is_recorded() {
    let path = Path::new(TOP).join("docs/tools.md");
    let text = fs::read_to_string(&path).unwrap();
    let right = between(&between(&text, "commands", &commands()), "recorded", &tables());
    if std::env::var_os("WRITE_DOCS").is_some() {
        fs::write(&path, right).unwrap();
    } else {
        assert!(text == right, "docs/tools.md is out of date: make generate");
    }
}
