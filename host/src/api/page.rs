//! The one form of every list.

use schemars::JsonSchema;
use serde::Serialize;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub(super) struct Page<T> {
    /// The items.
    pub(super) data: Vec<T>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    pub(super) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is never long enough for pages.
    pub(super) const fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}
