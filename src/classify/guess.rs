//! Which tool wrote a log, by the lines that only it prints.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::clean;
use super::rules::{RuleSet, Says};
use super::scan::{Reader, Stream};
use super::tool::Tool;

/// Whether a literal belongs to nobody, as `Error:` and the system's own words do.
fn is_anybodys(needle: &str) -> bool {
    needle.len() <= 6 && needle.ends_with(':') || needle == "no such file or directory"
}

/// The tool whose own lines occur most in the text; [`Tool::Custom`] where none does.
pub(super) fn guess(head: &[u8]) -> Tool {
    static SETS: OnceLock<Vec<(Tool, RuleSet)>> = OnceLock::new();
    let sets =
        SETS.get_or_init(|| Tool::ALL.into_iter().map(|tool| (tool, RuleSet::new(&[tool.table().rules]))).collect());
    let mut best = (0, Tool::Custom);
    for (tool, rules) in sets {
        let (mut stream, mut marks) = (Stream::default(), Marks { rules, seen: BTreeSet::new() });
        stream.push(head, rules, &mut marks);
        stream.end(rules, &mut marks);
        if marks.seen.len() > best.0 {
            best = (marks.seen.len(), *tool);
        }
    }
    best.1
}

/// The rules of one tool that have matched, each counted once: repetition proves nothing.
struct Marks<'r> {
    rules: &'r RuleSet,
    seen: BTreeSet<&'static str>,
}

impl Reader for Marks<'_> {
    fn line(&mut self, _: u64, raw: &[u8]) {
        let line = clean::line(raw);
        for hit in self.rules.hits(&line) {
            if is_own(&hit.rule.says) && !is_anybodys(hit.rule.needle) {
                self.seen.insert(hit.rule.needle);
            }
        }
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
            ("Build started...\nBuild succeeded.\nDone.", Tool::EfCore),
            ("ERROR:  relation \"x\" does not exist", Tool::Custom),
            ("", Tool::Custom),
        ] {
            assert_eq!(guess(log.as_bytes()), tool, "{log}");
        }
    }
}
