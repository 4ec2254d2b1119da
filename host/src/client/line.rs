//! Lines for people: pieces of text, each with a tone.
//!
//! What is shown comes from customers, producers and receivers. A terminal obeys control characters, so none of
//! theirs gets through: every text is made harmless here, and the only escape codes are the ones that a tone makes.

use anstyle::{AnsiColor, Effects, Style};

/// How a piece of text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Warning,
}

/// One line, without its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line of one piece.
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().and(tone, text)
    }

    /// The line with a piece more.
    pub(crate) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// The line moved to the right.
    pub(crate) fn indented(mut self) -> Self {
        self.0.insert(0, (Tone::Plain, "  ".to_owned()));
        self
    }

    /// The text to write.
    pub(crate) fn render(&self, colour: bool) -> String {
        let piece = |(tone, text): &(Tone, String)| {
            let text = harmless(text);
            match tone.style().filter(|_| colour) {
                Some(style) => format!("{style}{text}{style:#}"),
                None => text,
            }
        };
        self.0.iter().map(piece).collect()
    }
}

impl Tone {
    fn style(self) -> Option<Style> {
        Some(match self {
            Self::Plain => return None,
            Self::Strong => Style::new() | Effects::BOLD,
            Self::Faint => Style::new() | Effects::DIMMED,
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
        })
    }
}

impl<T: Into<String>> From<T> for Line {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// The lines of a text.
pub(super) fn lines(tone: Tone, text: &str) -> Vec<Line> {
    text.lines().map(|line| Line::new(tone, line)).collect()
}

/// The text with control characters and those that turn the direction of writing spelt out. A tab stays.
pub(super) fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_seen_only_in_colour() {
        let line = Line::new(Tone::Bad, "500").and(Tone::Plain, " oops");
        assert_eq!(line.render(false), "500 oops");
        assert_eq!(line.render(true), "\u{1b}[31m500\u{1b}[0m oops");
    }

    #[test]
    fn escape_codes_of_others_are_spelt_out() {
        let line = Line::from("a\u{1b}]0;owned\u{7}\u{9b}31m\rb\u{202e}c\td grün");
        assert_eq!(line.render(true), "a\\u{1b}]0;owned\\u{7}\\u{9b}31m\\rb\\u{202e}c\td grün");
    }
}
