//! What one run of the tool has said, and which of its accounts of the cause is the best.

use super::codes::{Dialect, sqlstate};
use super::reason::Reason;

/// How much a signal weighs: the tool's detail, its heading, a code, words, a bare number of no known database, a family's code,
/// hints, nothing but "failed".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Vague,
    Hint,
    BroadCode,
    Guess,
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
    /// Where a list of all migrations began, and where it last named one that is applied.
    lists: Option<u64>,
    listed: Option<u64>,
    pub mentioned: Option<String>,
    /// Whether a notice begins, in which a code is no error's.
    pub notice: bool,
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
    /// The database that the run has named.
    pub dialect: Option<Dialect>,
}

impl Run {
    /// A run of the tool that begins here, after this one.
    pub fn next(&self, at: u64) -> Self {
        Self { alive: Some(at), dialect: self.dialect, has_begun: self.has_begun(), ..Self::default() }
    }

    /// Whether it says more than that the tool was started: how it ended, or that a migration was begun.
    pub fn says_something(&self) -> bool {
        let sentences = [self.applied, self.clean, self.pending, self.empty, self.validated];
        self.cause.is_some() || self.account.is_some() || self.in_migration() || sentences.iter().any(Option::is_some)
    }

    /// Of two runs that said something the one that counts: the later, unless it only reports the failure of the earlier.
    pub fn or_before(self, before: Option<Self>) -> Self {
        match before {
            Some(before) if is_consequence(&self, &before) => before,
            _ => self,
        }
    }

