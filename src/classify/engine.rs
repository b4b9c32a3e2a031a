//! What the lines of a log add up to: runs, headings, the best account of the cause.
//!
//! A heading of the tool's opens its account of a failure and forgets what came before it, so nothing printed earlier can
//! speak for it. Where the account begins to quote the database, headings count no more: the quoted text belongs to whoever
//! wrote the migration. A new run of the tool starts from nothing, and the run before counts only where it said nothing.

use std::mem;
use std::sync::Arc;

use super::clean;
use super::codes::{self, Dialect, Meaning};
use super::json;
use super::line::{ends, is_comment, is_statement, shorten};
use super::own::OwnRules;
use super::reason::Reason;
use super::rules::{Found, Hit, RuleSet, Says};
use super::scan::Reader;
use super::tool::ToolTable;

/// Lines of evidence that are remembered of one account.
const EVIDENCE: usize = 24;

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
    /// Whether one may be, or the tool has not even connected.
    may_have_begun: bool,
    /// Whether a migration has begun, in this run of the tool or in one before it.
    has_begun: bool,
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
        let named = self.blamed.is_some() || self.at_work.is_some() || self.tool_code.as_deref() == Some("P3018");
        named || self.under_way || self.may_have_begun
    }

    /// Whether a migration has certainly begun, in this run of the tool or in one before it: what was done stays done.
    pub fn has_begun(&self) -> bool {
        self.has_begun || self.in_migration() && !self.may_have_begun || self.applied.is_some()
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
    found: Found,
    work: usize,
    own: Option<Own>,
}

/// The user's own rules, and the first of them that has matched, with the line.
struct Own {
    rules: Arc<OwnRules>,
    first: Option<(usize, String)>,
}

impl Engine {
    pub fn new(table: &'static ToolTable, rules: &'static RuleSet) -> Self {
        Self {
            table,
            rules,
            run: Run::default(),
            before: None,
            names_next: false,
            found: Found::default(),
            work: 0,
            own: None,
        }
    }

    /// With rules of the user's own.
    pub fn with_rules(mut self, rules: Arc<OwnRules>) -> Self {
        self.own = Some(Own { rules, first: None });
        self
    }

    /// The first of the user's rules that has matched, with the line.
    pub fn own(&mut self) -> Option<(Arc<OwnRules>, usize, String)> {
        let Own { rules, first } = self.own.take()?;
        first.map(|(at, line)| (rules, at, line))
    }

    /// Bytes that literals were looked for in, and bytes that patterns were tried on.
    pub fn work(&self) -> u64 {
        self.work as u64
    }

    /// The run that counts: the last one that said anything.
    pub fn conclude(self) -> Run {
        let Self { run, before, .. } = self;
        let has_begun = run.has_begun();
        let counts = match before {
            Some(before) if !run.says_something() => Run { alive: run.alive.or(before.alive), ..before },
            Some(before) if is_consequence(&run, &before) => before,
            Some(before) if run.blamed.is_none() && run.reason() == before.reason() => {
                Run { blamed: before.blamed, ..run }
            }
            _ => run,
        };
        Run { has_begun, ..counts }
    }

    /// Takes one readable line.
    fn read(&mut self, at: u64, line: &str) {
        let ends = ends(line);
        let line = ends.as_ref();
        if let Some(Own { rules, first }) = &mut self.own {
            let limit = first.as_ref().map_or(rules.len(), |(at, _)| *at);
            if let Some(at) = rules.find(line, limit) {
                *first = Some((at, shorten(line)));
            }
        }
        let mut found = mem::take(&mut self.found);
        self.rules.find(line, &mut found);
        self.work += line.len();
        // Within its account a tool may mark its own lines with dashes.
        if is_statement(line) || self.run.account.is_none() && is_comment(line) {
            // Its words are the author's. A tool that begins a line of its own so has a pattern that says it.
            self.rules.keep(&mut found, |says| is_turn(says) || matches!(says, Says::Mentions));
        }
        if !found.is_empty() {
            self.weigh(at, line, &found);
        }
        self.found = found;
    }

    /// Takes what matches in a line that holds literals. Patterns are tried only where a match would change something.
    fn weigh(&mut self, at: u64, line: &str, found: &Found) {
        let (rules, mut hits) = (self.rules, Vec::new());
        self.work += line.len() * rules.matching(line, found, is_turn, &mut hits);
        let turned = !hits.is_empty();
        let asked = |says: &Says| !is_turn(says) && (turned || self.matters(says));
        let another = found.dialect().is_some() && found.dialect() != self.run.dialect;
        if !turned && !another && !rules.any(found, |says| asked(says) && !matches!(says, Says::Nothing)) {
            return;
        }
        let tried = rules.matching(line, found, asked, &mut hits);
        self.work += line.len() * tried;
        if hits.iter().any(|(_, hit)| matches!(hit.rule.says, Says::Nothing)) {
            return;
        }
        hits.sort_unstable_by_key(|(index, _)| *index);
        self.run.dialect = found.dialect().or(self.run.dialect);
        let told = hits.iter().fold(false, |told, (_, hit)| self.apply(at, hit) | told);
        if told {
            self.remember(line);
        }
    }

