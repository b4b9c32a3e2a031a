//! The `sluice` binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "sluice", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(sluice::cli::classify::Args),
    Explain(sluice::cli::explain::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Classify(args) => sluice::cli::classify::run(args),
        Command::Explain(args) => sluice::cli::explain::run(args),
    }
}
