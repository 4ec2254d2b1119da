//! `POST /v1/endpoints/{id}/activate` and `/deactivate`.
//!
//! Both may be repeated: what is active already stays as it is, and so does the reason of what is inactive already.

pub(super) mod docs;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Api;
use super::endpoint_view::EndpointView;
use crate::http::{Caller, PathText, Problem, uninterrupted};
use crate::model::{Activity, Endpoint, InactiveReason};

/// Healthy and active again; what waited is sent in the order in which its events were accepted.
pub(super) async fn activate(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<EndpointView>, Problem> {
    api.enter(caller, &id, "activated", |_| Activity::Active).await
}

/// Nothing more is sent; what is for it waits.
pub(super) async fn deactivate(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
) -> Result<Json<EndpointView>, Problem> {
    let inactive = Activity::Inactive { since: api.clock.now(), reason: InactiveReason::Deactivated };
    let enter = move |now: Activity| if now.is_active() { inactive } else { now };
    api.enter(caller, &id, "deactivated", enter).await
}

impl Api {
    async fn enter(
        self,
        caller: Caller,
        id: &str,
        verb: &'static str,
        enter: impl FnOnce(Activity) -> Activity + Send + 'static,
    ) -> Result<Json<EndpointView>, Problem> {
        let id = self.find(&caller, id)?.id;
        let api = self.clone();
        let change = async move {
            let enter = |now: &Arc<Endpoint>| {
                let after = Endpoint { activity: enter(now.activity), ..Endpoint::clone(now) };
                let audit = self.changed(&caller, verb, &**now, &after)?;
                Ok::<_, Problem>((after, audit))
            };
            self.directory.change(id, enter).await
        };
        let endpoint = uninterrupted(change).await?;
        let active = endpoint.activity.is_active();
        tracing::info!(endpoint = %endpoint.id, tenant = %endpoint.tenant, active, "endpoint activity set");
        api.show(&endpoint).map(Json)
    }
}
