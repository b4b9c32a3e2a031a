//! What the lines of a log add up to: runs, headings, the best account of the cause.
//!
//! A heading of the tool's opens its account of a failure and forgets what came before it, so nothing printed earlier can
//! speak for it. Where the account begins to quote the database, headings count no more: the quoted text belongs to whoever
//! wrote the migration. A new run of the tool starts from nothing, and the run before counts only where it said nothing.

use std::mem;
use std::sync::Arc;

use super::clean;
use super::codes::{self, Meaning};
use super::json;
use super::line::{ends, is_comment, is_frame, is_statement, shorten};
use super::own::OwnRules;
use super::reason::Reason;
use super::rules::{Found, Hit, RuleSet, Says};
use super::run::{Run, Weight};
use super::scan::Reader;
use super::tool::ToolTable;

/// Lines of evidence that are remembered of one account.
const EVIDENCE: usize = 24;

/// Reads lines and keeps the account.
pub(super) struct Engine {
    table: &'static ToolTable,
    rules: &'static RuleSet,
    run: Run,
    before: Option<Run>,
    names_next: bool,
    /// Whether the next line tells if a sentence of success has ended an account of a failure.
    ends_next: bool,
    found: Found,
    work: usize,
    own: Option<Own>,
}

/// The user's own rules, and the first of them that has matched, with the line.
struct Own {
    rules: Arc<OwnRules>,
    first: Option<(usize, String)>,
}

impl Own {
    /// How many of the rules would come before the one that has matched.
    fn open(&self) -> usize {
        self.first.as_ref().map_or(self.rules.len(), |(at, _)| *at)
    }

    fn is_open(&self) -> bool {
        self.open() > 0
    }
}

