//! API keys: `hk_<id>_<secret>`, of which only a hash is kept.
//!
//! The secret is 256 random bits, so a plain SHA-256 is enough: there is nothing to guess that a slow hash would
//! protect.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use ulid::Ulid;

use super::{KeyId, Scope, UnixMs};

/// A key as its owner holds it. `Debug` shows the id only.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: KeyId,
    secret: String,
}

/// What the store keeps of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKeyRecord {
    /// The part of the key that is no secret.
    pub id: KeyId,
    /// SHA-256 of the secret part.
    pub hash: [u8; 32],
    /// What the key may do.
    pub scope: Scope,
    /// For people.
    pub description: String,
    /// When it was made.
    pub created_at: UnixMs,
    /// From then on it opens nothing; `None` = never.
    pub expires_at: Option<UnixMs>,
    /// When it last opened something, as far as it was written down; `None` = never.
    #[serde(default)]
    pub last_used_at: Option<UnixMs>,
}

impl ApiKey {
    /// A key made at this time from 80 random bits for the id and 256 for the secret.
    #[must_use]
    pub fn new(at: UnixMs, id: u128, secret: [u8; 32]) -> Self {
        Self { id: KeyId::new(at, id), secret: URL_SAFE_NO_PAD.encode(secret) }
    }

    /// The key in this text, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("hk_")?.split_once('_')?;
        Some(Self { id: KeyId::from_u128(Ulid::from_string(id).ok()?.0), secret: secret.to_owned() })
    }

    /// The part that is no secret.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The text that its owner is shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("hk_{}_{}", Ulid(self.id.as_u128()), self.secret)
    }

    /// What the store keeps of it.
    #[must_use]
    pub fn record(&self, scope: Scope, description: &str, created_at: UnixMs) -> ApiKeyRecord {
        ApiKeyRecord {
            id: self.id,
            hash: self.hash(),
            scope,
            description: description.to_owned(),
            created_at,
            expires_at: None,
            last_used_at: None,
        }
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

impl ApiKeyRecord {
    /// Whether the key opens this record at this time. Takes the same time for every wrong secret.
    #[must_use]
    pub fn is_opened_by(&self, key: &ApiKey, now: UnixMs) -> bool {
        let secret_fits: bool = self.hash.ct_eq(&key.hash()).into();
        secret_fits && self.id == key.id && self.is_active(now)
    }

    /// Whether it has not expired at this time.
    #[must_use]
    pub fn is_active(&self, now: UnixMs) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}, [REDACTED])", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_key_opens_its_record_and_only_until_it_expires() {
        let key = ApiKey::new(UnixMs(1), 2, [3; 32]);
        let mut record = key.record(Scope::Admin, "first", UnixMs(1));
        assert_eq!(ApiKey::parse(&key.reveal()).as_ref(), Some(&key));
        assert!(record.is_opened_by(&key, UnixMs(5)));
        assert!(!record.is_opened_by(&ApiKey::new(UnixMs(1), 2, [4; 32]), UnixMs(5)));
        record.expires_at = Some(UnixMs(5));
        assert!(!record.is_opened_by(&key, UnixMs(5)));
        assert!(!format!("{key:?}").contains(&key.secret));
    }
}
