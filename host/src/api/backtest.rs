//! `POST /v1/plugins/{name}/backtest`: what another version of a plugin would have made of the events in the log, as lines of
//! JSON while it is found out.
//!
//! - The version is loaded with every check of a file in the plugin directory, and never goes live.
//! - The answer ends with a summary. One without it was cut off: the log could not be read, the gateway stops, or the key was
//!   revoked.

pub(super) mod docs;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Api;
use super::backtest_view::{LineView, StartView, lines};
use super::deliveries::{parsed, time};
use super::plugin_upload;
use super::plugins::{named, no_such_plugin};
use crate::backtest::{Extent, Report, Running};
use crate::http::{Caller, Gone, PartSender, PathText, Problem, Query, in_parts};
use crate::model::{EndpointId, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::plugins::Candidate;
use crate::store::EventFilter;

/// Where nobody says how many.
const DEFAULT_LIMIT: u64 = 10_000;
/// Hours of work for most plugins.
const MAX_LIMIT: u64 = 10_000_000;
/// What the answer is.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// Of this topic only.
    topic: Option<Topic>,
    /// For this endpoint only.
    #[serde(deserialize_with = "parsed")]
    endpoint: Option<EndpointId>,
    /// Accepted at this time or later.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    /// Accepted before this time.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    until: Option<UnixMs>,
    /// How many events at most: the newest.
    #[schemars(with = "u64", range(min = 1, max = 10_000_000), extend("default" = 10_000))]
    limit: Limit,
    /// The candidate: one of `GET /v1/plugins/{name}/versions`, instead of a body.
    version: Option<String>,
    /// Whether to tell of what means the same in other bytes, too. It is counted anyway.
    equivalent: bool,
}

/// How many events.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Limit(u64);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<u64> for Limit {
    type Error = &'static str;

    fn try_from(limit: u64) -> Result<Self, Self::Error> {
        let is_one = (1..=MAX_LIMIT).contains(&limit);
        if is_one { Ok(Self(limit)) } else { Err("`limit` is a number from 1 to 10000000") }
    }
}

impl Params {
    /// Which events, and the candidate if it is one that is kept.
    fn split(self) -> (Extent, Option<String>) {
        let Self { tenant, topic, endpoint, since, until, limit: Limit(limit), version, equivalent } = self;
        let filter = EventFilter { tenant, topic, matched: None, since, until };
        (Extent { filter, endpoint, limit, with_equivalent: equivalent }, version)
    }
}

/// Begins one. What is wrong with the request or the component is known before the first line.
pub(super) async fn start(
    State(api): State<Api>,
    caller: Caller,
    PathText(name): PathText,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Response, Problem> {
    caller.must_be_admin()?;
    let (extent, version) = params.split();
    if let Some(id) = extent.endpoint {
        api.find(&caller, &id.to_string())?;
    }
    let name = named(&name)?;
    api.plugins.get(&name).ok_or_else(no_such_plugin)?;
    // The place first: loading takes as much as running.
    let place = api.backtests.enter().ok_or_else(another_runs)?;
    let headers = request.headers().clone();
    let candidate = api.candidate(version, request).await?;
    let pair = Box::pin(api.plugins.pair(&name, candidate)).await?;
    let start = LineView::Start(StartView::new(&pair, extent.limit));
    let mut running = api.backtests.start(place, pair, extent).map_err(|error| Problem::internal(&error))?;
    let (sender, response) = in_parts(NDJSON);
    let (shutdown, tasks) = (api.shutdown.clone(), api.shutdown.clone());
    let told = Told { api, headers, sender };
    tasks.spawn(async move {
        tokio::select! {
            () = told.run(start, &mut running) => {}
            () = shutdown.requested() => {}
        }
        // It reads the store, which must be the last to go.
        running.stop().await;
    });
    Ok(response)
}

fn another_runs() -> Problem {
    let detail =
        "another backtest runs, and there is one at a time: wait for its end, or end it by hanging up";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_backtests", detail)
}

impl Api {
    async fn candidate(&self, version: Option<String>, request: Request) -> Result<Candidate, Problem> {
        match version {
            None => plugin_upload::read(&self.plugins, request).await.map(Candidate::Files),
            Some(_) if request.headers().contains_key(CONTENT_TYPE) => {
                Err(Problem::malformed("the candidate is in the body or is named by `version`, not both"))
            }
            Some(version) => Ok(Candidate::Kept(version)),
        }
    }
}

/// Who is told.
struct Told {
    api: Api,
    /// Those of the request, with its key.
    headers: HeaderMap,
    sender: PartSender,
}

impl Told {
    /// Tells until there is nothing more to tell, or nobody to tell it to.
    async fn run(self, start: LineView<'_>, running: &mut Running) {
        if self.sender.send(lines(&[start])).await.is_err() {
            return;
        }
        loop {
            let reports = tokio::select! {
                reports = running.next() => reports,
                () = self.sender.closed() => None,
            };
            let Some(reports) = reports else { return };
            if self.tell(&reports).await.is_err() || self.api.keys.open(&self.headers).is_err() {
                return;
            }
        }
    }

    async fn tell(&self, reports: &[Report]) -> Result<(), Gone> {
        for report in reports {
            if let Report::Failed(error) = report {
                tracing::error!(%error, "a backtest ended because the log could not be read");
            }
        }
        let views: Vec<_> = reports.iter().map(LineView::from).collect();
        self.sender.send(lines(&views)).await
    }
}
