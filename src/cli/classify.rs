//! `sluice classify`: the verdict on a log, from a file or a pipe.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use super::{print, render};
use crate::api::classification::ClassificationRule;
use crate::classify::{Classifier, Ending, OwnRules, Step, Tool, Verdict};

/// How much of the beginning is looked at to guess the tool.
const BEGINNING: usize = 1024 * 1024;
/// What is read at once.
const PIECE: usize = 256 * 1024;

/// Reads a migration's log and says what happened: class, reason, code, migration, and the lines that prove it.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The tool that wrote the log, such as Prisma, Flyway or Custom; `auto` guesses by the log's beginning
    #[arg(long, default_value = "auto")]
    pub tool: String,
    /// The exit code that the tool ended with; without it the text alone decides, with less confidence
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub exit_code: Option<i32>,
    /// Rules of your own, as in spec.classification.rules of a run: a YAML or JSON file with a list of them
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Which command wrote the log
    #[arg(long, value_enum, default_value_t = StepName::Migrate)]
    pub step: StepName,
    /// The form of the answer: for people, for programs, or as annotations of GitHub Actions
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// The log; standard input where it is left out or `-`
    pub file: Option<PathBuf>,
}

/// The step, as written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum StepName {
    /// The command that applies migrations
    Migrate,
    /// The command that asks whether any are left
    Check,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// Workflow commands of GitHub Actions
    Github,
}

/// The form of what `--format json` prints. Another one is another number; fields may be added to the same.
const SCHEMA: &str = "sluice.dev/verdict/v1";

/// What `--format json` prints: the verdict, and by which form and tool it was read.
#[derive(Serialize, JsonSchema)]
pub struct Report<'v> {
    /// The form of this object: sluice.dev/verdict/v1.
    schema: &'static str,
    /// The tool by whose rules the log was read.
    tool: Tool,
    #[serde(flatten)]
    verdict: &'v Verdict,
}

/// Classifies and prints. Ends with 0 whatever the verdict, with 2 on bad use.
pub fn run(args: Args) -> ExitCode {
    match read(&args) {
        Ok((tool, verdict)) => show(&args, tool, &verdict),
        Err(message) => {
            eprintln!("sluice classify: {message}");
            ExitCode::from(2)
        }
    }
}

fn read(args: &Args) -> Result<(Tool, Verdict), String> {
    let own = args.rules.as_deref().map(own_rules).transpose()?;
    let named = match args.tool.as_str() {
        "auto" => None,
        name => Some(name.parse::<Tool>()?),
    };
    let (mut source, name): (Box<dyn Read>, String) = match args.file.as_deref() {
        Some(path) if path.as_os_str() != "-" => {
            let name = path.display().to_string();
            if path.is_dir() {
                return Err(format!("{name} is a directory; give the log file"));
            }
            (Box::new(File::open(path).map_err(|error| format!("failed to open {name}: {error}"))?), name)
        }
        _ if io::stdin().is_terminal() => return Err("no log: give a file, or pipe one in".to_owned()),
        _ => (Box::new(io::stdin()), "standard input".to_owned()),
    };
    consume(&mut source, named, own, args).map_err(|error| format!("failed to read {name}: {error}"))
}

/// The user's own rules, ready to be asked.
fn own_rules(path: &Path) -> Result<OwnRules, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read {name}: {error}"))?;
    let rules: Vec<ClassificationRule> =
        serde_saphyr::from_str(&text).map_err(|error| format!("{name} is no list of rules: {}", one_line(&error)))?;
    OwnRules::new(rules.into_iter().map(Into::into)).map_err(|error| format!("{name}: rules{error}"))
}

fn one_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn consume(
    source: &mut dyn Read,
    named: Option<Tool>,
    own: Option<OwnRules>,
    args: &Args,
) -> io::Result<(Tool, Verdict)> {
    let mut beginning = Vec::new();
    let tool = match named {
        Some(tool) => tool,
        None => {
            source.take(BEGINNING as u64).read_to_end(&mut beginning)?;
            Tool::guess(&beginning)
        }
    };
    let step = match args.step {
        StepName::Migrate => Step::Migrate,
        StepName::Check => Step::Check,
    };
    let mut classifier = Classifier::new(tool, step);
    if let Some(own) = own {
        classifier = classifier.with_rules(Arc::new(own));
    }
    classifier.push(&beginning);
    drop(beginning);
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => classifier.push(piece.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((tool, classifier.finish(args.exit_code.map_or(Ending::NotGiven, Ending::Exited))))
}

fn show(args: &Args, tool: Tool, verdict: &Verdict) -> ExitCode {
    let text = match args.format {
        Format::Json => {
            let report = Report { schema: SCHEMA, tool, verdict };
            serde_json::to_string(&report).unwrap_or_default() + "\n"
        }
        Format::Github => render::github(verdict),
        Format::Text => {
            let colour =
                io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            render::text(tool, verdict, colour)
        }
    };
    print("classify", text.as_bytes())
}
