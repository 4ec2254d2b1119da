//! Where results go: lines and tables for people, the API's JSON for scripts.
//!
//! Results go to standard output; everything about how they came to be (progress, hints, errors) to standard error.
//! Colour is for terminals only, and `NO_COLOR` (<https://no-color.org>) turns it off.

use std::io::{self, IsTerminal as _, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::value::RawValue;

use super::error::Error;
use super::line::{Line, harmless};
use super::pretty::on_one_line;

/// The two streams and what may be written to them.
pub(crate) struct Output {
    out: Box<dyn Write>,
    colour: bool,
    /// Whether a script reads.
    pub(crate) json: bool,
}

/// An element of a list as a row for people.
pub(super) trait Row: serde::de::DeserializeOwned {
    /// The names of the columns.
    const HEAD: &'static [&'static str];

    /// As many texts as there are columns.
    fn cells(self) -> Vec<String>;
}

impl Output {
    /// The streams of the process.
    pub(crate) fn standard(environment: &[(String, String)], json: bool) -> Self {
        let is = |name: &str, test: fn(&str) -> bool| environment.iter().any(|(n, v)| n == name && test(v));
        let plain = is("NO_COLOR", |value| !value.is_empty()) || is("TERM", |value| value == "dumb");
        let colour = io::stdout().is_terminal() && !plain;
        Self { out: Box::new(io::stdout()), colour, json }
    }

    /// Lines for people.
    ///
    /// # Errors
    /// Nobody reads.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), Error> {
        for line in lines {
            writeln!(self.out, "{}", line.render(self.colour))?;
        }
        Ok(self.out.flush()?)
    }

    /// One line for people.
    ///
    /// # Errors
    /// Nobody reads.
    pub(crate) fn line(&mut self, line: impl Into<Line>) -> Result<(), Error> {
        self.lines([line.into()])
    }

    /// A line that an answer is typed behind.
    ///
    /// # Errors
    /// Nobody reads.
    pub(super) fn unfinished_line(&mut self, line: Line) -> Result<(), Error> {
        write!(self.out, "{}", line.render(self.colour))?;
        Ok(self.out.flush()?)
    }

    /// A text that is a file: as it is.
    ///
    /// # Errors
    /// Nobody reads.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Error> {
        write!(self.out, "{text}")?;
        Ok(self.out.flush()?)
    }

    /// JSON for scripts, on one line.
    ///
    /// # Errors
    /// Nobody reads.
    pub(crate) fn json(&mut self, json: &str) -> Result<(), Error> {
        writeln!(self.out, "{}", on_one_line(json))?;
        Ok(self.out.flush()?)
    }

    /// Elements of a list: a table, or one object a line. Only the first page `has_head`.
    ///
    /// # Errors
    /// Nobody reads, or the API sends what this version does not know.
    pub(super) fn rows<R: Row>(&mut self, data: &[Box<RawValue>], has_head: bool) -> Result<(), Error> {
        if self.json {
            return data.iter().try_for_each(|element| self.json(element.get()));
        }
        let rows = data.iter().map(|element| serde_json::from_str(element.get()).map(R::cells));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(|error| not_understood(&error))?;
        write!(self.out, "{}", table(R::HEAD, rows, has_head))?;
        Ok(self.out.flush()?)
    }

    /// A table for people.
    ///
    /// # Errors
    /// Nobody reads.
    pub(crate) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) -> Result<(), Error> {
        write!(self.out, "{}", table(head, rows, true))?;
        Ok(self.out.flush()?)
    }
}

/// What to say about an answer of another form than expected.
pub(super) fn not_understood(error: &serde_json::Error) -> Error {
    Error::Failed(format!(
        "the answer of the gateway is not as expected ({error}); is it of another version?"
    ))
}

/// A hint for people, beside the results.
pub(super) fn hint(text: &str) {
    // Nobody to tell that telling failed.
    let _ = writeln!(io::stderr(), "{}", harmless(text));
}

/// Columns side by side and nothing else, so that `cut` and `awk` can read it, too. Cells are never wrapped: half an
/// id cannot be copied.
fn table(head: &[&str], rows: Vec<Vec<String>>, has_head: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if has_head {
        table.set_header(head);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { harmless(cell) }));
    }
    table.lines().map(|line| format!("{}\n", line.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_columns_without_control_characters() {
        let rows = vec![vec!["ep_1".to_owned(), "a\nb".to_owned()], vec!["ep_22".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "TEXT"], rows.clone(), true), "ID     TEXT\nep_1   a\\nb\nep_22  -\n");
        assert_eq!(table(&["ID", "TEXT"], rows, false), "ep_1   a\\nb\nep_22  -\n");
    }
}
