//! How an API key is shown. Its text is shown once, in the answer to its creation; its hash never.

use serde::Serialize;

use crate::model::{ApiKey, ApiKeyRecord};

/// A key as every administrator may see it.
#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    id: String,
    scope: String,
    description: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

/// A key for whoever just made it.
#[derive(Serialize)]
pub(super) struct NewKeyView {
    #[serde(flatten)]
    view: KeyView,
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
