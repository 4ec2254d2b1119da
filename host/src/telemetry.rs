//! Structured logs through `tracing`, to standard error.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// `tracing` filter: a level, or `target=level` pairs separated by commas.
    pub level: String,
    /// For people or for machines.
    pub format: Format,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line of text.
    Text,
    /// One JSON object.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
#[error("log.level: `{0}` is not a level (error, warn, info, debug, trace) or a list of target=level")]
pub struct Error(String);

/// Starts logging for the whole process.
///
/// # Errors
/// The filter is malformed.
pub fn init(options: &Options) -> Result<(), Error> {
    let filter = EnvFilter::try_new(&options.level).map_err(|_| Error(options.level.clone()))?;
    // Colours are for people: a file or a collector would get escape sequences.
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A second start in one process keeps the first one's logging, which is what its owner wants.
    let _ = match options.format {
        Format::Text => builder.with_target(false).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

impl Default for Options {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}
