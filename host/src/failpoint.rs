//! Steps of the flow at which a test has the process die, as by `kill -9` at that very moment.
//!
//! In a development build the variable `HOOKWAY_FAILPOINT` names one of them. In a release build there are none.

/// Names the step.
#[cfg(debug_assertions)]
const VARIABLE: &str = "HOOKWAY_FAILPOINT";

/// An event was read and is not written.
pub const ACCEPT: &str = "accept";
/// Events are in the file of the log, and not yet on stable storage.
pub const LOG_WRITTEN: &str = "log-written";
/// They are, and nobody was told.
pub const LOG_SYNCED: &str = "log-synced";
/// A delivery has its slot, and nothing is sent.
pub const ATTEMPT: &str = "attempt";
/// The receiver has answered, and nothing of it is written.
pub const ANSWERED: &str = "answered";
/// The end of an attempt and what follows from it are in a transaction that is not committed.
pub const APPLIED: &str = "applied";
/// It is, and the lanes do not know.
pub const RECORDED: &str = "recorded";
/// The store was repaired, converted and brought up to its log, in a transaction that is not committed.
pub const OPENED: &str = "opened";

/// Dies here if this step was named.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "no setting, and of development builds only")]
pub fn reached(step: &str) {
    if std::env::var_os(VARIABLE).is_some_and(|named| named == step) {
        // Nothing is tidied up, as nothing would be; only this process can be meant, so it is not refused.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub const fn reached(_step: &str) {}
