//! Seals signing secrets before they are stored, so that no file ever holds one in clear.
//!
//! XChaCha20-Poly1305 with a random nonce for each record; 24 bytes are enough for nonces to be random for ever. A record
//! is
//!
//! ```text
//! form (1) | length of the key id (1) | key id | nonce (24) | ciphertext and tag
//! ```
//!
//! Form 1 has the bytes of a symmetric secret, form 2 an ed25519 seed and its public half. A later form is for a later Hookway.
//! Everything before the nonce and the owner (tenant, endpoint, secret) are authenticated with it: a record that was
//! changed, or copied to another row, does not open.

mod keys;
mod load;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

pub use self::keys::{KeyId, KeyRing, KeysError};
pub use self::load::{Error, KeysText, Loaded, Options, load};
use crate::model::{Ed25519Key, EndpointId, HmacKey, SecretId, SigningKey, TenantId};

const NONCE_BYTES: usize = 24;

/// The keys that seal and open. Clones share them.
#[derive(Debug, Clone)]
pub struct Vault(Arc<KeyRing>);

/// Whose secret a record is. It opens for nobody else.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The tenant of the endpoint.
    pub tenant: &'a TenantId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The secret.
    pub secret: SecretId,
}

/// Why a record does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not a record, or one of a later form.
    #[error("a stored signing secret is damaged, or was written by a newer Hookway: restore a backup")]
    Malformed,
    /// The ring lacks its key.
    #[error(
        "signing secrets are sealed with the key `{0}`, which is not among the keys: put it back into \
         `secrets.keys_file` or `secrets.keys`, after the first one, and start again; nothing was changed"
    )]
    UnknownKey(KeyId),
    /// The key has the right id, but the record is not what that key sealed for this owner.
    #[error(
        "a stored signing secret does not open with the key `{0}`: either `secrets.keys_file` or `secrets.keys` has another \
         key under this id, or the store was changed by somebody else; nothing was changed now"
    )]
    Refused(KeyId),
}

/// What a record holds, as its first byte says.
#[derive(Clone, Copy)]
enum Form {
    Hmac = 1,
    Ed25519 = 2,
}

struct Record<'a> {
    form: Form,
    /// What is authenticated as it stands: form and key id.
    head: &'a [u8],
    key: KeyId,
    nonce: [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
}

impl Vault {
    /// A vault with these keys.
    #[must_use]
    pub fn new(keys: KeyRing) -> Self {
        Self(Arc::new(keys))
    }

    /// The record of a secret, sealed with the first key.
    #[must_use]
    pub fn seal(&self, secret: &SigningKey, owner: Owner<'_>) -> Vec<u8> {
        match secret {
            SigningKey::Hmac(key) => self.seal_bytes(Form::Hmac, key.as_bytes(), owner),
            SigningKey::Ed25519(key) => self.seal_bytes(Form::Ed25519, &*key.to_bytes(), owner),
        }
    }

    fn seal_bytes(&self, form: Form, bytes: &[u8], owner: Owner<'_>) -> Vec<u8> {
        let (id, key) = self.0.current();
        let id_bytes = id.as_str().as_bytes();
        let id_len = u8::try_from(id_bytes.len()).expect("a key id is short");
        let mut record = [&[form as u8, id_len], id_bytes].concat();
        let aad = owner.authenticated_with(&record);
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let message = Payload { msg: bytes, aad: &aad };
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), message);
        record.extend_from_slice(&nonce);
        record.extend(sealed.expect("a secret is far shorter than the cipher takes"));
        record
    }

    /// The secret in a record.
    ///
    /// # Errors
    /// The key is missing or another, or the record is not that of this owner.
    pub fn open(&self, record: &[u8], owner: Owner<'_>) -> Result<SigningKey, OpenError> {
        let record = Record::parse(record)?;
        let Some(key) = self.0.get(&record.key) else { return Err(OpenError::UnknownKey(record.key)) };
        let aad = owner.authenticated_with(record.head);
        let message = Payload { msg: record.ciphertext, aad: &aad };
        let opened = cipher(key).decrypt(&XNonce::from(record.nonce), message);
        let Ok(bytes) = opened else { return Err(OpenError::Refused(record.key)) };
        let key = match record.form {
            Form::Hmac => HmacKey::new(bytes).map(SigningKey::Hmac),
            Form::Ed25519 => Ed25519Key::from_bytes(&Zeroizing::new(bytes)).map(SigningKey::Ed25519),
        };
        key.map_err(|_| OpenError::Malformed)
    }

    /// Whether a record is sealed with the first key.
    #[must_use]
    pub fn is_current(&self, record: &[u8]) -> bool {
        Record::parse(record).is_ok_and(|record| record.key == *self.0.current().0)
    }

    /// The ids of the keys after the first.
    #[must_use]
    pub fn older_keys(&self) -> Vec<KeyId> {
        self.0.older()
    }
}

impl Owner<'_> {
    /// Each part has its length before it or is of one length, so that no two owners are the same bytes.
    fn authenticated_with(self, head: &[u8]) -> Vec<u8> {
        let tenant = self.tenant.as_str().as_bytes();
        [
            head,
            &(tenant.len() as u64).to_be_bytes(),
            tenant,
            &self.endpoint.as_u128().to_be_bytes(),
            &self.secret.as_u128().to_be_bytes(),
        ]
        .concat()
    }
}

impl<'a> Record<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, OpenError> {
        Self::try_parse(bytes).ok_or(OpenError::Malformed)
    }

    fn try_parse(bytes: &'a [u8]) -> Option<Self> {
        let [form, id_len, rest @ ..] = bytes else { return None };
        let form = [Form::Hmac, Form::Ed25519].into_iter().find(|known| *known as u8 == *form)?;
        let (id, rest) = rest.split_at_checked(usize::from(*id_len))?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let key = std::str::from_utf8(id).ok()?.parse().ok()?;
        Some(Self { form, head: &bytes[..2 + id.len()], key, nonce: *nonce, ciphertext })
    }
}

fn cipher(key: &Zeroizing<[u8; keys::KEY_BYTES]>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(**key).into())
}
