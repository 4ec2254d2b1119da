//! What callers say about a signing secret, and what it does to the secrets of an endpoint. Pure.
//!
//! - Newest first. A new secret signs at once, an expired one never; there are at most [`MAX_SECRETS`].
//! - The value never changes, so that an id stands for one value for ever.
//! - Only an expired secret can be removed: removing one that signs is expiring it first, on purpose.

use std::fmt;

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::endpoint_input::{at_most, even_null};
use crate::http::Problem;
use crate::model::{
    Ed25519Key, Endpoint, HmacKey, MAX_SECRETS, Secret, SecretError, SecretId, SecretType, SigningKey, UnixMs,
};
use crate::openapi::Time;

/// Bytes of a secret that is made here: a seed of ed25519; for HMAC as many as SHA-256 gives, the middle of what
/// receivers take.
const GENERATED_BYTES: usize = 32;

/// The body of `POST /v1/endpoints/{id}/secrets`, and an element of `secrets` of a new endpoint.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewSecret")]
pub(super) struct SecretInput {
    /// That of the value; symmetric if both are absent.
    #[serde(rename = "type")]
    pub(super) kind: Option<SecretType>,
    /// `whsec_...` or `whsk_...`; generated if it is absent.
    pub(super) value: Option<SecretText>,
    /// A time to come, from when on it signs nothing; never if it is absent.
    #[schemars(with = "Option<Time>")]
    pub(super) expires_at: Option<String>,
}

/// A secret on its way in. `Debug` does not show it, and its memory is wiped when it is dropped.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(super) struct SecretText(#[schemars(with = "String")] Zeroizing<String>);

/// The body of `PATCH /v1/endpoints/{id}/secrets/{secret}`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SecretPatch", extend("required" = ["expires_at"]))]
pub(super) struct SecretPatch {
    /// A time to come, or `null`: it does not expire.
    #[serde(deserialize_with = "even_null")]
    #[schemars(with = "Option<Time>")]
    expires_at: Option<Option<String>>,
    /// Taken only to say why it is not. What it is must not be kept or shown.
    #[schemars(skip)]
    value: Option<IgnoredAny>,
}

/// Where in the body type, value and expiry stand, as JSON pointers.
pub(super) struct SecretFields {
    kind: String,
    value: String,
    expires_at: String,
}

impl SecretFields {
    /// The fields of a secret that stands at this pointer.
    pub(super) fn below(pointer: &str) -> Self {
        let field = |name| format!("{pointer}/{name}");
        Self { kind: field("type"), value: field("value"), expires_at: field("expires_at") }
    }

    /// The fields of a new endpoint with one secret, whose value says its type.
    fn of_endpoint() -> Self {
        let field = str::to_owned;
        Self { kind: field("/secret"), value: field("/secret"), expires_at: field("/secret_expires_at") }
    }
}

impl SecretInput {
    /// The new secret.
    ///
    /// # Errors
    /// 422 for a value that is none or of another type, and for an expiry that is no time or not in the future.
    pub(super) fn into_secret(self, fields: &SecretFields, now: UnixMs) -> Result<Secret, Problem> {
        let key = match self.value {
            Some(text) => text.0.parse(),
            None => generated(self.kind.unwrap_or_default()),
        };
        let key = key.map_err(|error| Problem::invalid(&*fields.value, error.to_string()))?;
        if self.kind.is_some_and(|kind| kind != key.kind()) {
            let detail = "`type` is not that of the value: `whsec_` is `hmac-sha256`, `whsk_` is `ed25519`";
            return Err(Problem::invalid(&*fields.kind, detail));
        }
        let expires_at = self.expires_at.map(|text| future(&text, &fields.expires_at, now)).transpose()?;
        Ok(Secret { id: SecretId::new(now, rand::random()), key, created_at: now, expires_at })
    }
}

impl SecretPatch {
    /// The new expiry; `None` = never.
    ///
    /// # Errors
    /// 422 for an attempt to change the value, for a missing expiry, and for one that is no time or not in the future.
    pub(super) fn into_expiry(self, now: UnixMs) -> Result<Option<UnixMs>, Problem> {
        if self.value.is_some() {
            let detail =
                "the value of a secret never changes: add a new secret and let this one expire afterwards";
            return Err(Problem::invalid("/value", detail));
        }
        let Some(expires_at) = self.expires_at else {
            let detail =
                "`expires_at` is missing: a time in RFC 3339, or `null` for a secret that does not expire";
            return Err(Problem::invalid("/expires_at", detail));
        };
        expires_at.map(|text| future(&text, "/expires_at", now)).transpose()
    }
}

