//! Rows to bytes and back.
//!
//! Hot rows are a version byte and postcard. Postcard knows fields and variants by their place only: adding, removing or
//! moving one in a type that is stored here is a new version, and the test `stored_bytes_never_change` fails until it
//! is made one. Cold rows are JSON, which takes new fields as they come.

mod checked;
pub(super) mod roster;
mod versioned;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::checked::Checked;
use self::versioned::{VERSION, encode_as, versioned};
pub(super) use self::versioned::{decode, encode};
use super::backlogs::Weight;
use crate::model::{
    Attempt, CustomRequest, Delivery, DeliveryId, DeliveryState, EndpointId, EnvelopeCache, Event, EventId,
    EventKey, HoldReason, PluginRun, TenantId, TraceContext, UnixMs,
};

/// Of a row of `events`: the endpoint that the event tests stands before the rest. Others do not pay for it.
const TEST_EVENT: u8 = 2;
/// Of a row of `events`: a checksum, and then a row of one of the versions before.
const CHECKED_EVENT: u8 = 3;
/// Of a row of `events`: where the event stands in a trace, and the endpoint that it tests, if it does, stand before the rest. Only
/// events of producers who say so have it.
const TRACED_EVENT: u8 = 4;
/// The same of a row of `custom`.
const CHECKED_CUSTOM: u8 = 2;
/// Of a row of `deliveries`: how many attempts came before its retry schedule began anew stands before the rest. Only
/// those that were over and are sent again have it.
const RESTARTED_DELIVERY: u8 = 2;
/// Of a row of `deliveries`: how often a plugin failed on it while it worked otherwise stands before what a restarted one
/// has. Only those that are held for that have it.
const FAULTY_DELIVERY: u8 = 3;
/// Stands for the endpoint's own filter where a plugin is named: no plugin has the empty name.
const FOR_FILTER: &str = "";

/// [`TraceContext`] as it is stored.
type StoredTrace<'a> = (u128, u64, u8, Option<&'a str>);

