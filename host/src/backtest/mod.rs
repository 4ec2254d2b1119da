//! Backtests: what another version of a plugin would say of the events in the log, beside what the live one says.
//!
//! ```text
//! log, newest first -> endpoints that want the event and use the plugin -> both versions -> differences, progress, summary
//! ```
//!
//! - Each event is judged by the one plugin alone, as the endpoints and settings are now. Nothing is stored, sent or counted.
//! - A page of events is in memory and the next one is read: it costs the same however long the log is. Whoever takes no
//!   reports makes it wait.
//! - It gives way: it has one thread, which the system lets run when nothing else wants to. There is one at a time.
//! - It ends when nobody takes the reports any more.

mod pages;
mod run;
mod tally;

use std::sync::Arc;
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::run::Run;
pub use self::tally::{Record, Summary, Tally};
use crate::dispatch::Judge;
use crate::model::{Endpoint, EndpointId, Event, UnixMs};
use crate::plugins::{Comparison, VersionPair};
use crate::priority;
use crate::store::{self, EventFilter, Store};

/// Backtests at the same time: each takes what processor time is left.
const MAX_AT_ONCE: usize = 1;

/// What runs backtests. Clones share the limit.
#[derive(Clone)]
pub struct Backtests {
    store: Arc<dyn Store>,
    judge: Judge,
    places: Arc<Semaphore>,
}

/// The right to run one.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for as long as it is there")] OwnedSemaphorePermit);

/// Which events are judged, for whom.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Which events.
    pub filter: EventFilter,
    /// For this endpoint only.
    pub endpoint: Option<EndpointId>,
    /// How many events at most, the newest.
    pub limit: u64,
    /// Whether what means the same in other bytes is told, too.
    pub with_equivalent: bool,
}

/// What is told while a backtest runs.
#[derive(Debug)]
pub enum Report {
    /// An event of which the two versions say something else. Each is told once.
    Difference(Box<Difference>),
    /// How far it is.
    Progress {
        /// What was counted so far.
        tally: Tally,
        /// When the last event was accepted that was looked at.
        reached: Option<UnixMs>,
    },
    /// It is done.
    Summary(Box<Summary>),
    /// It ended before: the log cannot be read.
    Failed(store::Error),
}

/// Two answers that are not the same.
#[derive(Debug)]
pub struct Difference {
    /// About which event.
    pub event: Arc<Event>,
    /// For which endpoint.
    pub endpoint: Arc<Endpoint>,
    /// The answers.
    pub comparison: Comparison,
}

/// A backtest that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    reports: mpsc::Receiver<Vec<Report>>,
    ended: oneshot::Receiver<()>,
}

impl Backtests {
    /// Over what is in this store, for the endpoints that this judge knows.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, judge: Judge) -> Self {
        Self { store, judge, places: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }

    /// The right to run one; none while there are as many as may be.
    #[must_use]
    pub fn enter(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// Begins one.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(&self, place: Place, pair: VersionPair, extent: Extent) -> io::Result<Running> {
        let (sender, reports) = mpsc::channel(1);
        let (done, ended) = oneshot::channel();
        let run = Run::new(Arc::clone(&self.store), self.judge.clone(), (pair, extent), sender.clone());
        let runtime = Handle::current();
        let thread = thread::Builder::new().name("backtest".to_owned());
        thread.spawn(move || {
            priority::give_way("a backtest");
            let last = runtime.block_on(async {
                tokio::select! {
                    last = run.run() => last,
                    () = sender.closed() => Vec::new(),
                }
            });
            // Whoever reads that it is done may begin the next one.
            drop(place);
            // Nobody there is fine: there is nothing else to do.
            let _ = runtime.block_on(sender.send(last));
            let _ = done.send(());
        })?;
        Ok(Running { reports, ended })
    }
}

impl Running {
    /// The next reports; none when there are no more.
    pub async fn next(&mut self) -> Option<Vec<Report>> {
        self.reports.recv().await
    }

    /// Ends it, and waits until it has.
    pub async fn stop(self) {
        drop(self.reports);
        // An error says that the thread is gone, too.
        let _ = self.ended.await;
    }
}
