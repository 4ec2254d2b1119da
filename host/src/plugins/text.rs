//! Text from guests, made safe to store and to show.

use std::fmt::Write;

/// A reason or message of a guest is for one line of a log or a page.
pub(super) const MAX_TEXT: usize = 1024;

/// At most [`MAX_TEXT`] bytes of `text`, with control characters (line breaks, ANSI escapes) written as escapes.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(MAX_TEXT));
    for c in text.chars() {
        let start = clean.len();
        if is_harmless(c) {
            clean.push(c);
        } else {
            let _ = write!(clean, "{}", c.escape_default());
        }
        if clean.len() > MAX_TEXT {
            clean.truncate(start);
            clean.push('…');
            break;
        }
    }
    clean
}

/// Bidirectional controls can make a line read as something else than it is.
fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_long_texts_are_cut() {
        assert_eq!(clean("a\r\nb\u{1b}[31m\u{202e}ü"), "a\\r\\nb\\u{1b}[31m\\u{202e}ü");
        let cut = clean(&"ü".repeat(2_000));
        assert!(cut.len() <= MAX_TEXT + '…'.len_utf8() && cut.ends_with("ü…"));
    }
}