/// A row that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Corrupt {
    /// Written by something newer, or not by us.
    #[error("a row of `{table}` has the version {version:?}, which this Hookway does not know")]
    Version { table: &'static str, version: Option<u8> },
    /// Not what the version says it is.
    #[error("a row of `{table}` cannot be decoded")]
    Postcard { table: &'static str, source: postcard::Error },
    /// Not what we store as JSON.
    #[error("a row of `{table}` cannot be decoded")]
    Json { table: &'static str, source: serde_json::Error },
    /// Not what was written.
    #[error("a row of `{table}` was changed on the disk: its checksum is another one")]
    Checksum { table: &'static str },
    /// A text or number that no valid row has.
    #[error("a row of `{table}` has a `{field}` that is out of range")]
    Value { table: &'static str, field: &'static str },
    /// A row that another one names is not there.
    #[error("`{table}` lacks the row of {id}")]
    Missing { table: &'static str, id: String },
}

/// An event's row, borrowed from the page that it lies in: header, then the bytes of `data`.
#[derive(Debug)]
pub(super) struct EventRow<'a> {
    test_of: Option<EndpointId>,
    trace: Option<StoredTrace<'a>>,
    header: EventHeader<'a>,
    data: &'a [u8],
    /// `None`: the row is of an earlier version, which has no checksum.
    checked: Option<Checked<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EventHeader<'a> {
    /// `None` when it is the text of the key.
    id: Option<&'a str>,
    tenant: &'a str,
    topic: &'a str,
    /// Nanoseconds since 1970; `None` when the producer gave none.
    timestamp: Option<i128>,
    accepted_at: u64,
}

/// A delivery's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeliveryRow {
    pub(super) endpoint: EndpointId,
    pub(super) state: DeliveryState,
    pub(super) attempts: u16,
    pub(super) created_at: UnixMs,
    pub(super) due_at: Option<UnixMs>,
    pub(super) finished_at: Option<UnixMs>,
    pub(super) plugins: Vec<PluginRun>,
    /// Whether `custom` has a row, so that the others need no look.
    pub(super) has_custom: bool,
    /// What a list of deliveries shows of the last attempt, so that it need not read the attempts.
    pub(super) last: Option<LastAttempt>,
    /// How many attempts came before its retry schedule began. In the row only if there were any.
    #[serde(skip)]
    pub(super) schedule_from: u16,
    /// When it entered the state that it is stored with now. For whoever stores it; not stored.
    #[serde(skip)]
    pub(super) entered_at: Option<UnixMs>,
}

/// What a list shows of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastAttempt {
    pub(super) status: Option<u16>,
    pub(super) took: Duration,
}

/// Where a delivery that is not final waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waits<'a> {
    /// For an attempt.
    InQueue,
    /// For this plugin, or for the endpoint's own filter, to be judged again.
    ForPlugin(&'a str),
}

/// The row of an event, up to its `data`.
pub(super) fn event_header(event: &Event, own_id: bool, own_timestamp: bool) -> Vec<u8> {
    let header = EventHeader {
        id: own_id.then_some(event.id.as_str()),
        tenant: event.tenant.as_str(),
        topic: event.topic.as_str(),
        timestamp: own_timestamp.then(|| event.timestamp.as_nanosecond()),
        accepted_at: event.accepted_at.0,
    };
    let row = match (&event.trace, event.test_of) {
        (None, None) => checked::encode(CHECKED_EVENT, VERSION, &header, 0),
        (None, Some(endpoint)) => checked::encode(CHECKED_EVENT, TEST_EVENT, &(endpoint, header), 0),
        (Some(trace), test_of) => {
            checked::encode(CHECKED_EVENT, TRACED_EVENT, &(trace.to_stored(), test_of, header), 0)
        }
    };
    checked::complete(row, &event.data)
}

/// The row of a request that a transform made.
pub(super) fn encode_custom(custom: &CustomRequest) -> Vec<u8> {
    checked::complete(checked::encode(CHECKED_CUSTOM, VERSION, custom, custom.body.len()), &[])
}

/// The row of a delivery.
pub(super) fn encode_delivery(row: &DeliveryRow) -> Vec<u8> {
    match (row.state.faults(), row.schedule_from) {
        (0, 0) => encode(row),
        (0, from) => encode_as(RESTARTED_DELIVERY, &(from, row)),
        (faults, from) => encode_as(FAULTY_DELIVERY, &(faults, from, row)),
    }
}

/// A delivery's row.
pub(super) fn decode_delivery(bytes: &[u8]) -> Result<DeliveryRow, Corrupt> {
    let corrupt = |source| Corrupt::Postcard { table: "deliveries", source };
    match bytes.split_first() {
        Some((&RESTARTED_DELIVERY, rest)) => {
            let (schedule_from, row) = postcard::from_bytes::<(u16, DeliveryRow)>(rest).map_err(corrupt)?;
            Ok(DeliveryRow { schedule_from, ..row })
        }
        Some((&FAULTY_DELIVERY, rest)) => {
            let (of_row, schedule_from, mut row) =
                postcard::from_bytes::<(u16, u16, DeliveryRow)>(rest).map_err(corrupt)?;
            if let DeliveryState::Held(HoldReason::PluginFailed { faults, .. }) = &mut row.state {
                *faults = of_row;
            }
            Ok(DeliveryRow { schedule_from, ..row })
        }
        _ => decode("deliveries", bytes),
    }
}

/// The request that a transform made.
pub(super) fn decode_custom(bytes: &[u8]) -> Result<CustomRequest, Corrupt> {
    match Checked::parse(CHECKED_CUSTOM, bytes) {
        Some(checked) if checked.is_right() => decode("custom", checked.row),
        Some(_) => Err(Corrupt::Checksum { table: "custom" }),
        None => decode("custom", bytes),
    }
}

/// A row of JSON.
pub(super) fn to_json<T: Serialize>(row: &T) -> Vec<u8> {
    serde_json::to_vec(row).expect("our rows have string keys only and no failing serializer")
}

/// The content of a row of JSON.
pub(super) fn from_json<T: DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T, Corrupt> {
    serde_json::from_slice(bytes).map_err(|source| Corrupt::Json { table, source })
}

/// When an event happened whose producer did not say.
pub(super) fn timestamp_of(accepted_at: UnixMs) -> jiff::Timestamp {
    let ms = i64::try_from(accepted_at.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
}

impl<'a> EventRow<'a> {
    /// Reads the header; `data` stays where it is, and is not verified.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let corrupt = |source| Corrupt::Postcard { table: "events", source };
        let checked = Checked::parse(CHECKED_EVENT, bytes);
        let bytes = checked.map_or(bytes, |checked| checked.row);
        let ((trace, test_of), bytes) = match bytes.split_first() {
            Some((&TEST_EVENT, rest)) => {
                let (endpoint, rest) = postcard::take_from_bytes(rest).map_err(corrupt)?;
                ((None, Some(endpoint)), rest)
            }
            Some((&TRACED_EVENT, rest)) => {
                let ((trace, test_of), rest) = postcard::take_from_bytes(rest).map_err(corrupt)?;
                ((Some(trace), test_of), rest)
            }
            _ => ((None, None), versioned("events", bytes)?),
        };
        let (header, data) = postcard::take_from_bytes(bytes).map_err(corrupt)?;
        Ok(Self { test_of, trace, header, data, checked })
    }

    /// Whether it tests one endpoint.
    pub(super) const fn is_test(&self) -> bool {
        self.test_of.is_some()
    }

    /// Whose it is.
    pub(super) const fn tenant(&self) -> &'a str {
        self.header.tenant
    }

    /// Bytes of `data`.
    pub(super) const fn data_len(&self) -> usize {
        self.data.len()
    }

    /// What happened.
    pub(super) const fn topic(&self) -> &'a str {
        self.header.topic
    }

    /// The id that the producer gave.
    pub(super) const fn own_id(&self) -> Option<&'a str> {
        self.header.id
    }

    /// Whether the producer said when it happened.
    pub(super) const fn has_timestamp(&self) -> bool {
        self.header.timestamp.is_some()
    }

    /// How it counts while it waits for dispatch.
    pub(super) fn weight(&self) -> Result<Weight, Corrupt> {
        let tenant =
            self.tenant().parse().map_err(|_| Corrupt::Value { table: "events", field: "tenant" })?;
        Ok(Weight { tenant, bytes: self.data_len() })
    }

    /// The event, with a copy of `data`. No `data` leaves the store unverified.
    pub(super) fn to_event(&self, key: EventKey) -> Result<Event, Corrupt> {
        if self.checked.is_some_and(|checked| !checked.is_right()) {
            return Err(Corrupt::Checksum { table: "events" });
        }
        Ok(Event { data: Bytes::copy_from_slice(self.data), ..self.without_data(key)? })
    }

    /// The event with empty `data`, whether or not that is what was written.
    pub(super) fn without_data(&self, key: EventKey) -> Result<Event, Corrupt> {
        let value = |field| move || Corrupt::Value { table: "events", field };
        let EventHeader { id, tenant, topic, timestamp, accepted_at } = self.header;
        let id = match id {
            Some(text) => text.parse().map_err(|_| value("id")())?,
            None => EventId::from(key),
        };
        let timestamp = match timestamp {
            Some(ns) => jiff::Timestamp::from_nanosecond(ns).map_err(|_| value("timestamp")())?,
            None => timestamp_of(UnixMs(accepted_at)),
        };
        let trace = match self.trace {
            Some(stored) => Some(Arc::new(TraceContext::stored(stored).ok_or_else(value("trace"))?)),
            None => None,
        };
        Ok(Event {
            key,
            id,
            tenant: tenant.parse::<TenantId>().map_err(|_| value("tenant")())?,
            topic: topic.parse().map_err(|_| value("topic")())?,
            timestamp,
            accepted_at: UnixMs(accepted_at),
            data: Bytes::new(),
            test_of: self.test_of,
            trace,
            envelope: EnvelopeCache::default(),
        })
    }
}

