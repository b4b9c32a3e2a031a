//! A user's own rules: what a line means that no table of ours knows.
//!
//! They say why a step failed, never that it did well; and that time would help only where no SQL can have been executed.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::reason::Reason;
use super::types::{Class, Confidence, Outcome, Verdict};

/// The most rules, and characters of a pattern and of a reason, that are taken; the CRD has the same bounds.
const MOST: usize = 32;
const LONGEST_PATTERN: usize = 256;
const LONGEST_REASON: usize = 64;
/// Bytes that a pattern may take when it is ready.
const SIZE: usize = 1 << 20;

/// One rule, as the user wrote it.
#[derive(Clone, Debug)]
pub struct OwnRule {
    /// What a line must match.
    pub pattern: String,
    /// The class of the failure.
    pub class: Class,
    /// Its reason, a CamelCase name.
    pub reason: String,
    /// Whether time alone can help.
    pub retryable: bool,
}

/// What is wrong with a rule: which one, in which field, where in its pattern, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRuleError {
    rule: usize,
    field: &'static str,
    column: Option<usize>,
    message: String,
}

impl fmt::Display for OwnRuleError {
    /// Begins with the rule's place, so that the name of the list can stand before it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}].{}", self.rule, self.field)?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for OwnRuleError {}

/// Rules made ready.
#[derive(Debug, Default)]
pub struct OwnRules(Vec<(OwnRule, Regex)>);

impl OwnRules {
    /// Makes them ready; the first that matches anything decides.
    ///
    /// # Errors
    /// When there are too many, a pattern is none or takes too much memory, or a rule says what no rule can.
    pub fn new(rules: impl IntoIterator<Item = OwnRule>) -> Result<Self, OwnRuleError> {
        let ready = rules.into_iter().enumerate().map(|(at, rule)| match fault(at, &rule) {
            Some(error) => Err(error),
            None => match RegexBuilder::new(&rule.pattern).size_limit(SIZE).build() {
                Ok(regex) => Ok((rule, regex)),
                Err(error) => Err(no_pattern(at, &rule.pattern, &error)),
            },
        });
        Ok(Self(ready.collect::<Result<_, _>>()?))
    }

    /// The first rule before `limit` that matches the line.
    pub(super) fn find(&self, line: &str, limit: usize) -> Option<usize> {
        self.0.iter().take(limit).position(|(_, regex)| regex.is_match(line))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The verdict, as the rule at this place has it. `untouched` says that no SQL of this step can have been executed,
    /// `text_alone` that nothing is known but the text, so that it is the rule that tells of a failure.
    pub(super) fn judge(&self, at: usize, line: &str, untouched: bool, text_alone: bool, verdict: Verdict) -> Verdict {
        let failed = matches!(verdict.outcome, Outcome::Failed | Outcome::Unknown);
        // What was ended from outside may be half done, whatever a line says.
        let sure = verdict.class == Some(Class::Interrupted);
        let Some((rule, _)) = self.0.get(at).filter(|_| failed && !sure) else { return verdict };
        let known = verdict.evidence.iter().cloned();
        let outcome = if text_alone { Outcome::Failed } else { verdict.outcome };
        Verdict {
            outcome,
            class: Some(rule.class),
            reason: Some(Reason::custom(rule.reason.clone())),
            retryable: rule.retryable && untouched && outcome == Outcome::Failed,
            branch: Some(rule.class.branch()),
            confidence: Confidence::Medium,
            evidence: super::redact::evidence([line.to_owned()].into_iter().chain(known)),
            ..verdict
        }
    }
}

/// What is wrong with a rule besides its pattern's form.
fn fault(at: usize, rule: &OwnRule) -> Option<OwnRuleError> {
    let OwnRule { pattern, class, reason, retryable } = rule;
    let named =
        reason.starts_with(|c: char| c.is_ascii_uppercase()) && reason.chars().all(|c| c.is_ascii_alphanumeric());
    let helps = matches!(class, Class::Connectivity | Class::Runtime);
    let (field, message) = match () {
        () if at >= MOST => ("match", format!("there are more than {MOST} rules; leave this one out")),
        () if pattern.is_empty() => {
            ("match", "an empty pattern matches every line; write what the line says".to_owned())
        }
        () if pattern.chars().count() > LONGEST_PATTERN => {
            ("match", format!("longer than {LONGEST_PATTERN} characters; match less of the line"))
        }
        () if !named || reason.len() > LONGEST_REASON => (
            "reason",
            format!("write a name in CamelCase of at most {LONGEST_REASON} letters and digits, such as ProxyDown"),
        ),
        () if *retryable && !helps => (
            "retryable",
            format!("time does not mend {class}: leave it out, or write the class Connectivity or Runtime"),
        ),
        () => return None,
    };
    Some(OwnRuleError { rule: at, field, column: None, message })
}

/// Where the pattern goes wrong, and how.
fn no_pattern(rule: usize, pattern: &str, error: &regex::Error) -> OwnRuleError {
    let (column, message) = match regex_syntax::parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => (Some(error.span().start.column), error.kind().to_string()),
        Err(regex_syntax::Error::Translate(error)) => (Some(error.span().start.column), error.kind().to_string()),
        _ => (None, error.to_string().lines().last().unwrap_or_default().to_owned()),
    };
    let message = format!("{message}; write a regular expression of RE2's kind");
    OwnRuleError { rule, field: "match", column, message }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::classify::{Classifier, Ending, Step, Tool};

