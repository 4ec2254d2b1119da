//! The one thread that writes: it takes what waits into a transaction, and commits it.
//!
//! - A transaction stays open for some milliseconds and takes what comes meanwhile: that is group commit, and why the cost
//!   per event falls as load rises. What must be on stable storage before then goes into the log ([`super::wal`]): all that
//!   waits, in one write and one sync.
//! - Of what waits at the same time, that which waits for the log comes first. While it is written ([`super::log_writer`]) the rest is
//!   applied: nobody relies on an order of calls that were not answered. The next batch begins when it is written, so a batch has
//!   what came meanwhile.
//! - A command that is urgent and not logged is committed at once, with all before it. So is everything when there is no log.
//! - What is answered before its commit can be seen by no reader yet: whoever reads has it committed first
//!   ([`super::RedbStore`]).
//! - Every commit is on stable storage, in two phases, before those are answered who wait for it: redb keeps non-durable
//!   commits in the memory of the process, so a kill would take them back after they were seen.
//! - A command is checked before it writes, so one that is refused leaves the others of its batch alone.
//! - After a storage error nothing is known about what the disk holds (a failed fsync is not repeated by the kernel), so
//!   the thread ends, and with it all writing, until the store is opened again.

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, Durability, WriteTransaction};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Shared;
use super::counts::Counts;
use super::failure::Failure;
use super::log_writer::LogWriter;
use super::progress::Progress;
use super::queue::Queue;
use super::schema::{META_LOGGED, Tables};
use super::upkeep::Upkeep;
use super::wal::{Records, Wal};
use crate::store::Error;

/// Commands that are answered together: those of as many callers as wait at any time under a steady load.
const MAX_BATCH: usize = 1024;
/// Commands of one transaction. Bounds how long its commit holds up those who come then.
const MAX_OPEN: usize = 16 * MAX_BATCH;
/// Payload of one batch that is logged. Where there is more, the second writing would cost more than a commit.
const MAX_LOGGED_BYTES: usize = 256 << 10;
/// Payload of one transaction, so that a burst of large events does not hold all others up for seconds.
const MAX_OPEN_BYTES: usize = 16 << 20;

/// One verb of the store: a change of rows inside a transaction.
pub(super) trait Change: Send + 'static {
    /// What its caller is answered after the commit.
    type Output: Send + 'static;

    /// What its caller waits for.
    fn awaits(&self) -> Awaited;

    /// About how much it writes, if that can be much.
    fn bytes(&self) -> usize {
        0
    }

    /// Whether it knows that new deliveries may not be written yet ([`super::unwritten`]).
    fn is_of_flow(&self) -> bool {
        false
    }

    /// Checks everything that can be refused, then writes.
    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure>;
}

/// What a change works on.
pub(super) struct Batch<'t> {
    pub(super) tables: Tables<'t>,
    pub(super) progress: &'t mut Progress,
    /// What goes into the log before anyone is answered.
    pub(super) records: Records,
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    /// Nothing but its turn: it does it again after a crash.
    Turn,
    /// Stable storage, which is that of the log: the change adds to [`Batch::records`] all that it takes to repeat it.
    Log,
    /// Nothing, and it is about nobody who waits: its turn comes while the log is written for those of its batch who wait for that.
    LastTurn,
    /// The commit, whenever it comes: with that of something urgent, or when it is time.
    Commit,
    /// The commit, at once.
    CommitNow,
}

/// A change and its caller, whatever their types.
pub(super) trait Command: Send {
    /// What its caller waits for.
    fn awaited(&self) -> Awaited;
    /// Whether the writer is to be woken for it.
    fn is_urgent(&self) -> bool {
        matches!(self.awaited(), Awaited::Log | Awaited::CommitNow)
    }
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
    let awaited = change.awaits();
    (Box::new(Pending { awaited, change: Some(change), outcome: None, caller }), answer)
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
    awaited: Awaited,
    change: Option<C>,
    outcome: Option<Result<C::Output, Error>>,
    caller: oneshot::Sender<Result<C::Output, Error>>,
}

/// The state of the thread.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) progress: Progress,
    pub(super) upkeep: Upkeep,
    /// `None`: each batch that somebody waits for is committed.
    pub(super) log: Option<LogWriter>,
    pub(super) queue: Arc<Queue>,
    pub(super) linger: Duration,
    pub(super) counts: Counts,
    /// Where answers are given: each of them wakes a task, which from a thread of its own costs a system call.
    pub(super) runtime: Option<Handle>,
}

/// What the open transaction has.
#[derive(Default)]
struct Open {
    /// Commands that are not answered: first those that wait for the commit alone, then the newest batch.
    waiting: Vec<Box<dyn Command>>,
    /// Where the newest batch begins.
    newest: usize,
    newest_bytes: usize,
    /// Applied since it was opened.
    commands: usize,
    bytes: usize,
}

impl Writer {
    /// Works until every sender is gone and everything they sent is committed, or until the storage fails.
    pub(super) fn run(mut self) {
        while let Some(first) = self.queue.first() {
            if !self.transact(first) {
                break;
            }
        }
    }

