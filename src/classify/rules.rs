//! The form of a rule, and a set of them made ready to run.
//!
//! A rule is a literal that must occur in the line, a pattern that then must match it, and what the match says. The
//! literals of all rules are searched at once, so a line that holds none of them costs one pass over its bytes.

use std::cell::OnceCell;
use std::sync::OnceLock;

use regex::{Captures, Regex};

use super::beginning::Beginning;
use super::codes::Dialect;
use super::filter::{Filter, Places};
use super::reason::Reason;

/// What a line says. Groups of the pattern carry the details: `name` a migration, `code` the tool's or the database's
/// code, `state` a SQLSTATE.
#[derive(Clone, Debug)]
pub enum Says {
    /// Nothing in this line counts: it is a notice, an echo of SQL, or a consequence.
    Nothing,
    /// A run of the tool begins.
    Starts,
    /// Something of the tool's own: it was alive here; `name` is the migration at work.
    Works,
    /// A migration is under way, whose name the tool does not print.
    Underway,
    /// The tool sets about its work, whether it has connected or not: a migration may be under way from here on.
    Sets,
    /// The tool begins the account of its failure: what an earlier heading said is forgotten.
    Opens,
    /// From here on the database's or the author's words follow: no heading in them is the tool's.
    Quotes,
    /// A line that only stands inside a failure's account, wherever it began.
    Inside,
    /// The migration at work is done.
    Done,
    /// A notice begins, spread over several lines: the code in it is no error's.
    NoticeNext,
    /// `name` is a migration, for want of a better one.
    Mentions,
    /// `name` is the migration that failed or blocks.
    Blames,
    /// The next line that is not empty is the migration that failed or blocks.
    BlamesNext,
    /// A heading of the tool's that names the cause: what an earlier heading said is forgotten.
    Heads(Reason),
    /// The cause, in the tool's own words below its heading: more exact than the heading.
    Cause(Reason),
    /// The cause is what `code` or `state` means.
    ByCode,
    /// The cause, in the words of the database or its driver.
    Text(Reason),
    /// The cause, in the words of the network, the system or another program.
    Hint(Reason),
    /// It failed, and the line does not say why.
    Vague(Reason),
    /// Everything was applied, or there was nothing to apply.
    Applied,
    /// The sentence of the check when nothing is pending.
    Clean,
    /// The same, where the command that applies says it too before it begins.
    Validated,
    /// A list begins, in which each migration says whether it is applied.
    Lists,
    /// A migration of the list that is applied.
    Listed,
    /// Migrations wait.
    Pending,
    /// The image carries no migrations.
    Empty,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// A literal that every match contains; upper and lower case are alike.
    pub needle: &'static str,
    /// The pattern; empty where the needle alone decides.
    pub pattern: &'static str,
    /// What a match says.
    pub says: Says,
}

/// A rule in one line.
pub(super) const fn rule(needle: &'static str, pattern: &'static str, says: Says) -> Rule {
    Rule { needle, pattern, says }
}

/// Rules made ready: one search for all literals; patterns are compiled when their literal first occurs.
pub(super) struct RuleSet {
    rules: Vec<Ready>,
    literals: Filter,
}

struct Ready {
    rule: &'static Rule,
    pattern: OnceLock<Option<Pattern>>,
}

/// The groups that a pattern may have.
pub(super) const GROUPS: [&str; 3] = ["name", "code", "state"];

/// A pattern by what answers it. Of an engine's groups it is kept which is which of [`GROUPS`]: looking for a name costs more
/// than looking at a line.
enum Pattern {
    Beginning(Beginning),
    Engine { regex: Regex, groups: [Option<usize>; GROUPS.len()] },
}

impl Pattern {
    fn new(text: &str) -> Option<Self> {
        if let Some(beginning) = Beginning::of(text) {
            return Some(Self::Beginning(beginning));
        }
        let regex = Regex::new(text).ok()?;
        let groups = GROUPS.map(|name| regex.capture_names().position(|group| group == Some(name)));
        Some(Self::Engine { regex, groups })
    }

    fn matches(&self, line: &str) -> bool {
        match self {
            Self::Beginning(beginning) => beginning.matches(line),
            Self::Engine { regex, .. } => regex.is_match(line),
        }
    }
}