impl Engine {
    pub fn new(table: &'static ToolTable, rules: &'static RuleSet) -> Self {
        Self {
            table,
            rules,
            run: Run::default(),
            before: None,
            names_next: false,
            ends_next: false,
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
        self.run.or_last(self.before)
    }

    /// Takes one readable line.
    fn read(&mut self, at: u64, line: &str) {
        let ends = ends(line);
        let line = ends.as_ref();
        if let Some(own) = &mut self.own
            && let Some(at) = own.rules.find(line, own.open())
        {
            own.first = Some((at, shorten(line)));
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
            self.weigh(at, line, &mut found);
        }
        self.found = found;
    }

    /// Takes what matches in a line that holds literals. Patterns are tried only where a match would change something.
    fn weigh(&mut self, at: u64, line: &str, found: &mut Found) {
        let rules = self.rules;
        self.work += line.len() * rules.try_on(line, found, is_turn);
        let turned = found.has_matched();
        let asked = |says: &Says| !is_turn(says) && (turned || self.matters(at, says));
        let another = found.dialect().is_some() && found.dialect() != self.run.dialect;
        if !turned && !another && !rules.any(found, |says| asked(says) && !matches!(says, Says::Nothing)) {
            return;
        }
        let tried = rules.try_on(line, found, asked);
        self.work += line.len() * tried;
        if rules.hits(line, found).any(|hit| matches!(hit.rule.says, Says::Nothing)) {
            return;
        }
        self.run.dialect = found.dialect().or(self.run.dialect);
        let told = rules.hits(line, found).fold(false, |told, hit| self.apply(at, &hit) | told);
        if told {
            self.remember(line);
        }
    }

    /// Whether a match could change the account. Of a thousand errors alike the first dozens are evidence, and no more.
    fn matters(&self, at: u64, says: &Says) -> bool {
        let run = &self.run;
        let any = run.evidence.len() < EVIDENCE || run.is_well_after_all();
        match says {
            Says::Text(reason) => any || self.betters(at, Weight::Words, Some(reason)),
            Says::Hint(reason) => any || self.betters(at, Weight::Hint, Some(reason)),
            Says::Vague(reason) => any || run.blamed.is_none() || self.betters(at, Weight::Vague, Some(reason)),
            Says::ByCode => {
                let settled = run.state.is_some() && run.loose_code.as_ref().is_some_and(|code| code.len() > 2);
                any || !settled || run.notice || run.account.is_some() || self.betters(at, Weight::Code, None)
            }
            Says::Mentions => run.mentioned.is_none(),
            _ => true,
        }
    }

    /// Whether a signal of this weight could be taken; of any reason where none is given.
    fn betters(&self, at: u64, weight: Weight, reason: Option<&Reason>) -> bool {
        let run = &self.run;
        let first_of_quote = run.quoted_log && run.quoting && run.earlier.is_none();
        first_of_quote || run.is_better(at, weight, self.table.echoes_first) || run.lacks_code(reason)
    }

    /// Applies what a match says; whether the line is evidence.
    fn apply(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        let run = &mut self.run;
        let quoting = run.quoting;
        match &hit.rule.says {
            Says::Starts => self.start(at),
            Says::Works if !quoting => run.works(at, hit.name()),
            Says::Done if !quoting => run.done(at),
            Says::Underway if !quoting => run.under_way(at, true),
            Says::Sets if !quoting => run.under_way(at, false),
            Says::Lists if !quoting => run.list(at),
            Says::Listed if !quoting => run.listed(at),
            Says::NoticeNext => run.notice = true,
            Says::Mentions if run.mentioned.is_none() => run.mentioned = hit.name().map(str::to_owned),
            _ => return self.account(at, hit),
        }
        false
    }

    /// Applies what a match says of the end: an account of a failure, or a sentence of success.
    fn account(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        let run = &mut self.run;
        let quoting = run.quoting;
        match &hit.rule.says {
            Says::Opens if !quoting => run.open(at, hit.code(), hit.name()),
            Says::Heads(reason) if !quoting => {
                run.open(at, hit.code(), hit.name());
                self.signal(at, Weight::Heading, reason, hit);
            }
            Says::Quotes => run.quote(at),
            Says::Inside => run.account = Some(at),
            Says::Blames => {
                run.account = Some(at);
                run.blame(hit.name());
            }
            Says::BlamesNext if !quoting => self.names_next = true,
            Says::Cause(reason) if !quoting => {
                run.account = Some(at);
                run.blame(hit.name());
                self.signal(at, Weight::Detail, reason, hit);
            }
            Says::ByCode => return self.by_code(at, hit),
            Says::Text(reason) | Says::Hint(reason) if is_clients(reason) && hit.is_raised() => return false,
            Says::Text(reason) => self.signal(at, Weight::Words, reason, hit),
            Says::Hint(reason) => self.signal(at, Weight::Hint, reason, hit),
            Says::Vague(reason) => {
                run.blame(hit.name());
                self.signal(at, Weight::Vague, reason, hit);
            }
            Says::Applied if !quoting => run.applied = Some(at),
            Says::Clean if !quoting => run.clean = Some(at),
            Says::Validated if !quoting => run.validated = Some(at),
            Says::Pending if !quoting => _ = run.pending.get_or_insert(at),
            Says::Empty if !quoting => run.empty = Some(at),
            _ => return false,
        }
        self.ends_next = self.run.is_well_after_all();
        true
    }

    fn start(&mut self, at: u64) {
        let next = self.run.next(at);
        let last = mem::replace(&mut self.run, next);
        if last.says_something() {
            self.before = Some(last.or_before(self.before.take()));
        }
    }

    fn by_code(&mut self, at: u64, hit: &Hit<'_>) -> bool {
        if mem::take(&mut self.run.notice) {
            return false;
        }
        let (state, code) = (hit.state(), hit.code());
        if state.is_some() && code.is_some() {
            // Only MySQL and MariaDB tell both in one breath.
            self.run.dialect.get_or_insert(codes::Dialect::MySql);
        }
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
        let vague = |loose: &String| loose.len() < 3 || codes::sqlstate::broad(loose).is_some();
        if self.run.loose_code.as_ref().is_none_or(vague) && !is_silent(known.as_ref()) {
            self.run.loose_code = Some(code.to_owned());
        }
        let Some((weight, meaning)) = known else { return true };
        if codes::sqlstate::is_shaped(code) && !matches!(meaning, Meaning::Harmless) && self.run.state.is_none() {
            self.run.state = Some(code.to_owned());
        }
        match meaning {
            Meaning::Cause(reason) => {
                let weight = match weight {
                    codes::Width::Exact => Weight::Code,
                    codes::Width::Guessed => Weight::Guess,
                    codes::Width::Broad => Weight::BroadCode,
                };
                self.cause(at, weight, &reason, || Some(code));
                true
            }
            Meaning::Consequence | Meaning::Harmless => false,
        }
    }

    fn signal(&mut self, at: u64, weight: Weight, reason: &Reason, hit: &Hit<'_>) {
        self.cause(at, weight, reason, || hit.code());
    }

    /// Takes a signal. Within an account it says that the account goes on.
    fn cause<'c>(&mut self, at: u64, weight: Weight, reason: &Reason, code: impl FnOnce() -> Option<&'c str>) {
        self.run.go_on(at);
        self.run.take(at, weight, reason, self.table.echoes_first, code);
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
        if self.ends_next && !line.trim().is_empty() {
            self.ends_next = false;
            if is_frame(&line) {
                self.run.go_on(at);
            }
        }
        if self.names_next {
            let name = line.trim_start_matches(['-', '*', '•', ' ']).trim();
            if name.is_empty() {
                return;
            }
            self.names_next = false;
            self.run.account = Some(at);
            self.run.blame(Some(name));
            self.remember(&line);
        }
        match json::texts(&line) {
            Some(texts) => texts.iter().for_each(|text| self.read(at, &clean::text_line(text))),
            None => self.read(at, &line),
        }
    }

    fn wants_next(&self) -> bool {
        self.names_next || self.ends_next || self.own.as_ref().is_some_and(Own::is_open)
    }
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
