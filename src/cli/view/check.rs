//! What was found of a cluster, a line each.

use super::style::{Style, Tone, wrap};

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    tone: Tone,
    what: String,
    says: String,
}

impl Finding {
    /// As it should be.
    pub fn good(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { tone: Tone::Good, what: what.into(), says: says.into() }
    }

    /// Nothing works before it is mended.
    pub fn wrong(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { tone: Tone::Bad, what: what.into(), says: says.into() }
    }

    /// Worth to know; it may be meant so.
    pub fn doubtful(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { tone: Tone::Waiting, what: what.into(), says: says.into() }
    }

    /// It could not be looked at.
    pub fn unknown(what: impl Into<String>, says: impl Into<String>) -> Self {
        Self { tone: Tone::Plain, what: what.into(), says: says.into() }
    }

    /// Whether it has to be mended.
    pub fn is_wrong(&self) -> bool {
        self.tone == Tone::Bad
    }
}

const WIDTH: usize = 80;

/// The findings under each other; what is said wraps beside what it is said of.
pub fn page(findings: &[Finding], style: Style) -> String {
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or_default();
    let indent = width + 4;
    let mut out = String::new();
    for finding in findings {
        let lines = wrap(&finding.says, WIDTH.saturating_sub(indent));
        let what = style.marked(finding.tone, &format!("{:<width$}", finding.what));
        out.push_str(&format!("{what}  {}\n", lines.first().map(String::as_str).unwrap_or_default()));
        for line in lines.iter().skip(1) {
            out.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_columns_and_wrap() {
        let long = "word ".repeat(20);
        let page =
            page(&[Finding::good("gate", "AdmissionPolicy"), Finding::wrong("operator", long)], Style::default());
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines[0], "✔ gate      AdmissionPolicy");
        assert!(lines[1].starts_with("✖ operator  word") && lines[2].starts_with("            word"), "{page}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
