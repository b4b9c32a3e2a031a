//! A migration's author decides what its SQL, comments, names, values and notices say. None of it turns the verdict.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod logs;

use std::sync::LazyLock;

use logs::{Sample, failures, none, successes};
use proptest::prelude::*;
use sluice::classify::{Class, Ending, Outcome, Tool, Verdict};

/// Sentences of success, of every tool.
const WELL: &[&str] = &[
    "All migrations have been successfully applied.",
    "No pending migrations to apply.",
    "Database schema is up to date!",
    "Successfully applied 3 migrations to schema \"public\", now at version v3",
    "Liquibase command 'update' was executed successfully.",
    "goose: no migrations to run. current version: 9",
    "Batch 1 run: 3 migrations",
    "No migrations were executed, database schema was already up to date.",
    "No migrations were applied. The database is already up to date.",
    "Schema \"public\" is up to date. No migration necessary.",
    "Database is up to date, no changesets to execute",
    "Migration 'm1' has been applied",
    "No migration files to execute",
    "Schema is synced, no changes to be made",
    "[✓] migrations applied successfully!",
    "1/u init (2.5ms)",
    "Done.",
    "OK",
];

/// Lines of failure, of tools, databases and networks.
const BADLY: &[&str] = &[
    "Error: P1001: Can't reach database server at `db:5432`",
    "Error: P3018",
    "ERROR: duplicate key value violates unique constraint \"u\" (SQLSTATE 23505)",
    "connect ECONNREFUSED 10.0.0.1:5432",
    "FATAL: password authentication failed for user \"app\"",
    "Migration name: 19990101_planted",
];

/// Where a sentence stands that an author has written; alone on its line, too, as a value of several lines has it.
fn written(sentence: &str) -> [String; 7] {
    [
        sentence.to_owned(),
        format!("-- {sentence}"),
        format!("NOTICE:  {sentence}"),
        format!("psql:a.sql:3: NOTICE:  {sentence}"),
        format!("HINT:  {sentence}"),
        format!("INSERT INTO notes (body) VALUES ('{sentence}');"),
        format!("CREATE TABLE \"{sentence}\" (id int);"),
    ]
}

/// The line with which the tool's last account of a failure begins, as near as words tell.
fn account(lines: &[&str]) -> usize {
    let begins = [
        "error",
        "failed",
        "aborted",
        "traceback",
        "exception",
        "dirty",
        "denied",
        "refused",
        "cannot",
        "fatal",
        "not ",
    ];
    let is = |line: &&str| begins.iter().any(|word| line.to_lowercase().contains(word));
    lines.iter().position(is).unwrap_or(0)
}

fn with(lines: &[&str], at: usize, planted: &str) -> String {
    let mut lines = lines.to_vec();
    lines.insert(at, planted);
    lines.join("\n") + "\n"
}

/// How many lines of every log are planted before.
const BEGINNING: usize = 4;

/// A log with a line more.
struct Planting {
    planted: String,
    /// Whether the sentence stands alone on its line.
    alone: bool,
    at: usize,
    /// How many lines the log had.
    of: usize,
    log: String,
}

/// Every form of the sentences at every place of our own logs; in the many that are recorded at the beginning and at some other
/// places, and there a part of the forms, another one in each log. What stands alone on the last line is the tool's own.
fn plantings<'s>(sample: &'s Sample, sentences: &'s [&'s str]) -> impl Iterator<Item = Planting> + 's {
    let lines: Vec<&str> = sample.log.lines().collect();
    let (skip, step, apart) =
        if sample.is_own() { (0, 1, 1) } else { (sample.log.len() % 25, 25, 1 + lines.len() / 2) };
    let forms = sentences.iter().flat_map(|sentence| written(sentence)).skip(skip).step_by(step);
    forms.flat_map(move |planted| {
        let (of, alone) = (lines.len(), sentences.contains(&planted.as_str()));
        let places = (0..=of).filter(|at| *at <= BEGINNING || at % apart == 0 || *at == of);
        let places = places.filter(|at| *at < of || !alone);
        let at = |at| Planting { planted: planted.clone(), alone, at, of, log: with(&lines, at, &planted) };
        places.map(at).collect::<Vec<_>>()
    })
}

