//! Many events in one request: all or none, or with `?partial=true` those that can be taken, each with a result of its own.

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::cloudevent::structured;
use super::form::Plural;
use super::handler::{Many, Taken};
use super::{Ingest, Options, event, ndjson, spans};
use crate::http::{Caller, Problem, parse, text};
use crate::model::{EventId, UnixMs};
use crate::store::{self, NewEvent, Refused};
use crate::traces::RequestTrace;

/// Where in its body an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In this line of NDJSON, counted from 1.
    Line(usize),
    /// This element of an array, counted from 0.
    Element(usize),
}

/// The events of a body, each not read yet.
pub(super) struct Batch<'a> {
    ingest: &'a Arc<Ingest>,
    trace: &'a RequestTrace,
    caller: &'a Caller,
    form: Plural,
    body: &'a Bytes,
    entries: Vec<(Place, &'a str)>,
    now: UnixMs,
}

/// What became of one event of many.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventResult")]
pub(super) struct Outcome {
    /// Its line of NDJSON, counted from 1; blank lines count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    line: Option<usize>,
    /// Its place in an array of CloudEvents, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    index: Option<usize>,
    /// In a word.
    result: Verdict,
    /// Its id, if it was not refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "EventId")]
    event_id: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Problem")]
    error: Option<Problem>,
}

/// What became of one event of many, in a word.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EventVerdict")]
enum Verdict {
    /// It is on stable storage.
    Accepted,
    /// It was accepted before, with the same content.
    Duplicate,
    /// It was not taken; `error` says why.
    Refused,
}

impl Place {
    /// The problem of an event as a problem of its body.
    fn of(self, problem: Problem) -> Problem {
        match self {
            Self::Line(line) => problem.on_line(line),
            Self::Element(index) => {
                let pointer = format!("/{index}{}", problem.pointer().unwrap_or_default());
                problem.at(pointer)
            }
        }
    }
}

impl<'a> Batch<'a> {
    /// The events of a body.
    ///
    /// # Errors
    /// 400 for a body that is not of this form, 413 for too many events.
    pub(super) fn read(
        (ingest, trace): (&'a Arc<Ingest>, &'a RequestTrace),
        caller: &'a Caller,
        form: Plural,
        body: &'a Bytes,
    ) -> Result<Self, Problem> {
        let entries = match form {
            Plural::NdJson => ndjson::lines(text(body)?, &ingest.options.load())?,
            Plural::CloudEvents => elements(text(body)?, &ingest.options.load())?,
        };
        Ok(Self { ingest, trace, caller, form, body, entries, now: ingest.clock.now() })
    }

    /// Takes all of them or none.
    ///
    /// # Errors
    /// The first problem of an event, with its place.
    pub(super) async fn all(self) -> Result<Response, Problem> {
        let mut events = Vec::with_capacity(self.entries.len());
        for &(place, json) in &self.entries {
            events.push(self.event(json).await.map_err(|problem| place.of(problem))?);
        }
        let accepting = async {
            // An array of CloudEvents may be empty.
            if events.is_empty() {
                spans::all(self.trace, &[]);
                return Ok(Vec::new());
            }
            self.ingest.accept(events, self.trace, spans::all).await
        };
        let accepted = accepting.await.map_err(|error| self.at_its_place(error))?;
        Ok((StatusCode::ACCEPTED, axum::Json(Taken::Many(Many::from(accepted)))).into_response())
    }

    /// Takes those that can be taken; the answer is NDJSON with a result for each, in their order.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn each(self) -> Result<Response, Problem> {
        let (mut events, mut problems) = (Vec::new(), Vec::with_capacity(self.entries.len()));
        for &(_, json) in &self.entries {
            problems.push(self.event(json).await.map(|event| events.push(event)).err());
        }
        let answers = if events.is_empty() {
            spans::each(self.trace, &[]);
            Vec::new()
        } else {
            self.ingest.accept_each(events, self.trace).await?
        };
        let mut answers = answers.into_iter();
        let mut lines = Vec::new();
        for (&(place, _), problem) in self.entries.iter().zip(problems) {
            let result = match problem {
                Some(problem) => Err(problem),
                None => answers.next().ok_or(store::Error::Closed)?.map_err(refused),
            };
            let outcome = match result {
                Ok(accepted) => {
                    let verdict = if accepted.duplicate { Verdict::Duplicate } else { Verdict::Accepted };
                    Outcome { event_id: Some(accepted.event.id.to_string()), ..Outcome::new(place, verdict) }
                }
                Err(problem) => {
                    self.ingest.counts.refused(&problem);
                    Outcome { error: Some(place.of(problem)), ..Outcome::new(place, Verdict::Refused) }
                }
            };
            serde_json::to_writer(&mut lines, &outcome).map_err(|error| Problem::internal(&error))?;
            lines.push(b'\n');
        }
        Ok(([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
    }

    /// One of them, if the catalogue lets it pass.
    async fn event(&self, json: &str) -> Result<NewEvent, Problem> {
        // Thousands of them are milliseconds of work: other requests get their turn in between.
        tokio::task::coop::consume_budget().await;
        let max = self.ingest.options.load().max_event_bytes;
        if json.len() > max {
            return Err(Problem::too_large(format!("an event may have at most {max} bytes")));
        }
        let event = match self.form {
            Plural::NdJson => event::read(json, self.body, self.caller, self.now)?,
            Plural::CloudEvents => structured::read(json, self.body, self.caller, self.now)?,
        };
        self.ingest.expects(&event).await?;
        Ok(NewEvent { trace: event.trace.or_else(|| self.trace.parent.clone()), ..event })
    }

    /// The store counts events, the producer counts lines.
    fn at_its_place(&self, error: store::Error) -> Problem {
        let index =
            if let store::Error::IdReused { index, .. } | store::Error::BacklogFull { index, .. } = &error {
                Some(*index)
            } else {
                None
            };
        match index.and_then(|index| self.entries.get(index)) {
            Some((place, _)) => place.of(error.into()),
            None => error.into(),
        }
    }
}

impl Outcome {
    const fn new(place: Place, result: Verdict) -> Self {
        let (line, index) = match place {
            Place::Line(line) => (Some(line), None),
            Place::Element(index) => (None, Some(index)),
        };
        Self { line, index, result, event_id: None, error: None }
    }
}

fn refused(refused: Refused) -> Problem {
    let index = 0;
    let error = match refused {
        Refused::Reused(first) => store::Error::IdReused { index, first: first.to_string() },
        Refused::BacklogFull(full) => store::Error::BacklogFull { index, full },
    };
    error.into()
}

/// The elements of an array, each as it was written.
pub(super) fn elements<'a>(json: &'a str, options: &Options) -> Result<Vec<(Place, &'a str)>, Problem> {
    let max = options.max_batch_events;
    // They are counted first: an array of zeros has millions, and each that is kept takes more than it has.
    let Count(count) = parse(json)?;
    if count > max {
        let detail = format!("a request may have at most {max} events; send the rest in another");
        return Err(Problem::too_large(detail).at(format!("/{max}")));
    }
    let elements: Vec<&RawValue> = parse(json)?;
    Ok(elements.iter().enumerate().map(|(index, element)| (Place::Element(index), element.get())).collect())
}

/// How many elements an array has.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Counting)
    }
}

struct Counting;

impl<'de> Visitor<'de> for Counting {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of CloudEvents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Count, A::Error> {
        let mut count = 0;
        while elements.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Count(count))
    }
}
