//! Nothing leaves the engine that could be a credential or a value of a row.
//!
//! What is withheld is replaced by `***`, so that the line keeps its shape.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::clean;

/// The most lines and bytes of evidence that a verdict carries.
pub const MAX_LINES: usize = 10;
/// See [`MAX_LINES`].
pub const MAX_BYTES: usize = 2048;

/// Pattern and what takes the place of a match; groups are kept.
const PATTERNS: &[(&str, &str)] = &[
    // Private keys and tokens of known shape.
    (r"-----BEGIN [A-Z ]*(?:PRIVATE KEY|CERTIFICATE)[A-Z ]*-----.*", "***"),
    (r"^\s*[A-Za-z0-9+/]{40,}={0,2}\s*$", "***"),
    (r"\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?", "***"),
    (r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z0-9]{12,}\b", "***"),
    (
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|sk_(?:live|test)_|rk_(?:live|test)_|sk-|npm_|dop_v1_|AIza|ya29\.|hvs\.)[\w.-]{8,}",
        "***",
    ),
    // Userinfo and queries of URLs.
    (r"(?P<a>\b[A-Za-z][\w+.-]*://)[^\s/@]*(?:/[^\s@/]*)*?@(?P<b>[^\s@]|$)", "${a}***@${b}"),
    (r"(?P<a>\b(?:jdbc:)?[a-z0-9+]+:[^\s?;]{0,200}\?)[^\s'`)]+", "${a}***"),
    (
        r"(?i)(?P<a>\b(?:authorization|proxy-authorization)\b['\x22]?\s*[:=]\s*)(?:(?:basic|bearer|token)\s+)?\S+",
        "${a}***",
    ),
    (r"(?i)(?P<a>\b(?:bearer|basic)\s+)[A-Za-z0-9+/=_.-]{8,}", "${a}***"),
    // Keywords, in the spellings of URLs, environments, JSON, YAML and connection strings.
    (
        r"(?i)(?P<a>[\w.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|account[_-]?key|client[_-]?key|sas[_-]?key|encryption[_-]?key|pgpass)[\w.-]*\\?['\x22]?\s*(?:=>|[:=])\s*)(?:\\?'[^']*'?|\\?\x22[^\x22]*\x22?|`[^`]*`?|[^\s,;&)}\]]+)",
        "${a}***",
    ),
    (r"(?i)(?P<a>(?:identified\s+by|password)\s+)(?:'[^']*'?|\x22[^\x22]*\x22?)", "${a}***"),
    (r"(?P<a>\s-(?:-password|-token|p|W)[ =])\S+", "${a}***"),
    // Values of rows.
    (r"(?P<a>\bKey \([^=]*\)=\().*?(?P<b>\)(?: is | already | conflicts |\.|$)|$)", "${a}***${b}"),
    (
        r"(?P<a>=\()[^()]*(?P<b>\) (?:is not present|is still referenced|is duplicated|already exists|conflicts))",
        "${a}***${b}",
    ),
    (r"(?P<a>Failing row contains \().*(?P<b>\))?", "${a}***${b}"),
    (r"(?P<a>Duplicate entry ').*?(?P<b>' for key|$)", "${a}***${b}"),
    (r"(?P<a>(?:The duplicate key value is|duplicate key value is) \().*?(?P<b>\)|$)", "${a}***${b}"),
    (r"(?P<a>Incorrect (?:[\w ]+) value: ').*?(?P<b>' for |$)", "${a}***${b}"),
    (r"(?P<a>Truncated incorrect [\w()]+ value: ').*?(?P<b>'$|$)", "${a}***${b}"),
    (
        r"(?P<a>(?:invalid input syntax for [\w ]+|invalid input value for enum [^:]*|invalid byte sequence[^:]*|date/time field value out of range|value out of range|malformed array literal|invalid value[^:]*): \\?\x22).*(?P<b>\x22|$)",
        "${a}***${b}",
    ),
    (r"(?P<a>(?:value|converting the \w+ value|truncated value|Truncated value): ?')[^']*(?P<b>'|$)", "${a}***${b}"),
    (r"(?P<a>converting (?:the )?[\w ]*value )'[^']*'?", "${a}'***'"),
    (r"(?P<a>out of range value )'[^']*'", "${a}'***'"),
    (r#"(?P<a>value \\?\x22)[^\x22]*(?P<b>\\?\x22 is out of range)"#, "${a}***${b}"),
    (r"(?i)(?P<a>^\s*(?:parameters|params|bindings|values)\b\s*[:=]\s*).+", "${a}***"),
    (r"(?i)(?P<a>\[parameters:\s*).+", "${a}***]"),
    (r"(?i)(?P<a>\bvalues\s*\().+", "${a}***"),
    (r"(?i)(?P<a>\bset\s+[\w.\x22`\[\]]+\s*=\s*)'[^']*'", "${a}'***'"),
];

