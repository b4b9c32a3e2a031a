//! What the lines of a log add up to: runs, headings, the best account of the cause.
//!
//! A heading of the tool's opens its account of a failure and forgets what came before it, so nothing printed earlier can
//! speak for it. Where the account begins to quote the database, headings count no more: the quoted text belongs to whoever
//! wrote the migration. A new run of the tool starts from nothing, and the run before counts only where it said nothing.

use std::mem;

use super::clean;
use super::codes::{self, Dialect, Meaning};
use super::json;
use super::reason::Reason;
use super::rules::{Hit, RuleSet, Says};
use super::scan::Reader;
use super::tool::ToolTable;

/// Lines of evidence that are remembered of one account.
const EVIDENCE: usize = 24;
/// Bytes of a line that are remembered: its beginning and its end.
const LINE: usize = 400;

/// How much a signal weighs: the tool's detail, its heading, a code, words, a family's code, hints, nothing but "failed".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Vague,
    Hint,
    BroadCode,
    Words,
    Code,
    Heading,
    Detail,
}

/// One account of the cause.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub framed: bool,
    pub weight: Weight,
    pub reason: Reason,
    pub code: Option<String>,
    pub at: u64,
}

/// What one run of the tool has said.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub cause: Option<Signal>,
    pub tool_code: Option<String>,
    pub loose_code: Option<String>,
    pub state: Option<String>,
    pub at_work: Option<String>,
    pub blamed: Option<String>,
    pub alive: Option<u64>,
    pub applied: Option<u64>,
    pub clean: Option<u64>,
    pub pending: Option<u64>,
    pub empty: Option<u64>,
    pub validated: Option<u64>,
    pub mentioned: Option<String>,
    notice: bool,
    /// Whether a migration without a name is under way.
    under_way: bool,
    /// What the quoted log of the earlier failure says of its cause.
    pub earlier: Option<Reason>,
    /// Where the tool's account of a failure was last seen.
    pub account: Option<u64>,
    /// Whether the account quotes the database now.
    pub quoting: bool,
    /// Whether the account quotes the log of an earlier failure.
    pub quoted_log: bool,
    pub evidence: Vec<String>,
    dialect: Option<Dialect>,
}

impl Run {
    pub fn says_something(&self) -> bool {
        self.cause.is_some()
            || self.account.is_some()
            || [self.applied, self.clean, self.pending, self.empty, self.validated].iter().any(Option::is_some)
    }

    fn reason(&self) -> Option<&Reason> {
        self.cause.as_ref().map(|cause| &cause.reason)
    }

    /// Whether a migration was under way when the run ended.
    pub fn in_migration(&self) -> bool {
        self.under_way || self.blamed.is_some() || self.at_work.is_some() || self.tool_code.as_deref() == Some("P3018")
    }

    /// Whether an earlier failure is on record without anything that says why.
    pub fn recorded_without_log(&self) -> bool {
        self.tool_code.as_deref() == Some("P3009") && !self.quoted_log
    }

    /// Whether the database rolls a failed migration back whole, schema changes included.
    pub fn is_transactional(&self) -> bool {
        self.dialect != Some(Dialect::MySql)
    }

    fn forget_account(&mut self) {
        self.cause = None;
        self.tool_code = None;
        self.loose_code = None;
        self.state = None;
        self.blamed = None;
        self.quoted_log = false;
        self.earlier = None;
        self.evidence.clear();
    }
}

/// Reads lines and keeps the account.
pub(super) struct Engine {
    table: &'static ToolTable,
    rules: &'static RuleSet,
    run: Run,
    before: Option<Run>,
    names_next: bool,
}

impl Engine {
    pub fn new(table: &'static ToolTable, rules: &'static RuleSet) -> Self {
        Self { table, rules, run: Run::default(), before: None, names_next: false }
    }

    /// The run that counts: the last one that said anything.
    pub fn conclude(self) -> Run {
        let Self { run, before, .. } = self;
        match before {
            Some(before) if !run.says_something() => Run { alive: run.alive.or(before.alive), ..before },
            Some(before) if is_consequence(&run, &before) => before,
            Some(before) if run.blamed.is_none() && run.reason() == before.reason() => {
                Run { blamed: before.blamed, ..run }
            }
            _ => run,
        }
    }

    /// Takes one readable line.
    fn read(&mut self, at: u64, line: &str) {
        let hits = self.rules.hits(line);
        if hits.iter().any(|hit| matches!(hit.rule.says, Says::Nothing)) {
            return;
        }
        if let Some(dialect) = dialect(line) {
            self.run.dialect = Some(dialect);
        }
        let mut told = false;
        for hit in &hits {
            told |= self.apply(at, hit);
        }
        if told {
            self.remember(line);
        }
    }