/// An exit code other than 0 is never a success, so what is asked are the endings that leave it to the text.
#[test]
fn no_failure_with_a_planted_success_is_a_success() {
    let mut faults = Vec::new();
    for failure in failures() {
        for ending in [Ending::NotGiven, Ending::Exited(0)] {
            let plain = logs::read(failure.tool, &failure.log, ending).outcome;
            for Planting { planted, at, log, .. } in plantings(&failure, WELL) {
                let outcome = logs::read(failure.tool, &log, ending).outcome;
                if outcome == Outcome::Succeeded && plain != Outcome::Succeeded {
                    faults.push(format!("{}: {planted} at {at}, {ending:?}", failure.name));
                }
            }
        }
    }
    none(faults);
}

/// What is wrong with the verdict where `planted` stands outside the tool's final block.
fn turned(sample: &Sample, planting: &Planting) -> Option<String> {
    let said = |verdict: Verdict| (verdict.outcome, verdict.class, verdict.migration);
    let (was, is) = (said(sample.read(&sample.log)), said(sample.read(&planting.log)));
    let Planting { planted, at, .. } = planting;
    (was != is).then(|| format!("{}: {planted} at {at}: {was:?} became {is:?}", sample.name))
}

/// Where a log tells nothing of its own, a line that stands alone is all that there is.
#[test]
fn what_is_planted_before_the_account_of_a_failure_changes_nothing() {
    let mut faults = Vec::new();
    for failure in failures().iter().filter(|failure| failure.tool != Tool::Custom) {
        let lines: Vec<&str> = failure.log.lines().collect();
        let last = account(&lines).min(BEGINNING);
        let before = [WELL, BADLY].into_iter().flat_map(|sentences| plantings(failure, sentences));
        let silent = failure.read(&failure.log).class == Some(Class::Unknown);
        let before = before.filter(|planting| planting.at <= last && !(silent && planting.alone));
        faults.extend(before.filter_map(|planting| turned(failure, &planting)));
    }
    none(faults);
}

/// Lines of programs that share the log: a server, a cache, the application, each in its own words.
const BESIDE: &[&str] = &[
    "redis-1  | 1:M 02 Jan 2026 10:00:00.000 * Ready to accept connections tcp",
    "10.0.0.7 - - [02/Jan/2026:10:00:00 +0000] \"GET /health HTTP/1.1\" 200 2",
    "{\"level\":\"info\",\"msg\":\"served\",\"path\":\"/orders\",\"status\":200}",
    "worker: job 42 done in 12 ms",
];

#[test]
fn programs_that_share_the_log_change_nothing() {
    let mut faults = Vec::new();
    for sample in failures().into_iter().chain(successes()) {
        let mixed: Vec<&str> = sample.log.lines().zip(BESIDE.iter().cycle()).flat_map(|(own, of)| [own, of]).collect();
        let said = |verdict: Verdict| (verdict.outcome, verdict.class, verdict.migration);
        let (was, is) = (said(sample.read(&sample.log)), said(sample.read(&(mixed.join("\n") + "\n"))));
        faults.extend((was != is).then(|| format!("{}: {was:?} became {is:?}", sample.name)));
    }
    none(faults);
}

/// A tool that need not say that it did well cannot contradict a line that stands alone.
#[test]
fn no_success_with_a_planted_failure_is_anything_else() {
    let mut faults = Vec::new();
    for success in successes() {
        let speaks = success.tool.table().speaks;
        let outside =
            plantings(&success, BADLY).filter(|planting| planting.at < planting.of && (speaks || !planting.alone));
        faults.extend(outside.filter_map(|planting| turned(&success, &planting)));
    }
    none(faults);
}

/// Not alone on a line: where a log tells nothing of its own, such a line is all that there is.
fn planted() -> impl Strategy<Value = String> {
    let sentences: Vec<&str> = WELL.iter().chain(BADLY).copied().collect();
    (proptest::sample::select(sentences), 1usize..7).prop_map(|(sentence, form)| written(sentence)[form].clone())
}

/// Failures in the words of a tool that is known.
static TOLD: LazyLock<Vec<Sample>> =
    LazyLock::new(|| failures().into_iter().filter(|failure| failure.tool != Tool::Custom).collect());

proptest! {
    #[test]
    fn many_planted_lines_do_no_more_than_one(
        planted in proptest::collection::vec(planted(), 1..6), which in any::<proptest::sample::Index>(),
    ) {
        let failure = which.get(&TOLD);
        let (before, after) = (failure.read(&failure.log), failure.read(&(planted.join("\n") + "\n" + &failure.log)));
        prop_assert_eq!((before.outcome, before.class), (after.outcome, after.class), "{}: {:?}", failure.name, planted);
    }
}
