//! What a file of events holds: one JSON, which may stand on many lines, or NDJSON, one event a line.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::IgnoredAny;

/// A line of NDJSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counts from 1, blank lines included.
    pub(super) number: usize,
    pub(super) text: String,
}

/// A file of events, begun.
pub(super) enum Content<R> {
    /// All of it is one JSON.
    One(String),
    /// One event a line.
    Many(Lines<R>),
}

/// The lines that are not blank, as they come in.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    number: usize,
    /// A line that was read already.
    next: Option<Line>,
}

impl<R: Read> Content<R> {
    /// Begins to read: a first line that is JSON by itself makes it NDJSON. What is no JSON either way is left to the gateway,
    /// which says what is wrong with its first line.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn begin(reader: R, buffer: usize) -> io::Result<Self> {
        let mut lines = Lines { reader: BufReader::with_capacity(buffer, reader), number: 0, next: None };
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
        let reader = BufReader::with_capacity(buffer, lines.reader.into_inner());
        let next =
            Some(Line { number: first.number, text: all.lines().next().unwrap_or_default().to_owned() });
        Ok(Self::Many(Lines { reader, number: first.number, next }))
    }
}

impl<R: Read> Lines<R> {
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

    /// Whether a whole line is there already, so that reading it waits for nobody.
    pub(super) fn is_next_here(&self) -> bool {
        self.next.is_some() || self.reader.buffer().contains(&b'\n')
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

    fn numbers(text: &str) -> Vec<usize> {
        let Content::Many(mut lines) = Content::begin(text.as_bytes(), 64).unwrap() else { panic!("one") };
        std::iter::from_fn(|| lines.next().unwrap()).map(|line| line.number).collect()
    }

    #[test]
    fn one_json_may_stand_on_many_lines() {
        for text in ["{\n \"event\": \"a\"\n}\n", "\n{\n}"] {
            let content = Content::begin(text.as_bytes(), 64).unwrap();
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
        assert_eq!(numbers("{\n{}\n"), [1]);
    }

    #[test]
    fn a_line_is_here_only_with_its_end() {
        let Content::Many(mut lines) = Content::begin(&b"1\n2\n3"[..], 64).unwrap() else { panic!("one") };
        assert!(lines.is_next_here());
        lines.next().unwrap();
        assert!(lines.is_next_here());
        lines.next().unwrap();
        assert!(!lines.is_next_here());
    }

    #[test]
    fn a_line_that_is_not_text_is_named() {
        let Content::Many(mut lines) = Content::begin(&b"{}\n\xff\n"[..], 64).unwrap() else { panic!("one") };
        lines.next().unwrap();
        assert!(lines.next().unwrap_err().to_string().contains("line 2"));
    }
}
