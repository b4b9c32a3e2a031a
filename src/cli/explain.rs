//! `sluice explain REASON`: what a reason means and the way on.

use std::process::ExitCode;

use super::print;
use crate::classify::{Entry, REASONS, Reason};

/// Explains a reason, or lists them all.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The reason, such as UniqueViolation; every reason where it is left out
    pub reason: Option<String>,
}

/// Prints the page.
pub fn run(args: Args) -> ExitCode {
    let Some(name) = args.reason else {
        let line = |entry: &Entry| format!("{:<24} {:<13} {}\n", entry.name, entry.class.to_string(), entry.meaning);
        return print("explain", REASONS.iter().map(line).collect::<String>().as_bytes());
    };
    let Some(entry) = Reason::find(&name) else {
        eprintln!("sluice explain: unknown reason {name:?}; `sluice explain` lists them all");
        return ExitCode::from(2);
    };
    print("explain", crate::classify::explain(entry).as_bytes())
}
