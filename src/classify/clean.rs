//! A raw line made readable: colours, control characters and the prefixes of whatever carried it are taken off.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What log drivers, build tools, shells and loggers put before a line. Letters and digits are those of ASCII: the classes of all
/// of Unicode make a pattern of four times this size slow.
const PREFIXES: &[&str] = &[
    // Times, in the forms of Docker, Kubernetes, CI services and loggers; behind them the process, as Heroku, Fly and the journal
    // name it; a SQLSTATE in brackets is in capitals.
    concat!(
        r"\[?[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: ?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?\]?[ \t]*",
        r"(?:std(?:out|err) [FP] |[0-9]{2}[OE]\+? )?",
        r"(?:(?:[A-Za-z0-9_.-]+ )?[a-z][A-Za-z0-9_.-]*\[[A-Za-z0-9_.-]+\](?:: | [a-z]{3} \[[a-z]+\] ?))?",
    ),
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9] [0-9:]{8} [A-Za-z0-9_.-]+ [A-Za-z0-9_./-]+\[[0-9]+\]: ",
    r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} ",
    COLUMNS,
    r"[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)? ",
    r"\[?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: (?:INF|WRN|ERR|DBG))? ?\] ",
    // docker compose, pm2, Terraform, BuildKit, `kubectl logs --prefix`, deploy scripts.
    r"(?:[0-9]+\|)?[A-Za-z][A-Za-z0-9_.-]*[ \t]*\|(?: |$)",
    r#"[a-z][A-Za-z0-9_.\[\]"-]* \((?:local|remote)-exec\): "#,
    r"#[0-9]+ (?:[0-9]+\.[0-9]+ )?",
    r"[0-9]+\.[0-9]{2,3} ",
    r"\[pod/[^\]]+\] ",
    r"(?:err|out|stderr|stdout): ",
    r"##\[(?:error|warning|debug)\]",
    // concurrently, Maven, Gradle and plain loggers.
    r"\[(?:[0-9]{1,3}|[a-z][a-z0-9_:.-]*)\] ",
    r"\[(?:ERROR|INFO|WARNING|WARN|DEBUG)\] ",
    // Spring Boot and its like, and Rust's tracing. What a program calls an error keeps its mark.
    r"(?:TRACE|DEBUG|INFO|WARN) +[0-9]+ --- (?:\[[^\]]*\] *)+\S+ +: ",
    r"(?:TRACE|DEBUG|INFO|WARN) [A-Za-z0-9_]+(?:::[A-Za-z0-9_]+)+: ",
    // PowerShell, around the first line of standard error.
    r"[a-z][a-z0-9_.-]* : ",
];
/// `gh run view --log`: the job, the step and the time. It counts what stands between tabs, which is dear in a pattern.
const COLUMNS: &str = r"[^\t]{1,80}\t[^\t]{1,80}\t[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z ";

static PREFIX: LazyLock<Option<Regex>> = LazyLock::new(|| prefix(|each| each != COLUMNS));
static PREFIX_IN_COLUMNS: LazyLock<Option<Regex>> = LazyLock::new(|| prefix(|_| true));

/// The pattern of up to four prefixes, since they nest.
fn prefix(wanted: impl Fn(&str) -> bool) -> Option<Regex> {
    let wanted: Vec<&str> = PREFIXES.iter().copied().filter(|each| wanted(each)).collect();
    Regex::new(&format!("^(?:{}){{1,4}}", wanted.join("|"))).ok()
}

/// The line without what carried it.
pub fn line(raw: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(raw) {
        Ok(text) => text_line(text),
        Err(_) => Cow::Owned(text_line(&String::from_utf8_lossy(raw)).into_owned()),
    }
}

/// The same of a line that is text already.
pub fn text_line(text: &str) -> Cow<'_, str> {
    match visible(text) {
        Cow::Borrowed(text) => Cow::Borrowed(carried(text)),
        Cow::Owned(text) => Cow::Owned(carried(&text).to_owned()),
    }
}

/// What a line carries.
fn carried(line: &str) -> &str {
    let rest = if may_be_carried(line.as_bytes()) { without_prefixes(line) } else { line };
    rest.trim_end()
}

fn without_prefixes(line: &str) -> &str {
    let prefix = if may_be_in_columns(line.as_bytes()) { &PREFIX_IN_COLUMNS } else { &PREFIX };
    let found = prefix.as_ref().and_then(|prefix| prefix.find(line));
    found.and_then(|prefix| line.get(prefix.end()..)).unwrap_or(line)
}

/// Whether a prefix is possible at all: a time, a bracket, a month, or a name before ` | `, a tab or ` : `.
fn may_be_carried(line: &[u8]) -> bool {
    match line {
        [b'0'..=b'9' | b'[' | b'#', ..] | [b'e', b'r', b'r', ..] | [b'o', b'u', b't', ..] | [b's', b't', b'd', ..] => {
            true
        }
        [b'T' | b'D' | b'I' | b'W', b'A'..=b'Z', b'A'..=b'Z', ..] => true,
        [b'A'..=b'S', b'a'..=b'u', b'b'..=b'y', b' ', b' ' | b'0'..=b'9', b'0'..=b'9', ..] => true,
        [first, ..] => {
            let bar = memchr::memchr2(b'|', b'\t', line).is_some_and(|at| (1..80).contains(&at));
            bar || first.is_ascii_lowercase() && has_colon(line)
        }
        [] => false,
    }
}