    fn rule(pattern: &str, class: Class) -> OwnRule {
        OwnRule { pattern: pattern.into(), class, reason: "ProxyDown".into(), retryable: class == Class::Connectivity }
    }

    fn read(tool: Tool, log: &str, ending: Ending) -> Verdict {
        let rules = Arc::new(OwnRules::new([rule("proxy: (gone|down)", Class::Connectivity)]).unwrap());
        let mut classifier = Classifier::new(tool, Step::Migrate).with_rules(rules);
        classifier.push(log.as_bytes());
        classifier.finish(ending)
    }

    #[test]
    fn a_rule_names_what_no_table_knows() {
        let verdict = read(Tool::Prisma, "proxy: gone\n", Ending::Exited(1));
        assert_eq!(verdict.class, Some(Class::Connectivity));
        assert_eq!(verdict.reason.as_ref().map(Reason::as_str), Some("ProxyDown"));
        assert_eq!(verdict.evidence, ["proxy: gone"]);
        assert!(!verdict.retryable, "what the tool had done by then is not known");
    }

    #[test]
    fn time_helps_only_where_no_sql_can_have_been_executed() {
        let reached =
            read(Tool::Prisma, "proxy: down\nError: P1001: Can't reach database server at `db`\n", Ending::Exited(1));
        assert!(reached.retryable);
        let midway = "Applying migration `a`\nproxy: down\nError: P1001: Can't reach database server at `db`\n";
        assert!(!read(Tool::Prisma, midway, Ending::Exited(1)).retryable);
        let conflict = "proxy: down\nError: P3018\n\nMigration name: a\n\nDatabase error code: 23505\n";
        assert!(!read(Tool::Prisma, conflict, Ending::Exited(1)).retryable);
    }

    #[test]
    fn no_rule_makes_a_success_or_takes_an_interruption_away() {
        for ending in [Ending::Exited(0), Ending::Exited(1), Ending::Unknown, Ending::NotGiven] {
            assert_ne!(read(Tool::Prisma, "proxy: down\n", ending).outcome, Outcome::Succeeded, "{ending:?}");
        }
        assert_eq!(read(Tool::Prisma, "proxy: down\n", Ending::OomKilled).class, Some(Class::Interrupted));
        let clean = "proxy: down\nNo pending migrations to apply.\n";
        assert_eq!(read(Tool::Prisma, clean, Ending::Exited(0)).class, None);
        assert_eq!(read(Tool::Prisma, clean, Ending::NotGiven).outcome, Outcome::Succeeded);
    }

    #[test]
    fn what_is_wrong_is_named_with_rule_and_column() {
        let wrong = |pattern: &str| {
            let rules = [rule("good", Class::Config), rule(pattern, Class::Config)];
            OwnRules::new(rules).unwrap_err().to_string()
        };
        assert_eq!(wrong("ab(cd"), "[1].match, column 3: unclosed group; write a regular expression of RE2's kind");
        assert!(wrong("(?:a{1000}){1000}").starts_with("[1].match: "), "{}", wrong("(?:a{1000}){1000}"));
        assert!(wrong(r"(a)\1").starts_with("[1].match, column 4: "), "{}", wrong(r"(a)\1"));
        assert!(wrong("").starts_with("[1].match: an empty pattern"));
        assert!(wrong(&"a".repeat(257)).starts_with("[1].match: longer than 256 characters"));
    }

    #[test]
    fn what_no_rule_can_say_is_refused() {
        let good = || OwnRule { retryable: false, ..rule("a", Class::Config) };
        let refused = |rule: OwnRule| OwnRules::new([rule]).unwrap_err().to_string();
        for reason in ["", "proxyDown", "Proxy Down", &"A".repeat(65)] {
            assert!(refused(OwnRule { reason: reason.to_owned(), ..good() }).starts_with("[0].reason: write a name"));
        }
        let told = refused(OwnRule { retryable: true, ..good() });
        assert!(told.starts_with("[0].retryable: time does not mend Config"), "{told}");
        assert!(OwnRules::new(std::iter::repeat_n(good(), 32)).is_ok());
        let many = OwnRules::new(std::iter::repeat_n(good(), 33)).unwrap_err().to_string();
        assert!(many.starts_with("[32].match: there are more than 32 rules"), "{many}");
    }
}
