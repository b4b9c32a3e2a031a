//! A raw line made readable: colours, control characters and the prefixes of whatever carried it are taken off.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What log drivers, build tools, shells and loggers put before a line. Taken off repeatedly, since they nest.
const PREFIXES: &str = concat!(
    r"^(?:",
    // Times, in the forms of Docker, Kubernetes, CI services and loggers.
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\]?[ \t]*(?:std(?:out|err) [FP] )?",
    r"|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? ",
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: (?:INF|WRN|ERR|DBG))? ?\] ",
    // docker compose, BuildKit, `kubectl logs --prefix`, deploy scripts.
    r"|[A-Za-z][\w.-]*\s*\|(?: |$)",
    r"|#\d+ (?:\d+\.\d+ )?",
    r"|\d+\.\d{2,3} ",
    r"|\[pod/[^\]]+\] ",
    r"|(?:err|out|stderr|stdout): ",
    r"|##\[(?:error|warning|debug)\]",
    // Maven, Gradle and plain loggers.
    r"|\[(?:ERROR|INFO|WARNING|WARN|DEBUG)\] ",
    // PowerShell, around the first line of standard error.
    r"|[a-z][a-z0-9_.-]* : ",
    r")"
);

static PREFIX: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PREFIXES).ok());
static COLOUR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.|\[(?:\d{1,3};)*\d{1,2}m|\[2K|\[1G")
        .ok()
});

/// The line without what carried it.
pub fn line(raw: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(raw);
    let text = visible(&lossy);
    let mut rest = text.as_ref();
    if let Some(prefix) = PREFIX.as_ref() {
        for _ in 0..4 {
            if !may_be_carried(rest) {
                break;
            }
            match prefix.find(rest) {
                Some(found) if found.end() > 0 => rest = rest.get(found.end()..).unwrap_or_default(),
                _ => break,
            }
        }
    }
    rest.trim_end().to_owned()
}

/// Whether a prefix is possible at all: a time, a bracket, or a name before ` | ` or ` : `.
fn may_be_carried(line: &str) -> bool {
    match line.as_bytes() {
        [b'0'..=b'9' | b'[' | b'#' | b'e' | b'o' | b's', ..] => true,
        bytes => bytes.iter().take(80).any(|b| matches!(b, b'|')) || line.contains(" : "),
    }
}

/// The text without colours and control characters; tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let odd = |c: char| c != '\t' && (c.is_control() || is_invisible(c));
    let plain = match COLOUR.as_ref() {
        Some(colour) if text.contains(['\u{1b}', '[']) => colour.replace_all(text, ""),
        _ => Cow::Borrowed(text),
    };
    if plain.contains(odd) { Cow::Owned(plain.chars().filter(|c| !odd(*c)).collect()) } else { plain }
}

/// Characters that change how a terminal or a browser shows the text around them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_are_taken_off() {
        for (raw, clean) in [
            ("\u{1b}[31mError: \u{1b}[39mP3018", "Error: P3018"),
            ("[31mError: [39mP3018", "Error: P3018"),
            ("app-1  | 2025-05-16T20:56:53.202274000Z Error: P3018", "Error: P3018"),
            ("#16 14.62 Error: P1012", "Error: P1012"),
            ("2026-02-20T11:04:50.9073170Z err: Prisma schema loaded", "Prisma schema loaded"),
            ("2025-10-19T16:21:31.1Z stderr F Error: P3018", "Error: P3018"),
            ("2022/03/24 21:13:46 error: Dirty database version 3", "error: Dirty database version 3"),
            ("node.exe : Error: P1001", "Error: P1001"),
            ("SQL State  : 42P07", "SQL State  : 42P07"),
            ("[X] 289 InitialMigration", "[X] 289 InitialMigration"),
            ("[ ] 290 Second", "[ ] 290 Second"),
            ("a\u{7}b\u{202e}c", "abc"),
        ] {
            assert_eq!(line(raw.as_bytes()), clean, "{raw:?}");
        }
    }
}
