//! Takes spans from the queue and sends them, some hundred at a time, until the gateway stops.
//!
//! A collector that is away for a moment is asked again; one that is away for longer costs the spans that came meanwhile, which
//! are counted. It is said once that it is away and once that it is back.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Span;
use super::collector::{Collector, Refusal};
use super::counts::Counts;

/// Spans in a request: the default of OpenTelemetry's libraries.
const BATCH: usize = 512;
/// How long spans are gathered for one.
const LINGER: Duration = Duration::from_secs(1);
/// Before the second and each further try of a request. After the last its spans are dropped.
const WAITS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// The stage.
pub(super) struct Exporter {
    spans: mpsc::Receiver<Span>,
    /// Those that are sent next.
    batch: Vec<Span>,
    collector: Arc<Collector>,
    counts: Counts,
    /// Says that nobody makes spans any more.
    end: CancellationToken,
    /// Whether the gateway stops, so that nothing is tried again.
    is_ending: bool,
    /// Whether the last request failed.
    is_away: bool,
}

/// The exporter at work, if there is one.
#[derive(Debug, Default)]
pub struct Exporting(Option<(JoinHandle<()>, CancellationToken)>);

impl Exporting {
    pub(super) fn spawn(exporter: Exporter) -> Self {
        let end = exporter.end.clone();
        Self(Some((tokio::spawn(exporter.run()), end)))
    }

    /// Has what is in the queue sent, and waits for that, for at most so long. To be called when all work is over: from then on nothing
    /// is queued.
    pub async fn end(self, limit: Duration) {
        let Some((task, end)) = self.0 else { return };
        end.cancel();
        if timeout(limit, task).await.is_err() {
            tracing::warn!("the last spans could not be exported in time");
        }
    }
}

impl Exporter {
    pub(super) fn new(spans: mpsc::Receiver<Span>, collector: Collector, counts: Counts) -> Self {
        Self {
            spans,
            batch: Vec::new(),
            collector: Arc::new(collector),
            counts,
            end: CancellationToken::new(),
            is_ending: false,
            is_away: false,
        }
    }

    async fn run(mut self) {
        let end = self.end.clone();
        loop {
            tokio::select! {
                are_more = self.gather() => if !are_more {
                    return;
                },
                () = end.cancelled() => break,
            }
            self.export().await;
        }
        self.is_ending = true;
        self.spans.close();
        loop {
            self.take().await;
            if self.batch.is_empty() {
                return;
            }
            self.export().await;
        }
    }

    /// Fills the batch, for as long as spans may wait; false if nobody makes any more. Nothing is lost by giving it up.
    async fn gather(&mut self) -> bool {
        if self.take().await == 0 {
            return false;
        }
        let filling = async { while self.batch.len() < BATCH && self.take().await > 0 {} };
        let _ = timeout(LINGER, filling).await;
        true
    }

    /// Takes what is there, or waits for the next one, if there is room; says how many.
    async fn take(&mut self) -> usize {
        let room = BATCH.saturating_sub(self.batch.len());
        self.spans.recv_many(&mut self.batch, room).await
    }

    /// Sends the batch, or counts why it could not be.
    async fn export(&mut self) {
        let (batch, collector) = (mem::take(&mut self.batch), Arc::clone(&self.collector));
        let count = batch.len();
        let encoded = spawn_blocking(move || collector.encode(batch)).await;
        let Ok(body) = encoded.map(Bytes::from) else { return };
        let mut waits = WAITS.into_iter();
        loop {
            match self.post(body.clone()).await {
                Ok(refused) => {
                    self.counts.exported(count.saturating_sub(refused));
                    self.counts.refused(refused);
                    return self.is_back();
                }
                Err(Refusal::Final(why)) => {
                    self.counts.refused(count);
                    return self.fails(&why);
                }
                Err(Refusal::Later(why, after)) => {
                    self.fails(&why);
                    let Some(wait) = waits.next().filter(|_| !self.is_ending) else {
                        return self.counts.unreachable(count);
                    };
                    self.pause(wait.max(after.unwrap_or_default())).await;
                }
            }
        }
    }

    async fn post(&self, body: Bytes) -> Result<usize, Refusal> {
        let collector = Arc::clone(&self.collector);
        let posted = spawn_blocking(move || collector.post(&body)).await;
        posted.unwrap_or_else(|error| Err(Refusal::Final(error.to_string())))
    }

    /// Waits, unless the gateway stops meanwhile.
    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.end.cancelled() => self.is_ending = true,
        }
    }

    fn fails(&mut self, why: &str) {
        if !mem::replace(&mut self.is_away, true) {
            tracing::warn!(
                why,
                "spans cannot be exported; `hookway_trace_spans_total` counts what is dropped"
            );
        }
    }

    fn is_back(&mut self) {
        if mem::take(&mut self.is_away) {
            tracing::info!("spans are exported again");
        }
    }
}
