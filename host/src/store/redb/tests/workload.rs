//! A workload on the verbs of the store, made of a seed, and what it was promised: what any crash has to leave.
//!
//! The same seed makes the same calls in the same batches, and so the same writes and syncs: nothing depends on time, as the
//! store commits only when it is told to. What it gives out at random (keys, nonces) is other in each run, and as long.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use redb::ReadableTable as _;

use super::{OPTIONS, clock, vault};
use crate::model::{
    CustomRequest, DeliveryId, DeliveryState, Endpoint, EndpointId, Event, EventKey, FailReason, KvEntry,
    KvSpace, KvWrite, Line, OrderId, Ordering, TenantId, UnixMs,
};
use crate::store::conformance::fixtures::{
    T0, at, audit, custom_request, delivered, delivery, endpoint, endpoint_id, held_by, new_event, nth,
    pending, retrying, verdict,
};
use crate::store::redb::codec::EventRow;
use crate::store::redb::endpoint_row::EndpointRow;
use crate::store::redb::failure::Failure;
use crate::store::redb::faults::{Disk, History};
use crate::store::redb::inspect::inspect;
use crate::store::redb::schema::{Tables, delivery_key};
use crate::store::redb::writer::{Awaited, Batch, Change, begin};
use crate::store::redb::{Flush, Options, RedbStore, ids, rows};
use crate::store::{
    Accepted, Error, FanOut, FinishedAttempt, NewDelivery, NewEvent, Replay, Resume, Retention as _, Retire,
    Retry, Snapshot, Snapshots as _, Store as _, SweepPlace, Verdict,
};

/// The numbers of the disks.
pub(super) const TABLES: usize = 0;
pub(super) const LOG: usize = 1;
/// Endpoints that deliveries go to. The last has an order.
const ENDPOINTS: u128 = 4;

/// A store on two disks. It commits when it is told to and never by itself.
pub(super) fn open(disks: &[Disk]) -> Result<RedbStore, Error> {
    let options = Options { linger_ms: 86_400_000, ..OPTIONS };
    RedbStore::with_backends(disks[TABLES].clone(), disks[LOG].clone(), vault(), clock(), &options)
}

/// The workload, as far as it is.
pub(super) struct Workload {
    store: Arc<RedbStore>,
    disks: Vec<Disk>,
    history: History,
    random: StdRng,
    numbers: u64,
    undispatched: Vec<EventKey>,
    /// A backup that is being made, and how many events it has to have.
    backup: Option<(Box<dyn Snapshot>, u64)>,
    promises: Promises,
}

/// What was promised, and when.
#[derive(Default)]
pub(super) struct Promises {
    events: Vec<Promised>,
    /// Of all events for which it was asked, whether or not there was an answer.
    payloads: HashSet<Bytes>,
    deliveries: BTreeMap<DeliveryId, Track<Stood>>,
    endpoints: BTreeMap<EndpointId, Track<String>>,
}

/// An event that was answered.
struct Promised {
    event: Arc<Event>,
    issued: usize,
    acked: usize,
    /// That it was over, and removed.
    removed: Option<Removed>,
}

/// When somebody asked for it, and when it was on stable storage.
#[derive(Debug, Clone, Copy)]
struct Removed {
    issued: usize,
    acked: Option<usize>,
}

/// What became of one thing, step by step.
struct Track<T>(Vec<Step<T>>);

struct Step<T> {
    issued: usize,
    /// `None`: nobody was told that it is on stable storage.
    acked: Option<usize>,
    /// `None`: it is gone.
    after: Option<T>,
}

/// How a delivery stood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stood {
    state: DeliveryState,
    attempts: u16,
    custom: Option<Arc<CustomRequest>>,
}

/// Holds the writer up, so that what is called meanwhile is one batch.
struct Hold {
    held: mpsc::Sender<()>,
    release: mpsc::Receiver<()>,
}

impl Change for Hold {
    type Output = ();

    fn awaits(&self) -> Awaited {
        Awaited::Log
    }