    /// Whether a match could change the account. Of a thousand errors alike the first dozens are evidence, and no more.
    fn matters(&self, says: &Says) -> bool {
        let run = &self.run;
        let evidence = run.evidence.len() < EVIDENCE;
        match says {
            Says::Text(reason) => evidence || self.betters(Weight::Words, Some(reason)),
            Says::Hint(reason) => evidence || self.betters(Weight::Hint, Some(reason)),
            Says::Vague(reason) => evidence || run.blamed.is_none() || self.betters(Weight::Vague, Some(reason)),
            Says::ByCode => {
                let settled = run.state.is_some() && run.loose_code.as_ref().is_some_and(|code| code.len() > 2);
                evidence || !settled || run.notice || run.account.is_some() || self.betters(Weight::Code, None)
            }
            Says::Mentions => run.mentioned.is_none(),
            _ => true,
        }
    }

    /// Whether a signal of this weight could be taken; of any reason where none is given.
    fn betters(&self, weight: Weight, reason: Option<&Reason>) -> bool {
        let run = &self.run;
        let Some(old) = &run.cause else { return true };
        let (new, old_rank) = ((run.account.is_some(), weight), (old.framed, old.weight));
        let first_of_quote = run.quoted_log && run.quoting && run.earlier.is_none();
        let adds_code = old.code.as_deref().is_none_or(|code| code.starts_with("ER_"));
        first_of_quote
            || new > old_rank
            || (new == old_rank && self.table.echoes_first)
            || (adds_code && reason.is_none_or(|reason| old.reason == *reason))
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
                self.run.has_begun = true;
                self.run.at_work = None;
                return false;
            }
            Says::Underway if !quoting => {
                self.run.alive = Some(at);
                self.run.under_way = true;
                return false;
            }
            Says::Sets if !quoting => {
                self.run.alive = Some(at);
                self.run.may_have_begun = true;
                return false;
            }
            Says::NoticeNext => {
                self.run.notice = true;
                return false;
            }
            Says::Mentions => {
                if self.run.mentioned.is_none() {
                    self.run.mentioned = hit.group("name").map(str::to_owned);
                }
                return false;
            }
            Says::Opens if !quoting => self.open(at, hit),
            Says::Heads(reason) if !quoting => {
                self.open(at, hit);
                self.signal(at, Weight::Heading, reason, hit);
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
                self.signal(at, Weight::Detail, reason, hit);
            }
            Says::ByCode => return self.by_code(at, hit),
            Says::Text(reason) | Says::Hint(reason) if is_clients(reason) && hit.is_raised() => return false,
            Says::Text(reason) => self.signal(at, Weight::Words, reason, hit),
            Says::Hint(reason) => self.signal(at, Weight::Hint, reason, hit),
            Says::Vague(reason) => {
                self.blame_if_named(hit);
                self.signal(at, Weight::Vague, reason, hit);
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
        let has_begun = self.run.has_begun();
        let next = Run { alive: Some(at), dialect: self.run.dialect, has_begun, ..Run::default() };
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
            self.run.has_begun = true;
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
        // Names of exceptions are the only codes with small letters.
        let named = code.bytes().any(|b| b.is_ascii_lowercase());
        let code = if named { codes::names::state(code).unwrap_or(code) } else { code };
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
                self.cause(at, weight, &reason, || Some(code));
                true
            }
            Meaning::Consequence | Meaning::Harmless => false,
        }
    }

    fn signal(&mut self, at: u64, weight: Weight, reason: &Reason, hit: &Hit<'_>) {
        self.cause(at, weight, reason, || hit.group("code"));
    }

    /// Takes an account of the cause, where it is better than the one that is known. The code is looked for only then.
    fn cause<'c>(&mut self, at: u64, weight: Weight, reason: &Reason, code: impl FnOnce() -> Option<&'c str>) {
        let framed = self.run.account.is_some();
        if self.run.quoted_log && self.run.quoting {
            self.run.earlier.get_or_insert_with(|| reason.clone());
        }
        let later_wins = self.table.echoes_first;
        let better = self.run.cause.as_ref().is_none_or(|old| {
            let (new, old_rank) = ((framed, weight), (old.framed, old.weight));
            new > old_rank || (new == old_rank && later_wins && old.at != at)
        });
        if better {
            let code = code().map(str::to_owned);
            self.run.cause = Some(Signal { framed, weight, reason: reason.clone(), code, at });
        } else if let Some(old) = &mut self.run.cause
            && old.reason == *reason
            && old.code.as_deref().is_none_or(|code| code.starts_with("ER_"))
        {
            // The number says the same as the name, and more exactly.
            old.code = code().map(str::to_owned).or(old.code.take());
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
            Some(texts) => texts.iter().for_each(|text| self.read(at, &clean::text_line(text))),
            None => self.read(at, &line),
        }
    }

    fn wants_next(&self) -> bool {
        self.names_next || self.own.is_some()
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

/// Whether it bears on what the rest of its line means.
const fn is_turn(says: &Says) -> bool {
    !matches!(says, Says::Nothing | Says::Mentions | Says::ByCode | Says::Text(_) | Says::Hint(_) | Says::Vague(_))
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
