//! `/v1/keys`: make, list, look at and revoke API keys. For administrators only.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::endpoint_input::at_most;
use super::key_view::{KeyView, NewKeyView};
use super::page::Page;
use crate::http::{Caller, Json as Input, Limit, PathText, Problem, Query, uninterrupted};
use crate::model::{ApiKey, ApiKeyRecord, KeyId, Scope, ScopeError, UnixMs};
use crate::openapi::Time;

const MAX_DESCRIPTION_BYTES: usize = 1024;

/// The body of `POST /v1/keys`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "NewKey", extend("required" = ["scope"]))]
pub(super) struct Create {
    /// What it may do: `admin`, `tenant:NAME`, `events:write`, `events:write:NAME` or `metrics:read`.
    #[schemars(with = "String", extend("pattern" = Scope::PATTERN))]
    scope: Option<String>,
    /// For people; at most 1024 bytes.
    description: String,
    /// A time to come, from when on it opens nothing; never if it is absent.
    #[schemars(with = "Option<Time>")]
    expires_at: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[serde(deserialize_with = "super::deliveries::parsed")]
    cursor: Option<KeyId>,
}

/// Makes one. The answer is the only one that ever shows its text.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Input(input): Input<Create>,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    let now = api.clock.now();
    let key = ApiKey::new(now, rand::random(), rand::random());
    let record = input.into_record(&key, now)?;
    let audit = api.created(&caller, &record)?;
    let stored = record.clone();
    uninterrupted(async move {
        api.store.create_key(stored.clone(), audit).await?;
        api.keys.insert(stored);
        Ok::<_, Problem>(())
    })
    .await?;
    tracing::info!(key = %record.id, scope = %record.scope, "API key created");
    let location = format!("/v1/keys/{}", record.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(NewKeyView::new(&key, &record))).into_response())
}

/// All of them, by rising id, so the oldest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<KeyView>>, Problem> {
    caller.must_be_admin()?;
    let keys = api.keys.list();
    let mut rest = keys.iter().filter(|key| params.cursor.is_none_or(|after| key.id > after));
    let page: Vec<_> = rest.by_ref().take(params.limit.get()).collect();
    let next_cursor = rest.next().and(page.last()).map(|key| key.id.to_string());
    Ok(Json(Page { data: page.into_iter().map(KeyView::new).collect(), next_cursor }))
}

/// One.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<KeyView>, Problem> {
    Ok(Json(KeyView::new(&api.key(&caller, &id)?)))
}

/// Revokes one: from the answer on it opens nothing.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<StatusCode, Problem> {
    let record = api.key(&caller, &id)?;
    let audit = api.deleted(&caller, &record)?;
    uninterrupted(async move {
        api.store.delete_key(record.id, api.clock.now(), audit).await?;
        api.keys.remove(record.id);
        Ok::<_, Problem>(())
    })
    .await?;
    tracing::info!(key = %record.id, scope = %record.scope, "API key revoked");
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// The key of this id. For a caller who is no administrator there is none.
    fn key(&self, caller: &Caller, id: &str) -> Result<ApiKeyRecord, Problem> {
        let id = id.parse().ok().filter(|_| caller.is_admin());
        id.and_then(|id| self.keys.get(id))
            .ok_or_else(|| Problem::not_found("there is no API key of this id"))
    }
}

impl Create {
    fn into_record(self, key: &ApiKey, now: UnixMs) -> Result<ApiKeyRecord, Problem> {
        let scope = self.scope.as_deref().unwrap_or_default().parse::<Scope>();
        let scope = scope.map_err(|error: ScopeError| Problem::invalid("/scope", error.to_string()))?;
        at_most(MAX_DESCRIPTION_BYTES, self.description.len(), "/description", "bytes")?;
        let expires_at = self.expires_at.as_deref().map(|text| expiry(text, now)).transpose()?;
        Ok(ApiKeyRecord { expires_at, ..key.record(scope, &self.description, now) })
    }
}

fn expiry(text: &str, now: UnixMs) -> Result<UnixMs, Problem> {
    let refused = |why: &str| Problem::invalid("/expires_at", why);
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| refused("`expires_at` is a time as in RFC 3339, for example `2030-03-15T14:30:00Z`"))?;
    let time = UnixMs(u64::try_from(time.as_millisecond()).unwrap_or(0));
    if time > now {
        Ok(time)
    } else {
        Err(refused("`expires_at` is in the past; leave it out for a key that never expires"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::parse;

    fn record(json: &str) -> Result<ApiKeyRecord, Problem> {
        let key = ApiKey::new(UnixMs(1), 1, [1; 32]);
        parse::<Create>(json)?.into_record(&key, UnixMs(1_710_513_000_000))
    }

    #[test]
    fn what_a_key_may_not_be_is_refused_by_pointer() {
        for (json, pointer) in [
            (r#"{}"#, "/scope"),
            (r#"{"scope": "root"}"#, "/scope"),
            (r#"{"scope": "tenant:a b"}"#, "/scope"),
            (r#"{"scope": "admin", "expires_at": "soon"}"#, "/expires_at"),
            (r#"{"scope": "admin", "expires_at": "2024-03-15T14:30:00Z"}"#, "/expires_at"),
            (r#"{"scope": "admin", "hash": ""}"#, "/hash"),
        ] {
            assert_eq!(record(json).unwrap_err().pointer(), Some(pointer), "{json}");
        }
        let long = format!(r#"{{"scope": "admin", "description": "{}"}}"#, "x".repeat(1025));
        assert_eq!(record(&long).unwrap_err().pointer(), Some("/description"));
    }

    #[test]
    fn a_key_is_as_it_was_described() {
        let record =
            record(r#"{"scope": "events:write:acme", "expires_at": "2024-03-15T14:30:01Z"}"#).unwrap();
        assert_eq!(record.scope, Scope::EventsWrite(Some("acme".parse().unwrap())));
        assert_eq!(record.expires_at, Some(UnixMs(1_710_513_001_000)));
    }
}
