//! A bar on standard error while events are sent; nothing where no terminal is.

use indicatif::{ProgressBar, ProgressStyle};

const WITH_END: &str = "{bar:30} {bytes}/{total_bytes}  {msg}";
const WITHOUT_END: &str = "{spinner} {bytes}  {msg}";

/// How far it is.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// For so many bytes; of standard input nobody knows.
    pub(super) fn begin(bytes: Option<u64>) -> Self {
        let (bar, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), WITH_END),
            None => (ProgressBar::no_length(), WITHOUT_END),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(bar.with_style(style.progress_chars("=> ")))
    }

    /// These bytes are dealt with.
    pub(super) fn advance(&self, bytes: usize, sent: u64, rate: u64) {
        self.0.set_message(format!("{sent} events, {rate}/s"));
        self.0.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A line above the bar.
    pub(super) fn say(&self, text: &str) {
        self.0.suspend(|| crate::client::output::hint(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
