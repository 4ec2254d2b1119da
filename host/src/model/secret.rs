//! Signing secrets in the Standard Webhooks form: `whsec_` and base64 of 24 to 64 bytes, which the receiver shares, or
//! `whsk_` and base64 of an ed25519 key pair, of which the receiver knows the public half.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Ed25519Key, HmacKey, SecretId, UnixMs};

/// How the text of a symmetric secret begins.
pub(super) const HMAC_PREFIX: &str = "whsec_";
/// How the text of a private key begins.
pub(super) const ED25519_PREFIX: &str = "whsk_";

/// Secrets of one endpoint: every active one costs a signature in each delivery, and receivers limit headers.
pub const MAX_SECRETS: usize = 10;

/// What an endpoint signs with. `Debug` never shows it, and nothing serialises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// Signatures of version `v1`.
    Hmac(HmacKey),
    /// Signatures of version `v1a`.
    Ed25519(Ed25519Key),
}

/// How a secret signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretType {
    /// With a key that the receiver shares.
    #[default]
    HmacSha256,
    /// With a private key that nobody else has.
    Ed25519,
}

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
    #[error(
        "a secret starts with `whsec_`, followed by base64 of 24 to 64 bytes, or with `whsk_`, followed by base64 of an \
         ed25519 seed and its public key"
    )]
    Prefix,
    /// The rest is not base64.
    #[error("after `whsec_` or `whsk_` a secret is standard base64 with padding")]
    Base64,
    /// Too short to be safe, or longer than receivers take.
    #[error("a secret has 24 to 64 bytes before base64; this one has {0}")]
    Length(usize),
    /// Not a seed and a public key.
    #[error(
        "an ed25519 secret has 64 bytes before base64, a seed of 32 and its public key of 32; this one has {0}"
    )]
    PairLength(usize),
    /// They are not of one pair.
    #[error(
        "the last 32 bytes of an ed25519 secret are the public key of the first 32; here they are another"
    )]
    Halves,
}

impl SigningKey {
    /// How it signs.
    #[must_use]
    pub const fn kind(&self) -> SecretType {
        match self {
            Self::Hmac(_) => SecretType::HmacSha256,
            Self::Ed25519(_) => SecretType::Ed25519,
        }
    }

    /// The key for HMAC, if it is one.
    #[must_use]
    pub const fn as_hmac(&self) -> Option<&HmacKey> {
        match self {
            Self::Hmac(key) => Some(key),
            Self::Ed25519(_) => None,
        }
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
        let decoded = |encoded| STANDARD.decode(encoded).map_err(|_| SecretError::Base64);
        if let Some(encoded) = text.strip_prefix(HMAC_PREFIX) {
            HmacKey::new(decoded(encoded)?).map(Self::Hmac)
        } else if let Some(encoded) = text.strip_prefix(ED25519_PREFIX) {
            Ed25519Key::from_bytes(&Zeroizing::new(decoded(encoded)?)).map(Self::Ed25519)
        } else {
            Err(SecretError::Prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key pair that Svix publishes with its test of asymmetric signatures.
    const PRIVATE: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

    fn parse(text: &str) -> Result<SigningKey, SecretError> {
        text.parse()
    }

    fn ed25519(bytes: &[u8]) -> Result<SigningKey, SecretError> {
        parse(&format!("whsk_{}", STANDARD.encode(bytes)))
    }

    #[test]
    fn takes_24_to_64_bytes_and_shows_them_only_on_request() {
        let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let key = parse(text).unwrap();
        assert_eq!(key.as_hmac().unwrap().as_bytes().len(), 24);
        assert_eq!(key.as_hmac().unwrap().reveal(), text);
        assert!(!format!("{key:?}").contains("MfKQ"));
        assert_eq!(HmacKey::new(vec![0; 23]), Err(SecretError::Length(23)));
        assert_eq!(HmacKey::new(vec![0; 65]), Err(SecretError::Length(65)));
        assert_eq!(parse("MfKQ"), Err(SecretError::Prefix));
        assert_eq!(parse("whsec_***"), Err(SecretError::Base64));
    }

    #[test]
    fn a_key_pair_is_a_seed_and_its_public_half() {
        let key = parse(PRIVATE).unwrap();
        let SigningKey::Ed25519(pair) = &key else { panic!("{key:?}") };
        assert_eq!(pair.public(), PUBLIC);
        let bytes = pair.to_bytes();
        assert_eq!(Ed25519Key::from_bytes(&*bytes).as_ref(), Ok(pair));
        assert_eq!(&Ed25519Key::from_seed(bytes.first_chunk().unwrap()), pair);
        let shown = format!("{key:?}");
        assert!(
            shown.contains("REDACTED") && !shown.contains("6Xb/") && !shown.contains("233, 118"),
            "{shown}"
        );
    }

    #[test]
    fn a_key_pair_whose_halves_do_not_fit_is_refused() {
        let SigningKey::Ed25519(pair) = parse(PRIVATE).unwrap() else { panic!("a key pair") };
        let bytes = pair.to_bytes();
        for bit in [0, 255, 256, 511] {
            let mut other = *bytes;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ed25519(&other), Err(SecretError::Halves), "bit {bit}");
        }
        for length in [0, 32, 63, 65] {
            let text: Vec<u8> = bytes.iter().copied().chain([0]).take(length).collect();
            assert_eq!(ed25519(&text), Err(SecretError::PairLength(length)));
        }
        assert_eq!(parse("whsk_***"), Err(SecretError::Base64));
        assert_eq!(parse(PUBLIC), Err(SecretError::Prefix), "the public half does not sign");
    }
}
