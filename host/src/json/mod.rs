//! JSON as events hold it: looked at where somebody asks, by value and not by spelling.
//!
//! - A [`Document`] is parsed one level at a time, at the first visit. A [`Subject`] is an event with its document, so that
//!   the filters and plugins of all its endpoints share one parse.
//! - [`Value`]s are ordered, kinds first: `null`, booleans, numbers, texts, arrays, objects. Numbers compare exactly,
//!   whatever their length (`1`, `1.0` and `10e-1` are equal); the order of an object's keys is without meaning.

mod canonical;
mod document;
mod number;
mod order;
mod pointer;
mod subject;

pub use self::document::{Document, Inside, Value, elements, pairs};
pub use self::pointer::{MAX_STEPS, escape, unescape};
pub use self::subject::{Rehearsal, Subject};
