//! What a file of events holds: one JSON, which may stand on many lines, or NDJSON, one event a line.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::IgnoredAny;

/// Of a file, this much is read at once; of a pipe, what is there.
const BUFFER: usize = 1024 * 1024;

/// A line of NDJSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counts from 1, blank lines included.
    pub(super) number: usize,
    pub(super) text: String,
}

/// Where lines come from.
pub(super) type Source = Box<dyn Read + Send>;

/// A file of events, begun.
pub(super) enum Content {
    /// All of it is one JSON.
    One(String),
    /// One event a line.
    Many(Lines),
}

/// The lines that are not blank, as they come in.
pub(super) struct Lines {
    reader: BufReader<Source>,
    number: usize,
    /// A line that was read already.
    next: Option<Line>,
}

impl Content {
    /// Begins to read: a first line that is not the beginning of something longer makes it NDJSON. What is no JSON
    /// either way is left to the gateway, which says what is wrong with each line.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn begin(source: Source) -> io::Result<Self> {
        let mut lines = Lines { reader: BufReader::with_capacity(BUFFER, source), number: 0, next: None };
        let Some(first) = lines.next()? else { return Ok(Self::Many(lines)) };
        if !begins_json(&first.text) {
            lines.next = Some(first);
            return Ok(Self::Many(lines));
        }
        let mut all = first.text;
        lines.reader.read_to_string(&mut all)?;
        if is_json(&all) {
            return Ok(Self::One(all));
        }
        let again: Source = Box::new(io::Cursor::new(all));
        Ok(Self::Many(Lines { reader: BufReader::new(again), number: first.number - 1, next: None }))
    }
}

impl Lines {
    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.next.take() {
            return Ok(Some(line));
        }
        loop {
            let mut bytes = Vec::new();
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let text = String::from_utf8(bytes).map_err(|_| {
                let why = format!("line {} is not text in UTF-8", self.number);
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            if !text.trim().is_empty() {
                return Ok(Some(Line { number: self.number, text }));
            }
        }
    }

    /// Whether a whole line that is not blank is there already, so that reading it waits for nobody.
    pub(super) fn is_next_here(&self) -> bool {
        let buffer = self.reader.buffer();
        let whole_lines =
            buffer.iter().rposition(|byte| *byte == b'\n').map_or(&[][..], |end| &buffer[..end]);
        self.next.is_some() || !whole_lines.trim_ascii().is_empty()
    }
}

/// Whether the line is the beginning of JSON that goes on on other lines.
fn begins_json(line: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(text: &'static [u8]) -> Content {
        Content::begin(Box::new(text)).unwrap()
    }

    fn many(text: &'static [u8]) -> Lines {
        let Content::Many(lines) = begin(text) else { panic!("one") };
        lines
    }

    fn numbers(text: &'static str) -> Vec<usize> {
        let mut lines = many(text.as_bytes());
        std::iter::from_fn(|| lines.next().unwrap()).map(|line| line.number).collect()
    }

    #[test]
    fn one_json_may_stand_on_many_lines() {
        for text in ["{\n \"event\": \"a\"\n}\n", "\n{\n}"] {
            let content = begin(text.as_bytes());
            assert!(matches!(content, Content::One(all) if is_json(&all)), "{text}");
        }
    }

    #[test]
    fn blank_lines_count_and_are_not_sent() {
        assert_eq!(numbers("{}\n\n{}\r\n  \n{}"), [1, 3, 5]);
        assert_eq!(numbers("{}"), [1]);
        assert_eq!(numbers("\n\n"), [0; 0]);
    }

    #[test]
    fn what_is_no_json_is_a_line_that_the_gateway_will_refuse() {
        assert_eq!(numbers("nonsense\n{}\n"), [1, 2]);
        assert_eq!(numbers("\n{\n{}\n"), [2, 3]);
    }

    #[test]
    fn a_line_is_here_only_with_its_end() {
        assert!(!many(b"\n \n").is_next_here(), "a blank line is none");
        let mut lines = many(b"1\n2\n3");
        assert!(lines.is_next_here());
        lines.next().unwrap();
        assert!(lines.is_next_here());
        lines.next().unwrap();
        assert!(!lines.is_next_here());
    }

    #[test]
    fn a_line_that_is_not_text_is_named() {
        let mut lines = many(b"{}\n\xff\n");
        lines.next().unwrap();
        assert!(lines.next().unwrap_err().to_string().contains("line 2"));
    }
}
