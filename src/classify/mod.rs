//! Reads what a migration tool left behind and says what happened: the class, the reason, the code, the migration.
//!
//! A stream goes in, a verdict comes out: one pass, bounded memory, linear time. There is no client, no clock and no async
//! here. Rules are data: a table for each tool, and tables of the databases' codes. How the container ended is the truth;
//! the text refines it, and where the two contradict each other the outcome is Unknown. Nothing leaves before redaction.

mod beginning;
mod clean;
pub mod codes;
mod common;
mod decide;
mod engine;
mod explain;
mod filter;
mod guess;
mod json;
mod line;
mod own;
pub mod reason;
pub mod redact;
mod rules;
mod run;
mod scan;
mod tool;
mod tools;
mod types;
mod unwrap;

pub use explain::{explain, parts as explained};
pub use own::{OwnRule, OwnRuleError, OwnRules};
pub use reason::{Entry, REASONS, Reason};
pub use tool::{Tool, ToolTable};
pub use types::{Branch, Class, Confidence, Ending, Outcome, Step, Verdict};

use std::sync::Arc;

use engine::Engine;
use scan::Stream;

/// Takes a log in chunks and gives the verdict at its end.
pub struct Classifier {
    tool: Tool,
    step: Step,
    stream: Stream,
    engine: Engine,
}

impl Tool {
    /// The tool that wrote a log, by its beginning; [`Tool::Custom`] where no tool's own lines occur.
    pub fn guess(beginning: &[u8]) -> Self {
        guess::guess(beginning)
    }
}

impl Classifier {
    /// A classifier for the log of this tool's step.
    pub fn new(tool: Tool, step: Step) -> Self {
        Self { tool, step, stream: Stream::default(), engine: Engine::new(tool.table(), tool.rules()) }
    }

    /// The same with rules of the user's own. They are asked of every line, which costs time.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<OwnRules>) -> Self {
        self.engine = self.engine.with_rules(rules);
        self
    }

    /// Takes the next bytes of the log, as many as there are.
    pub fn push(&mut self, chunk: &[u8]) {
        self.stream.push(chunk, self.tool.rules(), &mut self.engine);
    }

    /// The work so far, in bytes that literals were looked for in and bytes that patterns were tried on.
    pub fn work(&self) -> u64 {
        self.stream.work() + self.engine.work()
    }

    /// The verdict, now that the log is complete and it is known how the container ended.
    pub fn finish(mut self, ending: Ending) -> Verdict {
        self.stream.end(self.tool.rules(), &mut self.engine);
        let table = self.tool.table();
        let own = self.engine.own();
        let run = self.engine.conclude();
        let verdict = decide::decide(&run, table, self.step, ending);
        let (kept, _) = self.stream.kept();
        let read = |text: Vec<u8>| decide::decide(&again(self.tool, &text), table, self.step, ending);
        let verdict = match (unwrap::unwrap(&kept), unwrap::dedent(&kept)) {
            (Some(joined), _) => better(verdict, read(joined)),
            // An indent carries a failure over. Of a success it might be the echo.
            (None, Some(plain)) => match read(plain) {
                again if again.outcome == Outcome::Succeeded => verdict,
                again => better(verdict, again),
            },
            (None, None) => verdict,
        };
        let Some((rules, at, line)) = own else { return verdict };
        let untouched = verdict.reason.as_ref().is_some_and(|reason| decide::untouched(&run, table, reason));
        rules.judge(at, &line, untouched, ending == Ending::NotGiven, verdict)
    }
}

/// Reads a text that a terminal had wrapped.
fn again(tool: Tool, text: &[u8]) -> run::Run {
    let (mut stream, mut engine) = (Stream::default(), Engine::new(tool.table(), tool.rules()));
    stream.push(text, tool.rules(), &mut engine);
    stream.end(tool.rules(), &mut engine);
    engine.conclude()
}

/// The reading of the unwrapped text, unless it says less.
fn better(wrapped: Verdict, unwrapped: Verdict) -> Verdict {
    let says = |verdict: &Verdict| verdict.class.is_none_or(|class| class != Class::Unknown);
    if says(&wrapped) && !says(&unwrapped) { wrapped } else { unwrapped }
}
