//! Keys for ed25519 (RFC 8032): the asymmetric secrets of Standard Webhooks. The receiver needs the public half only.
//!
//! The specification (1.0.0) names the prefixes `whsk_` and `whpk_`. That the text of a private key is base64 of the seed
//! and then the public half is what Svix made of it, and other senders after it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{KEYPAIR_LENGTH, SECRET_KEY_LENGTH, SIGNATURE_LENGTH, SigningKey};
use zeroize::Zeroizing;

use super::SecretError;

const PUBLIC_PREFIX: &str = "whpk_";

/// A key pair. `Debug` never shows it, nothing serialises it, and its memory is wiped when it is dropped.
///
/// Boxed, so that moving it leaves no copy behind.
#[derive(Clone, PartialEq, Eq)]
pub struct Ed25519Key(Box<SigningKey>);

impl Ed25519Key {
    /// The key pair that comes of a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; SECRET_KEY_LENGTH]) -> Self {
        Self(Box::new(SigningKey::from_bytes(seed)))
    }

    /// The key pair of a seed of 32 bytes and, after it, its public half of 32 bytes.
    ///
    /// # Errors
    /// Another number of bytes, or a public half that is not that of the seed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let pair = bytes.try_into().map_err(|_| SecretError::PairLength(bytes.len()))?;
        let key = SigningKey::from_keypair_bytes(pair).map_err(|_| SecretError::Halves)?;
        Ok(Self(Box::new(key)))
    }

    /// The seed and the public half.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; KEYPAIR_LENGTH]> {
        Zeroizing::new(self.0.to_keypair_bytes())
    }

    /// The public half as everybody may see it: `whpk_...`.
    #[must_use]
    pub fn public(&self) -> String {
        format!("{PUBLIC_PREFIX}{}", STANDARD.encode(self.0.verifying_key()))
    }

    /// The signature of a message that is given in parts.
    #[must_use]
    pub fn sign(&self, message: &[&[u8]]) -> [u8; SIGNATURE_LENGTH] {
        self.0.multipart_sign(message).to_bytes()
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Key({}, [REDACTED])", self.public())
    }
}
