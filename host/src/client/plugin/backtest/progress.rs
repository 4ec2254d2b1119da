//! A bar on standard error while events are judged; nothing where no terminal is.

use indicatif::{ProgressBar, ProgressStyle};

use super::reading::Counts;

const TEMPLATE: &str = "{bar:30} {human_pos}/{human_len} events  {per_sec}  {msg}";

/// How far it is.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// For so many events at most: how many there are, nobody knows before.
    pub(super) fn begin(limit: u64) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(limit).with_style(style.progress_chars("=> ")))
    }

    pub(super) fn advance(&self, counts: &Counts) {
        let word = if counts.different == 1 { "difference" } else { "differences" };
        self.0.set_message(format!("{} {word}", counts.different));
        self.0.set_position(counts.events);
    }

    /// Shows something above the bar.
    pub(super) fn aside<T>(&self, show: impl FnOnce() -> T) -> T {
        self.0.suspend(show)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
