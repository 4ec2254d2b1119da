//! The answer to a backtest, line by line.

use std::io::{BufRead, BufReader, Read as _};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::api::{Api, Route};
use crate::client::error::Error;
use crate::client::output::not_understood;

/// Compiling the component may take minutes, and so may a stretch of the log that no filter lets through.
const SILENCE: Duration = Duration::from_mins(10);
/// Far more than a difference takes.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// An answer that goes on.
pub(super) struct Reading(Box<dyn BufRead>);

/// What a line says.
pub(super) enum Line {
    Start(Start),
    Difference(Box<Difference>),
    Progress(Counts),
    Summary(Box<Summary>),
    Error(Failure),
    /// Of a newer gateway.
    Other,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) detail: String,
}

#[derive(Deserialize)]
pub(super) struct Start {
    pub(super) plugin: String,
    pub(super) live: String,
    pub(super) candidate: String,
}

#[derive(Deserialize)]
pub(super) struct Difference {
    pub(super) event_id: String,
    pub(super) tenant: String,
    pub(super) topic: String,
    pub(super) accepted_at: String,
    pub(super) endpoint_id: String,
    pub(super) url: String,
    pub(super) live: Answered,
    pub(super) candidate: Answered,
    pub(super) body: Option<Body>,
    pub(super) headers: Vec<Header>,
}

#[derive(Deserialize)]
pub(super) struct Answered {
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    pub(super) message: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) sentence: String,
    pub(super) changes: Vec<Change>,
    pub(super) left_out: u64,
}

#[derive(Deserialize)]
pub(super) struct Change {
    pub(super) pointer: String,
    #[serde(default, deserialize_with = "even_null")]
    pub(super) live: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "even_null")]
    pub(super) candidate: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) live: Effect,
    pub(super) candidate: Effect,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    Untouched,
    Removed,
    Set(String),
}

#[derive(Deserialize)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) different: u64,
}

/// What came of it.
#[derive(Deserialize)]
pub(in crate::client::plugin) struct Summary {
    pub(super) events: u64,
    pub(super) judgements: u64,
    pub(super) same: u64,
    pub(super) equivalent: u64,
    pub(in crate::client::plugin) different: u64,
    pub(super) difference_rate: f64,
    pub(super) live: Record,
    pub(super) candidate: Record,
    pub(super) oldest: Option<String>,
    pub(super) more: bool,
    pub(super) duration_ms: u64,
    pub(super) events_per_second: u64,
}

#[derive(Deserialize)]
pub(super) struct Record {
    pub(super) version: String,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    pub(super) failed: u64,
    pub(super) duration_p50_us: Option<f64>,
    pub(super) duration_p99_us: Option<f64>,
}

impl Line {
    /// The kind first: serde keeps the text of a number only where it knows beforehand what it reads.
    pub(super) fn parse(json: &str) -> Result<Self, Error> {
        let read = || -> Result<Self, serde_json::Error> {
            Ok(match serde_json::from_str::<Kind>(json)?.name.as_str() {
                "start" => Self::Start(serde_json::from_str(json)?),
                "difference" => Self::Difference(serde_json::from_str(json)?),
                "progress" => Self::Progress(serde_json::from_str(json)?),
                "summary" => Self::Summary(serde_json::from_str(json)?),
                "error" => Self::Error(serde_json::from_str(json)?),
                _ => Self::Other,
            })
        };
        read().map_err(|error| not_understood(&error))
    }
}

impl Reading {
    /// Begins a backtest of what is sent.
    pub(super) fn begin(api: &Api, route: &Route, body: Option<(String, Vec<u8>)>) -> Result<Self, Error> {
        Ok(Self(Box::new(BufReader::new(api.post_and_follow(route, body, SILENCE)?))))
    }

    /// The next line; none at the end of the answer.
    pub(super) fn next(&mut self) -> Result<Option<String>, Error> {
        let mut line = String::new();
        let read = (&mut self.0).take(MAX_LINE).read_line(&mut line);
        let cut_off = |error| Error::Unreachable(format!("the connection to the gateway ended: {error}"));
        let is_whole = read.map_err(cut_off)? > 0 && line.ends_with('\n');
        Ok(is_whole.then_some(line))
    }
}

/// `null` is a value like any other, not an absent one.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
