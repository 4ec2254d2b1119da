//! Lines for the plugin's log: `log::info!("{} items", n)`.
//!
//! The gateway keeps 1 KiB of a line, 64 lines of a call and 100 lines of a second, and counts what it leaves out.
//! Control characters are shown escaped.

use std::fmt;

#[doc(inline)]
pub use crate::{__debug as debug, __error as error, __info as info, __trace as trace, __warn as warn};

#[cfg(target_arch = "wasm32")]
use crate::source::log as write;
#[cfg(not(target_arch = "wasm32"))]
use crate::source::log::log as write;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For one who follows every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the operator.
    Info,
    /// Something that should not be so.
    Warn,
    /// Something that failed.
    Error,
}

/// Writes one line. The macros of this module are the convenient way.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => write(level, text),
        None => write(level, &message.to_string()),
    }
}

/// Logs at [`Level::Trace`], as [`format!`] formats.
#[macro_export]
#[doc(hidden)]
macro_rules! __trace {
    ($($message:tt)*) => { $crate::log::log($crate::log::Level::Trace, ::core::format_args!($($message)*)) };
}

/// Logs at [`Level::Debug`], as [`format!`] formats.
#[macro_export]
#[doc(hidden)]
macro_rules! __debug {
    ($($message:tt)*) => { $crate::log::log($crate::log::Level::Debug, ::core::format_args!($($message)*)) };
}

/// Logs at [`Level::Info`], as [`format!`] formats.
#[macro_export]
#[doc(hidden)]
macro_rules! __info {
    ($($message:tt)*) => { $crate::log::log($crate::log::Level::Info, ::core::format_args!($($message)*)) };
}

/// Logs at [`Level::Warn`], as [`format!`] formats.
#[macro_export]
#[doc(hidden)]
macro_rules! __warn {
    ($($message:tt)*) => { $crate::log::log($crate::log::Level::Warn, ::core::format_args!($($message)*)) };
}

/// Logs at [`Level::Error`], as [`format!`] formats.
#[macro_export]
#[doc(hidden)]
macro_rules! __error {
    ($($message:tt)*) => { $crate::log::log($crate::log::Level::Error, ::core::format_args!($($message)*)) };
}