/// The secrets of a new endpoint: all in a list, newest first, or `one` in fields of its own.
///
/// # Errors
/// 422 for a list with too many, none or one twice, for a list and `one`, and for the first that cannot be taken.
pub(super) fn of_new_endpoint(
    one: SecretInput,
    all: Option<Vec<SecretInput>>,
    now: UnixMs,
) -> Result<Vec<Secret>, Problem> {
    let Some(all) = all else { return Ok(vec![one.into_secret(&SecretFields::of_endpoint(), now)?]) };
    if one.value.is_some() || one.expires_at.is_some() {
        let detail = "`secrets` stands in place of `secret` and `secret_expires_at`: send one or the other";
        return Err(Problem::invalid("/secrets", detail));
    }
    if all.is_empty() {
        let detail = "`secrets` has at least one secret; `[{}]` generates it";
        return Err(Problem::invalid("/secrets", detail));
    }
    at_most(MAX_SECRETS, all.len(), "/secrets", "entries")?;
    let mut secrets = Vec::<Secret>::with_capacity(all.len());
    for (index, input) in all.into_iter().enumerate() {
        let fields = SecretFields::below(&format!("/secrets/{index}"));
        let secret = input.into_secret(&fields, now)?;
        if secrets.iter().any(|other| other.key == secret.key) {
            return Err(Problem::invalid(fields.value, "this secret is given twice"));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

/// Adds a secret.
///
/// # Errors
/// 409 if there are as many as there may be; 422 if this one is there already, so that each signs once.
pub(super) fn add(endpoint: &mut Endpoint, secret: Secret) -> Result<(), Problem> {
    if endpoint.secrets.len() >= MAX_SECRETS {
        let detail = format!(
            "an endpoint has at most {MAX_SECRETS} secrets: delete one that has expired and try again"
        );
        return Err(Problem::conflict("too_many_secrets", detail));
    }
    if let Some(same) = endpoint.secrets.iter().find(|other| other.key == secret.key) {
        let detail = format!("the endpoint has this secret already, as {}: change its `expires_at`", same.id);
        return Err(Problem::invalid("/value", detail));
    }
    endpoint.secrets.insert(0, secret);
    Ok(())
}

/// The secret of an endpoint with this id.
///
/// # Errors
/// 404 if there is none.
pub(super) fn find<'a>(endpoint: &'a mut Endpoint, id: &str) -> Result<&'a mut Secret, Problem> {
    let id = id.parse::<SecretId>().ok();
    let found = endpoint.secrets.iter_mut().find(|secret| Some(secret.id) == id);
    found.ok_or_else(|| Problem::not_found("the endpoint has no secret of this id"))
}

/// Removes a secret that has expired.
///
/// # Errors
/// 404 if there is none; 409 if it still signs.
pub(super) fn remove(endpoint: &mut Endpoint, id: &str, now: UnixMs) -> Result<SecretId, Problem> {
    let secret = find(endpoint, id)?;
    if secret.is_active(now) {
        let detail = "this secret still signs: expire it first, with `POST` to its `/expire`";
        return Err(Problem::conflict("secret_active", detail));
    }
    let id = secret.id;
    endpoint.secrets.retain(|secret| secret.id != id);
    Ok(id)
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText([REDACTED])")
    }
}

fn generated(kind: SecretType) -> Result<SigningKey, SecretError> {
    let random = Zeroizing::new(rand::random::<[u8; GENERATED_BYTES]>());
    match kind {
        SecretType::HmacSha256 => HmacKey::new(random.to_vec()).map(SigningKey::Hmac),
        SecretType::Ed25519 => Ok(SigningKey::Ed25519(Ed25519Key::from_seed(&random))),
    }
}

/// A time that is yet to come. To the millisecond, as everything is stored.
fn future(text: &str, pointer: &str, now: UnixMs) -> Result<UnixMs, Problem> {
    let field = pointer.rsplit('/').next().unwrap_or_default();
    let time = text.parse::<jiff::Timestamp>().map_err(|_| {
        let detail = format!("`{field}` is a time in RFC 3339, for example `2030-01-31T12:00:00Z`");
        Problem::invalid(pointer, detail)
    })?;
    let at = UnixMs(u64::try_from(time.as_millisecond()).unwrap_or(0));
    if at > now {
        return Ok(at);
    }
    let detail = format!(
        "`{field}` has to be later than now, {now}; to end a secret at once, `POST` to its `/expire`"
    );
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).at(pointer))
}

#[cfg(test)]
mod tests;
