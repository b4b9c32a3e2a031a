//! The `sluice` binary: the operator, and the commands that people and pipelines use.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice::cli::main()
}
