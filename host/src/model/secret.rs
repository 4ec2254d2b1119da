//! Signing secrets in the Standard Webhooks form: `whsec_` and base64 of 24 to 64 bytes.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{SecretId, UnixMs};

const PREFIX: &str = "whsec_";
/// What the Standard Webhooks specification (1.0.0) asks of symmetric keys.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Secrets of one endpoint: every active one costs a signature in each delivery, and receivers limit headers.
pub const MAX_SECRETS: usize = 10;

/// A key for HMAC-SHA256. `Debug` never shows it, nothing serialises it, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Zeroizing<Vec<u8>>);

/// One secret of an endpoint. The key never changes; its expiry may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Names the secret where its key must not be shown.
    pub id: SecretId,
    /// What signs.
    pub key: SigningKey,
    /// When it was added; it signs from then on.
    pub created_at: UnixMs,
    /// From then on it no longer signs; `None` = never.
    pub expires_at: Option<UnixMs>,
}

/// Why a text is not a signing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The prefix is missing.
    #[error("a secret starts with `whsec_`, followed by base64 of 24 to 64 bytes")]
    Prefix,
    /// The rest is not base64.
    #[error("after `whsec_` a secret is standard base64 with padding")]
    Base64,
    /// Too short to be safe, or longer than receivers take.
    #[error("a secret has 24 to 64 bytes before base64; this one has {0}")]
    Length(usize),
}

impl SigningKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// Fewer than 24 or more than 64 bytes.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretError> {
        let bytes = Zeroizing::new(bytes);
        if BYTES.contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(SecretError::Length(bytes.len())) }
    }

    /// The bytes to sign with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text that its owner is shown once: `whsec_...`.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&*self.0))
    }
}

impl Secret {
    /// Whether it signs at this time.
    #[must_use]
    pub fn is_active(&self, now: UnixMs) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

impl FromStr for SigningKey {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        Self::new(STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_24_to_64_bytes_and_shows_them_only_on_request() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key: SigningKey = text.parse().unwrap();
        assert_eq!(key.as_bytes().len(), 24);
        assert_eq!(key.reveal(), text);
        assert!(!format!("{key:?}").contains("MfKQ"));
        assert_eq!(SigningKey::new(vec![0; 23]), Err(SecretError::Length(23)));
        assert_eq!(SigningKey::new(vec![0; 65]), Err(SecretError::Length(65)));
        assert_eq!("MfKQ".parse::<SigningKey>(), Err(SecretError::Prefix));
        assert_eq!("whsec_***".parse::<SigningKey>(), Err(SecretError::Base64));
    }
}
