//! `POST /v1/events`: read, store, hand on, answer; in this order.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cloudevent::{binary, structured};
use super::form::{Form, Single};
use super::spans::{self, Spans};
use super::{Ingest, event, idempotency, inflate, many};
use crate::failpoint;
use crate::http::{Caller, Problem, Query, text, uninterrupted};
use crate::model::{Event, EventId, UnixMs};
use crate::store::{self, Accepted, NewEvent, Refused};
use crate::traces::RequestTrace;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// With many events: those that can be taken are, and each gets a result of its own. Without it, all or none.
    partial: bool,
}

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
    /// Stores events, all or none, then hands on those that are new.
    pub(super) async fn accept(
        self: &Arc<Self>,
        events: Vec<NewEvent>,
        trace: &RequestTrace,
        spans: Spans,
    ) -> Result<Vec<Accepted>, store::Error> {
        self.refuse_early(&events)?;
        let (ingest, trace) = (Arc::clone(self), trace.clone());
        // Even if the producer hangs up in between.
        uninterrupted(async move {
            failpoint::reached(failpoint::ACCEPT);
            let accepted = ingest.store.accept(events).await?;
            ingest.hand_on(&accepted);
            tell(&trace, spans, &accepted);
            Ok(accepted)
        })
        .await
    }

    /// The same for events that do not need each other.
    pub(super) async fn accept_each(
        self: &Arc<Self>,
        events: Vec<NewEvent>,
        trace: &RequestTrace,
    ) -> Result<Vec<Result<Accepted, Refused>>, store::Error> {
        let (ingest, trace) = (Arc::clone(self), trace.clone());
        uninterrupted(async move {
            let answers = ingest.store.accept_each(events).await?;
            ingest.hand_on(answers.iter().flatten());
            tell(&trace, spans::each, answers.iter().flatten());
            Ok(answers)
        })
        .await
    }

    /// Refuses events for which there is too much undelivered work, without the store's writer: under overload it has enough to
    /// do. Those that may be repeats of accepted ones go there all the same.
    fn refuse_early(&self, events: &[NewEvent]) -> Result<(), store::Error> {
        for (index, event) in events.iter().enumerate() {
            let is_new = event.id.is_none() && event.idempotency_key.is_none();
            if let Some(full) = is_new.then(|| self.store.backlog_full(&event.tenant)).flatten() {
                return Err(store::Error::BacklogFull { index, full });
            }
        }
        Ok(())
    }

    fn hand_on<'a>(&self, accepted: impl IntoIterator<Item = &'a Accepted>) {
        for event in accepted {
            self.counts.taken(event);
            if !event.duplicate {
                self.accepted.offer(Arc::<Event>::clone(&event.event));
            }
        }
    }
}

/// Has spans made of what was accepted, if there are traces.
fn tell<'a>(trace: &RequestTrace, spans: Spans, accepted: impl IntoIterator<Item = &'a Accepted>) {
    if trace.is_recorded() {
        spans(trace, &accepted.into_iter().collect::<Vec<_>>());
    }
}

impl From<&Accepted> for One {
    fn from(accepted: &Accepted) -> Self {
        Self { event_id: accepted.event.id.to_string(), duplicate: accepted.duplicate }
    }
}

impl From<Vec<Accepted>> for Many {
    fn from(accepted: Vec<Accepted>) -> Self {
        let duplicates = accepted.iter().filter(|event| event.duplicate).count();
        let events = accepted.iter().map(One::from).collect();
        Self { accepted: accepted.len() - duplicates, duplicates, events }
    }
}

/// Takes one event or many.
pub(super) async fn post_events(
    State(ingest): State<Arc<Ingest>>,
    caller: Result<Caller, Problem>,
    params: Result<Query<Params>, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let trace = ingest.traces.request(request.headers());
    let answer = async { take(&ingest, caller?, params?.0, request, &trace).await }.await;
    answer.inspect_err(|problem| {
        ingest.counts.refused(problem);
        spans::refused(&trace, problem);
    })
}

async fn take(
    ingest: &Arc<Ingest>,
    caller: Caller,
    params: Params,
    request: Request,
    trace: &RequestTrace,
) -> Result<Response, Problem> {
    caller.may_post()?;
    if ingest.free_space.is_low() {
        return Err(Problem::disk_full());
    }
    let (head, body) = request.into_parts();
    match Form::of(&head.headers)? {
        Form::One(form) => one((ingest, trace), &caller, form, &head.headers, body).await,
        Form::Many(form) => {
            idempotency::refuse(&head.headers)?;
            let most = ingest.options.load().max_batch_bytes;
            let body = inflate::read(&head.headers, body, most).await?;
            let batch = many::Batch::read((ingest, trace), &caller, form, &body)?;
            if params.partial { batch.each().await } else { batch.all().await }
        }
    }
}

async fn one(
    (ingest, trace): (&Arc<Ingest>, &RequestTrace),
    caller: &Caller,
    form: Single,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let idempotency_key = idempotency::key(headers)?;
    let most = ingest.options.load().max_event_bytes;
    let body = inflate::read(headers, body, most).await?;
    let event = read(form, headers, &body, caller, ingest.clock.now())?;
    ingest.expects(&event).await?;
    let event = NewEvent { idempotency_key, trace: event.trace.or_else(|| trace.parent.clone()), ..event };
    let accepted = ingest.accept(vec![event], trace, spans::one).await?;
    let answer = accepted.iter().map(One::from).next().map(Taken::One);
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

fn read(
    form: Single,
    headers: &HeaderMap,
    body: &Bytes,
    caller: &Caller,
    now: UnixMs,
) -> Result<NewEvent, Problem> {
    match form {
        Single::Json => event::read(text(body)?, body, caller, now),
        Single::CloudEvent => structured::read(text(body)?, body, caller, now),
        Single::Binary => binary::read(headers, body, caller, now),
    }
}

#[cfg(test)]
mod tests;
