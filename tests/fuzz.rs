//! Any bytes give a verdict, in linear work, without a secret and without a control character.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod logs;
#[path = "bench/logs.rs"]
mod made;

use logs::{failures, read, successes};
use proptest::prelude::*;
use sluice::classify::{Classifier, Ending, Outcome, Step, Tool, Verdict};

fn tools() -> impl Strategy<Value = Tool> {
    proptest::sample::select(Tool::ALL.to_vec())
}

/// What a verdict may never be, whatever was read.
fn fault(verdict: &Verdict) -> Option<&'static str> {
    let out = [&verdict.code, &verdict.sql_state, &verdict.migration].into_iter().flatten().chain(&verdict.evidence);
    let mut controls = out.flat_map(|text| text.chars()).filter(|c| c.is_control() && *c != '\t');
    match verdict {
        _ if controls.next().is_some() => Some("a control character"),
        _ if verdict.evidence.len() > 10 => Some("more than ten lines"),
        _ if verdict.evidence.iter().map(String::len).sum::<usize>() > 2048 => Some("more than 2 KiB"),
        _ => None,
    }
}

/// The beginning of a failure may be all of a success, its end never, unless the tool need not say how it ended.
#[test]
fn every_cut_gives_a_verdict_and_no_failure_becomes_a_success() {
    for sample in failures() {
        let quiet = !sample.tool.table().speaks;
        // What a tool had printed when it was killed is what a success prints so far.
        let killed = read(sample.tool, &sample.log, Ending::NotGiven).outcome == Outcome::Succeeded;
        let step = if sample.is_own() { 1 } else { 1 + sample.log.len() / 16 };
        for at in (0..=sample.log.len()).step_by(step) {
            let (head, tail) = sample.log.as_bytes().split_at(at);
            for (part, end) in [(head, Ending::Exited(0)), (tail, Ending::Exited(0)), (tail, Ending::NotGiven)] {
                let mut classifier = Classifier::new(sample.tool, Step::Migrate);
                classifier.push(part);
                let verdict = classifier.finish(end);
                let may_be = killed || part == head || quiet && end == Ending::Exited(0);
                assert!(may_be || verdict.outcome != Outcome::Succeeded, "{} cut at {at}, {end:?}", sample.name);
                assert_eq!(fault(&verdict), None, "{} cut at {at}, {end:?}", sample.name);
            }
        }
    }
}

/// Work is counted in bytes that literals are looked for in, and bytes that patterns are tried on.
#[test]
fn work_grows_with_the_log_and_no_faster() {
    let work = |tool: Tool, log: &made::Log| {
        let mut classifier = Classifier::new(tool, Step::Migrate);
        classifier.push(&log.bytes);
        classifier.work() as f64
    };
    let (once, twice) = (100_000, 200_000);
    let both = [made::realistic, made::adversarial];
    for (small, large) in both.iter().flat_map(|logs| logs(once).into_iter().zip(logs(twice))) {
        for tool in [Tool::Prisma, Tool::Flyway, Tool::Custom] {
            let (one, two) = (work(tool, &small), work(tool, &large));
            assert!(two <= one * 2.3 + 1e5, "{}, {tool}: {one} became {two}", small.name);
            assert!(two <= large.bytes.len() as f64 * 40.0, "{}, {tool}: {two}", small.name);
        }
    }
}

/// Each form in which a secret or a row's value is printed; `@` stands for it.
const CARRIERS: &[&str] = &[
    "postgres://app:@@db:5432/shop",
    "mysql://root:x%2F@@h/d?a=b",
    "postgres://db/shop?user=a&password=@",
    "jdbc:postgresql://db/shop?user=a&password=@",
    "Server=db;Password=@;Encrypt=true",
    "password=@ host=db",
    "PGPASSWORD=@ psql",
    "AWS_SECRET_ACCESS_KEY=@",
    "GITHUB_TOKEN: '@'",
    "{\"api_key\": \"@\"}",
    "{\\\"client_secret\\\": \\\"@\\\"}",
    "Authorization: Bearer @",
    "ghp_@",
    "AKIA@",
    "eyJhbGciOiJI.eyJ@.c2ln",
    "-----BEGIN RSA PRIVATE KEY-----@-----END RSA PRIVATE KEY-----",
    "DETAIL: Key (email)=(@) already exists.",
    "DETAIL:  Key (a, lower(b))=(1, @) is not present in table \"x\".",
    "Failing row contains (1, @, null).",
    "Duplicate entry '@' for key 'u'",
    "invalid input syntax for type integer: \"@\"",
    "invalid input value for enum \"E\": \"@\"",
    "Incorrect integer value: '@' for column 'a' at row 1",
    "Truncated incorrect INTEGER value: '@'",
    "Conversion failed when converting the varchar value '@' to data type int.",
    "The duplicate key value is (@).",
    "ALTER ROLE app PASSWORD '@'",
    "CREATE USER app IDENTIFIED BY '@'",
    "INSERT INTO t VALUES ('@')",
    "[parameters: {'name': '@'}]",
];