    /// Applies what a match says; whether the line is evidence.
    fn apply(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        let quoting = self.run.quoting;
        match &hit.rule.says {
            Says::Nothing => return false,
            Says::Starts => {
                self.start(at);
                return false;
            }
            Says::Works if !quoting => return self.works(at, hit),
            Says::Done if !quoting => {
                self.run.alive = Some(at);
                self.run.at_work = None;
                return false;
            }
            Says::Underway if !quoting => {
                self.run.alive = Some(at);
                self.run.under_way = true;
                return false;
            }
            Says::NoticeNext => {
                self.run.notice = true;
                return false;
            }
            Says::Mentions => {
                self.run.mentioned = self.run.mentioned.take().or_else(|| hit.group("name").map(str::to_owned));
                return false;
            }
            Says::Opens if !quoting => self.open(at, hit),
            Says::Heads(reason) if !quoting => {
                self.open(at, hit);
                self.signal(at, Weight::Heading, reason.clone(), hit.group("code"));
            }
            Says::Quotes => {
                self.run.quoting |= self.run.account.is_some();
                self.run.quoted_log |= self.run.blamed.is_some();
                self.run.account = Some(at);
            }
            Says::Inside => self.run.account = Some(at),
            Says::Blames => self.blame(at, hit.group("name")),
            Says::BlamesNext if !quoting => self.names_next = true,
            Says::Cause(reason) if !quoting => {
                self.run.account = Some(at);
                self.blame_if_named(hit);
                self.signal(at, Weight::Detail, reason.clone(), hit.group("code"));
            }
            Says::ByCode => return self.by_code(at, hit),
            Says::Text(reason) | Says::Hint(reason) if is_clients(reason) && hit.is_raised() => return false,
            Says::Text(reason) => self.signal(at, Weight::Words, reason.clone(), hit.group("code")),
            Says::Hint(reason) => self.signal(at, Weight::Hint, reason.clone(), hit.group("code")),
            Says::Vague(reason) => {
                self.blame_if_named(hit);
                self.signal(at, Weight::Vague, reason.clone(), hit.group("code"));
            }
            Says::Applied if !quoting => self.run.applied = Some(at),
            Says::Clean if !quoting => self.run.clean = Some(at),
            Says::Validated if !quoting => self.run.validated = Some(at),
            Says::Pending if !quoting => self.run.pending = Some(at),
            Says::Empty if !quoting => self.run.empty = Some(at),
            _ => return false,
        }
        true
    }

    fn start(&mut self, at: u64) {
        let next = Run { alive: Some(at), dialect: self.run.dialect, ..Run::default() };
        let last = mem::replace(&mut self.run, next);
        if last.says_something() {
            self.before = Some(match self.before.take() {
                Some(before) if is_consequence(&last, &before) => before,
                _ => last,
            });
        }
    }

    fn works(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        self.run.alive = Some(at);
        if let Some(name) = hit.group("name") {
            self.run.at_work = Some(name.to_owned());
            self.run.empty = None;
        }
        false
    }

    fn open(&mut self, at: u64, hit: &Hit<'_>) {
        self.run.forget_account();
        self.run.account = Some(at);
        self.run.tool_code = hit.group("code").map(str::to_owned);
        self.blame_if_named(hit);
    }

    fn blame(&mut self, at: u64, name: Option<&str>) {
        self.run.account = Some(at);
        if self.run.blamed.is_none() {
            self.run.blamed = name.map(str::to_owned);
        }
    }

    fn blame_if_named(&mut self, hit: &Hit<'_>) {
        if self.run.blamed.is_none() {
            self.run.blamed = hit.group("name").map(str::to_owned);
        }
    }

    fn by_code(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        if mem::take(&mut self.run.notice) {
            return false;
        }
        let (state, code) = (hit.group("state"), hit.group("code"));
        let mut told = false;
        if let Some(code) = code {
            told |= self.one_code(at, code);
        }
        if let Some(state) = state {
            told |= self.one_code(at, state);
        }
        told
    }

    fn one_code(&mut self, at: u64, code: &str) -> bool {
        if code == "0" {
            return false;
        }
        let code = codes::names::state(code).unwrap_or(code);
        let known = codes::read(code, self.run.dialect);
        let vague = |loose: &String| loose.len() < 3;
        if self.run.loose_code.as_ref().is_none_or(vague) && !is_silent(known.as_ref()) {
            self.run.loose_code = Some(code.to_owned());
        }
        let Some((weight, meaning)) = known else { return true };
        if codes::sqlstate::is_shaped(code) && !matches!(meaning, Meaning::Harmless) && self.run.state.is_none() {
            self.run.state = Some(code.to_owned());
        }
        match meaning {
            Meaning::Cause(reason) => {
                // A code within an account says that it goes on: a sentence of success before it was quoted.
                self.run.account = self.run.account.map(|_| at);
                let weight = if weight == codes::Width::Exact { Weight::Code } else { Weight::BroadCode };
                self.signal(at, weight, reason, Some(code));
                true
            }
            Meaning::Consequence | Meaning::Harmless => false,
        }
    }

