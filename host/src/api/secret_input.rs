//! What callers say about a signing secret, and what it does to the secrets of an endpoint. Pure.
//!
//! - Newest first. A new secret signs at once, an expired one never; there are at most [`MAX_SECRETS`].
//! - The value never changes, so that an id stands for one value for ever.
//! - Only an expired secret can be removed: removing one that signs is expiring it first, on purpose.

use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::endpoint_input::even_null;
use crate::http::Problem;
use crate::model::{Endpoint, MAX_SECRETS, Secret, SecretId, SigningKey, UnixMs};

/// Bytes of a secret that is made here: as many as SHA-256 gives, the middle of what receivers take.
const GENERATED_BYTES: usize = 32;

/// The body of `POST /v1/endpoints/{id}/secrets`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SecretInput {
    /// `whsec_...`; generated if it is absent.
    pub(super) value: Option<String>,
    /// RFC 3339; never if it is absent.
    pub(super) expires_at: Option<String>,
}

/// The body of `PATCH /v1/endpoints/{id}/secrets/{secret}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SecretPatch {
    /// `Some(None)` = `null`: never.
    #[serde(deserialize_with = "even_null")]
    expires_at: Option<Option<String>>,
    /// Taken only to say why it is not. What it is must not be kept or shown.
    value: Option<IgnoredAny>,
}

/// Where in the body value and expiry stand: both are fields of an endpoint, too, when it is created.
pub(super) struct SecretFields {
    /// JSON pointer.
    pub(super) value: &'static str,
    /// JSON pointer.
    pub(super) expires_at: &'static str,
}

/// The fields of a secret by itself.
pub(super) const FIELDS: SecretFields = SecretFields { value: "/value", expires_at: "/expires_at" };

impl SecretInput {
    /// The new secret.
    ///
    /// # Errors
    /// 422 for a value that is none, and for an expiry that is no time or not in the future.
    pub(super) fn into_secret(self, fields: &SecretFields, now: UnixMs) -> Result<Secret, Problem> {
        let key = match self.value {
            Some(text) => text.parse(),
            None => SigningKey::new(rand::random::<[u8; GENERATED_BYTES]>().to_vec()),
        };
        let key = key.map_err(|error| Problem::invalid(fields.value, error.to_string()))?;
        let expires_at = self.expires_at.map(|text| future(&text, fields.expires_at, now)).transpose()?;
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
            return Err(Problem::invalid(FIELDS.value, detail));
        }
        let Some(expires_at) = self.expires_at else {
            let detail =
                "`expires_at` is missing: a time in RFC 3339, or `null` for a secret that does not expire";
            return Err(Problem::invalid(FIELDS.expires_at, detail));
        };
        expires_at.map(|text| future(&text, FIELDS.expires_at, now)).transpose()
    }
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
        return Err(Problem::invalid(FIELDS.value, detail));
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

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretInput").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A time that is yet to come. To the millisecond, as everything is stored.
fn future(text: &str, pointer: &str, now: UnixMs) -> Result<UnixMs, Problem> {
    let field = pointer.trim_start_matches('/');
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
mod tests {
    use super::*;
    use crate::http::parse;
    use crate::model::{EndpointId, TenantId};

    const NOW: UnixMs = UnixMs(1_710_513_000_000);
    const LATER: &str = "2024-03-15T14:30:00.001Z";

    fn endpoint() -> Endpoint {
        let url = "https://example.com/hook".parse().unwrap();
        Endpoint::new(EndpointId::new(NOW, 1), TenantId::default(), url, NOW)
    }

    fn made(json: &str) -> Result<Secret, Problem> {
        parse::<SecretInput>(json)?.into_secret(&FIELDS, NOW)
    }

    fn patched(json: &str) -> Result<Option<UnixMs>, Problem> {
        parse::<SecretPatch>(json)?.into_expiry(NOW)
    }

    #[test]
    fn a_secret_that_is_not_given_is_made_of_32_random_bytes() {
        let (one, two) = (made("{}").unwrap(), made("{}").unwrap());
        assert_eq!(one.key.as_bytes().len(), 32);
        assert!(one.key != two.key && one.id != two.id && one.is_active(NOW) && one.expires_at.is_none());
    }

    #[test]
    fn an_expiry_is_in_the_future_or_refused() {
        assert_eq!(
            made(&format!(r#"{{"expires_at":"{LATER}"}}"#)).unwrap().expires_at,
            Some(UnixMs(NOW.0 + 1))
        );
        for time in ["2024-03-15T14:30:00Z", "1969-01-01T00:00:00Z", "tomorrow", "", "2024-03-15"] {
            let problem = made(&format!(r#"{{"expires_at":"{time}"}}"#)).unwrap_err();
            assert_eq!(problem.pointer(), Some("/expires_at"), "{time}");
            assert_eq!(
                patched(&format!(r#"{{"expires_at":"{time}"}}"#)).unwrap_err().pointer(),
                Some("/expires_at")
            );
        }
    }

    #[test]
    fn a_value_that_is_none_is_refused_and_not_repeated() {
        for value in ["whsec_c2hvcnQ=", "plain", "whsec_", "whsec_!!!"] {
            let problem = made(&format!(r#"{{"value":"{value}"}}"#)).unwrap_err();
            assert_eq!(problem.pointer(), Some("/value"), "{value}");
        }
        let input: SecretInput = parse(r#"{"value":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#).unwrap();
        assert!(!format!("{input:?}").contains("MfKQ"));
    }

    #[test]
    fn a_patch_changes_the_expiry_and_nothing_else() {
        assert_eq!(patched(r#"{"expires_at":null}"#), Ok(None));
        assert_eq!(patched(&format!(r#"{{"expires_at":"{LATER}"}}"#)), Ok(Some(UnixMs(NOW.0 + 1))));
        assert_eq!(patched("{}").unwrap_err().pointer(), Some("/expires_at"));
        assert_eq!(
            patched(r#"{"expires_at":null,"value":"whsec_x"}"#).unwrap_err().pointer(),
            Some("/value")
        );
        assert_eq!(patched(r#"{"id":"sec_1"}"#).unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
    }

    #[test]
    fn the_newest_is_first_the_eleventh_and_a_second_of_the_same_value_are_refused() {
        let mut endpoint = endpoint();
        for _ in 0..MAX_SECRETS - 1 {
            add(&mut endpoint, made("{}").unwrap()).unwrap();
        }
        let newest = made("{}").unwrap();
        let again = Secret { id: SecretId::new(NOW, 5), ..newest.clone() };
        add(&mut endpoint, newest.clone()).unwrap();
        assert_eq!(endpoint.secrets[0], newest);
        assert_eq!(add(&mut endpoint, made("{}").unwrap()).unwrap_err().code(), "too_many_secrets");
        endpoint.secrets.pop();
        assert_eq!(add(&mut endpoint, again).unwrap_err().pointer(), Some("/value"));
    }

    #[test]
    fn only_an_expired_secret_is_removed() {
        let mut endpoint = endpoint();
        let secret = made(&format!(r#"{{"expires_at":"{LATER}"}}"#)).unwrap();
        let id = secret.id.to_string();
        add(&mut endpoint, secret).unwrap();
        assert_eq!(remove(&mut endpoint, &id, NOW).unwrap_err().code(), "secret_active");
        assert_eq!(remove(&mut endpoint, "sec_x", NOW).unwrap_err().status(), StatusCode::NOT_FOUND);
        assert!(remove(&mut endpoint, &id, UnixMs(NOW.0 + 1)).is_ok());
        assert!(endpoint.secrets.is_empty());
    }
}
