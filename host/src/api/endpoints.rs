//! `/v1/endpoints`: create, list, get, change, replace, delete.

pub(super) mod docs;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::audited::unless_changed;
use super::dry_run::DryRun;
use super::endpoint_input::{Create, Patch};
use super::endpoint_view::EndpointView;
use super::page::Page;
use super::secret_input::{self, SecretInput};
use crate::http::{Caller, Json as Input, Limit, PathText, Problem, Query, uninterrupted};
use crate::model::{AuditEntry, Endpoint, EndpointId, TenantId};
use crate::store;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[schemars(with = "EndpointId")]
    cursor: Option<String>,
}

/// Creates one. The answer is the only one that ever shows its secrets.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Query(dry_run): Query<DryRun>,
    Input(mut input): Input<Create>,
) -> Result<Response, Problem> {
    let tenant = tenant(input.tenant.take())?;
    let tenant = caller.managed_tenant(tenant).map_err(|problem| problem.at("/tenant"))?;
    let now = api.clock.now();
    let one = SecretInput {
        value: input.secret.take(),
        expires_at: input.secret_expires_at.take(),
        ..SecretInput::default()
    };
    let secrets = secret_input::of_new_endpoint(one, input.secrets.take(), api.clock.wall())?;
    let (url, patch) = input.into_patch()?;
    let url = (api.target_check)(&url).map_err(|reason| Problem::invalid("/url", reason))?;
    let blank = Endpoint { secrets, ..Endpoint::new(EndpointId::new(now, rand::random()), tenant, url, now) };
    let endpoint = patch.apply(blank.clone(), &api.target_check)?;
    api.check_plugins(&blank, &endpoint).await?;
    if dry_run.is_asked() {
        api.check_url_is_free(&endpoint)?;
        return Ok(Json(api.show(&endpoint)?).into_response());
    }
    let audit = api.created(&caller, &endpoint)?;
    let endpoint = uninterrupted(async move { api.directory.create(endpoint, audit).await }).await?;
    tracing::info!(endpoint = %endpoint.id, tenant = %endpoint.tenant, "endpoint created");
    let view = EndpointView::with_secrets(&endpoint).map_err(|error| Problem::internal(&error))?;
    let location = format!("/v1/endpoints/{}", endpoint.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(view)).into_response())
}

/// The caller's, by rising id.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
) -> Result<Json<Page<EndpointView>>, Problem> {
    let tenant = caller.visible_tenant(params.tenant)?;
    let after = params.cursor.as_deref().map(cursor).transpose()?;
    let endpoints = api.directory.list();
    let mut rest = endpoints.iter().filter(|endpoint| {
        tenant.as_ref().is_none_or(|tenant| endpoint.tenant == *tenant)
            && after.is_none_or(|after| endpoint.id > after)
    });
    let page: Vec<_> = rest.by_ref().take(params.limit.get()).collect();
    let next_cursor = rest.next().and(page.last()).map(|endpoint| endpoint.id.to_string());
    let data = page.into_iter().map(|endpoint| api.show(endpoint)).collect::<Result<_, _>>()?;
    Ok(Json(Page { data, next_cursor }))
}

/// One.
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<EndpointView>, Problem> {
    api.show(&*api.find(&caller, &id)?).map(Json)
}

/// Changes what is named and leaves the rest.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    dry_run: Result<Query<DryRun>, Problem>,
    Input(patch): Input<Patch>,
) -> Result<Json<EndpointView>, Problem> {
    let before = api.find(&caller, &id)?;
    let Query(dry_run) = dry_run?;
    let after = patch.apply(Endpoint::clone(&before), &api.target_check)?;
    api.settle(caller, before, after, dry_run).await
}

/// Replaces all fields that people write: what is not named goes back to its default. Secrets, state and health stay.
pub(super) async fn replace(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    dry_run: Result<Query<DryRun>, Problem>,
    Input(input): Input<Create>,
) -> Result<Json<EndpointView>, Problem> {
    let before = api.find(&caller, &id)?;
    let Query(dry_run) = dry_run?;
    input.check_keeps(&before)?;
    let (url, patch) = input.into_patch()?;
    // What stays is not asked again: the operator may allow less than before.
    let url = if url == before.url.as_str() { Ok(before.url.clone()) } else { (api.target_check)(&url) };
    let url = url.map_err(|reason| Problem::invalid("/url", reason))?;
    let blank = Endpoint {
        secrets: before.secrets.clone(),
        activity: before.activity,
        created_at: before.created_at,
        ..Endpoint::new(before.id, before.tenant.clone(), url, before.updated_at)
    };
    let after = patch.apply(blank, &api.target_check)?;
    api.settle(caller, before, after, dry_run).await
}