/// What makes a line evidence, and its place in a log.
const LINES: &[&str] = &[
    "Error: P1001: @",
    "ERROR: syntax error at or near @",
    "ECONNREFUSED @",
    "@ (SQLSTATE 23505)",
    "Error: P3018\n\nMigration name: a\n\nDatabase error:\nERROR: @\n",
    "{\"level\":\"error\",\"msg\":\"ECONNREFUSED @\"}",
    "Migration name: @",
    "Applying migration `@`\nError: P3018",
];

#[test]
fn planted_secrets_never_come_out() {
    for secret in ["S3CR3TS3CR3TS3CR3T00", "hunter2Hunter2hunter2x"] {
        let upper = secret.to_uppercase();
        for carrier in CARRIERS {
            // Known shapes of keys are capitals and digits.
            let secret = if carrier.starts_with("AKIA") { upper.as_str() } else { secret };
            let carried = carrier.replace('@', "\u{1}").replace("\u{1}\u{1}", "\u{1}@").replace('\u{1}', secret);
            for line in LINES {
                let quoted = if line.starts_with('{') {
                    carried.replace('\\', "\\\\").replace('"', "\\\"")
                } else {
                    carried.clone()
                };
                let log = line.replace('@', &quoted) + "\nECONNREFUSED\n";
                for tool in Tool::ALL {
                    for step in [Step::Migrate, Step::Check] {
                        let mut classifier = Classifier::new(tool, step);
                        classifier.push(log.as_bytes());
                        let out = serde_json::to_string(&classifier.finish(Ending::Exited(1))).unwrap();
                        assert!(!out.contains(secret), "{tool}: {log} gave {out}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_lines_of_a_private_key_are_no_evidence() {
    let body = "MIIEowIBAAKCAQEAECONNREFUSEDabcdefghijklmnopqrstuvwxyz0123456789";
    let log = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nconnection refused\n");
    for tool in Tool::ALL {
        let verdict = read(tool, &log, Ending::Exited(1));
        assert!(!verdict.evidence.iter().any(|line| line.contains("MIIE")), "{tool}: {verdict:?}");
    }
}

/// Parts of real logs and bytes of any kind, in any order.
fn splices() -> impl Strategy<Value = Vec<u8>> {
    let logs: Vec<Vec<u8>> = failures().into_iter().chain(successes()).map(|sample| sample.log.into_bytes()).collect();
    let part = (proptest::sample::select(logs), any::<proptest::sample::Index>(), any::<proptest::sample::Index>());
    let part = part.prop_map(|(log, a, b)| {
        let (a, b) = (a.index(log.len() + 1), b.index(log.len() + 1));
        log[a.min(b)..a.max(b)].to_vec()
    });
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    let marks =
        proptest::sample::select(vec!["\u{1b}[31m", "\r", "\u{feff}", "\0", "\u{202e}", "{\"msg\":\"", "\"}\n"]);
    let part = prop_oneof![part, noise, marks.prop_map(|mark| mark.as_bytes().to_vec())];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_chunks_give_one_verdict(log in splices(), tool in tools(), size in 1usize..3000, code in 0i32..3) {
        let whole = |size: usize| {
            let mut classifier = Classifier::new(tool, Step::Migrate);
            log.chunks(size).for_each(|chunk| classifier.push(chunk));
            classifier.finish(Ending::Exited(code))
        };
        let verdict = whole(log.len().max(1));
        prop_assert_eq!(&verdict, &whole(size));
        prop_assert_eq!(fault(&verdict), None);
        let _ = Tool::guess(&log);
    }
}
