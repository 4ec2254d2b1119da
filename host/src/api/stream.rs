//! `GET /v1/deliveries/stream`: the delivery log as it grows, as server-sent events.
//!
//! - What is sent comes from the journal of the store, not from memory: a client that is slow, or comes back with
//!   `Last-Event-ID`, also after a restart, gets each delivery that changed since, as it stands by then.
//! - The journal keeps its newest part only. Who asks for more is told by an event `gap`.
//! - A key that is revoked or expires ends the streams that it opened.

pub(super) mod docs;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use super::Api;
use super::deliveries::{parsed, time};
use super::delivery_view::RowView;
use crate::http::{Caller, EventSender, Events, Gone, Problem, Query, event_stream};
use crate::model::{DeliveryStatus, EndpointId, EventId, TenantId, Topic, UnixMs};
use crate::openapi::Time;
use crate::store::{self, DeliveryFilter, DeliverySummary};

/// Streams at the same time of one tenant's keys, and of administrators'.
const MAX_STREAMS_OF_ONE: usize = 32;
/// Streams at the same time of all.
const MAX_STREAMS: usize = 256;
/// Changes that are looked at at once: what one part of the answer is made of at most.
const PAGE: usize = 256;
/// The most deliveries to begin with.
const MAX_RECENT: usize = 250;
/// How long changes gather: a busy gateway commits hundreds of times in a second.
const GATHER: Duration = Duration::from_millis(50);
/// Well below what proxies take for a dead connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a client waits before it connects again.
const RECONNECT_MS: u32 = 2_000;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    /// Of this tenant only.
    tenant: Option<TenantId>,
    /// To this endpoint only.
    #[serde(deserialize_with = "parsed")]
    endpoint: Option<EndpointId>,
    /// In this state only.
    #[serde(deserialize_with = "parsed")]
    status: Option<DeliveryStatus>,
    /// Of events of this topic only.
    topic: Option<Topic>,
    /// Of this event only.
    event_id: Option<EventId>,
    /// Of events accepted at this time or later.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    since: Option<UnixMs>,
    /// Of events accepted before this time.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Time")]
    until: Option<UnixMs>,
    /// How many of those that are there to begin with.
    #[schemars(with = "u8", range(max = 250))]
    recent: Recent,
}

/// How many deliveries there are to begin with.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "usize")]
struct Recent(usize);

impl TryFrom<usize> for Recent {
    type Error = &'static str;

    fn try_from(count: usize) -> Result<Self, Self::Error> {
        if count <= MAX_RECENT { Ok(Self(count)) } else { Err("`recent` is a number from 0 to 250") }
    }
}

/// How many streams are open, by the tenant of their key.
#[derive(Debug, Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<Option<TenantId>, usize>>>);

/// The place of one stream.
#[derive(Debug)]
struct Place {
    streams: Streams,
    of: Option<TenantId>,
}

impl Streams {
    fn enter(&self, of: Option<TenantId>) -> Result<Place, Problem> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = open.get(&of).copied().unwrap_or_default();
        if of_one >= MAX_STREAMS_OF_ONE || open.values().sum::<usize>() >= MAX_STREAMS {
            let detail = format!(
                "too many streams are open: at most {MAX_STREAMS_OF_ONE} of one tenant and {MAX_STREAMS} of all; \
                 close one first"
            );
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail));
        }
        *open.entry(of.clone()).or_default() += 1;
        Ok(Place { streams: self.clone(), of })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.of);
            }
        }
    }
}

/// Deliveries as they change. Begins with `recent` of those that are there, or with what changed after `Last-Event-ID`.
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Query(params): Query<Params>,
) -> Result<Response, Problem> {
    let Params { tenant, endpoint, status, topic, event_id, since, until, recent: Recent(recent) } = params;
    let tenant = caller.visible_tenant(tenant)?;
    let last_seen = last_event_id(&headers)?;
    let place = api.streams.enter(if caller.is_admin() { None } else { tenant.clone() })?;
    let inactive = api.directory.inactive();
    let filter = DeliveryFilter { tenant, endpoint, state: status, inactive, topic, event_id, since, until };
    let mut latest = api.store.latest_change();
    let after = last_seen.unwrap_or_else(|| *latest.borrow_and_update());
    let (sender, response) = event_stream();
    let shutdown = api.shutdown.clone();
    let tail = Tail { api, headers, filter, sender, after, latest, _place: place };
    let recent = if last_seen.is_none() { recent } else { 0 };
    let stopping = shutdown.clone();
    shutdown.spawn(async move {
        tokio::select! {
            () = tail.run(recent) => {}
            () = stopping.requested() => {}
        }
    });
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        let detail =
            "`Last-Event-ID` is the `id` of an event of this stream: a number; leave it out to begin now";
        Problem::new(StatusCode::BAD_REQUEST, "invalid_last_event_id", detail)
    })
}

