//! `sluice completions SHELL` and `sluice man`: what a package installs beside the binary.

use std::ffi::{OsStr, OsString};
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

/// How kubectl calls it, as an executable beside the plugin.
pub const FOR_KUBECTL: &str = "kubectl_complete-sluice";

/// What may stand for the last word, a line each, for kubectl's own completions: a candidate, a tab and what it is; then what the
/// shell is to do besides, which is nothing (`ShellCompDirectiveNoFileComp` of spf13/cobra), or to complete a file's name.
pub fn for_kubectl(words: Vec<OsString>) -> ExitCode {
    let last = words.len().saturating_sub(1);
    let is_flag = |word: &OsStr| word.as_encoded_bytes().starts_with(b"-");
    // As of all of kubectl's commands: flags only for who has begun to write one.
    let flags = words.last().is_some_and(|word| is_flag(word));
    let mut found = clap_complete::engine::complete(&mut Cli::command(), words, last, None).unwrap_or_default();
    found.retain(|candidate| !candidate.is_hide_set() && is_flag(candidate.get_value()) == flags);
    let mut text = String::new();
    for candidate in &found {
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let help = help.lines().next().map(|help| format!("\t{help}")).unwrap_or_default();
        text += &format!("{}{help}\n", candidate.get_value().display());
    }
    text += if found.is_empty() { ":0\n" } else { ":4\n" };
    print("completions", text.as_bytes())
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
