//! Structured logs through `tracing`, to standard error.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// Changes what is logged.
pub struct Level(Box<dyn Fn(EnvFilter) + Send + Sync>);

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
pub fn init(options: &Options) -> Result<Level, Error> {
    let filter = options.filter()?;
    // Colours are for people: a file or a collector would get escape sequences.
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A second start in one process keeps the first one's logging, which is what its owner wants. A level that cannot be
    // changed belongs to such a start.
    Ok(match options.format {
        Format::Text => {
            let builder = builder.with_target(false).with_filter_reloading();
            let level = builder.reload_handle();
            let _ = builder.try_init();
            Level(Box::new(move |filter| {
                let _ = level.reload(filter);
            }))
        }
        Format::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let level = builder.reload_handle();
            let _ = builder.try_init();
            Level(Box::new(move |filter| {
                let _ = level.reload(filter);
            }))
        }
    })
}

impl Level {
    /// Logs by these options from now on; the format stays.
    ///
    /// # Errors
    /// The filter is malformed; nothing is changed.
    pub fn set(&self, options: &Options) -> Result<(), Error> {
        (self.0)(options.filter()?);
        Ok(())
    }
}

impl Options {
    fn filter(&self) -> Result<EnvFilter, Error> {
        EnvFilter::try_new(&self.level).map_err(|_| Error(self.level.clone()))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}
