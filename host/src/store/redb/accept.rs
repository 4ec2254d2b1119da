//! `accept` and `accept_test`: events in, all of a call or none, each once; `accept_each`: those that can be; [`notices`]:
//! operational events in, with the change that causes them.
//!
//! A call is planned against what is stored and against itself, and then written. What is refused leaves no trace in the
//! plan.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use redb::ReadableTable as _;

use super::backlogs::{Differences, Weight};
use super::codec;
use super::failure::Failure;
use super::ids::{self, Claim};
use super::progress::next_key;
use super::rows;
use super::wal::Record;
use super::writer::{Awaited, Batch, Change};
use crate::model::{EnvelopeCache, Event, EventId, EventKey};
use crate::store::{Accepted, BacklogFull, Error, NewEvent, Refused};

/// The verb.
pub(super) struct Accept(pub(super) Vec<NewEvent>);

/// The verb.
pub(super) struct AcceptEach(pub(super) Vec<NewEvent>);

/// The verb.
pub(super) struct AcceptTest(pub(super) NewEvent);

/// What a call will do, worked out without writing.
struct Plan {
    last: EventKey,
    /// The claims of this call, new ones only, with the event that has them and its content.
    claims: HashMap<Claim, (Arc<Event>, u128)>,
    /// The new events, by rising key, each with the header of its row.
    created: Vec<(Arc<Event>, Bytes)>,
    /// Keys that producers chose and that we must not assign.
    reserved: BTreeSet<EventKey>,
    /// What the new events add to the undelivered work.
    backlog: Differences,
    /// Whether there may be too much of that: not for what the gateway itself or a person asks for.
    is_bounded: bool,
}

/// The event that came first with an id or key, if one did; as an error if it has other content.
type First = Result<Option<Arc<Event>>, Arc<Event>>;

impl Change for Accept {
    type Output = Vec<Accepted>;

    fn awaits(&self) -> Awaited {
        Awaited::Log
    }

    fn is_of_flow(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        bytes(&self.0)
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Vec<Accepted>, Failure> {
        let plan = Plan::new(batch, self.0.len());
        plan.all(batch, self.0)
    }
}

impl Change for AcceptEach {
    type Output = Vec<Result<Accepted, Refused>>;

    fn awaits(&self) -> Awaited {
        Awaited::Log
    }

    fn is_of_flow(&self) -> bool {
        true
    }

    fn bytes(&self) -> usize {
        bytes(&self.0)
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Self::Output, Failure> {
        let mut plan = Plan::new(batch, self.0.len());
        let answers = self.0.into_iter().map(|new| plan.add(batch, new)).collect::<Result<_, _>>()?;
        plan.log(batch);
        plan.write(batch)?;
        Ok(answers)
    }
}

fn bytes(events: &[NewEvent]) -> usize {
    events.iter().map(|event| event.data.len()).sum()
}

impl Change for AcceptTest {
    type Output = Arc<Event>;

    fn awaits(&self) -> Awaited {
        Awaited::CommitNow
    }

    fn bytes(&self) -> usize {
        self.0.data.len()
    }

    fn apply(self, batch: &mut Batch<'_>) -> Result<Arc<Event>, Failure> {
        let endpoint = self.0.test_of.ok_or(Error::NotFound)?;
        batch.tables.endpoints.get(endpoint.as_u128())?.ok_or(Error::NotFound)?;
        let plan = Plan { is_bounded: false, ..Plan::new(batch, 1) };
        let accepted = plan.all(batch, vec![self.0])?.pop();
        Ok(accepted.ok_or(Error::NotFound)?.event)
    }
}

/// Accepts the operational events of a change that has written already: they claim no id, so none can be refused.
pub(super) fn notices(
    batch: &mut Batch<'_>,
    events: impl IntoIterator<Item = NewEvent>,
) -> Result<(), Failure> {
    let mut events = events.into_iter().peekable();
    if events.peek().is_none() {
        return Ok(());
    }
    let mut plan = Plan { is_bounded: false, ..Plan::new(batch, 1) };
    for event in events {
        let _accepted = plan.add(batch, NewEvent { id: None, idempotency_key: None, ..event })?;
    }
    plan.write(batch)
}

impl Plan {
    fn new(batch: &Batch<'_>, events: usize) -> Self {
        Self {
            last: batch.progress.last(),
            claims: HashMap::new(),
            created: Vec::with_capacity(events),
            reserved: BTreeSet::new(),
            backlog: Differences::default(),
            is_bounded: true,
        }
    }