/// One match of a rule in a line. Its groups are looked for when they are asked for: most lines change nothing.
pub(super) struct Hit<'l> {
    /// The rule.
    pub rule: &'static Rule,
    pattern: Option<&'l Pattern>,
    groups: OnceCell<Option<Captures<'l>>>,
    line: &'l str,
}

impl<'l> Hit<'l> {
    /// Whether the line is a server's answer of severity ERROR, whose words may be the author's own `RAISE`.
    pub fn is_raised(&self) -> bool {
        is_raised(self.line)
    }

    /// A migration's name.
    pub fn name(&self) -> Option<&'l str> {
        self.group(0)
    }

    /// The tool's or the database's code.
    pub fn code(&self) -> Option<&'l str> {
        self.group(1)
    }

    /// A SQLSTATE.
    pub fn state(&self) -> Option<&'l str> {
        self.group(2)
    }

    /// The text of the group at this place of [`GROUPS`], where it took part and is not empty.
    fn group(&self, group: usize) -> Option<&'l str> {
        let text = match self.pattern? {
            Pattern::Beginning(beginning) => beginning.group(group)?,
            Pattern::Engine { regex, groups } => {
                let place = (*groups.get(group)?)?;
                self.groups.get_or_init(|| regex.captures(self.line)).as_ref()?.get(place)?.as_str()
            }
        };
        Some(text.trim()).filter(|text| !text.is_empty())
    }
}

/// Which literals a line holds, which rules match it, and whose dialect it speaks. Kept between lines for its room alone.
#[derive(Default)]
pub(super) struct Found {
    indexes: Vec<usize>,
    matched: Vec<usize>,
    /// How many lines were looked at, and in which of them each literal was last seen: so nothing is cleared between lines.
    lines: u64,
    seen: Vec<u64>,
    dialect: Option<Dialect>,
}

impl Found {
    /// Whether no rule's literal is in the line.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// Whether any rule that was tried matches.
    pub fn has_matched(&self) -> bool {
        !self.matched.is_empty()
    }

    /// The database that the line names.
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }
}

impl RuleSet {
    /// Makes the tables ready; earlier tables are asked first.
    pub fn new(tables: &[&'static [Rule]]) -> Self {
        let rules: Vec<Ready> =
            tables.iter().flat_map(|table| table.iter()).map(|rule| Ready { rule, pattern: OnceLock::new() }).collect();
        let needles = rules.iter().map(|ready| ready.rule.needle);
        let marks = MARKS.iter().map(|(mark, _)| *mark);
        let literals = Filter::new(needles.chain(DIRT.iter().copied()).chain(marks), rules.len() + DIRT.len());
        Self { rules, literals }
    }

    /// The places of the text that hold a literal.
    pub fn places<'t>(&'t self, text: &'t [u8]) -> Places<'t> {
        self.literals.places(text)
    }

    /// Looks for the literals of all rules in a line.
    pub fn find(&self, line: &str, found: &mut Found) {
        let Found { indexes, matched, lines, seen, dialect } = found;
        indexes.clear();
        matched.clear();
        *dialect = None;
        *lines += 1;
        seen.resize(self.rules.len(), 0);
        let marks = self.rules.len() + DIRT.len();
        self.literals.each(line.as_bytes(), |literal| match seen.get_mut(literal) {
            Some(seen) if *seen < *lines => {
                *seen = *lines;
                indexes.push(literal);
            }
            Some(_) => {}
            None => {
                let mark = literal.checked_sub(marks).and_then(|mark| MARKS.get(mark));
                *dialect = dialect.or(mark.filter(|(mark, _)| line.contains(mark)).map(|(_, of)| *of));
            }
        });
        indexes.sort_unstable();
    }

    /// Forgets the rules that are not asked for.
    pub fn keep(&self, found: &mut Found, asked: impl Fn(&Says) -> bool) {
        found.indexes.retain(|index| self.rules.get(*index).is_some_and(|ready| asked(&ready.rule.says)));
    }

    /// Tries the rules of those found that are asked for, and keeps which of them match the line; tells how many were tried.
    pub fn try_on(&self, line: &str, found: &mut Found, asked: impl Fn(&Says) -> bool) -> usize {
        let Found { indexes, matched, .. } = found;
        let ready = indexes.iter().filter_map(|index| Some((*index, self.rules.get(*index)?)));
        let asked = ready.filter(|(_, ready)| asked(&ready.rule.says));
        let tried = asked.map(|(index, ready)| matched.extend(ready.matches(line).then_some(index))).count();
        matched.sort_unstable();
        tried
    }

    /// The rules that were tried and match the line, in the order of the tables.
    pub fn hits<'l>(&'l self, line: &'l str, found: &'l Found) -> impl Iterator<Item = Hit<'l>> {
        found.matched.iter().filter_map(move |index| Some(self.rules.get(*index)?.hit(line)))
    }

    /// Whether any rule of those found is asked for.
    pub fn any(&self, found: &Found, asked: impl Fn(&Says) -> bool) -> bool {
        found.indexes.iter().filter_map(|index| self.rules.get(*index)).any(|ready| asked(&ready.rule.says))
    }
}