/// Deletes one; what waits for it is cancelled, its log stays.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<StatusCode, Problem> {
    let endpoint = uninterrupted(api.remove(caller, id)).await?;
    tracing::info!(endpoint = %endpoint.id, tenant = %endpoint.tenant, "endpoint deleted");
    Ok(StatusCode::NO_CONTENT)
}

impl Api {
    /// The endpoint of this id, if there is one and the caller may know of it.
    pub(super) fn find(&self, caller: &Caller, id: &str) -> Result<Arc<Endpoint>, Problem> {
        let endpoint = id.parse().ok().and_then(|id| self.directory.get(id));
        endpoint.filter(|endpoint| caller.manages(&endpoint.tenant)).ok_or_else(no_such_endpoint)
    }

    /// Ends a change that its owner wrote: plugins are asked, then it is stored, or only shown.
    async fn settle(
        self,
        caller: Caller,
        before: Arc<Endpoint>,
        mut after: Endpoint,
        dry_run: DryRun,
    ) -> Result<Json<EndpointView>, Problem> {
        self.check_plugins(&before, &after).await?;
        if dry_run.is_asked() {
            self.check_url_is_free(&after)?;
            return self.show(&after).map(Json);
        }
        if after != *before {
            after.updated_at = self.clock.now();
        }
        let audit = self.updated(&caller, &*before, &after)?;
        let endpoint = uninterrupted(self.clone().exchange(before, after, audit)).await?;
        tracing::info!(endpoint = %endpoint.id, tenant = %endpoint.tenant, "endpoint changed");
        self.show(&endpoint).map(Json)
    }

    /// Whether no other endpoint of the tenant has this URL now; the store asks again when it writes.
    fn check_url_is_free(&self, endpoint: &Endpoint) -> Result<(), Problem> {
        let tenant = self.directory.tenant(&endpoint.tenant);
        let mut others = tenant.iter().flat_map(|tenant| tenant.index().endpoints());
        let same = others.find(|other| other.id != endpoint.id && other.url == endpoint.url);
        same.map_or(Ok(()), |other| Err(store::Error::UrlTaken(other.id).into()))
    }

    /// Changes an endpoint as it is now. For changes that need no one's consent, so that two never collide.
    pub(super) async fn change<T: Send + 'static>(
        self,
        caller: Caller,
        id: EndpointId,
        change: impl FnOnce(&mut Endpoint) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let mut outcome = None;
        let changed = |before: &Arc<Endpoint>| {
            let mut after = Endpoint::clone(before);
            outcome = Some(change(&mut after)?);
            if after != **before {
                after.updated_at = self.clock.now();
            }
            let audit = self.updated(&caller, &**before, &after)?;
            Ok::<_, Problem>((after, audit))
        };
        self.directory.change(id, changed).await?;
        outcome.ok_or_else(no_such_endpoint)
    }

    /// Replaces `before` by `after`, unless somebody else was faster. Only this is exclusive, as plugins may take
    /// seconds to say whether they agree.
    async fn exchange(
        self,
        before: Arc<Endpoint>,
        after: Endpoint,
        audit: AuditEntry,
    ) -> Result<Arc<Endpoint>, Problem> {
        let unchanged = unless_changed(Arc::clone(&before), after, audit);
        self.directory.change(before.id, unchanged).await
    }

    /// An endpoint as everybody may see it.
    pub(super) fn show(&self, endpoint: &Endpoint) -> Result<EndpointView, Problem> {
        let shown = EndpointView::new(endpoint).map_err(|error| Problem::internal(&error))?;
        Ok(shown.with_breaker(self.lanes.breaker(endpoint.id)))
    }

    /// Deletes the endpoint of this id; what is written down is what was deleted.
    async fn remove(self, caller: Caller, id: String) -> Result<Arc<Endpoint>, Problem> {
        let id = self.find(&caller, &id)?.id;
        self.directory.delete(id, |endpoint| self.deleted(&caller, endpoint)).await
    }
}

fn no_such_endpoint() -> Problem {
    Problem::not_found("there is no endpoint of this id")
}

fn tenant(text: Option<String>) -> Result<Option<TenantId>, Problem> {
    let parsed = text.map(|text| text.parse::<TenantId>()).transpose();
    parsed.map_err(|error| Problem::invalid("/tenant", error.to_string()))
}

fn cursor(text: &str) -> Result<EndpointId, Problem> {
    text.parse().map_err(|_| {
        let detail = "`cursor` is the `next_cursor` of the page before";
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
    })
}