    /// Plans for all of these and writes, or does nothing.
    fn all(mut self, batch: &mut Batch<'_>, events: Vec<NewEvent>) -> Result<Vec<Accepted>, Failure> {
        let mut answers = Vec::with_capacity(events.len());
        for (index, new) in events.into_iter().enumerate() {
            answers.push(self.add(batch, new)?.map_err(|refused| match refused {
                Refused::Reused(first) => Error::IdReused { index, first: first.to_string() },
                Refused::BacklogFull(full) => Error::BacklogFull { index, full },
            })?);
        }
        self.log(batch);
        self.write(batch)?;
        Ok(answers)
    }

    /// Plans for one more event, or says why not.
    fn add(&mut self, batch: &Batch<'_>, new: NewEvent) -> Result<Result<Accepted, Refused>, Failure> {
        let claims = Claim::of(&new);
        let hash = if claims.is_empty() { 0 } else { ids::content_hash(&new) };
        let first = match (self.first_with(batch, &claims, hash)?, &new.id) {
            (Ok(None), Some(id)) => self.first_with_our_id(batch, id, &new)?,
            (first, _) => first,
        };
        let first = match first {
            Ok(first) => first,
            Err(other) => return Ok(Err(Refused::Reused(other.id.clone()))),
        };
        let duplicate = first.is_some();
        let event = match first {
            Some(event) => event,
            None => match self.full(batch, &new) {
                Some(full) => return Ok(Err(Refused::BacklogFull(full))),
                None => self.create(batch, new)?,
            },
        };
        for claim in claims {
            self.claims.entry(claim).or_insert_with(|| (Arc::clone(&event), hash));
        }
        Ok(Ok(Accepted { event, duplicate }))
    }

    /// Why there may be no new event of this tenant.
    fn full(&self, batch: &Batch<'_>, new: &NewEvent) -> Option<BacklogFull> {
        let open = [&batch.tables.noted.backlog, &self.backlog];
        self.is_bounded.then(|| batch.progress.backlogs().full_with(&new.tenant, &open)).flatten()
    }

    /// The event that has one of these claims already.
    fn first_with(&self, batch: &Batch<'_>, claims: &[Claim], hash: u128) -> Result<First, Failure> {
        let mut first = None;
        for claim in claims {
            let Some((event, content)) = self.holder(batch, claim)? else { continue };
            if content != hash {
                return Ok(Err(event));
            }
            first.get_or_insert(event);
        }
        Ok(Ok(first))
    }

    fn holder(&self, batch: &Batch<'_>, claim: &Claim) -> Result<Option<(Arc<Event>, u128)>, Failure> {
        if let Some(known) = self.claims.get(claim) {
            return Ok(Some(known.clone()));
        }
        let Some(row) = batch.tables.ids.get(claim.row())? else { return Ok(None) };
        let (key, hash) = row.value();
        let event = rows::event(&batch.tables.events, EventKey::from_u128(key))?;
        Ok(event.map(|event| (Arc::new(event), hash)))
    }

