//! `sluice explain REASON`: what a reason means and the way on.

use std::io::Write;
use std::process::ExitCode;

use crate::classify::{REASONS, Reason};

/// Explains a reason, or lists them all.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The reason, such as UniqueViolation; every reason where it is left out
    pub reason: Option<String>,
}

/// Prints the page.
pub fn run(args: Args) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let Some(name) = args.reason else {
        for entry in REASONS {
            if writeln!(out, "{:<24} {:<13} {}", entry.name, entry.class.to_string(), entry.meaning).is_err() {
                break;
            }
        }
        return ExitCode::SUCCESS;
    };
    let Some(entry) = Reason::find(&name) else {
        eprintln!("sluice explain: unknown reason {name:?}; `sluice explain` lists them all");
        return ExitCode::from(2);
    };
    let _ = write!(out, "{}", crate::classify::explain(entry));
    ExitCode::SUCCESS
}
