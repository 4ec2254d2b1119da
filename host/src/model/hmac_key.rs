//! Keys for HMAC-SHA256: the symmetric secrets of Standard Webhooks, which sender and receiver share.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::SecretError;
use super::secret::HMAC_PREFIX;

/// What the Standard Webhooks specification (1.0.0) asks of symmetric keys.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// 24 to 64 bytes. `Debug` never shows them, nothing serialises them, and their memory is wiped when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey(Zeroizing<Vec<u8>>);

impl HmacKey {
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
        format!("{HMAC_PREFIX}{}", STANDARD.encode(&*self.0))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey([REDACTED])")
    }
}
