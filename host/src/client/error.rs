//! Why a command did not do what it was asked, as a sentence and as an exit code.
//!
//! The exit codes are a promise to scripts: they are documented in `--help` and docs/cli.md and never change.

use std::io;

use serde::Deserialize;

use super::line::harmless;

/// What goes wrong on this side of the API, and what the API says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The gateway refused or failed.
    #[error("{0}")]
    Problem(Problem),
    /// What was typed, or what a profile says, makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There was no answer.
    #[error("{0}")]
    Unreachable(String),
    /// A signature or the audit log is not what it should be.
    #[error("{0}")]
    Unverified(String),
    /// Something would change, which is what was asked.
    #[error("something would change")]
    Pending,
    /// Anything else: a file that cannot be read, an answer that makes no sense.
    #[error("{0}")]
    Failed(String),
    /// Whoever read standard output has gone, as `head` does. Nothing is wrong.
    #[error("nobody reads the output any more")]
    OutputClosed,
}

/// The part of a problem document (RFC 9457) that people are shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The sentence that says what to change.
    pub detail: String,
    /// The JSON pointer of the field that is wrong.
    pub pointer: Option<String>,
    /// The line of NDJSON that is wrong, counted from 1.
    pub line: Option<usize>,
    /// Under what the log of the gateway has the cause.
    pub request_id: Option<String>,
}

impl Error {
    /// What the process ends with.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Problem(problem) => match problem.status {
                404 => 3,
                401 | 403 => 4,
                409 => 5,
                _ => 1,
            },
            Self::Unreachable(_) => 6,
            Self::Unverified(_) => 7,
            Self::Pending => 8,
        }
    }

    /// What to show people. Files and gateways have texts of others, and a terminal obeys control characters.
    #[must_use]
    pub fn sentence(&self) -> String {
        let text = self.to_string();
        text.lines().map(harmless).collect::<Vec<_>>().join("\n")
    }

    /// Whether there is nothing to tell: all was said, or nobody listens.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self, Self::OutputClosed | Self::Pending)
    }
}

impl Problem {
    /// Whether it is about what was sent, so that sending less or something else may help.
    pub(super) const fn is_about_content(&self) -> bool {
        self.line.is_some() || matches!(self.status, 400 | 409 | 413 | 422)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(pointer) = &self.pointer {
            write!(f, " (at {pointer})")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " ({id})")?;
        }
        Ok(())
    }
}

/// Writing to standard output.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::OutputClosed
        } else {
            Self::Failed(format!("cannot write the output: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16) -> Problem {
        Problem { status, detail: "no".to_owned(), pointer: None, line: None, request_id: None }
    }

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let statuses = [(404, 3), (401, 4), (403, 4), (409, 5), (400, 1), (422, 1), (500, 1), (503, 1)];
        for (status, code) in statuses {
            assert_eq!(Error::Problem(problem(status)).exit_code(), code, "{status}");
        }
        assert_eq!(Error::Usage(String::new()).exit_code(), 2);
        assert_eq!(Error::Unreachable(String::new()).exit_code(), 6);
        assert_eq!(Error::Unverified(String::new()).exit_code(), 7);
        assert_eq!(Error::Pending.exit_code(), 8);
    }

    #[test]
    fn no_control_character_of_others_is_shown() {
        let error = Error::Failed("a.toml: `\u{1b}]0;x`\nb.toml: `\u{202e}`".to_owned());
        assert_eq!(error.sentence(), "a.toml: `\\u{1b}]0;x`\nb.toml: `\\u{202e}`");
    }

    #[test]
    fn a_problem_names_the_field() {
        let problem = Problem { pointer: Some("/url".to_owned()), ..problem(422) };
        assert_eq!(problem.to_string(), "no (at /url)");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let error = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(error.is_silent() && error.exit_code() == 0);
    }
}
