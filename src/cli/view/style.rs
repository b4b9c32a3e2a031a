//! Marks and colours.

/// How a state is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// A person is needed.
    Bad,
    /// Goes on by itself.
    Going,
    /// Waits for something.
    Waiting,
    /// Neither good nor bad.
    Plain,
}

impl Tone {
    /// Its mark, one column wide; it says the same as the colour.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Good => "✔",
            Self::Bad => "✖",
            Self::Going => "◌",
            Self::Waiting => "‖",
            Self::Plain => "•",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Going => "36",
            Self::Waiting => "33",
            Self::Plain => "0",
        }
    }
}

/// How text is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With colours: for a person at a terminal who has not set NO_COLOR.
    pub colour: bool,
}

impl Style {
    /// The mark and the text, in its colour.
    pub fn marked(self, tone: Tone, text: &str) -> String {
        self.paint(tone, &format!("{} {text}", tone.mark()))
    }

    /// The text in its colour.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if self.colour && tone != Tone::Plain {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// Breaks text at spaces into lines of at most `width` characters, where a word allows it.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_only_for_those_who_want_it() {
        assert_eq!(Style { colour: false }.marked(Tone::Bad, "Failed"), "✖ Failed");
        assert_eq!(Style { colour: true }.marked(Tone::Bad, "Failed"), "\u{1b}[31m✖ Failed\u{1b}[0m");
    }

    #[test]
    fn lines_end_between_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("averylongword b", 5), ["averylongword", "b"]);
        assert!(wrap("  ", 5).is_empty());
    }
}
