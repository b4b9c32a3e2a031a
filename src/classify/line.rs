//! How a line is looked at: whose words it holds, and how much of it counts.

use std::borrow::Cow;

/// Bytes of a line that are remembered: its beginning and its end.
const LINE: usize = 400;
/// Bytes of a long line that are read.
const LINE_HEAD: usize = 4 * 1024;
const LINE_TAIL: usize = 8 * 1024;

/// Whether the line is a comment of the migration itself, echoed: it can say whatever its author likes. What is indented may be
/// a tool's list.
pub(super) fn is_comment(line: &str) -> bool {
    line.starts_with("-- ") || line.starts_with("/*")
}

/// The same of a statement, a whole one to its semicolon: a tool's own sentence can begin with the same words. With a dash some
/// tools put the database's answer behind it.
pub(super) fn is_statement(line: &str) -> bool {
    const BEGINNINGS: [&str; 10] = [
        "insert into ",
        "update ",
        "delete from ",
        "create ",
        "alter ",
        "drop ",
        "select ",
        "comment on ",
        "raise ",
        "do $",
    ];
    if !line.trim_end().ends_with(';') {
        return false;
    }
    let line = line.trim_start();
    let begins = |word: &&str| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    BEGINNINGS.iter().any(begins) && !line.contains(" - ")
}

/// Whether the line is a frame of a stack, of a language that tells the calls below the error.
pub(super) fn is_frame(line: &str) -> bool {
    line.starts_with([' ', '\t']) && line.trim_start().starts_with("at ")
}

/// The beginning and the end of a line that is long: what a tool says stands there, and between them the SQL that it echoes.
pub(super) fn ends(line: &str) -> Cow<'_, str> {
    cut(line, LINE_HEAD, LINE_TAIL)
}

/// A line as it is remembered.
pub(super) fn shorten(line: &str) -> String {
    cut(line, LINE / 2, LINE / 2).into_owned()
}

/// The line without its middle, where it has more bytes than these of its beginning and of its end.
fn cut(line: &str, head: usize, tail: usize) -> Cow<'_, str> {
    let Some(from) = line.len().checked_sub(tail).filter(|from| *from > head) else { return Cow::Borrowed(line) };
    // A character has at most four bytes.
    let boundary = |at: usize| (at..at + 4).find(|at| line.is_char_boundary(*at)).unwrap_or_default();
    let head = line.get(..boundary(head)).unwrap_or_default();
    let tail = line.get(boundary(from)..).unwrap_or_default();
    Cow::Owned(format!("{head} … {tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authors_statement_is_told_from_a_tools_sentence() {
        assert!(is_statement("  INSERT INTO notes VALUES ('connection refused');"));
        assert!(is_statement("create table \"ERROR\" (id int);"));
        for tools in
            ["Create database failed: connection refused", "alter table `a` - Duplicate entry 'x' for key;", "é;"]
        {
            assert!(!is_statement(tools), "{tools}");
        }
        assert!(is_comment("-- Error: P1001") && !is_comment("  -- ERROR: Error 1062"));
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "é".repeat(20_000);
        assert!((12_280..12_300).contains(&ends(&line).len()), "{}", ends(&line).len());
        assert!((400..410).contains(&shorten(&line).len()), "{}", shorten(&line).len());
    }
}