/// One client and how far it is.
struct Tail {
    api: Api,
    /// Those of the request, with its key.
    headers: HeaderMap,
    filter: DeliveryFilter,
    sender: EventSender,
    /// The number of the last change that was looked at.
    after: u64,
    latest: watch::Receiver<u64>,
    _place: Place,
}

/// Why a stream ends.
#[derive(Debug)]
enum End {
    Gone,
    Revoked,
    Store(store::Error),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<store::Error> for End {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl Tail {
    /// Sends until the client is gone or must not see any more.
    async fn run(mut self, recent: usize) {
        if let Err(End::Store(error)) = self.send_all(recent).await {
            tracing::error!(%error, "a live tail ended because the log could not be read");
        }
    }

    async fn send_all(&mut self, recent: usize) -> Result<(), End> {
        let mut first = Events::default();
        first.retry(RECONNECT_MS);
        first.keep_alive(self.after);
        self.sender.send(first).await?;
        if recent > 0 {
            let page = self.api.store.deliveries(self.filter.clone(), None, recent).await?;
            let rows = page.rows.into_iter().rev().map(|row| (self.after, row));
            self.sender.send(self.shown(rows.collect(), Events::default())?).await?;
        }
        loop {
            while self.after < *self.latest.borrow_and_update() || self.is_ahead() {
                self.send_changes().await?;
            }
            self.wait().await?;
        }
    }

    /// Whether the client knows a number that there never was.
    fn is_ahead(&self) -> bool {
        self.after > *self.latest.borrow()
    }

    async fn send_changes(&mut self) -> Result<(), End> {
        self.check_key()?;
        self.filter.inactive = self.api.directory.inactive();
        let before = self.after;
        let changed = self.api.store.changed(self.filter.clone(), before, PAGE).await?;
        self.after = changed.upto;
        let mut events = Events::default();
        if changed.gap {
            let detail = "changes after this one are no longer kept; look them up with `GET /v1/deliveries`";
            let gap = serde_json::json!({ "after": before, "detail": detail });
            events.event("gap", before.min(changed.upto), &gap.to_string());
        }
        let events = self.shown(changed.rows, events)?;
        Ok(self.sender.send(events).await?)
    }

    fn shown(&self, rows: Vec<(u64, DeliverySummary)>, mut events: Events) -> Result<Events, End> {
        for (number, mut row) in rows {
            if self.filter.inactive.contains(&row.delivery.endpoint) {
                row.delivery.hold_while_inactive();
            }
            let json = serde_json::to_string(&RowView::from(&row))
                .map_err(|error| End::Store(store::Error::Storage(Arc::new(error))))?;
            events.event("delivery", number, &json);
        }
        Ok(events)
    }

    /// Waits until something changed, and says that the connection is alive while nothing does.
    async fn wait(&mut self) -> Result<(), End> {
        let waiting = async {
            // Says that the store is closed by never resolving: the gateway stops then.
            if self.latest.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(GATHER).await;
        };
        tokio::select! {
            () = waiting => Ok(()),
            () = self.sender.closed() => Err(End::Gone),
            () = tokio::time::sleep(KEEP_ALIVE) => {
                self.check_key()?;
                let mut events = Events::default();
                events.keep_alive(self.after);
                Ok(self.sender.send(events).await?)
            }
        }
    }

    fn check_key(&self) -> Result<(), End> {
        self.api.keys.open(&self.headers).map(drop).map_err(|_| End::Revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_tenant_leave_room_for_others_and_give_their_place_back() {
        let streams = Streams::default();
        let of = |name: &str| Some(name.parse().unwrap());
        let places: Vec<_> = (0..MAX_STREAMS_OF_ONE).map(|_| streams.enter(of("acme")).unwrap()).collect();
        let refused = streams.enter(of("acme")).unwrap_err();
        assert_eq!((refused.status(), refused.code()), (StatusCode::TOO_MANY_REQUESTS, "too_many_streams"));
        drop(streams.enter(of("umbrella")).unwrap());
        drop(places);
        assert!(streams.0.lock().unwrap().is_empty());
        streams.enter(of("acme")).unwrap();
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let headers = |value: &'static str| {
            HeaderMap::from_iter([("last-event-id".parse().unwrap(), value.parse().unwrap())])
        };
        assert_eq!(last_event_id(&headers("17")), Ok(Some(17)));
        assert_eq!(last_event_id(&HeaderMap::new()), Ok(None));
        for value in ["", "-1", "x", "18446744073709551616"] {
            assert_eq!(
                last_event_id(&headers(value)).unwrap_err().code(),
                "invalid_last_event_id",
                "{value}"
            );
        }
    }
}