    /// The run that counts at the end of the log, of the last one and of the one that counted before it.
    pub fn or_last(self, before: Option<Self>) -> Self {
        let has_begun = self.has_begun();
        let counts = match before {
            Some(before) if !self.says_something() => Self { alive: self.alive.or(before.alive), ..before },
            Some(before) if is_consequence(&self, &before) => before,
            Some(before) if self.blamed.is_none() && self.reason() == before.reason() => {
                Self { blamed: before.blamed, ..self }
            }
            _ => self,
        };
        Self { has_begun, ..counts }
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

    /// Where a sentence of success was last said.
    pub fn well(&self) -> Option<u64> {
        self.applied.max(self.clean).max(self.validated)
    }

    /// Where a list ended that names migrations which are applied and no other. `from_its_beginning`: that has to be there.
    pub fn lists_applied_alone(&self, from_its_beginning: bool) -> Option<u64> {
        let whole = self.lists.is_some() || !from_its_beginning;
        self.listed.filter(|at| whole && self.pending.is_none() && self.lists.is_none_or(|began| began < *at))
    }

    /// A list of all migrations begins.
    pub fn list(&mut self, at: u64) {
        self.alive = Some(at);
        self.lists.get_or_insert(at);
    }

    /// The list names a migration that is applied.
    pub fn listed(&mut self, at: u64) {
        (self.alive, self.listed) = (Some(at), Some(at));
    }

    /// Whether a sentence of success was said after an account of a failure, which has to end there to let it count.
    pub fn is_well_after_all(&self) -> bool {
        self.account.is_some_and(|account| self.well().is_some_and(|well| account <= well))
    }

    /// A migration is begun: whatever was said of all of them before is not the end.
    pub fn works(&mut self, at: u64, name: Option<&str>) {
        self.alive = Some(at);
        let Some(name) = name else { return };
        self.forget_success();
        self.at_work = Some(name.to_owned());
        self.has_begun = true;
        self.empty = None;
    }

    /// The migration at work is done.
    pub fn done(&mut self, at: u64) {
        self.alive = Some(at);
        self.has_begun = true;
        self.at_work = None;
    }

    /// A migration without a name is under way, or may be.
    pub fn under_way(&mut self, at: u64, certain: bool) {
        self.alive = Some(at);
        self.forget_success();
        self.under_way |= certain;
        self.may_have_begun |= !certain;
    }

    /// The tool begins its account of a failure.
    pub fn open(&mut self, at: u64, code: Option<&str>, name: Option<&str>) {
        self.cause = None;
        hold(&mut self.tool_code, code);
        self.loose_code = None;
        self.state = None;
        hold(&mut self.blamed, name);
        self.quoted_log = false;
        self.earlier = None;
        self.evidence.clear();
        self.account = Some(at);
    }

    /// The account names the migration. The first one counts.
    pub fn blame(&mut self, name: Option<&str>) {
        if self.blamed.is_none() {
            self.blamed = name.map(str::to_owned);
        }
    }

    /// The account quotes the database from here on.
    pub fn quote(&mut self, at: u64) {
        self.quoting |= self.account.is_some();
        self.quoted_log |= self.blamed.is_some();
        self.account = Some(at);
    }

    /// An account that was begun goes on: a sentence of success before this line was quoted.
    pub fn go_on(&mut self, at: u64) {
        self.account = self.account.map(|_| at);
    }

    /// A sentence of success before more work is not the end.
    fn forget_success(&mut self) {
        self.has_begun |= self.applied.is_some();
        self.applied = None;
        self.clean = None;
        self.validated = None;
    }

    /// Whether a signal of this weight is better than the cause that is known. Of equals the first counts, or the last where
    /// the tool tells the statement first and the database's words last.
    pub fn is_better(&self, at: u64, weight: Weight, echoes_first: bool) -> bool {
        let Some(known) = &self.cause else { return true };
        let (new, old) = ((self.account.is_some(), weight), (known.framed, known.weight));
        new > old || new == old && echoes_first && known.at != at
    }

    /// Whether another signal of this reason, or of any, could give the known cause the code that it lacks. A number says the
    /// same as a name, and more exactly.
    pub fn lacks_code(&self, reason: Option<&Reason>) -> bool {
        self.cause.as_ref().is_some_and(|known| {
            reason.is_none_or(|reason| known.reason == *reason)
                && known.code.as_deref().is_none_or(|code| code.starts_with("ER_") || sqlstate::broad(code).is_some())
        })
    }

    /// Takes a signal, where it is better than the known cause. The code is looked for only where it is used.
    pub fn take<'c>(
        &mut self,
        at: u64,
        weight: Weight,
        reason: &Reason,
        echoes_first: bool,
        code: impl FnOnce() -> Option<&'c str>,
    ) {
        if self.quoted_log && self.quoting {
            self.earlier.get_or_insert_with(|| reason.clone());
        }
        if self.is_better(at, weight, echoes_first) {
            // The same told again, in better words, may leave the code out.
            let told = self.cause.take().filter(|known| known.reason == *reason).and_then(|known| known.code);
            let (framed, code) = (self.account.is_some(), code().map(str::to_owned).or(told));
            self.cause = Some(Signal { framed, weight, reason: reason.clone(), code, at });
        } else if self.lacks_code(Some(reason))
            && let Some(known) = &mut self.cause
        {
            known.code = code().map(str::to_owned).or(known.code.take());
        }
    }
}

/// Keeps the text, where there was one in its room.
fn hold(place: &mut Option<String>, text: Option<&str>) {
    match (place, text) {
        (Some(held), Some(text)) => text.clone_into(held),
        (place, text) => *place = text.map(str::to_owned),
    }
}

/// Whether a run only reports the failure that the run before it has explained.
fn is_consequence(run: &Run, before: &Run) -> bool {
    let recorded = run
        .cause
        .as_ref()
        .is_some_and(|cause| cause.reason == Reason::FAILED_MIGRATION_RECORDED || cause.reason == Reason::DIRTY_STATE);
    let explained = before.cause.as_ref().is_some_and(|cause| {
        cause.weight >= Weight::Guess && cause.reason != Reason::FAILED_MIGRATION_RECORDED && before.in_migration()
    });
    recorded && explained && before.blamed.is_some() && run.blamed == before.blamed
}
