//! The receiver: answers 200 at once, and keeps when each event arrived and how often.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::payload;
use crate::serve::{Answer, empty, serve};

/// Without a delivery for this long, those that are missing do not come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is expected and what came.
struct Ledger {
    start: Instant,
    /// How often each event has to come.
    copies: u32,
    expected: usize,
    arrived: AtomicUsize,
    /// Requests in which no number of an event was found.
    unknown: AtomicUsize,
    events: Vec<Arrival>,
    complete: Notify,
}

#[derive(Default)]
struct Arrival {
    times: AtomicU32,
    /// Nanoseconds since the start, of the first.
    first: AtomicU64,
}

/// A receiver on a free port. Dropping it ends it.
pub(crate) struct Arrivals {
    ledger: Arc<Ledger>,
    address: SocketAddr,
    serving: JoinHandle<Result<()>>,
}

impl Answer for Ledger {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let Ok(body) = request.into_body().collect().await else { return empty(StatusCode::BAD_REQUEST) };
        self.note(&body.to_bytes());
        empty(StatusCode::OK)
    }
}

impl Ledger {
    fn note(&self, body: &[u8]) {
        let Some(event) = payload::number(body).and_then(|number| self.events.get(number)) else {
            self.unknown.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if event.times.fetch_add(1, Ordering::Relaxed) == 0 {
            let since = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            event.first.store(since, Ordering::Relaxed);
        }
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.expected {
            self.complete.notify_one();
        }
    }
}

impl Arrivals {
    /// Waits for `events` events, numbered from 0, each of which comes `copies` times.
    pub(crate) async fn start(events: usize, copies: u32) -> Result<Self> {
        let ledger = Arc::new(Ledger {
            start: Instant::now(),
            copies,
            expected: events * copies as usize,
            arrived: AtomicUsize::new(0),
            unknown: AtomicUsize::new(0),
            events: std::iter::repeat_with(Arrival::default).take(events).collect(),
            complete: Notify::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&ledger)));
        Ok(Self { ledger, address, serving })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many deliveries have arrived.
    pub(crate) fn count(&self) -> usize {
        self.ledger.arrived.load(Ordering::Acquire)
    }

    /// Waits until so many have arrived.
    ///
    /// # Errors
    /// Nothing came for a while.
    pub(crate) async fn until(&self, count: usize) -> Result<()> {
        let (mut before, mut since) = (0, Instant::now());
        while before < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = self.count();
            if now > before {
                (before, since) = (now, Instant::now());
            }
            ensure!(since.elapsed() < PATIENCE, "{now} of {count} deliveries arrived and no more come");
        }
        Ok(())
    }

    /// Waits for the last one.
    ///
    /// # Errors
    /// Nothing came for a while, or something came too often.
    pub(crate) async fn all(&self) -> Result<()> {
        let mut before = usize::MAX;
        while timeout(PATIENCE, self.ledger.complete.notified()).await.is_err() {
            let now = self.count();
            ensure!(now != before, "{now} of {} deliveries arrived and no more come", self.ledger.expected);
            before = now;
        }
        let wrong = self
            .ledger
            .events
            .iter()
            .position(|event| event.times.load(Ordering::Relaxed) != self.ledger.copies);
        let unknown = self.ledger.unknown.load(Ordering::Relaxed);
        ensure!(unknown == 0, "{unknown} requests were of no event that was sent");
        ensure!(wrong.is_none(), "event {wrong:?} did not arrive as often as it should");
        Ok(())
    }

    /// Waits until the first `events` events have come, and checks that each came once and no other did.
    ///
    /// # Errors
    /// Nothing came for a while, or something came too often.
    pub(crate) async fn exactly(&self, events: usize) -> Result<()> {
        self.until(events).await?;
        let times = |event: &Arrival| event.times.load(Ordering::Relaxed);
        let wrong = self
            .ledger
            .events
            .iter()
            .enumerate()
            .find(|(number, event)| times(event) != u32::from(*number < events));
        if let Some((number, event)) = wrong {
            anyhow::bail!("event {number} of {events} came {} times", times(event));
        }
        let unknown = self.ledger.unknown.load(Ordering::Relaxed);
        ensure!(unknown == 0, "{unknown} requests were of no event that was sent");
        Ok(())
    }

    /// When each event arrived first, in the order of their numbers.
    ///
    /// # Errors
    /// One did not.
    pub(crate) fn times(&self) -> Result<Vec<Instant>> {
        let time = |event: &Arrival| {
            let came = event.times.load(Ordering::Relaxed) > 0;
            came.then(|| self.ledger.start + Duration::from_nanos(event.first.load(Ordering::Relaxed)))
        };
        self.ledger.events.iter().map(time).collect::<Option<_>>().context("an event did not arrive")
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
