//! The command line, by the real binary: what it prints, what it refuses, and with what it ends.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FAILURE: &str = "Error: P3018\n\nMigration name: a\n\nDatabase error code: 23505\n";

fn sluice(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    let pipes = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // Who refuses does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_three_forms_are_printed() {
    let args = |form| ["classify", "--tool", "prisma", "--exit-code", "1", "--format", form];
    let text = sluice(&args("text"), FAILURE.as_bytes());
    assert_eq!(text.status.code(), Some(0));
    assert!(out(&text).starts_with("Failed: DataConflict, UniqueViolation\n"), "{}", out(&text));
    assert!(!out(&text).contains('\u{1b}'), "a pipe gets no colour");
    let json: Value = serde_json::from_str(&out(&sluice(&args("json"), FAILURE.as_bytes()))).unwrap();
    assert_eq!((&json["schema"], &json["migration"]), (&"sluice.dev/verdict/v1".into(), &"a".into()));
    let github = out(&sluice(&args("github"), FAILURE.as_bytes()));
    assert!(github.starts_with("::error title=Failed") && github.lines().count() == 1, "{github}");
}

/// `script`, of Debian's essential packages, is a terminal.
#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, FAILURE).unwrap();
    let on_a_terminal = |no_color: &str| {
        let line = format!("{} classify --exit-code 1 {}", env!("CARGO_BIN_EXE_sluice"), log.display());
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", no_color).stdin(Stdio::null());
        let shown = out(&command.output().unwrap());
        assert!(shown.contains("Failed: DataConflict, UniqueViolation"), "{shown}");
        shown.contains("\u{1b}[1;31m")
    };
    assert!(on_a_terminal("") && !on_a_terminal("1"));
}

#[test]
fn bad_use_ends_with_2_and_one_line_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, missing) = (folder.path().display().to_string(), folder.path().join("none").display().to_string());
    let rules = folder.path().join("rules");
    fs::write(&rules, "- { match: 'ab(cd', class: Config, reason: A }\n").unwrap();
    let rules = rules.display().to_string();
    let table: [(&[&str], &str); 9] = [
        (&["classify", &directory], "is a directory; give the log file"),
        (&["classify", &missing], "failed to open"),
        (&["classify", "--tool", "psql"], "one of Prisma, Flyway"),
        (&["classify", "--format", "xml"], "possible values: text, json, github"),
        (&["classify", "--exit-code", "one"], "invalid value 'one'"),
        (&["classify", "--rules", &rules], "rules[0].match, column 3: unclosed group"),
        (&["clasify"], "classify"),
        (&["explain", "Nothing"], "`sluice explain` lists them all"),
        (&["man", "nothing"], "`sluice --help` lists them"),
    ];
    for (args, words) in table {
        let output = sluice(args, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words) && said.lines().count() == 1, "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_log_that_is_none_is_unknown_and_no_crash() {
    let binary: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for log in [&b""[..], &binary, b"\0\0\0\0"] {
        for (args, outcome) in [
            (&["--exit-code", "1"][..], "Failed"),
            (&["--exit-code", "0", "--tool", "prisma"], "Unknown"),
            (&["--tool", "prisma"], "Unknown"),
            (&[], "Unknown"),
        ] {
            let output = sluice(&[&["classify", "--format", "json"], args].concat(), log);
            let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
            let said = (output.status.code(), &verdict["outcome"], &verdict["class"]);
            assert_eq!(said, (Some(0), &outcome.into(), &"Unknown".into()), "{args:?}: {verdict}");
        }
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    for args in [&["explain"][..], &["crds"], &["completions", "bash"], &["man"], &["classify", "--format", "json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        let pipes = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().unwrap();
        drop(child.stdout.take());
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{args:?}");
    }
}

#[test]
fn a_rule_of_ones_own_is_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.yaml");
    fs::write(&rules, "- match: '^proxy: down'\n  class: Connectivity\n  reason: ProxyDown\n  retryable: true\n")
        .unwrap();
    let args = ["classify", "--exit-code", "1", "--format", "json", "--rules", rules.to_str().unwrap()];
    let verdict: Value = serde_json::from_slice(&sluice(&args, b"proxy: down\n").stdout).unwrap();
    assert_eq!((&verdict["class"], &verdict["reason"]), (&"Connectivity".into(), &"ProxyDown".into()));
    assert_eq!(verdict["retryable"], false, "what had been executed by then is not known");
}

#[test]
fn under_the_name_that_kubectl_looks_for_it_completes_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let called = directory.path().join("kubectl_complete-sluice");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), &called).unwrap();
    let says = |words: &[&str]| {
        let output = Command::new(&called).args(words).env("KUBECONFIG", "/dev/null").output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        out(&output)
    };
    let retry = says(&["ret"]);
    assert!(
        retry.starts_with("retry\tAsks for ") && retry.ends_with("\n:4\n") && retry.lines().count() == 2,
        "{retry}"
    );
    let outputs = says(&["get", "--output", ""]);
    assert!(outputs.starts_with("wide\t") && outputs.contains("\nyaml\t"), "{outputs}");
    assert!(says(&["wait", "shop", "--for", "c"]).starts_with("clean\t"));
    assert_eq!(says(&["status", ""]), ":0\n", "without a cluster there is no name");
    assert_eq!(says(&[]), ":0\n");
}

#[test]
fn completions_and_manual_pages_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = sluice(&["completions", shell], b"");
        assert!(out(&output).contains("classify") && out(&output).contains("exit-code"), "{shell}");
    }
    assert!(out(&sluice(&["man"], b"")).contains(".TH"));
    assert!(out(&sluice(&["man", "classify"], b"")).contains("exit\\-code"));
    let page = out(&sluice(&["explain", "uniqueviolation"], b""));
    for title in ["What it means", "What the database has been through", "The way on", "What Sluice does by itself"] {
        assert!(page.contains(title), "{page}");
    }
}

/// The commands of the pipelines that are shown, run by a shell beside a log.
#[test]
fn the_pipelines_that_are_shown_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("migrate.log"), FAILURE).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap().display().to_string();
    for (file, count) in [("github.yml", 1), ("gitlab.yml", 2)] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(file)).unwrap();
        let _: Value = serde_saphyr::from_str(&text).unwrap();
        let lines =
            text.lines().map(|line| line.trim().trim_start_matches("- ")).filter(|line| line.starts_with("sluice "));
        let lines: Vec<&str> = lines.collect();
        assert_eq!(lines.len(), count, "{file}");
        for line in lines {
            let script = format!("PATH={binary}:$PATH; code=1; {line}");
            let output = Command::new("bash").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{line}: {output:?}");
        }
    }
    let verdict = fs::read_to_string(folder.path().join("verdict.json")).unwrap();
    assert!(verdict.contains("UniqueViolation"), "{verdict}");
}
