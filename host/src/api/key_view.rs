//! How an API key is shown. Its text is shown once, in the answer to its creation; its hash never.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{ApiKey, ApiKeyRecord, KeyId};
use crate::openapi::Time;

/// A key as every administrator may see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(super) struct KeyView {
    /// Its id.
    #[schemars(with = "KeyId")]
    id: String,
    /// What it may do.
    scope: String,
    /// For people.
    description: String,
    /// When it was made.
    #[schemars(with = "Time")]
    created_at: String,
    /// From when on it opens nothing; `null` = it does not expire.
    #[schemars(with = "Option<Time>")]
    expires_at: Option<String>,
    /// When it last opened something.
    #[schemars(with = "Option<Time>")]
    last_used_at: Option<String>,
}

/// A key for whoever just made it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedKey")]
pub(super) struct NewKeyView {
    #[serde(flatten)]
    view: KeyView,
    /// The key itself, this once: send it as `Authorization: Bearer`.
    key: String,
}

impl KeyView {
    pub(super) fn new(record: &ApiKeyRecord) -> Self {
        Self {
            id: record.id.to_string(),
            scope: record.scope.to_string(),
            description: record.description.clone(),
            created_at: record.created_at.to_string(),
            expires_at: record.expires_at.map(|at| at.to_string()),
            last_used_at: record.last_used_at.map(|at| at.to_string()),
        }
    }
}

impl NewKeyView {
    pub(super) fn new(key: &ApiKey, record: &ApiKeyRecord) -> Self {
        Self { view: KeyView::new(record), key: key.reveal() }
    }
}