    fn apply(self, _: &mut Batch<'_>) -> Result<(), Failure> {
        // Errors mean that nobody waits for it, or that it was dropped, which lets it go too.
        let _ = self.held.send(());
        let _ = self.release.recv();
        Ok(())
    }
}

impl Workload {
    /// A workload that begins on these disks.
    pub(super) fn begin(disks: Vec<Disk>, history: History, seed: u64) -> Result<Self, Error> {
        let (random, promises) = (StdRng::seed_from_u64(seed), Promises::default());
        let store = Arc::new(open(&disks)?);
        Ok(Self {
            store,
            disks,
            history,
            random,
            numbers: 0,
            undispatched: Vec::new(),
            backup: None,
            promises,
        })
    }

    /// So many steps more, or as many as succeed.
    pub(super) async fn go_on(&mut self, steps: usize) -> Result<(), Error> {
        for n in 1..=ENDPOINTS {
            if !self.promises.endpoints.contains_key(&endpoint_id(n)) {
                self.create_endpoint(n).await?;
            }
        }
        for _ in 0..steps {
            self.step().await?;
        }
        Ok(())
    }

    /// The store that it works on.
    pub(super) fn store(&self) -> &RedbStore {
        &self.store
    }

    /// Ends it where it is: what is not committed never will be. Hands over what was promised.
    pub(super) fn stop(self) -> Promises {
        self.promises
    }

    /// How many events were removed.
    pub(super) fn removed(&self) -> usize {
        self.promises.events.iter().filter(|promised| promised.removed.is_some()).count()
    }

    async fn step(&mut self) -> Result<(), Error> {
        match self.random.random_range(0..100) {
            0..30 => self.accept().await,
            30..55 => self.dispatch().await,
            55..75 => self.attempt().await,
            75..81 => self.resend().await,
            81..85 => self.judge().await,
            85..90 => self.change_endpoint().await,
            90..92 => self.write_kv().await,
            92..94 => self.reopen(),
            94..97 => self.retire().await,
            97..98 => self.back_up().await,
            _ => self.store.write(Flush).await,
        }
    }

