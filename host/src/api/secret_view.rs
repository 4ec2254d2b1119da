//! How a signing secret is shown: with its value once, in the answer to its creation, and never again.

use std::fmt;

use serde::Serialize;

use crate::model::Secret;

/// A secret.
#[derive(Serialize)]
pub(super) struct SecretView {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    created_at: String,
    expires_at: Option<String>,
}

impl SecretView {
    /// The secret as everybody may see it.
    pub(super) fn new(secret: &Secret) -> Self {
        Self {
            id: secret.id.to_string(),
            value: None,
            created_at: secret.created_at.to_string(),
            expires_at: secret.expires_at.map(|at| at.to_string()),
        }
    }

    /// The secret with its value, for whoever just made it.
    pub(super) fn with_value(secret: &Secret) -> Self {
        Self { value: Some(secret.key.reveal()), ..Self::new(secret) }
    }
}

impl fmt::Debug for SecretView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretView({}, [REDACTED])", self.id)
    }
}
