//! Patterns that are a few literals at the line's beginning and nothing else, compared byte by byte: an engine costs more to be
//! started than such a comparison.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::rules::GROUPS;

/// The most texts that are compared one after the other.
const MOST: usize = 8;

/// What a line begins with, and what may follow.
#[derive(Debug)]
pub(super) struct Beginning {
    /// Every text that the pattern stands for.
    texts: Vec<String>,
    then: Then,
    /// The group at the pattern's end, by its place in [`GROUPS`], and what it holds.
    group: Option<(usize, String)>,
}

/// What follows the text.
#[derive(Clone, Copy, Debug)]
enum Then {
    Anything,
    Boundary,
    Nothing,
}

impl Beginning {
    /// Of such a pattern; nothing where it is another.
    pub fn of(pattern: &str) -> Option<Self> {
        let hir = regex_syntax::parse(pattern).ok()?;
        let HirKind::Concat(parts) = hir.kind() else { return None };
        let is = |part: &Hir, look| *part.kind() == HirKind::Look(look);
        let (body, then) = match parts.as_slice() {
            [start, body @ .., last] if is(start, Look::Start) && is(last, Look::WordUnicode) => (body, Then::Boundary),
            [start, body @ .., last] if is(start, Look::Start) && is(last, Look::End) => (body, Then::Nothing),
            [start, body @ ..] if is(start, Look::Start) => (body, Then::Anything),
            _ => return None,
        };
        let whole = Hir::concat(body.to_vec());
        let group = match (whole.properties().explicit_captures_len(), body.last()?.kind()) {
            (0, _) => None,
            (1, HirKind::Capture(group)) => {
                let HirKind::Literal(text) = group.sub.kind() else { return None };
                let place = GROUPS.iter().position(|name| group.name.as_deref() == Some(name))?;
                Some((place, String::from_utf8(text.0.to_vec()).ok()?))
            }
            _ => return None,
        };
        let texts = Extractor::new().limit_total(MOST).extract(&whole);
        let exact = whole.properties().look_set().is_empty() && texts.is_exact();
        let texts = texts.literals()?.iter().map(|text| String::from_utf8(text.as_bytes().to_vec()).ok());
        exact.then(|| Some(Self { texts: texts.collect::<Option<_>>()?, then, group })).flatten()
    }

    /// Whether the line begins so.
    pub fn matches(&self, line: &str) -> bool {
        self.texts.iter().any(|text| line.strip_prefix(text.as_str()).is_some_and(|rest| self.then.fits(text, rest)))
    }

    /// What the group at this place of [`GROUPS`] holds wherever the pattern matches.
    pub fn group(&self, place: usize) -> Option<&str> {
        self.group.as_ref().filter(|(group, _)| *group == place).map(|(_, text)| text.as_str())
    }
}

impl Then {
    fn fits(self, text: &str, rest: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Boundary => is_word(text.chars().next_back()) != is_word(rest.chars().next()),
            Self::Nothing => rest.is_empty(),
        }
    }
}

/// Whether it is what `\w` stands for.
fn is_word(character: Option<char>) -> bool {
    character.is_some_and(|c| match c {
        '\0'..='\x7f' => c.is_ascii_alphanumeric() || c == '_',
        _ => regex_syntax::try_is_word_character(c).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;
    use crate::classify::Tool;

    /// Every pattern that is compared, of every tool and of the common tables.
    fn patterns() -> Vec<(&'static str, Beginning)> {
        let patterns = Tool::ALL.into_iter().flat_map(Tool::words).map(|(_, pattern)| pattern);
        patterns.filter_map(|pattern| Some((pattern, Beginning::of(pattern)?))).collect()
    }

    #[test]
    fn what_is_compared_is_read_as_by_an_engine() {
        let patterns = patterns();
        assert!(patterns.len() > 100, "{}", patterns.len());
        for (pattern, beginning) in patterns {
            let regex = Regex::new(pattern).unwrap();
            for text in &beginning.texts {
                let cut: String = text.chars().skip(1).collect();
                for before in ["", " ", "x", "Error: ", text] {
                    for after in ["", " ", "x", "0", "_", ":", "é", "‿", "—", "\u{301}", "\n", "\0", text] {
                        for text in [text, &cut, &text.to_lowercase(), &text.to_uppercase()] {
                            let line = format!("{before}{text}{after}");
                            assert_eq!(beginning.matches(&line), regex.is_match(&line), "{pattern}: {line:?}");
                            let Some(groups) = regex.captures(&line) else { continue };
                            for (place, name) in GROUPS.into_iter().enumerate() {
                                let held = groups.name(name).map(|group| group.as_str());
                                assert_eq!(beginning.group(place), held, "{pattern}: {line:?}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn other_patterns_are_left_to_the_engine() {
        for pattern in ["a", "^a+", r"^\d", "^a|b", r"^a\bc", "^(?<code>a)b", "(?i)^abcd", "^a(?<code>b|c)", "^(?m:^)a"]
        {
            assert!(Beginning::of(pattern).is_none(), "{pattern}");
        }
    }
}
