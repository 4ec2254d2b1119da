//! `POST /v1/preview`: what would be sent, to whom, and why not. Nothing is stored or sent.

pub(super) mod docs;

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::preview_input::Input;
use super::preview_view::PreviewView;
use crate::http::{
    Caller, Limit, Media, Object, Problem, Query, media_type, parse, read_body, refuse_encoding, text,
};
use crate::model::EndpointId;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An event before the endpoints of its tenant, by rising id.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Json<PreviewView>, Problem> {
    caller.may_manage()?;
    let after = params.cursor.map(|cursor| after(&cursor)).transpose()?;
    let asked = api.asked(&caller, api.preview_input(request).await?).await?;
    let is_asked =
        |id: EndpointId| asked.endpoint.is_none_or(|only| id == only) && after.is_none_or(|after| id > after);
    let limit = params.limit.get();
    // One more says whether there are more.
    let mut previews = api.previews.of(&asked.event, is_asked, limit + 1).await;
    let has_more = previews.len() > limit;
    previews.truncate(limit);
    let next = previews.last().filter(|_| has_more).map(|last| last.endpoint.id.to_string());
    Ok(Json(PreviewView::new(&asked, &previews, next)))
}

impl Api {
    async fn preview_input(&self, request: Request) -> Result<Input, Problem> {
        refuse_encoding(request.headers())?;
        if media_type(request.headers()) != Ok(Media::Json) {
            return Err(Problem::unsupported("the `Content-Type` is not read here; send `application/json`"));
        }
        let body = read_body(request.into_body(), (self.max_event_bytes)()).await?;
        parse(text(&body)?).map(|Object(input)| input)
    }
}

fn after(text: &str) -> Result<EndpointId, Problem> {
    text.parse().map_err(|_| {
        let detail = "`cursor` is the `next_cursor` of the page before";
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail)
    })
}
