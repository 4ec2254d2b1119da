//! How a signing secret is shown: with its value once, in the answer to its creation, and never again. A private key is
//! never shown, as its receiver needs the public half only; that is always shown.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{HmacKey, Secret, SecretId, SecretType, SigningKey};
use crate::openapi::Time;

/// A signing secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
pub(super) struct SecretView {
    /// Its id.
    #[schemars(with = "SecretId")]
    id: String,
    /// How it signs.
    #[serde(rename = "type")]
    kind: SecretType,
    /// What verifies the signatures of an ed25519 secret: `whpk_` and base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    public_key: Option<String>,
    /// What verifies the signatures of a symmetric one: `whsec_` and base64. In the answer to its creation only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    value: Option<String>,
    /// When it was added.
    #[schemars(with = "Time")]
    created_at: String,
    /// From when on it signs nothing; `null` = it does not expire.
    #[schemars(with = "Option<Time>")]
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
