//! The `sluice` binary: the operator, and the commands that people and pipelines use.

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
    Crds(sluice::cli::crds::Args),
    /// Runs the operator
    Controller(Box<sluice::runtime::args::ControllerArgs>),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Classify(args) => sluice::cli::classify::run(args),
        Command::Explain(args) => sluice::cli::explain::run(args),
        Command::Crds(args) => sluice::cli::crds::run(&args),
        Command::Controller(args) => sluice::cli::controller::run(*args),
    }
}
