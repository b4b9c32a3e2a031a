//! Which tool wrote a log, by the lines that only it prints.

use std::collections::BTreeSet;
use std::ptr;
use std::sync::OnceLock;

use super::clean;
use super::rules::{Found, Rule, RuleSet, Says};
use super::scan::{Reader, Stream};
use super::tool::Tool;

/// Whether a literal belongs to nobody, as `Error:` and the system's own words do.
fn is_anybodys(needle: &str) -> bool {
    needle.len() <= 6 && needle.ends_with(':') || needle == "no such file or directory"
}

/// The tool whose own lines occur most in the text; [`Tool::Custom`] where none does.
pub(super) fn guess(head: &[u8]) -> Tool {
    static ALL: OnceLock<RuleSet> = OnceLock::new();
    let rules = ALL.get_or_init(|| RuleSet::new(&Tool::ALL.map(|tool| tool.table().rules)));
    let (mut stream, mut marks) = (Stream::default(), Marks { rules, found: Found::default(), seen: BTreeSet::new() });
    stream.push(head, rules, &mut marks);
    stream.end(rules, &mut marks);
    let count = |tool: &Tool| marks.seen.iter().filter(|(of, _)| of == tool).count();
    // Of two that are alike the first counts.
    let best = Tool::ALL.into_iter().rev().max_by_key(count);
    best.filter(|tool| count(tool) > 0).unwrap_or(Tool::Custom)
}

/// The tool in whose table a rule stands.
fn owner(rule: &'static Rule) -> Option<Tool> {
    Tool::ALL.into_iter().find(|tool| tool.table().rules.as_ptr_range().contains(&ptr::from_ref(rule)))
}

/// The rules of each tool that have matched, each counted once: repetition proves nothing.
struct Marks<'r> {
    rules: &'r RuleSet,
    found: Found,
    seen: BTreeSet<(Tool, &'static str)>,
}

impl Reader for Marks<'_> {
    fn line(&mut self, _: u64, raw: &[u8]) {
        let line = clean::line(raw);
        self.rules.find(&line, &mut self.found);
        self.rules.try_on(&line, &mut self.found, is_own);
        let own = self.rules.hits(&line, &self.found).map(|hit| hit.rule).filter(|rule| !is_anybodys(rule.needle));
        self.seen.extend(own.filter_map(|rule| Some((owner(rule)?, rule.needle))));
    }

    fn wants_next(&self) -> bool {
        false
    }
}

/// Whether only the tool itself says so: words of databases and languages tell nothing.
const fn is_own(says: &Says) -> bool {
    !matches!(says, Says::Nothing | Says::Inside | Says::Vague(_) | Says::Text(_) | Says::ByCode | Says::NoticeNext)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_their_lines() {
        for (log, tool) in [
            ("Prisma schema loaded from prisma/schema.prisma\n\nError: P1001: Can't reach", Tool::Prisma),
            ("INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.", Tool::Alembic),
            ("Operations to perform:\nRunning migrations:\n  Applying a.0001_initial... OK", Tool::Django),
            ("== 20240101 CreateUsers: migrating ======\n", Tool::Rails),
            ("goose run: ERROR 002_users.sql: failed", Tool::Goose),
            ("error: Dirty database version 3. Fix and force version.", Tool::GolangMigrate),
            ("Using environment: production\nBatch 1 run: 2 migrations", Tool::Knex),
            ("Applying migration '7_AddBills'.", Tool::EfCore),
            ("Applying migration 'm7_bills'", Tool::SeaOrm),
            ("Build started...\nBuild succeeded.\nDone.", Tool::EfCore),
            ("ERROR:  relation \"x\" does not exist", Tool::Custom),
            ("", Tool::Custom),
        ] {
            assert_eq!(guess(log.as_bytes()), tool, "{log}");
        }
    }
}