    async fn accept(&mut self) -> Result<(), Error> {
        let calls: Vec<Vec<NewEvent>> =
            (0..self.random.random_range(1..6)).map(|_| self.new_events()).collect();
        let issued = self.history.len();
        let held = self.hold();
        let store = Arc::clone(&self.store);
        let answers: Vec<_> = calls.into_iter().map(|events| store.accept(events)).collect();
        drop(held);
        let mut failed = None;
        for answer in answers {
            match answer.await {
                Ok(accepted) => {
                    let acked = self.history.len();
                    for Accepted { event, duplicate } in accepted {
                        if !duplicate {
                            self.undispatched.push(event.key);
                        }
                        self.promises.events.push(Promised { event, issued, acked, removed: None });
                    }
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn hold(&self) -> mpsc::Sender<()> {
        let ((held, is_held), (let_go, release)) = (mpsc::channel(), mpsc::channel());
        drop(self.store.write(Hold { held, release }));
        // A store that has failed holds nothing.
        let _ = is_held.recv();
        let_go
    }

    /// Wakes the writer for all that is called by now. What can wait would do so for the whole day otherwise.
    fn wake(&self) {
        let ((held, _), (_, release)) = (mpsc::channel(), mpsc::channel());
        drop(self.store.write(Hold { held, release }));
    }

    fn new_events(&mut self) -> Vec<NewEvent> {
        let count = self.random.random_range(1..4);
        (0..count).map(|_| self.new_event()).collect()
    }

    fn new_event(&mut self) -> NewEvent {
        self.numbers += 1;
        let number = self.numbers;
        let size = match self.random.random_range(0..60) {
            0 => 300 << 10,
            1..6 => self.random.random_range(4_000..20_000),
            _ => self.random.random_range(0..400),
        };
        let letter = char::from(b'a' + self.random.random_range(0..26));
        let data: Bytes =
            format!(r#"{{"number":{number},"of":"{}"}}"#, letter.to_string().repeat(size)).into();
        self.promises.payloads.insert(data.clone());
        NewEvent {
            id: self.random.random::<bool>().then(|| format!("event-{number}").parse().unwrap()),
            idempotency_key: self.random.random_bool(0.3).then(|| format!("key-{number}")),
            data,
            ..new_event()
        }
    }

    async fn dispatch(&mut self) -> Result<(), Error> {
        let (store, mut calls) = (Arc::clone(&self.store), Vec::new());
        let (issued, held) = (self.history.len(), self.hold());
        for _ in 0..self.random.random_range(1..4) {
            if self.undispatched.is_empty() {
                break;
            }
            let event = self.undispatched.swap_remove(self.random.random_range(0..self.undispatched.len()));
            let deliveries = self.new_deliveries();
            // What plugins made cannot be made again.
            let durable = deliveries.iter().any(|new| new.verdict.custom.is_some()) || self.random.random();
            let fan_out = FanOut { event, at: T0, deliveries: deliveries.clone(), durable };
            calls.push((event, deliveries, durable, store.fan_out(fan_out)));
        }
        self.wake();
        drop(held);
        let mut outcome = Ok(());
        for (event, deliveries, durable, answer) in calls {
            let done = answer.await;
            let acked = (done.is_ok() && durable).then(|| self.history.len());
            for (ordinal, new) in (0..).zip(deliveries) {
                self.promises.stands(nth(event, ordinal), issued, acked, Stood::new(&new));
            }
            outcome = outcome.and(done);
        }
        outcome
    }

    fn new_deliveries(&mut self) -> Vec<NewDelivery> {
        let count = self.random.random_range(0..4);
        (0..count).map(|_| self.new_delivery()).collect()
    }

    fn new_delivery(&mut self) -> NewDelivery {
        let n = self.random.random_range(1..=ENDPOINTS);
        let new = match self.random.random_range(0..6) {
            0 => delivery(endpoint_id(n), held_by("p"), Some(at(60))),
            1 | 2 => {
                let verdict =
                    Verdict { custom: Some(self.shaped()), ..verdict(DeliveryState::Pending, None) };
                NewDelivery { verdict, ..pending(endpoint_id(n)) }
            }
            _ => pending(endpoint_id(n)),
        };
        let line = (n == ENDPOINTS).then_some(Line { order: OrderId::WHOLE, key: 0 });
        NewDelivery { line, ..new }
    }

    fn shaped(&mut self) -> Arc<CustomRequest> {
        self.numbers += 1;
        let body = format!("made by a transform, number {}", self.numbers).into();
        Arc::new(CustomRequest { body, ..(*custom_request()).clone() })
    }

    /// Some deliveries that stand so.
    fn some(&mut self, most: usize, wanted: impl Fn(&Stood) -> bool) -> Vec<(DeliveryId, Stood)> {
        let removed = self.promises.removed();
        let standing = self.promises.deliveries.iter().filter(|(id, _)| !removed.contains(&id.event));
        let mut found: Vec<_> = standing
            .filter_map(|(id, track)| {
                track.last().filter(|stood| wanted(stood)).map(|stood| (*id, stood.clone()))
            })
            .collect();
        let mut some = Vec::new();
        while some.len() < most && !found.is_empty() {
            some.push(found.swap_remove(self.random.random_range(0..found.len())));
        }
        some
    }

    async fn attempt(&mut self) -> Result<(), Error> {
        let waiting = |stood: &Stood| matches!(stood.state, DeliveryState::Pending | DeliveryState::Retrying);
        let deliveries = self.some(4, waiting);
        let (store, mut calls) = (Arc::clone(&self.store), Vec::new());
        let (issued, held) = (self.history.len(), self.hold());
        for (id, stood) in deliveries {
            let number = stood.attempts + 1;
            let finished = match self.random.random_range(0..4) {
                0 => retrying(id, number, at(self.random.random_range(1..1_000))),
                1 => FinishedAttempt {
                    state: DeliveryState::Failed(FailReason::Exhausted),
                    due_at: None,
                    ..retrying(id, number, T0)
                },
                _ => delivered(id, number),
            };
            let after = Stood { state: finished.state.clone(), attempts: number, ..stood };
            calls.push((id, after, store.finish_attempt(finished)));
        }
        // They wait for a commit.
        let flushed = self.random.random::<bool>().then(|| store.write(Flush));
        drop(held);
        let is_committed = match flushed {
            Some(flushed) => flushed.await.is_ok(),
            None => self.store.write(Flush).await.is_ok(),
        };
        let mut outcome = Ok(());
        for (id, after, answer) in calls {
            let done = answer.await.map(drop);
            let acked = (done.is_ok() && is_committed).then(|| self.history.len());
            self.promises.stands(id, issued, acked, after);
            outcome = outcome.and(done);
        }
        outcome
    }

    async fn resend(&mut self) -> Result<(), Error> {
        if self.random.random_bool(0.3) {
            return self.replay().await;
        }
        let Some((id, stood)) = self.some(1, |_| true).pop() else { return Ok(()) };
        let issued = self.history.len();
        let (done, after) = if stood.state.is_final() {
            let state = if stood.attempts == 0 { DeliveryState::Pending } else { DeliveryState::Retrying };
            let retry =
                Retry { delivery: id, expected: stood.state.clone(), resume: Resume::AsItWas, at: at(9) };
            let done = self.store.retry(retry, audit("delivery.retried")).await;
            (done, Stood { state, ..stood })
        } else {
            let done = self.store.cancel(id, at(9), audit("delivery.cancelled")).await;
            (done, Stood { state: DeliveryState::Cancelled, ..stood })
        };
        let acked = done.is_ok().then(|| self.history.len());
        self.promises.stands(id, issued, acked, after);
        done.map(drop)
    }

    async fn replay(&mut self) -> Result<(), Error> {
        let Some((id, _)) = self.some(1, |_| true).pop() else { return Ok(()) };
        let of_event = self.promises.deliveries.range(nth(id.event, 0)..=nth(id.event, u16::MAX));
        let next = of_event.last().map_or(0, |(last, _)| last.ordinal + 1);
        let deliveries = vec![self.new_delivery()];
        let issued = self.history.len();
        let replay = Replay { event: id.event, deliveries: deliveries.clone(), at: at(9) };
        let done = self.store.replay(replay, audit("event.replayed")).await;
        let acked = done.is_ok().then(|| self.history.len());
        for (ordinal, new) in (next..).zip(deliveries) {
            self.promises.stands(nth(id.event, ordinal), issued, acked, Stood::new(&new));
        }
        done.map(drop)
    }

    /// What a plugin held is judged anew.
    async fn judge(&mut self) -> Result<(), Error> {
        let held = |stood: &Stood| matches!(stood.state, DeliveryState::Held(_));
        let Some((id, _)) = self.some(1, held).pop() else { return Ok(()) };
        let verdict = Verdict { custom: Some(self.shaped()), ..verdict(DeliveryState::Pending, None) };
        let after = Stood { state: DeliveryState::Pending, attempts: 0, custom: verdict.custom.clone() };
        let issued = self.history.len();
        let done = self.store.redispatch(id, verdict, true).await;
        let acked = done.is_ok().then(|| self.history.len());
        self.promises.stands(id, issued, acked, after);
        done.map(drop)
    }

    async fn create_endpoint(&mut self, n: u128) -> Result<(), Error> {
        let ordering = if n == ENDPOINTS { Ordering::Fifo } else { Ordering::None };
        let new = Endpoint { ordering, ..endpoint(n, &format!("https://example.com/{n}")) };
        let issued = self.history.len();
        let done = self.store.create_endpoint(new.clone(), audit("endpoint.created")).await;
        let acked = done.is_ok().then(|| self.history.len());
        self.promises.endpoints.entry(new.id).or_default().add(issued, acked, Some(new.description));
        done
    }

    async fn change_endpoint(&mut self) -> Result<(), Error> {
        // More of them than deliveries go to, so that deleting one cancels nothing that is looked at.
        let n = self.random.random_range(1..=ENDPOINTS + 3);
        let id = endpoint_id(n);
        let is_there = self.promises.endpoints.get(&id).is_some_and(|track| track.last().is_some());
        if !is_there {
            return self.create_endpoint(n).await;
        }
        let issued = self.history.len();
        let (done, after) = if n > ENDPOINTS && self.random.random() {
            (self.store.delete_endpoint(id, audit("endpoint.deleted")).await, None)
        } else {
            self.numbers += 1;
            let description = format!("number {}", self.numbers);
            let ordering = if n == ENDPOINTS { Ordering::Fifo } else { Ordering::None };
            let url = format!("https://example.com/{n}/{}", self.numbers);
            let changed = Endpoint { description: description.clone(), ordering, ..endpoint(n, &url) };
            let done = self.store.update_endpoint(changed, Vec::new(), audit("endpoint.updated")).await;
            (done, Some(description))
        };
        let acked = done.is_ok().then(|| self.history.len());
        self.promises.endpoints.entry(id).or_default().add(issued, acked, after);
        done
    }

    async fn write_kv(&mut self) -> Result<(), Error> {
        let space = KvSpace { tenant: "acme".parse().unwrap(), plugin: "p".parse().unwrap() };
        let expires_at =
            self.random.random::<bool>().then(|| UnixMs(T0.0 + self.random.random_range(1..1_000)));
        let entry = self.random.random_bool(0.8).then(|| KvEntry { value: "some value".into(), expires_at });
        let key = format!("key-{}", self.random.random_range(0..5));
        let written = self.store.kv_write(vec![KvWrite { space, key, entry }], at(0));
        self.store.write(Flush).await?;
        written.await.map(drop)
    }

    /// Removes what is over below some event, and what it left in another order.
    async fn retire(&mut self) -> Result<(), Error> {
        if self.promises.events.is_empty() {
            return Ok(());
        }
        let place = self.random.random_range(0..self.promises.events.len());
        let before = self.promises.events[place].event.key;
        let issued = self.history.len();
        let over = self.promises.begin_removal(before, &self.undispatched, issued);
        let part = Retire { from: EventKey::from_u128(0), before, cut: true, overhead: Some(1_500) };
        let retired = self.store.retire(part);
        let swept = self
            .random
            .random::<bool>()
            .then(|| self.store.sweep(SweepPlace::default(), EventKey::from_u128(u128::MAX), 1_000));
        let flushed = self.store.write(Flush).await;
        let told = retired.await?;
        if let Some(swept) = swept {
            swept.await?;
        }
        flushed?;
        let acked = self.history.len();
        let mut gone = 0;
        for at in over {
            let id = self.promises.events[at].event.id.clone();
            let read = self.store.event(&TenantId::default(), &id).await;
            let is_gone = self.noticed(read).await?.is_none();
            gone += u64::from(is_gone);
            self.promises.events[at].removed = is_gone.then_some(Removed { issued, acked: Some(acked) });
        }
        assert_eq!(told.events, gone, "it says what it removes");
        Ok(())
    }

    /// A backup begins, or one that began some steps ago is read to its end.
    async fn back_up(&mut self) -> Result<(), Error> {
        let Some((snapshot, events)) = self.backup.take() else {
            let there = self.promises.events.iter().filter(|promised| promised.removed.is_none()).count();
            let snapshot = self.store.snapshot(audit("backup.created")).await?;
            self.backup = Some((snapshot, there as u64));
            return Ok(());
        };
        let (mut read, mut is_right) = (0, true);
        let payloads = &self.promises.payloads;
        let rows = snapshot.rows(&mut |table, key, row| {
            if table == "events" {
                read += 1;
                let key = EventKey::from_u128(u128::from_le_bytes(key.try_into().unwrap()));
                let event = EventRow::parse(row).and_then(|row| row.to_event(key));
                is_right &= event.is_ok_and(|event| payloads.contains(&event.data));
            }
            true
        });
        self.noticed(rows).await?;
        assert!(is_right && read == events, "a backup has what there was: {read} of {events} events");
        Ok(())
    }

    /// A disk that fails while something is read is noticed by who writes next.
    async fn noticed<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if read.is_err() {
            let _ = self.store.write(Flush).await;
        }
        read
    }

    fn reopen(&mut self) -> Result<(), Error> {
        self.backup = None;
        self.store.close()?;
        self.store = Arc::new(open(&self.disks)?);
        Ok(())
    }
}

impl Stood {
    fn new(new: &NewDelivery) -> Self {
        Self { state: new.verdict.state.clone(), attempts: 0, custom: new.verdict.custom.clone() }
    }
}

impl<T> Default for Track<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq + Debug> Track<T> {
    fn add(&mut self, issued: usize, acked: Option<usize>, after: Option<T>) {
        self.0.push(Step { issued, acked, after });
    }

    fn last(&self) -> Option<&T> {
        self.0.last().and_then(|step| step.after.as_ref())
    }

    /// Whether this may be what a crash left when so much had happened: the last that was promised by then, or what was
    /// under way after it.
    fn allows(&self, found: Option<&T>, moment: usize) -> bool {
        let is_promised = |step: &Step<T>| step.acked.is_some_and(|acked| acked <= moment);
        let promised = self.0.iter().rposition(is_promised);
        let from = promised.unwrap_or(0);
        let may_be_absent = promised.is_none() && found.is_none();
        may_be_absent
            || self.0[from..].iter().any(|step| {
                let may_be = step.issued < moment || is_promised(step);
                may_be && step.after.as_ref() == found
            })
    }
}

impl Promises {
    /// Of all events for which it was asked.
    pub(super) fn into_payloads(self) -> HashSet<Bytes> {
        self.payloads
    }

    fn stands(&mut self, id: DeliveryId, issued: usize, acked: Option<usize>, after: Stood) {
        self.deliveries.entry(id).or_default().add(issued, acked, Some(after));
    }

    /// The events that were removed, or may have been.
    fn removed(&self) -> HashSet<EventKey> {
        let removed = self.events.iter().filter(|promised| promised.removed.is_some());
        removed.map(|promised| promised.event.key).collect()
    }

    /// Somebody asks for the removal of what is over below an event; returns which those are that may go.
    fn begin_removal(&mut self, before: EventKey, undispatched: &[EventKey], issued: usize) -> Vec<usize> {
        let mut over = Vec::new();
        for (at, promised) in self.events.iter_mut().enumerate() {
            let key = promised.event.key;
            let mut deliveries = self.deliveries.range(nth(key, 0)..=nth(key, u16::MAX));
            if key < before
                && promised.removed.is_none()
                && !undispatched.contains(&key)
                && deliveries.all(|(_, track)| track.last().is_none_or(|stood| stood.state.is_final()))
            {
                promised.removed = Some(Removed { issued, acked: None });
                over.push(at);
            }
        }
        over
    }

    /// What of the promises up to a moment does not hold in this store, and what in it does not agree.
    pub(super) fn broken(&self, store: &RedbStore, moment: usize) -> Vec<String> {
        let look = || {
            store.shared.with(|database| {
                let transaction = begin(database)?;
                let tables = Tables::open(&transaction)?;
                let mut broken = Vec::new();
                self.events(&tables, moment, &mut broken)?;
                self.deliveries(&tables, moment, &mut broken)?;
                self.endpoints(&tables, moment, &mut broken)?;
                broken.extend(disagreements(&tables)?);
                Ok(broken)
            })
        };
        // redb panics on some pages that it did not write, as disks leave whose syncs lie.
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)) {
            Ok(broken) => broken.unwrap_or_else(|error| vec![format!("the store cannot be read: {error:?}")]),
            Err(_) => vec!["the store cannot be read: it is damaged".to_owned()],
        }
    }

    /// Whether each answer to an event came after a sync that followed the write of its bytes: those of which that is not so.
    /// `acked_earlier` is how much earlier the answers are taken to have come.
    pub(super) fn answered_too_early(
        &self,
        moments: &super::Moments,
        acked_earlier: usize,
    ) -> (usize, usize) {
        let is_safe = |promised: &&Promised| {
            let acked = promised.acked - acked_earlier;
            [LOG, TABLES].iter().any(|disk| {
                let written = moments.write_of(*disk, &promised.event.data, promised.issued);
                let synced = written.and_then(|at| moments.next_sync(*disk, at));
                synced.is_some_and(|at| at < acked)
            })
        };
        (self.events.len(), self.events.len() - self.events.iter().filter(is_safe).count())
    }

    fn events(&self, tables: &Tables<'_>, moment: usize, broken: &mut Vec<String>) -> Result<(), Failure> {
        for Promised { event, acked, removed, .. } in &self.events {
            let found = rows::event(&tables.events, event.key)?;
            let is_removed = removed.and_then(|removed| removed.acked).is_some_and(|acked| acked <= moment);
            match found {
                None if *acked > moment || is_removed || removed.is_some_and(|r| r.issued < moment) => {}
                None => broken.push(format!("lost: the event {}", event.id)),
                Some(_) if is_removed => broken.push(format!("there again: the event {}", event.id)),
                Some(found) if found.data != event.data => broken.push(format!("wrong bytes: {}", event.id)),
                Some(_) => {
                    let by_id = ids::find(&tables.ids, &tables.events, &event.tenant, &event.id)?;
                    if by_id != Some(event.key) {
                        broken.push(format!("not found by its id: {}", event.id));
                    }
                }
            }
        }
        for row in tables.events.iter()? {
            let key = EventKey::from_u128(row?.0.value());
            let event = rows::event(&tables.events, key)?;
            if event.is_none_or(|event| !self.payloads.contains(&event.data)) {
                broken.push(format!("nobody sent what the event {key} has"));
            }
        }
        Ok(())
    }

    fn deliveries(
        &self,
        tables: &Tables<'_>,
        moment: usize,
        broken: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let removed = self.removed();
        for (id, track) in &self.deliveries {
            let row = rows::delivery(&tables.deliveries, *id)?;
            // Whether it may be gone is said of its event, which goes as a whole.
            if removed.contains(&id.event) && tables.events.get(id.event.as_u128())?.is_none() {
                broken.extend(row.map(|_| format!("left behind: {id}")));
                continue;
            }
            let custom = match tables.custom.get(delivery_key(*id))? {
                Some(_) => rows::custom(&tables.custom, *id)?.map(Arc::new),
                None => None,
            };
            let found = row.map(|row| Stood { state: row.state, attempts: row.attempts, custom });
            if !track.allows(found.as_ref(), moment) {
                broken.push(format!("lost: {id} stands as {found:?}"));
            }
        }
        Ok(())
    }

    fn endpoints(&self, tables: &Tables<'_>, moment: usize, broken: &mut Vec<String>) -> Result<(), Failure> {
        for (id, track) in &self.endpoints {
            let row = tables.endpoints.get(id.as_u128())?;
            let row = row.map(|row| EndpointRow::from_json(row.value())).transpose()?;
            let found = row.map(|row| row.endpoint.description);
            if !track.allows(found.as_ref(), moment) {
                broken.push(format!("lost: {id} is {found:?}"));
            }
        }
        Ok(())
    }
}

/// What in a store does not agree, as the doctor says it.
pub(super) fn disagreements_of(store: &RedbStore) -> Vec<String> {
    let looked = store.shared.with(|database| disagreements(&Tables::open(&begin(database)?)?));
    looked.unwrap_or_else(|error| vec![format!("the store cannot be read: {error:?}")])
}

fn disagreements(tables: &Tables<'_>) -> Result<Vec<String>, Failure> {
    Ok(inspect(tables, &mut |_| {})?.sentences().into_iter().map(|(sentence, _)| sentence).collect())
}

/// What a life after a crash needs: an event goes all its way.
pub(super) async fn live(store: &RedbStore) -> (Bytes, EventKey) {
    let data = Bytes::from_static(b"\"after the crash\"");
    let event = store
        .accept(vec![NewEvent { data: data.clone(), ..new_event() }])
        .await
        .unwrap()
        .swap_remove(0)
        .event;
    let deliveries = vec![pending(endpoint_id(1))];
    store.fan_out(FanOut { event: event.key, at: T0, deliveries, durable: true }).await.unwrap();
    let finished = store.finish_attempt(delivered(nth(event.key, 0), 1));
    store.write(Flush).await.unwrap();
    let recorded = tokio::time::timeout(Duration::from_mins(1), finished).await;
    recorded.expect("the commit was before").unwrap();
    (data, event.key)
}