    /// The event that has this id because we gave it: sending it again is a repeat too.
    fn first_with_our_id(&self, batch: &Batch<'_>, id: &EventId, new: &NewEvent) -> Result<First, Failure> {
        let Ok(key) = id.as_str().parse::<EventKey>() else { return Ok(Ok(None)) };
        let in_call = self.created.binary_search_by_key(&key, |(event, _)| event.key);
        let found = match in_call.ok().map(|at| &self.created[at].0) {
            Some(event) if event.id == *id && event.tenant == new.tenant => Some(Arc::clone(event)),
            Some(_) => None,
            None => match ids::find_ours(&batch.tables.events, Some(&new.tenant), id)? {
                Some(key) => rows::event(&batch.tables.events, key)?.map(Arc::new),
                None => None,
            },
        };
        Ok(match found {
            Some(event) if !is_same(new, &event) => Err(event),
            found => Ok(found),
        })
    }

    fn create(&mut self, batch: &Batch<'_>, new: NewEvent) -> Result<Arc<Event>, Failure> {
        let key = self.assign(batch, &new)?;
        if let Some(chosen) = new.id.as_ref().and_then(|id| id.as_str().parse::<EventKey>().ok())
            && chosen > key
        {
            self.reserved.insert(chosen);
        }
        let (own_id, own_timestamp) = (new.id.is_some(), new.timestamp.is_some());
        let event = Event {
            key,
            id: new.id.unwrap_or_else(|| EventId::from(key)),
            tenant: new.tenant,
            topic: new.topic,
            timestamp: new.timestamp.unwrap_or_else(|| codec::timestamp_of(new.received_at)),
            accepted_at: new.received_at,
            data: new.data,
            test_of: new.test_of,
            trace: new.trace,
            envelope: EnvelopeCache::default(),
        };
        let header = codec::event_header(&event, own_id, own_timestamp).into();
        let event = Arc::new(event);
        self.backlog.accepted(event.tenant.as_str(), event.data.len());
        self.created.push((Arc::clone(&event), header));
        Ok(event)
    }

    /// The next key, past those that a producer chose as an id before we came to them.
    fn assign(&mut self, batch: &Batch<'_>, new: &NewEvent) -> Result<EventKey, Failure> {
        let mut key = next_key(self.last, new.received_at, rand::random());
        while self.reserved.contains(&key) || batch.tables.reserved.get(key.as_u128())?.is_some() {
            key = next_key(key, new.received_at, 0);
        }
        self.last = key;
        Ok(key)
    }

    /// Has the log repeat what [`Plan::write`] does.
    fn log(&self, batch: &mut Batch<'_>) {
        let records = &mut batch.records;
        for (event, header) in &self.created {
            records.add(|| Record::Event(event.key.as_u128(), header.clone(), event.data.clone()));
        }
        for (claim, (event, hash)) in &self.claims {
            let (kind, text, tenant) = claim.row();
            let of = event.key.as_u128();
            records.add(|| Record::Id(kind, text.into(), tenant.into(), of, *hash));
        }
        for key in &self.reserved {
            records.add(|| Record::Reserved(key.as_u128()));
        }
    }

    fn write(self, batch: &mut Batch<'_>) -> Result<(), Failure> {
        let tables = &mut batch.tables;
        for (event, header) in &self.created {
            tables.insert_event(event.key, header, &event.data)?;
        }
        for (claim, (event, hash)) in &self.claims {
            tables.insert_id(claim.row(), event.key.as_u128(), *hash)?;
        }
        for key in self.reserved {
            tables.reserved.insert(key.as_u128(), ())?;
        }
        tables.noted.backlog.merge(self.backlog);
        let weight = |event: &Event| Weight { tenant: event.tenant.clone(), bytes: event.data.len() };
        batch.progress.accepted(self.created.iter().map(|(event, _)| (event.key, weight(event))));
        Ok(())
    }
}

/// Whether an event says the same as the one whose id it uses. An id of ours is known only to those who were told
/// it, so what they leave out is what they were told.
fn is_same(new: &NewEvent, first: &Event) -> bool {
    new.test_of == first.test_of
        && new.topic == first.topic
        && new.data == first.data
        && new.timestamp.is_none_or(|timestamp| timestamp == first.timestamp)
}
