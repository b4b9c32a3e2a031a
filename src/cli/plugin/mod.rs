//! What `kubectl sluice` does on a cluster: with the caller's own rights, never the operator's.

mod answer;
pub mod ask;
pub mod bundle;
pub mod check;
mod connect;
pub mod gate;
pub mod get;
pub mod logs;
mod names;
mod picture;
mod rights;
pub mod status;
pub mod wait;

use std::process::ExitCode;

pub use connect::{Cluster, Connection};

use super::print;

/// Why a command has not done what it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it exits with.
    pub code: u8,
    /// One line: what is wrong, and what to do.
    pub message: String,
}

impl Failure {
    /// It could not be done, or the answer is no.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// It was asked for wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }
}

/// What a command has to say at its end; what it says meanwhile it prints itself.
pub type Answer = Result<String, Failure>;

/// Runs a command to its end.
pub fn run(name: &str, work: impl Future<Output = Answer>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(name, &Failure::failed(error.to_string())),
    };
    match runtime.block_on(work) {
        Ok(text) => print(name, text.as_bytes()),
        Err(failure) => refuse(name, &failure),
    }
}

fn refuse(name: &str, failure: &Failure) -> ExitCode {
    eprintln!("sluice {name}: {}", failure.message);
    ExitCode::from(failure.code)
}
