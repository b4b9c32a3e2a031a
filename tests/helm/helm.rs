//! Helm as its users run it, within a deadline and with a clock beside it.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest that a command may take; more is a command that hangs.
const DEADLINE: Duration = Duration::from_secs(150);

/// One release, and the binary that writes it.
pub struct Helm {
    binary: String,
    /// 3, or 4.
    pub major: u32,
    namespace: String,
    release: &'static str,
}

/// What came of a command.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub text: String,
    pub took: Duration,
}

impl Helm {
    pub fn of(namespace: &str, release: &'static str) -> Self {
        let binary = std::env::var("HELM").expect("HELM names the binary");
        let version =
            Command::new(&binary).args(["version", "--template", "{{.Version}}"]).output().expect("helm runs");
        let version = String::from_utf8(version.stdout).unwrap();
        let major =
            version.trim_start_matches('v').split('.').next().unwrap().parse().expect("a version such as v4.3.1");
        Self { binary, major, namespace: namespace.to_owned(), release }
    }

    /// Runs a command of Helm's, of one word or two, on the release.
    pub fn tries(&self, command: &str, args: &[&str]) -> Said {
        let deadline = DEADLINE.as_secs().to_string();
        let mut helm = Command::new("timeout");
        helm.args(["--kill-after=5", &deadline, &self.binary]).args(command.split(' ')).arg(self.release).args(args);
        let begun = Instant::now();
        let output = helm.args(["--namespace", &self.namespace]).output().expect("timeout is on the PATH");
        let took = begun.elapsed();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(took < DEADLINE, "helm {command} {args:?} hangs: {text}");
        println!(
            "helm {} {command} {} {}: {:?} in {:.1} s",
            self.major,
            self.release,
            args.join(" "),
            output.status.code(),
            took.as_secs_f64()
        );
        Said { ok: output.status.success(), text, took }
    }

    /// Runs a command that has to succeed.
    #[track_caller]
    pub fn does(&self, command: &str, args: &[&str]) -> Said {
        let said = self.tries(command, args);
        assert!(said.ok, "helm {command} {args:?}: {}", said.text);
        said
    }

    /// The release's newest revision, and its status there.
    pub fn status(&self) -> (i64, String) {
        let said = self.does("status", &["--output", "json"]);
        let status: Value = serde_json::from_str(&said.text).unwrap();
        (status["version"].as_i64().unwrap(), status["info"]["status"].as_str().unwrap().to_owned())
    }
}