impl Ready {
    fn matches(&self, line: &str) -> bool {
        self.rule.pattern.is_empty() || self.pattern().is_some_and(|pattern| pattern.matches(line))
    }

    /// The match in a line that is known to match.
    fn hit<'l>(&'l self, line: &'l str) -> Hit<'l> {
        Hit { rule: self.rule, pattern: self.pattern(), groups: OnceCell::new(), line }
    }

    fn pattern(&self) -> Option<&Pattern> {
        if self.rule.pattern.is_empty() {
            return None;
        }
        self.pattern.get_or_init(|| Pattern::new(self.rule.pattern)).as_ref()
    }
}

/// Whether PostgreSQL's severity stands in the line: with two spaces, or after what the client puts before it. At the
/// line's start and with one space it is the heading of some tool.
fn is_raised(line: &str) -> bool {
    line.contains("ERROR:  ") || line.find("ERROR: ").is_some_and(|at| at > 0)
}

/// The databases' names, by which a bare number is read.
const MARKS: &[(&str, Dialect)] = &[
    ("MySQL", Dialect::MySql),
    ("MariaDB", Dialect::MySql),
    ("pymysql", Dialect::MySql),
    ("Mysql2", Dialect::MySql),
    ("mysql2", Dialect::MySql),
    ("SQL Server", Dialect::SqlServer),
    ("SqlClient", Dialect::SqlServer),
    ("Error Number:", Dialect::SqlServer),
    (", Level 1", Dialect::SqlServer),
    ("EREQUEST", Dialect::SqlServer),
    ("SQLite", Dialect::Sqlite),
    ("sqlite", Dialect::Sqlite),
    ("returned from database: (code: ", Dialect::Sqlite),
];

/// Marks of colour that may cut a literal in two: such a line is looked at after it has been cleaned.
const DIRT: &[&str] = &["\u{1b}[", "[31m", "[39m", "[91m", "[1m", "[0m"];

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Checks that every pattern of a table compiles and has names that the engine knows.
    pub fn check(table: &'static [Rule]) {
        for rule in table {
            assert!(rule.needle.len() > 2, "{rule:?}: the search needs three bytes");
            if rule.pattern.is_empty() {
                continue;
            }
            let regex = Regex::new(rule.pattern).unwrap_or_else(|error| panic!("{}: {error}", rule.pattern));
            for name in regex.capture_names().flatten() {
                assert!(GROUPS.contains(&name), "{}: group {name}", rule.pattern);
            }
        }
    }

    /// Whether a rule of the set that matches the line says what is looked for.
    pub fn says(set: &RuleSet, line: &str, wanted: impl Fn(&Says) -> bool) -> bool {
        let mut found = Found::default();
        set.find(line, &mut found);
        set.try_on(line, &mut found, wanted) > 0 && found.has_matched()
    }

    static TABLE: &[Rule] =
        &[rule("P3018", r"^Error: (?<code>P3018)$", Says::Opens), rule("error", "", Says::Hint(Reason::TOOL_CRASHED))];

    #[test]
    fn literals_lead_to_patterns_in_order() {
        check(TABLE);
        let set = RuleSet::new(&[TABLE]);
        let mut found = Found::default();
        set.find("Error: P3018", &mut found);
        assert_eq!(set.try_on("Error: P3018", &mut found, |_| true), 2);
        let codes: Vec<_> = set.hits("Error: P3018", &found).map(|hit| hit.code()).collect();
        assert_eq!(codes, [Some("P3018"), None]);
        set.find("all is well", &mut found);
        assert!(found.is_empty() && !found.has_matched());
        assert!(set.places(b"nothing here\nError: x").next(0).is_some_and(|at| at > 12));
        assert_eq!(set.places(b"nothing here\nat all").next(0), None);
    }
}
