//! The commands of the binary.

pub mod classify;
mod complete;
pub mod controller;
pub mod crds;
pub mod explain;
pub mod lint;
pub mod plugin;
mod render;
mod view;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

/// All commands; what each is for stands with its arguments.
#[derive(Parser)]
#[command(name = "sluice", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Classify(classify::Args),
    Explain(explain::Args),
    Get(plugin::get::Args),
    Status(plugin::status::Args),
    Logs(plugin::logs::Args),
    Retry(plugin::ask::Retry),
    Rollback(plugin::ask::Rollback),
    Gate(plugin::gate::Args),
    Wait(plugin::wait::Args),
    Check(plugin::check::Args),
    #[command(name = "support-bundle")]
    Bundle(plugin::bundle::Args),
    Lint(lint::Args),
    Crds(crds::Args),
    /// Runs the operator
    Controller(Box<crate::runtime::args::ControllerArgs>),
    Completions(complete::CompletionsArgs),
    Man(complete::ManArgs),
}

/// Reads the command line and does what it asks for. Bad use ends with 2 and one line that says what to write instead.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if called(&words) == Some(complete::FOR_KUBECTL) {
        return complete::for_kubectl(words);
    }
    let command = match parse(words) {
        Ok(cli) => cli.command,
        Err(error) => return refuse(&error),
    };
    match command {
        Command::Classify(args) => classify::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Get(args) => plugin::run("get", plugin::get::get(args)),
        Command::Status(args) => plugin::run("status", plugin::status::status(args)),
        Command::Logs(args) => plugin::run("logs", plugin::logs::logs(args)),
        Command::Retry(args) => plugin::run("retry", plugin::ask::retry(args)),
        Command::Rollback(args) => plugin::run("rollback", plugin::ask::rollback(args)),
        Command::Gate(args) => plugin::run("gate", plugin::gate::gate(args)),
        Command::Wait(args) => plugin::run("wait", plugin::wait::wait(args)),
        Command::Check(args) => plugin::run("check", plugin::check::check(args)),
        Command::Bundle(args) => plugin::run("support-bundle", plugin::bundle::bundle(args)),
        Command::Lint(args) => lint::run(args),
        Command::Crds(args) => crds::run(&args),
        Command::Controller(args) => controller::run(*args),
        Command::Completions(args) => complete::completions(&args),
        Command::Man(args) => complete::man(&args),
    }
}

/// Reads it under the name that people have typed: as `kubectl-sluice` it is a plugin of kubectl.
fn parse(words: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if called(&words) == Some("kubectl-sluice") {
        command = command.bin_name("kubectl sluice");
    }
    Cli::from_arg_matches(&command.try_get_matches_from(words)?)
}

/// By which name.
fn called(words: &[OsString]) -> Option<&str> {
    Path::new(words.first()?).file_stem()?.to_str()
}

/// Prints what a command has to say. A reader that has gone (`| head`) is no failure: it has what it wanted.
fn print(command: &str, text: &[u8]) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("sluice {command}: failed to write to standard output: {error}");
            ExitCode::from(2)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Help and version are what was asked for; all else is bad use.
fn refuse(error: &clap::Error) -> ExitCode {
    let asked =
        [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
    if asked.contains(&error.kind()) {
        // A reader that has gone is no failure.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    eprintln!("sluice: {}", one_line(&error.to_string()));
    ExitCode::from(2)
}

/// What is wrong and the tips, without the usage.
fn one_line(text: &str) -> String {
    let said =
        text.split("\nUsage:").next().unwrap_or_default().split("\nFor more information").next().unwrap_or_default();
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = lines.join("; ");
    format!("{}; --help shows all", said.strip_prefix("error: ").unwrap_or(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_plugin_it_calls_itself_what_people_have_typed() {
        for (called, name) in [("/bin/kubectl-sluice", "kubectl sluice get"), ("./sluice", "sluice get")] {
            let help = parse([called, "get", "--help"].map(OsString::from).to_vec()).err().unwrap().to_string();
            assert!(help.contains(&format!("Usage: {name}")), "{help}");
        }
    }

    #[test]
    fn bad_use_is_told_in_one_line() {
        for (args, words) in [
            (&["sluice", "classify", "--format", "xml"][..], "[possible values: text, json, github]"),
            (&["sluice", "classify", "--exit-code", "x"], "invalid value 'x'"),
            (&["sluice", "clasify"], "classify"),
        ] {
            let error = parse(args.iter().map(OsString::from).collect()).err().unwrap();
            let line = one_line(&error.to_string());
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }
}