    /// Commits this command and what comes with it; false if nothing can be written any more.
    fn transact(&mut self, first: Box<dyn Command>) -> bool {
        let mut open = Open::default();
        open.take(first);
        let shared = Arc::clone(&self.shared);
        let committed = shared.with(|database| self.fill(database, &mut open));
        match &committed {
            Ok(()) => {
                self.progress.committed();
                self.upkeep.committed();
            }
            Err(error) => tracing::error!(
                error = error as &dyn std::error::Error,
                commands = open.waiting.len(),
                "the store failed and takes no more writes until it is opened again"
            ),
        }
        shared.caught_up();
        let is_ok = committed.is_ok();
        if !is_ok {
            // Whoever is told of it finds that the store is not writable.
            self.queue.close();
        }
        answer(self.runtime.as_ref(), open.waiting, committed);
        is_ok
    }

    /// Opens a transaction, applies what comes until it is time, and commits it.
    fn fill(&mut self, database: &Database, open: &mut Open) -> Result<(), Failure> {
        let Self { shared, progress, upkeep, log, queue, linger, counts, runtime } = self;
        let until = Instant::now() + *linger;
        let transaction = begin(database)?;
        let records = Records::kept(true);
        let mut batch = Batch { tables: Tables::open(&transaction)?, progress, records };
        let mut is_last = linger.is_zero();
        loop {
            open.gather(queue);
            let is_logged = log.is_some() && open.newest_bytes <= MAX_LOGGED_BYTES;
            batch.records.keep(is_logged);
            if is_last || open.must_commit(is_logged) {
                apply(&mut open.waiting[open.newest..], &mut batch)?;
                break;
            }
            let mut early = open.take_out(|awaited| awaited <= Awaited::Log);
            apply(&mut early, &mut batch)?;
            upkeep.count(&mut batch.tables);
            shared.is_ahead();
            match log {
                Some(log) => log.append(&mut batch.records, early)?,
                None => answer(runtime.as_ref(), early, Ok(())),
            }
            let mut last = open.take_out(|awaited| awaited == Awaited::LastTurn);
            apply(&mut open.waiting[open.newest..], &mut batch)?;
            apply(&mut last, &mut batch)?;
            answer(runtime.as_ref(), last, Ok(()));
            batch.tables.write_attempted()?;
            open.next_batch();
            if let Some(log) = log {
                log.finished()?;
            }
            is_last = queue.sleep(until);
        }
        batch.tables.write_deliveries()?;
        let dispatched_below = batch.progress.store(&mut batch.tables)?;
        upkeep.finish(&mut batch.tables, dispatched_below)?;
        let mut wal = log.as_mut().map(LogWriter::finished).transpose()?;
        if let Some(generation) = wal.as_deref().and_then(Wal::generation_in_use) {
            batch.tables.meta.insert(META_LOGGED, u128::from(generation))?;
        }
        drop(batch);
        let begun = Instant::now();
        transaction.commit()?;
        counts.committed(open.commands, open.bytes, begun);
        if let Some(wal) = &mut wal {
            wal.begin_next();
        }
        Ok(())
    }
}

impl Drop for Writer {
    /// Whatever ended it: nobody waits for an answer that does not come.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl Open {
    fn take(&mut self, command: Box<dyn Command>) {
        self.commands += 1;
        self.bytes += command.bytes();
        self.newest_bytes += command.bytes();
        self.waiting.push(command);
    }

    fn is_full(&self) -> bool {
        self.commands >= MAX_OPEN || self.bytes >= MAX_OPEN_BYTES
    }

    /// Takes what waits already.
    fn gather(&mut self, queue: &Queue) {
        let end = self.newest + MAX_BATCH;
        while self.waiting.len() < end && !self.is_full() {
            let Some(next) = queue.next() else { return };
            self.take(next);
        }
    }

    fn must_commit(&self, is_logged: bool) -> bool {
        let mut newest = self.waiting[self.newest..].iter().map(|command| command.awaited());
        self.is_full()
            || newest.any(|awaited| match awaited {
                Awaited::CommitNow => true,
                Awaited::Log => !is_logged,
                Awaited::Turn | Awaited::LastTurn | Awaited::Commit => false,
            })
    }

    /// Takes those of the newest batch out who wait for that.
    fn take_out(&mut self, which: impl Fn(Awaited) -> bool) -> Vec<Box<dyn Command>> {
        self.waiting.extract_if(self.newest.., |command| which(command.awaited())).collect()
    }

    /// All that came is applied.
    fn next_batch(&mut self) {
        self.newest = self.waiting.len();
        self.newest_bytes = 0;
    }
}

fn apply(commands: &mut [Box<dyn Command>], batch: &mut Batch<'_>) -> Result<(), Error> {
    commands.iter_mut().try_for_each(|command| command.apply(batch))
}

/// Answers all of these, in their order.
pub(super) fn answer(
    runtime: Option<&Handle>,
    commands: Vec<Box<dyn Command>>,
    committed: Result<(), Error>,
) {
    if commands.is_empty() {
        return;
    }
    let all = move || commands.into_iter().for_each(|command| command.answer(committed.clone()));
    match runtime {
        Some(runtime) => drop(runtime.spawn(async move { all() })),
        None => all(),
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
    fn awaited(&self) -> Awaited {
        self.awaited
    }

    fn bytes(&self) -> usize {
        self.change.as_ref().map_or(0, C::bytes)
    }

    fn apply(&mut self, batch: &mut Batch<'_>) -> Result<(), Error> {
        let apply = |change: C| {
            if !change.is_of_flow() {
                batch.tables.write_deliveries()?;
            }
            change.apply(batch)
        };
        match self.change.take().map(apply) {
            Some(Err(Failure::Broken(error))) => return Err(error),
            Some(Err(refused)) => self.outcome = Some(Err(refused.into())),
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
