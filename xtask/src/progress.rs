//! Progress for people: a bar on a terminal, a line per quarter elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use crate::tools::step;

const TEMPLATE: &str = "    {msg} [{bar:40}] {pos}/{len} {per_sec}";

/// How far a step has come.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    what: &'static str,
    total: u64,
    done: u64,
}

impl Progress {
    /// Begins a step of `total` pieces.
    pub(crate) fn begin(what: &'static str, total: usize) -> Self {
        let total = u64::try_from(total).unwrap_or(u64::MAX);
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_message(what);
        Self { bar, what, total, done: 0 }
    }

    /// One piece more is done.
    pub(crate) fn advance(&mut self) {
        self.done += 1;
        self.bar.inc(1);
        if self.bar.is_hidden() && is_quarter(self.done, self.total) {
            step(&format!("{}: {} of {}", self.what, self.done, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}

/// Whether `done` is the first to reach a quarter, half, three quarters or all of `total`.
const fn is_quarter(done: u64, total: u64) -> bool {
    done > 0 && done * 4 / total != (done - 1) * 4 / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_lines_for_any_number_of_pieces() {
        for total in [4, 5, 7, 100, 331] {
            assert_eq!((1..=total).filter(|&done| is_quarter(done, total)).count(), 4, "{total}");
        }
        assert_eq!((1..=1).filter(|&done| is_quarter(done, 1)).count(), 1);
    }
}