    fn signal(&mut self, at: u64, weight: Weight, reason: Reason, code: Option<&str>) {
        let framed = self.run.account.is_some();
        if self.run.quoted_log && self.run.quoting {
            self.run.earlier.get_or_insert_with(|| reason.clone());
        }
        let new = Signal { framed, weight, reason, code: code.map(str::to_owned), at };
        let Some(old) = &mut self.run.cause else {
            self.run.cause = Some(new);
            return;
        };
        let later_wins = self.table.echoes_first && old.at != new.at;
        let rank = |signal: &Signal| (signal.framed, signal.weight);
        if rank(&new) > rank(old) || (rank(&new) == rank(old) && later_wins) {
            *old = new;
        } else if old.reason == new.reason && old.code.as_deref().is_none_or(|code| code.starts_with("ER_")) {
            // The number says the same as the name, and more exactly.
            old.code = new.code.or(old.code.take());
        }
    }

    fn remember(&mut self, line: &str) {
        if self.run.evidence.len() < EVIDENCE {
            self.run.evidence.push(shorten(line));
        }
    }
}

impl Reader for Engine {
    fn line(&mut self, at: u64, raw: &[u8]) {
        let line = clean::line(raw);
        if self.names_next {
            let name = line.trim_start_matches(['-', '*', '•', ' ']).trim();
            if name.is_empty() {
                return;
            }
            self.names_next = false;
            self.blame(at, Some(name));
            self.remember(&line);
        }
        match json::texts(&line) {
            Some(texts) => texts.iter().for_each(|text| self.read(at, &clean::line(text.as_bytes()))),
            None => self.read(at, &line),
        }
    }

    fn wants_next(&self) -> bool {
        self.names_next
    }
}

/// Whether a run only reports the failure that the run before it has explained.
fn is_consequence(run: &Run, before: &Run) -> bool {
    let recorded = run
        .cause
        .as_ref()
        .is_some_and(|cause| cause.reason == Reason::FAILED_MIGRATION_RECORDED || cause.reason == Reason::DIRTY_STATE);
    let explained = before.cause.as_ref().is_some_and(|cause| {
        cause.weight >= Weight::Words && cause.reason != Reason::FAILED_MIGRATION_RECORDED && before.in_migration()
    });
    recorded && explained && before.blamed.is_some() && run.blamed == before.blamed
}

/// Whether only a client can say so: a session that a server answers with an ERROR is neither unreachable nor closed.
fn is_clients(reason: &Reason) -> bool {
    let clients = [
        Reason::UNREACHABLE,
        Reason::DNS,
        Reason::TLS,
        Reason::CONNECTION_CLOSED,
        Reason::SESSION_ENDED,
        Reason::STARTING_UP,
    ];
    clients.contains(reason)
}

fn is_silent(known: Option<&(codes::Width, Meaning)>) -> bool {
    matches!(known, Some((_, Meaning::Consequence | Meaning::Harmless)))
}

fn dialect(line: &str) -> Option<Dialect> {
    let may = line.as_bytes().windows(2).any(|pair| matches!(pair, b"SQ" | b"Sq" | b"sq" | b"Ma" | b"r:" | b"(c"));
    if !may {
        return None;
    }
    const MARKS: &[(&str, Option<Dialect>)] = &[
        ("MySQL", Some(Dialect::MySql)),
        ("MariaDB", Some(Dialect::MySql)),
        ("SQL Server", Some(Dialect::SqlServer)),
        ("SqlClient", Some(Dialect::SqlServer)),
        ("Error Number:", Some(Dialect::SqlServer)),
        ("SQLite", Some(Dialect::Sqlite)),
        ("sqlite", Some(Dialect::Sqlite)),
        ("returned from database: (code: ", Some(Dialect::Sqlite)),
    ];
    MARKS.iter().find(|(mark, _)| line.contains(mark)).and_then(|(_, dialect)| *dialect)
}

fn shorten(line: &str) -> String {
    if line.len() <= LINE {
        return line.to_owned();
    }
    let head: String = line.chars().take(LINE / 2).collect();
    let skip = line.chars().count().saturating_sub(LINE / 2);
    let tail: String = line.chars().skip(skip).collect();
    format!("{head} … {tail}")
}
