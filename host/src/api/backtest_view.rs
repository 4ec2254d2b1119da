//! How a backtest is shown: lines of JSON, each of which says by `type` what it is.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use crate::backtest::{Difference, Record, Report, Summary, Tally};
use crate::model::{EndpointId, EventId, PluginName, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::plugins::{Comparison, VersionPair};

/// One line.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(rename = "BacktestLine")]
pub(super) enum LineView<'a> {
    /// The first: what is compared.
    Start(StartView),
    /// An event of which the two versions say something else. Each comes once.
    Difference(Box<DifferenceView<'a>>),
    /// How far it is, some times a second.
    Progress(ProgressView),
    /// The last: what came of it.
    Summary(Box<SummaryView<'a>>),
    /// The last instead: why it ended before.
    Error {
        /// In a sentence.
        detail: &'static str,
    },
}

/// What is compared.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestStart")]
pub(super) struct StartView {
    /// The plugin.
    plugin: String,
    /// The live version.
    live: String,
    /// The candidate.
    candidate: String,
    /// How many events at most.
    limit: u64,
}

/// An event of which the two versions say something else.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestDifference")]
pub(super) struct DifferenceView<'a> {
    /// The event.
    #[schemars(with = "EventId")]
    event_id: &'a str,
    /// Its tenant.
    #[schemars(with = "TenantId")]
    tenant: &'a str,
    /// Its topic.
    #[schemars(with = "Topic")]
    topic: &'a str,
    /// When it was accepted.
    #[schemars(with = "Time")]
    accepted_at: String,
    /// The endpoint that it would go to.
    #[schemars(with = "EndpointId")]
    endpoint_id: String,
    /// Where that is.
    url: &'a str,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// How far it is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestProgress")]
pub(super) struct ProgressView {
    #[serde(flatten)]
    counts: CountsView,
    /// When the last event was accepted that was looked at. They come newest first.
    #[schemars(with = "Option<Time>")]
    reached: Option<String>,
}

/// What was counted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestCounts")]
struct CountsView {
    /// Events that were looked at.
    events: u64,
    /// How often both versions were asked: once for each endpoint that wants an event and uses the plugin.
    judgements: u64,
    /// How often they said the same.
    same: u64,
    /// How often they said what means the same.
    equivalent: u64,
    /// How often they said something else.
    different: u64,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestSummary")]
pub(super) struct SummaryView<'a> {
    #[serde(flatten)]
    counts: CountsView,
    /// The share of judgements that differ, from 0 to 1.
    difference_rate: f64,
    /// What the live version said.
    live: RecordView<'a>,
    /// What the candidate said.
    candidate: RecordView<'a>,
    /// When the oldest event was accepted that was looked at.
    #[schemars(with = "Option<Time>")]
    oldest: Option<String>,
    /// When the newest was.
    #[schemars(with = "Option<Time>")]
    newest: Option<String>,
    /// Whether `limit` ended it and there are older events.
    more: bool,
    /// How long it took, in milliseconds.
    duration_ms: u128,
    /// How many events it looked at in a second.
    events_per_second: u64,
}

/// What one version said.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestedVersion")]
struct RecordView<'a> {
    /// The version.
    version: &'a str,
    /// How often it delivered.
    delivered: u64,
    /// How often it dropped.
    dropped: u64,
    /// How often it failed.
    failed: u64,
    /// The median time that it took for one judgement, in microseconds.
    duration_p50_us: Option<f64>,
    /// The time that 99 of 100 judgements did not exceed, in microseconds.
    duration_p99_us: Option<f64>,
}

/// Lines as they are sent.
pub(super) fn lines(views: &[LineView<'_>]) -> Bytes {
    let mut text = Vec::new();
    for view in views {
        serde_json::to_writer(&mut text, view).expect("a view has neither maps nor errors of its own");
        text.push(b'\n');
    }
    text.into()
}

impl StartView {
    pub(super) fn new(pair: &VersionPair, limit: u64) -> Self {
        let plugin: &PluginName = pair.plugin();
        let (live, candidate) = (pair.live().to_owned(), pair.candidate().to_owned());
        Self { plugin: plugin.to_string(), live, candidate, limit }
    }
}

impl<'a> From<&'a Report> for LineView<'a> {
    fn from(report: &'a Report) -> Self {
        match report {
            Report::Difference(difference) => Self::Difference(Box::new((&**difference).into())),
            Report::Progress { tally, reached } => {
                Self::Progress(ProgressView { counts: (*tally).into(), reached: shown(*reached) })
            }
            Report::Summary(summary) => Self::Summary(Box::new((&**summary).into())),
            Report::Failed(_) => {
                Self::Error { detail: "the log cannot be read now; the log of the gateway says why" }
            }
        }
    }
}

impl<'a> From<&'a Difference> for DifferenceView<'a> {
    fn from(Difference { event, endpoint, comparison }: &'a Difference) -> Self {
        Self {
            event_id: event.id.as_str(),
            tenant: event.tenant.as_str(),
            topic: event.topic.as_str(),
            accepted_at: event.accepted_at.to_string(),
            endpoint_id: endpoint.id.to_string(),
            url: endpoint.url.as_str(),
            comparison,
        }
    }
}

impl From<Tally> for CountsView {
    fn from(Tally { events, judgements, same, equivalent, different }: Tally) -> Self {
        Self { events, judgements, same, equivalent, different }
    }
}

impl<'a> From<&'a Summary> for SummaryView<'a> {
    fn from(summary: &'a Summary) -> Self {
        let Summary { tally, live, candidate, span, has_more, took } = summary;
        let seconds = took.as_secs_f64().max(1e-6);
        Self {
            counts: (*tally).into(),
            difference_rate: tally.difference_rate(),
            live: live.into(),
            candidate: candidate.into(),
            oldest: shown(span.map(|(oldest, _)| oldest)),
            newest: shown(span.map(|(_, newest)| newest)),
            more: *has_more,
            duration_ms: took.as_millis(),
            events_per_second: (tally.events as f64 / seconds) as u64,
        }
    }
}

impl<'a> From<&'a Record> for RecordView<'a> {
    fn from(record: &'a Record) -> Self {
        let Record { version, delivered, dropped, failed, took } = record;
        let us = |share| took.quantile(share).map(|ns| ns as f64 / 1_000.0);
        Self {
            version,
            delivered: *delivered,
            dropped: *dropped,
            failed: *failed,
            duration_p50_us: us(0.5),
            duration_p99_us: us(0.99),
        }
    }
}

fn shown(time: Option<UnixMs>) -> Option<String> {
    time.map(|time| time.to_string())
}
