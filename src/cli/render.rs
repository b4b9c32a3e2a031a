//! A verdict for people's eyes, and for the annotations of GitHub Actions.

use std::fmt::Write;

use crate::classify::{Outcome, Tool, Verdict};

/// The verdict as a short page.
pub fn text(tool: Tool, verdict: &Verdict, colour: bool) -> String {
    let code = match verdict.outcome {
        Outcome::Succeeded => "32",
        Outcome::Pending | Outcome::Unknown => "33",
        Outcome::Failed => "31",
    };
    let (on, off) = if colour { (format!("\u{1b}[1;{code}m"), "\u{1b}[0m") } else { (String::new(), "") };
    let mut out = format!("{on}{}{off}\n", title(verdict));
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<11} {value}");
    };
    row("tool", &tool.to_string());
    if let Some(name) = &verdict.migration {
        row("migration", name);
    }
    if let Some(code) = &verdict.code {
        row("code", code);
    }
    if let Some(state) = verdict.sql_state.as_ref().filter(|state| Some(*state) != verdict.code.as_ref()) {
        row("SQLSTATE", state);
    }
    if let Some(reason) = &verdict.reason {
        row("meaning", reason.entry().meaning);
        row("way out", reason.entry().way_out);
    }
    if let Some(branch) = verdict.branch {
        row("branch", &branch.to_string());
        row("retryable", if verdict.retryable { "yes" } else { "no" });
    }
    row("confidence", &verdict.confidence.to_string());
    if !verdict.evidence.is_empty() {
        row("evidence", "");
        for line in &verdict.evidence {
            let _ = writeln!(out, "    | {line}");
        }
    }
    out
}

/// The verdict as one workflow command.
pub fn github(verdict: &Verdict) -> String {
    let level = match verdict.outcome {
        Outcome::Succeeded => "notice",
        Outcome::Pending => "warning",
        Outcome::Failed | Outcome::Unknown => "error",
    };
    let mut body = Vec::new();
    if let Some(name) = &verdict.migration {
        body.push(format!("Migration: {name}"));
    }
    if let Some(code) = &verdict.code {
        body.push(format!("Code: {code}"));
    }
    if let Some(reason) = &verdict.reason {
        body.push(format!("{} {}", reason.entry().meaning, reason.entry().way_out));
    }
    body.extend(verdict.evidence.iter().cloned());
    if body.is_empty() {
        body.push(title(verdict));
    }
    format!("::{level} title={}::{}\n", property(&title(verdict)), data(&body.join("\n")))
}

fn title(verdict: &Verdict) -> String {
    match (verdict.class, &verdict.reason) {
        (Some(class), Some(reason)) => format!("{}: {class}, {reason}", verdict.outcome),
        (Some(class), None) if class.to_string() != verdict.outcome.to_string() => {
            format!("{}: {class}", verdict.outcome)
        }
        _ => verdict.outcome.to_string(),
    }
}

/// Escapes what follows the second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Confidence, Reason};

    fn verdict() -> Verdict {
        let evidence = vec!["ERROR: could not create unique index".to_owned(), "::error::100% planted".to_owned()];
        Verdict::failed(Reason::UNIQUE_VIOLATION, Confidence::High, evidence)
    }

    #[test]
    fn people_get_the_way_out_and_no_colour_unless_asked() {
        let page = text(Tool::Prisma, &verdict(), false);
        assert!(page.starts_with("Failed: DataConflict, UniqueViolation\n"), "{page}");
        assert!(page.contains("way out") && page.contains("    | ERROR: could not create unique index"));
        assert!(!page.contains('\u{1b}'));
        assert!(text(Tool::Prisma, &verdict(), true).contains("\u{1b}[1;31m"));
    }

    #[test]
    fn an_annotation_is_one_line_and_evidence_cannot_start_another() {
        let line = github(&verdict());
        assert!(line.starts_with("::error title=Failed%3A DataConflict%2C UniqueViolation::"), "{line}");
        assert_eq!(line.trim_end().lines().count(), 1);
        assert!(line.contains("100%25 planted"));
    }
}
