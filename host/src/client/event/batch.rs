//! Lines that are sent together, and how they are divided when the gateway refuses them.
//!
//! The gateway takes all lines of a request or none. When it refuses, the lines before the one that it names are
//! sent by themselves, so that everything before a bad line arrives and nothing of it is sent twice.

use std::io;

use super::lines::{Line, Lines};

/// Half of what a gateway takes in one request unless its settings say otherwise.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The next lines from `from_line` on: those that are here already, at most `max`; waits for the first of them. None
/// at the end.
///
/// # Errors
/// They cannot be read.
pub(super) fn gather(lines: &mut Lines, max: usize, from_line: usize) -> io::Result<Vec<Line>> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < max && bytes < MAX_BYTES && (batch.is_empty() || lines.is_next_here()) {
        let Some(line) = lines.next()? else { break };
        if line.number >= from_line {
            bytes += line.text.len();
            batch.push(line);
        }
    }
    Ok(batch)
}

/// The body of a request with these lines: no blank ones, so that the gateway counts as [`divide`] does.
pub(super) fn body(lines: &[Line]) -> String {
    let mut body = String::new();
    for line in lines {
        body.push_str(line.text.trim_end());
        body.push('\n');
    }
    body
}

/// Two or more lines that were refused, in two parts: before and from the line that was named, counted from 1; by
/// halves if none was.
pub(super) fn divide(lines: &[Line], named: Option<usize>) -> (&[Line], &[Line]) {
    let at = named.map_or(lines.len() / 2, |line| line.saturating_sub(1)).clamp(1, lines.len() - 1);
    lines.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::super::lines::Content;
    use super::*;

    fn all(text: &'static str, max: usize, from_line: usize) -> Vec<Vec<usize>> {
        let Content::Many(mut lines) = Content::begin(Box::new(text.as_bytes())).unwrap() else {
            panic!("one")
        };
        let next = || gather(&mut lines, max, from_line).ok().filter(|batch| !batch.is_empty());
        std::iter::from_fn(next).map(|batch| batch.iter().map(|line| line.number).collect()).collect()
    }

    #[test]
    fn batches_have_at_most_so_many_lines_and_begin_where_they_should() {
        assert_eq!(all("1\n2\n\n4\n5\n", 2, 1), [vec![1, 2], vec![4, 5]]);
        assert_eq!(all("1\n2\n3\n4\n5\n", 2, 3), [[3, 4].to_vec(), [5].to_vec()]);
        assert_eq!(all("1\n2\n", 2, 9), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn a_bad_line_ends_up_alone() {
        let lines: Vec<_> = (1..=5).map(|number| Line { number, text: format!("{number}\n") }).collect();
        let sizes = |named| {
            let (before, from) = divide(&lines, named);
            (before.len(), from.len())
        };
        assert_eq!((sizes(Some(1)), sizes(Some(3)), sizes(Some(5))), ((1, 4), (2, 3), (4, 1)));
        assert_eq!((sizes(None), sizes(Some(0)), sizes(Some(99))), ((2, 3), (1, 4), (4, 1)));
        assert_eq!(body(&lines[..2]), "1\n2\n");
    }
}
