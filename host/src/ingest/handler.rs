//! `POST /v1/events`: read, store, hand on, answer; in this order.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Ingest, event, idempotency, ndjson};
use crate::http::{Caller, Media, Problem, media_type, read_body, refuse_encoding, text, uninterrupted};
use crate::model::EventId;
use crate::store::{self, Accepted, NewEvent};

/// An event that was accepted.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcceptedEvent")]
pub(super) struct One {
    /// Its id, which receivers get as `webhook-id`.
    #[schemars(with = "EventId")]
    event_id: String,
    /// Whether it was accepted before, with the same content.
    duplicate: bool,
}

/// Events that were accepted together.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AcceptedEvents")]
pub(super) struct Many {
    /// How many are new.
    accepted: usize,
    /// How many were accepted before.
    duplicates: usize,
    /// All of them, in their order.
    events: Vec<One>,
}

/// What a request is answered with.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum Taken {
    /// The event of a body that is one.
    One(One),
    /// The events of a body with many.
    Many(Many),
}

impl Ingest {
    /// Stores events, then hands on those that are new, even if the producer hangs up in between.
    async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, store::Error> {
        let (store, next) = (Arc::clone(&self.store), self.accepted.clone());
        uninterrupted(async move {
            let accepted = store.accept(events).await?;
            for new in accepted.iter().filter(|event| !event.duplicate) {
                next.offer(Arc::clone(&new.event));
            }
            Ok(accepted)
        })
        .await
    }
}

impl From<&Accepted> for One {
    fn from(accepted: &Accepted) -> Self {
        Self { event_id: accepted.event.id.to_string(), duplicate: accepted.duplicate }
    }
}

/// Takes one event or many.
pub(super) async fn post_events(
    State(ingest): State<Ingest>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    caller.may_post()?;
    refuse_encoding(request.headers())?;
    match media_type(request.headers())? {
        Media::Json => one(&ingest, &caller, request).await,
        Media::NdJson => many(&ingest, &caller, request).await,
    }
}

async fn one(ingest: &Ingest, caller: &Caller, request: Request) -> Result<Response, Problem> {
    let idempotency_key = idempotency::key(request.headers())?;
    let body = read_body(request.into_body(), ingest.options.max_event_bytes).await?;
    let event = event::read(text(&body)?, &body, caller, ingest.clock.now())?;
    ingest.expects(&event).await?;
    let accepted = ingest.accept(vec![NewEvent { idempotency_key, ..event }]).await?;
    let answer = accepted.iter().map(One::from).next().map(Taken::One);
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

async fn many(ingest: &Ingest, caller: &Caller, request: Request) -> Result<Response, Problem> {
    idempotency::refuse(request.headers())?;
    let body = read_body(request.into_body(), ingest.options.max_batch_bytes).await?;
    let lines = ndjson::lines(text(&body)?, &ingest.options)?;
    let now = ingest.clock.now();
    let mut events = Vec::with_capacity(lines.len());
    for (number, line) in &lines {
        // Thousands of lines are milliseconds of work: other requests get their turn in between.
        tokio::task::coop::consume_budget().await;
        let event = event::read(line, &body, caller, now).map_err(|problem| problem.on_line(*number))?;
        ingest.expects(&event).await.map_err(|problem| problem.on_line(*number))?;
        events.push(event);
    }
    let accepted = ingest.accept(events).await.map_err(|error| on_its_line(error, &lines))?;
    let duplicates = accepted.iter().filter(|event| event.duplicate).count();
    let events = accepted.iter().map(One::from).collect();
    let answer = Taken::Many(Many { accepted: accepted.len() - duplicates, duplicates, events });
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

/// The store counts events, the producer counts lines.
fn on_its_line(error: store::Error, lines: &[(usize, &str)]) -> Problem {
    let line = if let store::Error::IdReused { index, .. } = &error { lines.get(*index) } else { None };
    match line.map(|(number, _)| *number) {
        Some(number) => Problem::from(error).on_line(number),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests;
