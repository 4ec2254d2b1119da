//! Lines of the log in unit tests: on standard error, where `cargo test` shows them when a test fails, and kept for the test.

use std::cell::RefCell;

use crate::log::Level;

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = RefCell::default();
}

#[expect(clippy::print_stderr, reason = "a test's output is where its log belongs")]
pub(crate) fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
    LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
}

pub(crate) fn take() -> Vec<(Level, String)> {
    LINES.take()
}