impl DeliveryRow {
    /// A delivery that begins now.
    pub(super) const fn new(endpoint: EndpointId, created_at: UnixMs) -> Self {
        Self {
            endpoint,
            state: DeliveryState::Pending,
            attempts: 0,
            created_at,
            due_at: None,
            finished_at: None,
            plugins: Vec::new(),
            has_custom: false,
            last: None,
            schedule_from: 0,
            entered_at: None,
        }
    }

    /// Enters a state at this time. One that is not final and has no due time is due at once: nothing waits for ever.
    pub(super) fn enter(&mut self, state: DeliveryState, due_at: Option<UnixMs>, at: UnixMs) {
        let is_final = state.is_final();
        self.due_at = (!is_final).then(|| due_at.unwrap_or(at));
        self.finished_at = is_final.then_some(at);
        self.entered_at = Some(at);
        self.state = state;
    }

    /// Is sent again from now on: at once, with a retry schedule that begins anew if it was over.
    pub(super) fn resume(&mut self, at: UnixMs) {
        let was_over = self.state.is_final();
        if was_over {
            self.schedule_from = self.attempts;
        }
        let state = match (was_over, self.attempts) {
            (false, _) => self.state.clone(),
            (true, 0) => DeliveryState::Pending,
            (true, _) => DeliveryState::Retrying,
        };
        self.enter(state, Some(at), at);
    }

    /// Notes an attempt.
    pub(super) fn note(&mut self, attempt: &Attempt) {
        self.attempts = self.attempts.max(attempt.number);
        self.last = Some(LastAttempt { status: attempt.outcome.status(), took: attempt.took });
    }

    /// Where and until when it waits; `None` when it is final.
    pub(super) fn waits(&self) -> Option<(Waits<'_>, UnixMs)> {
        let place = match &self.state {
            DeliveryState::Pending
            | DeliveryState::Retrying
            | DeliveryState::Held(HoldReason::NoActiveSecret | HoldReason::EndpointInactive) => {
                Waits::InQueue
            }
            DeliveryState::Held(HoldReason::PluginFailed { plugin, .. }) => Waits::ForPlugin(plugin.as_str()),
            DeliveryState::Held(HoldReason::FilterUnreadable { .. }) => Waits::ForPlugin(FOR_FILTER),
            DeliveryState::Delivered
            | DeliveryState::Failed(_)
            | DeliveryState::Filtered { .. }
            | DeliveryState::Cancelled => return None,
        };
        Some((place, self.due_at.unwrap_or_default()))
    }

    /// The delivery.
    pub(super) fn into_delivery(self, id: DeliveryId) -> Delivery {
        let Self { endpoint, state, attempts, created_at, due_at, finished_at, plugins, .. } = self;
        Delivery { id, endpoint, state, attempts, created_at, due_at, finished_at, plugins }
    }
}

#[cfg(test)]
mod tests;
