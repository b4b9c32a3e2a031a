//! A migration's author decides what its SQL, comments, names, values and notices say. None of it turns the verdict.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod logs;

use logs::{Sample, failures, successes};
use proptest::prelude::*;
use sluice::classify::{Ending, Outcome, Tool};

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

/// Where a sentence stands that an author has written.
fn written(sentence: &str) -> [String; 6] {
    [
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

/// Where to plant: everywhere in the logs of our own, in some places of the many that are recorded.
fn places(sample: &Sample, lines: &[&str]) -> impl Iterator<Item = usize> + use<> {
    (0..=lines.len()).step_by(if sample.is_own() { 1 } else { 1 + lines.len() / 2 })
}

/// What to plant there: all of it, or a part of it, another one in each log.
fn share(sample: &Sample, planted: &[&str]) -> Vec<String> {
    let all = planted.iter().flat_map(|sentence| written(sentence));
    if sample.is_own() { all.collect() } else { all.skip(sample.log.len() % 15).step_by(15).collect() }
}

/// Fails with what is wrong, but for more of the same.
fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults[..faults.len().min(20)].join("\n"));
}

#[test]
fn no_failure_with_a_planted_success_is_a_success() {
    let mut faults = Vec::new();
    for failure in failures() {
        let lines: Vec<&str> = failure.log.lines().collect();
        for planted in share(&failure, WELL) {
            for at in places(&failure, &lines) {
                let log = with(&lines, at, &planted);
                for ending in [Ending::Exited(failure.exit), Ending::Unknown] {
                    if logs::read(failure.tool, &log, ending).outcome == Outcome::Succeeded {
                        faults.push(format!("{}: {planted} at {at}", failure.name));
                    }
                }
            }
        }
    }
    none(faults);
}

/// What is wrong with the verdict where `planted` stands outside the tool's final block.
fn turned(sample: &Sample, planted: &str, at: usize) -> Option<String> {
    let lines: Vec<&str> = sample.log.lines().collect();
    let (before, after) = (sample.read(&sample.log), sample.read(&with(&lines, at, planted)));
    let same = (before.outcome, before.class) == (after.outcome, after.class);
    let (was, is) = ((before.outcome, before.class), (after.outcome, after.class));
    (!same).then(|| format!("{}: {planted} at {at}: {was:?} became {is:?}", sample.name))
}

#[test]
fn what_is_planted_before_the_account_of_a_failure_changes_nothing() {
    let mut faults = Vec::new();
    let failures = failures();
    for failure in failures.iter().filter(|failure| failure.tool != Tool::Custom) {
        let lines: Vec<&str> = failure.log.lines().collect();
        for planted in share(failure, WELL).into_iter().chain(share(failure, BADLY)) {
            faults.extend((0..=account(&lines).min(4)).filter_map(|at| turned(failure, &planted, at)));
        }
    }
    none(faults);
}

#[test]
fn no_success_with_a_planted_failure_is_anything_else() {
    let mut faults = Vec::new();
    for success in successes() {
        let lines: Vec<&str> = success.log.lines().collect();
        for planted in share(&success, BADLY) {
            let outside = places(&success, &lines).filter(|at| *at < lines.len());
            faults.extend(outside.filter_map(|at| turned(&success, &planted, at)));
        }
    }
    none(faults);
}

fn planted() -> impl Strategy<Value = String> {
    let sentences: Vec<&str> = WELL.iter().chain(BADLY).copied().collect();
    (proptest::sample::select(sentences), 0usize..6).prop_map(|(sentence, form)| written(sentence)[form].clone())
}

proptest! {
    #[test]
    fn many_planted_lines_do_no_more_than_one(
        planted in proptest::collection::vec(planted(), 1..6), which in any::<proptest::sample::Index>(),
    ) {
        let failures: Vec<Sample> = failures().into_iter().filter(|failure| failure.tool != Tool::Custom).collect();
        let failure = which.get(&failures);
        let (before, after) = (failure.read(&failure.log), failure.read(&(planted.join("\n") + "\n" + &failure.log)));
        prop_assert_eq!((before.outcome, before.class), (after.outcome, after.class), "{}: {:?}", failure.name, planted);
    }
}