static COMPILED: LazyLock<Vec<(Regex, &'static str)>> =
    LazyLock::new(|| PATTERNS.iter().filter_map(|(pattern, with)| Some((Regex::new(pattern).ok()?, *with))).collect());

/// One line without control characters, credentials and row values.
pub fn line(text: &str) -> String {
    COMPILED.iter().fold(clean::visible(text).into_owned(), |text, (regex, with)| {
        match regex.replace_all(&text, |groups: &Captures<'_>| fill(groups, with)) {
            std::borrow::Cow::Borrowed(_) => text.clone(),
            std::borrow::Cow::Owned(new) => new,
        }
    })
}

fn fill(groups: &Captures<'_>, with: &str) -> String {
    let mut out = String::new();
    groups.expand(with, &mut out);
    out
}

/// The lines that a verdict may carry: redacted, shortened, at most ten and at most 2 KiB.
pub fn evidence(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut bytes = 0;
    let mut out: Vec<String> = Vec::new();
    let mut in_key = false;
    for raw in lines {
        // The lines between the marks of a private key are the key.
        in_key = (in_key || raw.contains("-----BEGIN ")) && !raw.contains("-----END ");
        let text = if in_key { "***".to_owned() } else { line(&raw) };
        if text.trim().is_empty() || out.last() == Some(&text) {
            continue;
        }
        bytes += text.len();
        if out.len() == MAX_LINES || bytes > MAX_BYTES {
            break;
        }
        out.push(text);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(COMPILED.len(), PATTERNS.len());
    }

    #[test]
    fn secrets_and_rows_are_withheld() {
        for (text, secret) in [
            ("postgres://app:hunter2@db:5432/shop", "hunter2"),
            ("postgresql://app:p@ss/word@db/shop", "p@ss"),
            ("mysql://root:x%2Fy@h/d?sslpassword=hunter2&a=b", "hunter2"),
            ("jdbc:postgresql://db/shop?user=a&password=hunter2", "hunter2"),
            ("Server=db;Password=hunter2;Encrypt=true", "hunter2"),
            ("PGPASSWORD=hunter2 psql", "hunter2"),
            (r#"{"password": "hunter2 and more"}"#, "hunter2"),
            ("password: 'hunter2 and more',", "more"),
            ("ALTER ROLE a IDENTIFIED BY 'hunter2'", "hunter2"),
            ("ALTER ROLE a PASSWORD 'hunter2'", "hunter2"),
            ("Authorization: Bearer abcdef0123456789", "abcdef"),
            ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJ"),
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7"),
            ("DETAIL: Key (email)=(a@b.c) already exists.", "a@b.c"),
            ("DETAIL: Key (lower(username::text))=(al(ice) is duplicated.", "al(ice"),
            ("DETAIL:  Key (\"a\", b)=(1, hunter2) is not present in table \"x\".", "hunter2"),
            ("Failing row contains (1, hunter2, null).", "hunter2"),
            ("Duplicate entry 'o'hara@x.y' for key 'u'", "hara@x"),
            ("invalid input syntax for type integer: \"hunter2\"", "hunter2"),
            ("invalid input value for enum \"E\": \"hunter2\"", "hunter2"),
            ("Incorrect integer value: 'hunter2' for column 'a' at row 1", "hunter2"),
            ("Conversion failed when converting the varchar value 'hunter2' to data type int.", "hunter2"),
            ("The duplicate key value is (hunter2).", "hunter2"),
            ("[parameters: {'name': 'hunter2'}]", "hunter2"),
            ("INSERT INTO t VALUES ('hunter2')", "hunter2"),
        ] {
            let out = line(text);
            assert!(!out.contains(secret), "{text} gave {out}");
            assert!(out.contains("***"), "{text} gave {out}");
        }
    }

    #[test]
    fn what_people_need_stays() {
        for text in [
            "Error: P3018",
            "Migration name: 20260101_add_token_table",
            "ERROR: column \"age\" of relation \"User\" contains null values",
            "Database error code: 23505",
            "Can't reach database server at `db:5432`",
            "prisma:warn see https://pris.ly/d/migrate-resolve",
        ] {
            assert_eq!(line(text), text);
        }
        assert_eq!(line("Duplicate entry '1-2' for key 'a.PRIMARY'"), "Duplicate entry '***' for key 'a.PRIMARY'");
    }

    #[test]
    fn evidence_is_bounded_and_keys_are_dropped() {
        let lines = evidence((0..50).map(|n| format!("line {n} {}", "x".repeat(200))));
        assert!(lines.len() <= MAX_LINES && lines.iter().map(String::len).sum::<usize>() <= MAX_BYTES);
        let key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEabc", "-----END RSA PRIVATE KEY-----", "after"];
        let lines = evidence(key.map(str::to_owned));
        assert!(!lines.iter().any(|line| line.contains("MIIE")), "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("after"));
    }
}
