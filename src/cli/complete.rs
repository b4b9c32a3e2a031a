//! `sluice completions SHELL` and `sluice man`: what a package installs beside the binary.

use std::process::ExitCode;

use clap::CommandFactory;

use super::{Cli, print};

/// Prints the completions for a shell
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Prints the manual page, as `man -l -` takes it
#[derive(clap::Args)]
pub struct ManArgs {
    /// The command whose page it is; the page of all where it is left out
    pub command: Option<String>,
}

/// Prints them.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sluice", &mut text);
    print("completions", &text)
}

/// Prints it.
pub fn man(args: &ManArgs) -> ExitCode {
    let mut all = Cli::command();
    all.build();
    let page = match &args.command {
        None => clap_mangen::Man::new(all),
        Some(name) => match all.find_subcommand(name) {
            Some(command) => clap_mangen::Man::new(command.clone()).title(format!("sluice-{name}")),
            None => {
                eprintln!("sluice man: there is no command {name:?}; `sluice --help` lists them");
                return ExitCode::from(2);
            }
        },
    };
    let mut text = Vec::new();
    match page.render(&mut text) {
        Ok(()) => print("man", &text),
        Err(error) => {
            eprintln!("sluice man: failed to write the page: {error}");
            ExitCode::FAILURE
        }
    }
}
