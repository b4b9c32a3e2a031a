//! `sluice classify`: the verdict on a log, from a file or a pipe.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::classify::{Classifier, Ending, Step, Tool, Verdict};

/// Reads a migration's log and says what happened.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The tool that wrote the log, such as Prisma, Flyway or Custom; auto guesses it
    #[arg(long, default_value = "auto")]
    pub tool: String,
    /// The exit code that the tool ended with; without it the text alone decides
    #[arg(long, allow_hyphen_values = true)]
    pub exit_code: Option<i32>,
    /// The form of the answer
    #[arg(long, value_parser = ["text", "json", "github"], default_value = "text")]
    pub format: String,
    /// The log; standard input where it is left out or `-`
    pub file: Option<PathBuf>,
}

/// Classifies and prints. Ends with 0 whatever the verdict, with 2 on bad use.
pub fn run(args: Args) -> ExitCode {
    let tool = match args.tool.as_str() {
        "auto" => Ok(Tool::Prisma),
        name => name.parse::<Tool>(),
    };
    let tool = match tool {
        Ok(tool) => tool,
        Err(error) => return bad_use(&error),
    };
    let ending = args.exit_code.map_or(Ending::NotGiven, Ending::Exited);
    let source: io::Result<Box<dyn Read>> = match args.file.as_deref() {
        None => Ok(Box::new(io::stdin())),
        Some(path) if path.as_os_str() == "-" => Ok(Box::new(io::stdin())),
        Some(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
    };
    let verdict = match source.and_then(|source| read(source, tool, ending)) {
        Ok(verdict) => verdict,
        Err(error) => return bad_use(&error.to_string()),
    };
    println!("{}", serde_json::to_string(&verdict).unwrap_or_default());
    ExitCode::SUCCESS
}

fn read(mut source: Box<dyn Read>, tool: Tool, ending: Ending) -> io::Result<Verdict> {
    let mut classifier = Classifier::new(tool, Step::Migrate);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(classifier.finish(ending)),
            Ok(n) => classifier.push(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn bad_use(message: &str) -> ExitCode {
    eprintln!("sluice classify: {message}");
    ExitCode::from(2)
}
