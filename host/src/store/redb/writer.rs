//! The one thread that writes: it drains what waits into one transaction, commits it, and answers.
//!
//! - While a commit waits for the disk, the next commands queue up and share the next one: that is group commit, and
//!   why the cost per event falls as load rises.
//! - A batch with an urgent command is committed at once. A batch without one waits for a little while, so that it can
//!   ride along with an urgent one.
//! - Every commit is on stable storage, in two phases, before anyone is answered: redb keeps non-durable commits in
//!   the memory of the process, so a kill would take them back after they were seen.
//! - A command is checked before it writes, so one that is refused leaves the others of its batch alone.
//! - After a storage error nothing is known about what the disk holds (a failed fsync is not repeated by the kernel), so
//!   the thread ends, and with it all writing, until the store is opened again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use redb::{Database, Durability, WriteTransaction};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Shared;
use super::failure::Failure;
use super::progress::Progress;
use super::schema::Tables;
use super::upkeep::Upkeep;
use crate::store::Error;

/// Commands per commit. Far more than wait at any time under a steady load; bounds the memory of a burst.
const MAX_BATCH: usize = 1024;
/// Payload per commit, so that a burst of large events does not hold all others up for seconds.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// One verb of the store: a change of rows inside a transaction.
pub(super) trait Change: Send + 'static {
    /// What its caller is answered after the commit.
    type Output: Send + 'static;

    /// Whether the caller waits for stable storage; otherwise it can wait for an urgent one to ride along with.
    fn is_urgent(&self) -> bool;

    /// About how much it writes, if that can be much.
    fn bytes(&self) -> usize {
        0
    }

    /// Checks everything that can be refused, then writes.
    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure>;
}

/// What a change works on.
pub(super) struct Batch<'t> {
    pub(super) tables: Tables<'t>,
    pub(super) progress: &'t mut Progress,
}

/// A change and its caller, whatever their types.
pub(super) trait Command: Send {
    /// See [`Change::is_urgent`].
    fn is_urgent(&self) -> bool;
    /// See [`Change::bytes`].
    fn bytes(&self) -> usize;
    /// Applies the change and keeps the answer. Fails only if the whole batch must be given up.
    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), Error>;
    /// Gives the caller the answer, or the reason why the batch was not committed.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

/// What a caller waits for.
pub(super) type Answer<T> = oneshot::Receiver<Result<T, Error>>;

/// Makes a command of a change; the other end gets the answer.
pub(super) fn command<C: Change>(change: C) -> (Box<dyn Command>, Answer<C::Output>) {
    let (caller, answer) = oneshot::channel();
    (Box::new(Pending { change: Some(change), outcome: None, caller }), answer)
}

/// Waits for the answer to a command.
#[cfg(not(test))]
pub(super) async fn answered<T>(answer: Answer<T>) -> Result<T, Error> {
    answer.await.unwrap_or(Err(Error::Closed))
}

/// The same on a thread that blocks: virtual time, which runs on whenever all tasks wait, stands still while one does.
#[cfg(test)]
pub(super) async fn answered<T: Send + 'static>(answer: Answer<T>) -> Result<T, Error> {
    let waiting = tokio::task::spawn_blocking(move || answer.blocking_recv());
    waiting.await.expect("waiting does not panic").unwrap_or(Err(Error::Closed))
}

struct Pending<C: Change> {
    change: Option<C>,
    outcome: Option<Result<C::Output, Error>>,
    caller: oneshot::Sender<Result<C::Output, Error>>,
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) progress: Progress,
    pub(super) upkeep: Upkeep,
    pub(super) commands: Receiver<Box<dyn Command>>,
    pub(super) linger: Duration,
}

impl Writer {
    /// Works until every sender is gone and everything they sent is committed, or until the storage fails.
    pub(super) fn run(mut self) {
        while let Some(batch) = self.next_batch() {
            if !self.process(batch) {
                return;
            }
        }
    }

    fn next_batch(&self) -> Option<Vec<Box<dyn Command>>> {
        let first = self.commands.recv().ok()?;
        let until = Instant::now() + self.linger;
        let (mut urgent, mut bytes, mut batch) = (first.is_urgent(), first.bytes(), vec![first]);
        while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let Some(next) = self.next_command(urgent, until) else { break };
            urgent |= next.is_urgent();
            bytes += next.bytes();
            batch.push(next);
        }
        Some(batch)
    }

    fn next_command(&self, urgent: bool, until: Instant) -> Option<Box<dyn Command>> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) if !urgent => {
                self.commands.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// Commits a batch and answers it; false if nothing can be written any more.
    fn process(&mut self, mut batch: Vec<Box<dyn Command>>) -> bool {
        let committed = self
            .shared
            .with(|database| Self::commit(database, &mut self.progress, &mut self.upkeep, &mut batch));
        match &committed {
            Ok(()) => {
                self.progress.committed();
                self.upkeep.committed();
            }
            Err(error) => tracing::error!(
                error = error as &dyn std::error::Error,
                commands = batch.len(),
                "the store failed and takes no more writes until it is opened again"
            ),
        }
        for command in batch {
            command.answer(committed.clone());
        }
        committed.is_ok()
    }

    fn commit(
        database: &Database,
        progress: &mut Progress,
        upkeep: &mut Upkeep,
        commands: &mut [Box<dyn Command>],
    ) -> Result<(), Failure> {
        let transaction = begin(database)?;
        let mut batch = Batch { tables: Tables::open(&transaction)?, progress };
        for command in commands {
            command.apply(&mut batch)?;
        }
        let dispatched_below = batch.progress.store(&mut batch.tables)?;
        upkeep.finish(&mut batch.tables, dispatched_below)?;
        drop(batch);
        Ok(transaction.commit()?)
    }
}

/// A transaction whose commit is on stable storage in two phases, and says which pages are free: opening after a crash
/// would have to read the whole file to find that out, about 5 s per GiB.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Failure> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

impl<C: Change> Command for Pending<C> {
    fn is_urgent(&self) -> bool {
        self.change.as_ref().is_some_and(C::is_urgent)
    }

    fn bytes(&self) -> usize {
        self.change.as_ref().map_or(0, C::bytes)
    }

    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), Error> {
        match self.change.take().map(|change| change.apply(batch)) {
            Some(Err(Failure::Broken(error))) => return Err(error),
            Some(Err(Failure::Refused(error))) => self.outcome = Some(Err(error)),
            Some(Ok(output)) => self.outcome = Some(Ok(output)),
            None => {}
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let Self { outcome, caller, .. } = *self;
        // A caller that has gone away does not want to know; what it asked for is done all the same.
        let _ = caller.send(committed.and_then(|()| outcome.unwrap_or(Err(Error::Closed))));
    }
}
