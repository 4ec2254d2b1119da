//! `/v1/endpoints/{id}/secrets`: list, add, change the expiry, expire now, delete what has expired.
//!
//! Whether a secret is active is asked of the wall clock, as it is when a delivery is signed.

pub(super) mod docs;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;

use super::Api;
use super::page::Page;
use super::secret_input::{self, SecretFields, SecretInput, SecretPatch};
use super::secret_view::SecretView;
use crate::http::{Caller, Json as Input, PathText, Problem, uninterrupted};
use crate::model::{EndpointId, Secret, UnixMs};

/// Endpoint and secret.
type Ids = PathText<(String, String)>;

/// All of an endpoint, newest first, without their values.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<Page<SecretView>>, Problem> {
    let endpoint = api.find(&caller, &id)?;
    Ok(Json(Page::whole(endpoint.secrets.iter().map(SecretView::new).collect())))
}

/// Adds one, which signs at once. The answer is the only one that ever shows its value.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    Input(input): Input<SecretInput>,
) -> Result<Response, Problem> {
    let id = api.find(&caller, &id)?.id;
    let secret = input.into_secret(&SecretFields::below(""), api.clock.wall())?;
    let view = SecretView::with_value(&secret);
    let location = format!("/v1/endpoints/{id}/secrets/{}", secret.id);
    tracing::info!(endpoint = %id, secret = %secret.id, "adding a signing secret");
    uninterrupted(api.change(caller, id, move |endpoint| secret_input::add(endpoint, secret))).await?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

/// Changes when one expires.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    PathText((id, secret)): Ids,
    Input(patch): Input<SecretPatch>,
) -> Result<Json<SecretView>, Problem> {
    let id = api.find(&caller, &id)?.id;
    let expires_at = patch.into_expiry(api.clock.wall())?;
    change(api, caller, (id, secret), move |secret, _| secret.expires_at = expires_at).await
}

/// Expires one now. One that has expired stays as it is.
pub(super) async fn expire(
    State(api): State<Api>,
    caller: Caller,
    PathText((id, secret)): Ids,
) -> Result<Json<SecretView>, Problem> {
    let id = api.find(&caller, &id)?.id;
    change(api, caller, (id, secret), |secret, now| {
        if secret.is_active(now) {
            secret.expires_at = Some(now);
        }
    })
    .await
}

/// Removes one that has expired.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathText((id, secret)): Ids,
) -> Result<StatusCode, Problem> {
    let id = api.find(&caller, &id)?.id;
    let now = api.clock.wall();
    let removing = api.change(caller, id, move |endpoint| secret_input::remove(endpoint, &secret, now));
    let secret = uninterrupted(removing).await?;
    tracing::info!(endpoint = %id, %secret, "expired signing secret deleted");
    Ok(StatusCode::NO_CONTENT)
}

async fn change(
    api: Api,
    caller: Caller,
    (id, secret): (EndpointId, String),
    change: impl FnOnce(&mut Secret, UnixMs) + Send + 'static,
) -> Result<Json<SecretView>, Problem> {
    let now = api.clock.wall();
    let changing = api.change(caller, id, move |endpoint| {
        let secret = secret_input::find(endpoint, &secret)?;
        change(secret, now);
        tracing::info!(endpoint = %id, secret = %secret.id, expires_at = ?secret.expires_at, "expiry of a signing secret changed");
        Ok(SecretView::new(secret))
    });
    Ok(Json(uninterrupted(changing).await?))
}