/// Whether a year stands behind a tab.
fn may_be_in_columns(line: &[u8]) -> bool {
    let is_year =
        |at: usize| matches!(line.get(at + 1..), Some([b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', ..]));
    memchr::memchr_iter(b'\t', line).any(is_year)
}

/// Whether ` : ` stands in the line, or Terraform's `): `.
fn has_colon(line: &[u8]) -> bool {
    let before = |at: usize| line.get(at.wrapping_sub(1)..at + 2);
    memchr::memchr_iter(b':', line).any(|at| matches!(before(at), Some(b" : " | b"): ")))
}

/// The text without colours and control characters; tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '\u{1b}' | '[' => colour(rest.as_bytes()),
            '\t' | ' '..='~' => 0,
            odd if odd.is_control() || is_invisible(odd) => odd.len_utf8(),
            _ => 0,
        };
        // Up to what may be skipped next, in one go.
        let kept = if skipped > 0 { 0 } else { plain_after(rest, first.len_utf8()) };
        let (taken, others) = rest.split_at_checked(kept + skipped).unwrap_or((rest, ""));
        out.push_str(if skipped > 0 { "" } else { taken });
        rest = others;
    }
    Cow::Owned(out)
}

/// The length of what certainly stays, from the beginning on; at least `least`, its first character.
fn plain_after(text: &str, least: usize) -> usize {
    let rest = text.as_bytes().get(least..).unwrap_or_default();
    least + rest.iter().take_while(|b| matches!(b, b' '..=b'~' | b'\t') && **b != b'[').count()
}

/// The length of the escape at the beginning, or of what is left of one that has lost its first byte; 0 where there is none.
fn colour(text: &[u8]) -> usize {
    match text {
        [0x1b, b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b';' | b'?')).count();
            let rest = rest.get(parameters..).unwrap_or_default();
            let between = rest.iter().take_while(|b| matches!(b, b' '..=b'/')).count();
            let ends = rest.get(between).is_some_and(|b| matches!(b, b'@'..=b'~'));
            if ends { 2 + parameters + between + 1 } else { 2 }
        }
        [0x1b, b']', rest @ ..] => {
            let title = rest.iter().take_while(|b| !matches!(b, 0x07 | 0x1b)).count();
            let end = match rest.get(title..) {
                Some([0x07, ..]) => 1,
                Some([0x1b, b'\\', ..]) => 2,
                _ => 0,
            };
            2 + title + end
        }
        [0x1b, next, ..] if next.is_ascii() => 2,
        [0x1b, ..] => 1,
        [b'[', b'2', b'K', ..] | [b'[', b'1', b'G', ..] => 3,
        [b'[', rest @ ..] => remains(rest).map_or(0, |length| 1 + length),
        _ => 0,
    }
}

/// The length of numbers between semicolons and an `m`.
fn remains(text: &[u8]) -> Option<usize> {
    let numbers = text.iter().take_while(|b| matches!(b, b'0'..=b'9' | b';')).count();
    let well = text.get(..numbers)?.split(|b| *b == b';').all(|number| (1..=3).contains(&number.len()));
    (well && text.get(numbers) == Some(&b'm')).then_some(numbers + 1)
}

/// Whether nothing can be hidden: printable ASCII, and what stands behind a bracket begins no colour. Without a branch, so that
/// many bytes are tested at once.
fn is_plain(text: &[u8]) -> bool {
    let (printable, brackets) = text.iter().fold((true, false), |(printable, brackets), b| {
        (printable & matches!(b, b' '..=b'~' | b'\t'), brackets | (*b == b'['))
    });
    let is_colour = |at: usize| text.get(at + 1).is_some_and(u8::is_ascii_digit);
    printable && !(brackets && memchr::memchr_iter(b'[', text).any(is_colour))
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
            ("2026-02-20T11:04:50.907Z  INFO 1 --- [           main] o.f.core.DbMigrate : Schema", "Schema"),
            ("2026-02-20T11:04:50.907123Z  INFO sea_orm_migration::migrator: Applying", "Applying"),
            ("2026-02-20T11:04:50.907123+00:00 app[release.4711]: Error: P3018", "Error: P3018"),
            ("2026-02-20T11:04:50Z app[17811953c92e18] ams [info]Error: P3018", "Error: P3018"),
            ("2026-02-20T11:04:50+0000 node-3 migrate[4711]: Error: P3018", "Error: P3018"),
            ("Feb 20 11:04:50 node-3 migrate[4711]: Error: P3018", "Error: P3018"),
            ("2026-02-20T11:04:50.907123Z 01E Error: P3018", "Error: P3018"),
            ("deploy\tRun migrations\t2026-02-20T11:04:50.9073170Z Error: P3018", "Error: P3018"),
            ("0|shop  | Error: P3018", "Error: P3018"),
            ("[3] Error: P3018", "Error: P3018"),
            ("[api:migrate] Error: P3018", "Error: P3018"),
            ("[SQL: SELECT 1]", "[SQL: SELECT 1]"),
            ("null_resource.migrate[0] (local-exec): Error: P3018", "Error: P3018"),
            ("SQLSTATE[42P07]: Duplicate table", "SQLSTATE[42P07]: Duplicate table"),
            ("2026-02-20 11:04:50 SQLSTATE[42P07]: Duplicate table", "SQLSTATE[42P07]: Duplicate table"),
            ("SQL State  : 42P07", "SQL State  : 42P07"),
            ("[X] 289 InitialMigration", "[X] 289 InitialMigration"),
            ("[ ] 290 Second", "[ ] 290 Second"),
            ("a\u{7}b\u{202e}c", "abc"),
            ("\u{1b}]0;title\u{7}é [pod] \u{1b}[2Kx[1;31my[1;;mz\u{1b}", "é [pod] xy[1;;mz"),
        ] {
            assert_eq!(line(raw.as_bytes()), clean, "{raw:?}");
        }
    }
}
