//! `/v1/topics`: the catalogue. Every key may read it, as producers and receivers alike need to know what there is;
//! administrators change it.

pub(super) mod docs;

use std::ops::Bound;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::dry_run::DryRun;
use super::page::Page;
use super::topic_file::FileFormat;
use super::topic_import::{import_topics, read_topics, try_import};
use super::topic_input::{Create, Patch};
use super::topic_view::TopicView;
use crate::http::{
    Caller, Json as Input, Limit, Media, PathText, Problem, Query, is_media_type, media_type, read_body,
    refuse_encoding, text, uninterrupted,
};
use crate::model::{Topic, TopicEntry};

/// A catalogue of thousands of topics with schemas.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Only topics with this label.
    available_for: Option<String>,
    limit: Limit,
    /// The `next_cursor` of the page before.
    cursor: Option<Topic>,
}

/// What an import did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImportedTopics")]
pub(super) struct ImportedView {
    /// How many topics are new.
    created: usize,
    /// How many have another content than before.
    updated: usize,
    /// How many were there with the same content.
    unchanged: usize,
}

/// All of them, by name.
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Query(params): Query<Params>,
) -> Result<Response, Problem> {
    let topics = api.catalogue.topics();
    let after = params.cursor.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let is_for = |entry: &TopicEntry| {
        params.available_for.as_ref().is_none_or(|label| entry.available_for.contains(label))
    };
    let mut rest = topics
        .range::<Topic, _>((after, Bound::Unbounded))
        .map(|(_, known)| known.entry())
        .filter(|entry| is_for(entry));
    let page: Vec<_> = rest.by_ref().take(params.limit.get()).collect();
    let next_cursor = rest.next().and(page.last()).map(|entry| entry.topic.to_string());
    let data = page.into_iter().map(TopicView::new).collect::<Result<_, _>>();
    Ok(Json(Page { data: data.map_err(|error| Problem::internal(&error))?, next_cursor }).into_response())
}

/// Adds one.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Input(input): Input<Create>,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    let entry = input.into_entry(api.clock.now())?;
    let audit = api.created(&caller, &entry)?;
    let known = uninterrupted(async move { api.catalogue.create(entry, audit).await }).await?;
    tracing::info!(topic = %known.entry().topic, "topic created");
    let location = format!("/v1/topics/{}", known.entry().topic);
    Ok((StatusCode::CREATED, [(LOCATION, location)], show(known.entry())?).into_response())
}

/// Adds or replaces all topics of one file, all or none.
pub(super) async fn import(
    State(api): State<Api>,
    caller: Caller,
    Query(dry_run): Query<DryRun>,
    request: Request,
) -> Result<Json<ImportedView>, Problem> {
    caller.must_be_admin()?;
    refuse_encoding(request.headers())?;
    let format = if is_media_type(request.headers(), "application/toml") {
        FileFormat::Toml
    } else if media_type(request.headers()) == Ok(Media::Json) {
        FileFormat::Json
    } else {
        let detail = "the `Content-Type` is not read here; send `application/json` or `application/toml`";
        return Err(Problem::unsupported(detail));
    };
    let body = read_body(request.into_body(), MAX_FILE_BYTES).await?;
    let at = api.clock.now();
    let entries = read_topics(format, text(&body)?, at)?;
    let imported = if dry_run.is_asked() {
        try_import(&api.catalogue, entries).await?
    } else {
        let import = async move { import_topics(&api.catalogue, entries, caller.actor(), at).await };
        let imported = uninterrupted(import).await?;
        tracing::info!(?imported, "topics imported");
        imported
    };
    Ok(Json(ImportedView {
        created: imported.created,
        updated: imported.updated,
        unchanged: imported.unchanged,
    }))
}

/// One.
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    PathText(topic): PathText,
) -> Result<Response, Problem> {
    let known = topic.parse().ok().and_then(|topic| api.catalogue.get(&topic));
    show(known.ok_or_else(no_such_topic)?.entry())
}

/// Changes what is named and leaves the rest.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    PathText(topic): PathText,
    Input(patch): Input<Patch>,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    let topic = named(&topic)?;
    let known = uninterrupted(async move {
        let change = |before: &TopicEntry| {
            let after = TopicEntry { updated_at: api.clock.now(), ..patch.apply(before.clone())? };
            let audit = api.updated(&caller, before, &after)?;
            Ok::<_, Problem>((after, audit))
        };
        api.catalogue.change(&topic, change).await
    })
    .await?;
    tracing::info!(topic = %known.entry().topic, "topic changed");
    show(known.entry())
}

/// Deletes one. Its events stay.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathText(topic): PathText,
) -> Result<StatusCode, Problem> {
    caller.must_be_admin()?;
    let topic = named(&topic)?;
    let deleted = topic.clone();
    uninterrupted(async move { api.catalogue.delete(&deleted, |before| api.deleted(&caller, before)).await })
        .await?;
    tracing::info!(%topic, "topic deleted");
    Ok(StatusCode::NO_CONTENT)
}

fn show(entry: &TopicEntry) -> Result<Response, Problem> {
    let view = TopicView::new(entry).map_err(|error| Problem::internal(&error))?;
    Ok(Json(view).into_response())
}

fn named(topic: &str) -> Result<Topic, Problem> {
    topic.parse().map_err(|_| no_such_topic())
}

fn no_such_topic() -> Problem {
    Problem::not_found("the catalogue has no topic of this name")
}
