//! Undoes the hard wrapping that Windows PowerShell gives to what a program writes to standard error.
//!
//! It breaks at a fixed width: at a space, which stays at the line's end, or in the middle of a word that is too long. And
//! takes off the indent of a log that is indented as a whole.

/// The text with wrapped lines joined; nothing where there is no sign of wrapping.
pub(super) fn unwrap(text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let width = width(&text)?;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        out.push_str(line);
        let length = line.chars().count();
        let broken_at_a_space = line.ends_with(' ') && length <= width && !line.trim().is_empty();
        if length != width && !broken_at_a_space {
            out.push('\n');
        }
    }
    Some(out.into_bytes())
}

/// The text without the indent that all of its lines share, as a quotation in another program's report has it; nothing where
/// there is none. No line of the author's brings it about: the tool's own lines have it too.
pub(super) fn dedent(text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next()?;
    let mut indent = first.get(..first.len() - first.trim_start_matches([' ', '\t']).len())?;
    for line in lines {
        let shared = indent.bytes().zip(line.bytes()).take_while(|(a, b)| a == b).count();
        indent = indent.get(..shared).filter(|indent| !indent.is_empty())?;
    }
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        out.push_str(line.strip_prefix(indent).unwrap_or(line));
        out.push('\n');
    }
    (!indent.is_empty()).then(|| out.into_bytes())
}

/// The width, by the underline that PowerShell draws, where its other marks are there too.
fn width(text: &str) -> Option<usize> {
    let marks = ["CategoryInfo", "FullyQualifiedErrorId"];
    let underline = text.lines().map(str::trim_end).filter(|line| {
        let rest = line.trim_start_matches(['+', ' ']);
        rest.len() >= 3 && rest.bytes().all(|b| b == b'~')
    });
    let width = underline.map(|line| line.chars().count()).max()?;
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    marks.iter().any(|mark| dense.contains(mark)).then_some(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_spaces_are_joined() {
        let text = "npx : Error: \nP1001: Can't reach \ndatabase server at `get\nplanning:5432`\n+ ~~~~~~~~~~~~~~~~~~~~~\n    + CategoryInfo\n";
        let joined = unwrap(text.as_bytes()).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap();
        assert!(joined.contains("Error: P1001: Can't reach database server at `getplanning:5432`"), "{joined}");
        assert_eq!(unwrap(b"plain\n~~~~~~\n"), None);
    }

    #[test]
    fn an_indent_that_all_lines_share_is_taken_off() {
        let text = |bytes: &[u8]| dedent(bytes).map(|b| String::from_utf8_lossy(&b).into_owned());
        assert_eq!(text(b"    Error: P3018\n\n      detail\n").as_deref(), Some("Error: P3018\n\n  detail\n"));
        assert_eq!(
            text(b"\tError: P3018\n\tMigration name: a\n").as_deref(),
            Some("Error: P3018\nMigration name: a\n")
        );
        assert_eq!(text(b"  Done.\nError: P3018\n"), None);
        assert_eq!(text(b"\n"), None);
    }
}
