//! What differs between two texts: the lines that do, with a few around them.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::line::{Line, Tone};

/// Lines shown around each change.
const CONTEXT: usize = 3;
/// Two bodies of a megabyte that have nothing in common would take minutes; after this the diff is coarser, not
/// wrong.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// `-` for what only the old text has, `+` for what only the new one has.
pub(crate) fn diff(old: &str, new: &str) -> Vec<Line> {
    let diff = TextDiff::configure().timeout(TIME_LIMIT).diff_lines(old, new);
    let mut lines = Vec::new();
    for (n, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if n > 0 {
            lines.push(Line::new(Tone::Faint, "..."));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, tone) = match change.tag() {
                ChangeTag::Equal => (' ', Tone::Plain),
                ChangeTag::Delete => ('-', Tone::Bad),
                ChangeTag::Insert => ('+', Tone::Good),
            };
            lines.push(Line::new(tone, format!("{sign} {}", change.value().trim_end_matches('\n'))));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_and_their_surroundings_are_shown() {
        let event: String = (0..20).map(|n| format!("{n}\n")).collect();
        let body = event.replace("5\n", "five\n");
        let shown: Vec<_> = diff(&event, &body).iter().map(|line| line.render(false)).collect();
        assert_eq!(
            shown,
            [
                "  2", "  3", "  4", "- 5", "+ five", "  6", "  7", "  8", "...", "  12", "  13", "  14",
                "- 15", "+ 1five", "  16", "  17", "  18"
            ]
        );
        assert!(diff(&event, &event).is_empty());
    }
}
