//! How a signing secret is shown: with its value once, in the answer to its creation, and never again. A private key is
//! never shown, as its receiver needs the public half only; that is always shown.

use std::fmt;

use serde::Serialize;

use crate::model::{HmacKey, Secret, SecretType, SigningKey};

/// A secret.
#[derive(Serialize)]
pub(super) struct SecretView {
    id: String,
    #[serde(rename = "type")]
    kind: SecretType,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    created_at: String,
    expires_at: Option<String>,
}

impl SecretView {
    /// The secret as everybody may see it.
    pub(super) fn new(secret: &Secret) -> Self {
        let public_key = match &secret.key {
            SigningKey::Hmac(_) => None,
            SigningKey::Ed25519(key) => Some(key.public()),
        };
        Self {
            id: secret.id.to_string(),
            kind: secret.key.kind(),
            public_key,
            value: None,
            created_at: secret.created_at.to_string(),
            expires_at: secret.expires_at.map(|at| at.to_string()),
        }
    }

    /// The secret with the value that the receiver needs, for whoever just made it.
    pub(super) fn with_value(secret: &Secret) -> Self {
        Self { value: secret.key.as_hmac().map(HmacKey::reveal), ..Self::new(secret) }
    }
}

impl fmt::Debug for SecretView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretView({}, [REDACTED])", self.id)
    }
}
