//! What proves to a receiver who sent a body: the signatures of Standard Webhooks, and those of the endpoint's style.
//!
//! - Standard Webhooks 1.0.0: over `{id}.{timestamp}.{body}`, `v1` with HMAC-SHA256 and `v1a` with ed25519. Receivers are
//!   strict about the form: one header, one space between signatures, one comma in each.
//! - Every active secret contributes one, so that a receiver may change to a new secret whenever it likes while both
//!   are active. Nothing goes out unsigned.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{Endpoint, EventId, Header, HmacKey, SignatureStyle, SigningKey, UnixMs};

/// What a request is signed with.
pub(super) struct Signatures {
    /// The value of `webhook-signature`.
    pub(super) standard: String,
    /// The header that the endpoint's style adds.
    pub(super) of_style: Option<Header>,
}

/// The signatures of a body to an endpoint at this time; `None` if it lacks an active secret for one of them.
pub(super) fn signatures(endpoint: &Endpoint, id: &EventId, at: UnixMs, body: &[u8]) -> Option<Signatures> {
    if !endpoint.can_sign(at) {
        return None;
    }
    let active = endpoint.secrets.iter().filter(|secret| secret.is_active(at));
    let keys: Vec<_> = active.map(|secret| &secret.key).collect();
    let head = format!("{id}.{}.", at.as_secs());
    let standard: Vec<_> = keys.iter().map(|key| standard(key, &[head.as_bytes(), body])).collect();
    let of_style = of_style(&endpoint.request.signature, &keys, at, body);
    Some(Signatures { standard: standard.join(" "), of_style })
}

fn standard(key: &SigningKey, message: &[&[u8]]) -> String {
    match key {
        SigningKey::Hmac(key) => format!("v1,{}", STANDARD.encode(mac(key, message))),
        SigningKey::Ed25519(key) => format!("v1a,{}", STANDARD.encode(key.sign(message))),
    }
}

fn of_style(style: &SignatureStyle, keys: &[&SigningKey], at: UnixMs, body: &[u8]) -> Option<Header> {
    let keys = keys.iter().filter_map(|key| key.as_hmac());
    let (name, values): (_, Vec<_>) = match style {
        SignatureStyle::Standard => return None,
        SignatureStyle::HmacHex { header, prefix } => {
            (header, keys.map(|key| format!("{prefix}{}", hex(&mac(key, &[body])))).collect())
        }
        SignatureStyle::Timestamped { header } => {
            let at = at.as_secs();
            let head = format!("{at}.");
            let values = keys.map(|key| format!("v1={}", hex(&mac(key, &[head.as_bytes(), body]))));
            (header, std::iter::once(format!("t={at}")).chain(values).collect())
        }
    };
    Some(Header { name: name.clone().into(), value: values.join(",").into() })
}

/// HMAC-SHA256 of a message that is given in parts.
fn mac(key: &HmacKey, message: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    message.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
