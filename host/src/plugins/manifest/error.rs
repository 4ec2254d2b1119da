//! What is wrong with a manifest, in a sentence.

use serde_path_to_error::{Error as Located, Path, Segment};
use toml::de::{DeTable, DeValue, Error as TomlError};

use super::MAX_BYTES;
use crate::plugins::text::clean;

/// Why a manifest is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// Which file.
        file: String,
        /// Why.
        reason: String,
    },
    /// It is too big.
    #[error("{file} is larger than {} KiB: leave out samples, or make their data smaller", MAX_BYTES >> 10)]
    TooBig {
        /// Which file.
        file: String,
    },
    /// It is no text.
    #[error("{file}, line {line}: this is not UTF-8; write the file as UTF-8 text")]
    NotText {
        /// Which file.
        file: String,
        /// Where the text ends.
        line: usize,
    },
    /// Something in it cannot be taken.
    #[error("{file}, line {line}{}: {problem}", in_key(.key))]
    Invalid {
        /// Which file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key, as `limits.deadline_ms`; empty where the file is no TOML at all.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl ManifestError {
    /// No TOML at all.
    pub(super) fn syntax(file: &str, text: &str, error: &TomlError) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        Self::new(file, text, start, "", error)
    }

    /// TOML with something in it that cannot be taken.
    pub(super) fn value(file: &str, text: &str, error: &Located<TomlError>) -> Self {
        let path = error.path();
        let span = error.inner().span().map_or(0, |span| span.start);
        // The span of what is wrong in a list is that of the list.
        let start = path_start(text, path).unwrap_or(0).max(span);
        Self::new(file, text, start, &path.to_string(), error.inner())
    }

    /// `limits.KEY` is right in itself, but the operator does not allow it.
    pub(super) fn limit(file: &str, text: &str, key: &str, problem: String) -> Self {
        let start = DeTable::parse(text).ok().and_then(|document| {
            let limits = document.get_ref().get("limits")?.get_ref().as_table()?;
            limits.get(key).map(|value| value.span().start)
        });
        let (file, line) = (file.to_owned(), line(text, start.unwrap_or(0)));
        Self::Invalid { file, line, key: format!("limits.{key}"), problem }
    }

    fn new(file: &str, text: &str, start: usize, key: &str, error: &TomlError) -> Self {
        let problem = error.message().trim().replace('\n', ", ");
        Self::Invalid {
            file: file.to_owned(),
            line: line(text, start),
            key: clean(key),
            problem: clean(&problem),
        }
    }
}

/// Where the last part of a path begins that is there.
fn path_start(text: &str, path: &Path) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut segments = path.iter();
    let Some(Segment::Map { key }) = segments.next() else { return None };
    let (name, mut value) = document.get_ref().get_key_value(key.as_str())?;
    let mut start = name.span().start;
    for segment in segments {
        let next = match (segment, value.get_ref()) {
            (Segment::Map { key }, DeValue::Table(table)) => {
                table.get_key_value(key.as_str()).map(|(name, value)| (name.span(), value))
            }
            (Segment::Seq { index }, DeValue::Array(array)) => {
                array.get(*index).map(|value| (value.span(), value))
            }
            _ => None,
        };
        let Some((span, inner)) = next else { break };
        (start, value) = (span.start, inner);
    }
    Some(start)
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn in_key(key: &str) -> String {
    if key.is_empty() || key == "." { String::new() } else { format!(", `{key}`") }
}
