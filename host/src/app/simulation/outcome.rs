//! What the store has at the end of a run.

use super::gateway::{Gateway, endpoint_id, endpoint_number};
use super::sabotage::Sabotage;
use super::script::OPERATIONS;
use super::world::World;
use crate::model::{Attempt, DeliveryId, DeliveryState, EventKey, Tally, TenantId, UnixMs};
use crate::store::conformance::fixtures::T0;
use crate::store::{
    DeliveryFilter, Error, EventFilter, EventRecord, Standing, StatisticsScope, Store as _, Window,
};

const PAGE: usize = 200;

pub(super) struct Outcome {
    pub(super) events: Vec<StoredEvent>,
    /// By rising key, which is the order of acceptance.
    pub(super) deliveries: Vec<StoredDelivery>,
    pub(super) counts: Vec<Count>,
    pub(super) audit_is_whole: bool,
    pub(super) tasks_left: usize,
    /// By the clock of the gateway.
    pub(super) now: UnixMs,
}

pub(super) struct StoredEvent {
    pub(super) name: String,
    pub(super) tenant: TenantId,
    pub(super) data: String,
    pub(super) dispatched: bool,
    pub(super) is_operational: bool,
}

pub(super) struct StoredDelivery {
    pub(super) id: DeliveryId,
    pub(super) event: String,
    pub(super) tenant: TenantId,
    pub(super) is_operational: bool,
    pub(super) data: String,
    pub(super) endpoint: usize,
    pub(super) state: DeliveryState,
    pub(super) attempts: Vec<Attempt>,
}

/// What the statistics say of a scope.
pub(super) struct Count {
    pub(super) scope: StatisticsScope,
    pub(super) week: Tally,
    pub(super) standing: Standing,
}

impl Outcome {
    pub(super) async fn read(gateway: &Gateway, world: &World) -> Result<Self, Error> {
        let now = world.remember(|history, now| {
            let ahead = history.lives.last().map_or(0, |life| life.clock_is_ahead_ms);
            UnixMs((T0.0 + now).saturating_add_signed(ahead))
        });
        Ok(Self {
            events: events(gateway, world).await?,
            deliveries: deliveries(gateway, world).await?,
            counts: counts(gateway, now).await?,
            audit_is_whole: gateway.store.verify_audit().await?.broken_at.is_none(),
            tasks_left: 0,
            now,
        })
    }

    /// The same with something in it that is not so.
    pub(super) fn spoilt(mut self, sabotage: Option<Sabotage>) -> Self {
        let middle = self.deliveries.len() / 2;
        match sabotage {
            Some(Sabotage::LosesDelivery) if middle > 0 => drop(self.deliveries.remove(middle)),
            Some(Sabotage::LeavesDeliveryOpen) => {
                self.deliveries.iter_mut().skip(middle).take(1).for_each(|delivery| {
                    delivery.state = DeliveryState::Pending;
                });
            }
            Some(Sabotage::Miscounts) => self.counts.iter_mut().for_each(|count| count.week.delivered += 1),
            _ => {}
        }
        self
    }
}

async fn events(gateway: &Gateway, world: &World) -> Result<Vec<StoredEvent>, Error> {
    let mut events = Vec::new();
    let mut cursor = None;
    loop {
        let page = gateway.store.events(EventFilter::default(), cursor, PAGE).await?;
        for EventRecord { event, dispatched, .. } in page.events {
            events.push(StoredEvent {
                name: world.name(event.id.as_str()),
                tenant: event.tenant.clone(),
                data: String::from_utf8_lossy(&event.data).into_owned(),
                dispatched,
                is_operational: event.topic.is_reserved(),
            });
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(events);
        }
    }
}

async fn deliveries(gateway: &Gateway, world: &World) -> Result<Vec<StoredDelivery>, Error> {
    let mut deliveries = Vec::new();
    let mut cursor = None;
    loop {
        let page = gateway.store.deliveries(DeliveryFilter::default(), cursor, PAGE).await?;
        for row in page.rows {
            let record = gateway.store.delivery(row.delivery.id).await?.ok_or(Error::NotFound)?;
            deliveries.push(StoredDelivery {
                id: record.delivery.id,
                event: world.name(record.event.id.as_str()),
                tenant: record.event.tenant.clone(),
                is_operational: record.event.topic.is_reserved(),
                data: String::from_utf8_lossy(&record.event.data).into_owned(),
                endpoint: endpoint_number(record.delivery.endpoint),
                state: record.delivery.state,
                attempts: record.attempts,
            });
        }
        cursor = page.next;
        if cursor.is_none() {
            deliveries.sort_by_key(|delivery| delivery.id);
            return Ok(deliveries);
        }
    }
}

async fn counts(gateway: &Gateway, now: UnixMs) -> Result<Vec<Count>, Error> {
    let mut scopes = vec![StatisticsScope::All];
    let endpoints = gateway.directory.list();
    scopes.extend(endpoints.iter().map(|endpoint| StatisticsScope::Endpoint(endpoint.id)));
    scopes.extend(["acme", "globex", OPERATIONS].map(|name| StatisticsScope::Tenant(name.parse().unwrap())));
    let mut counts = Vec::new();
    for scope in scopes {
        let found = gateway.store.statistics(scope.clone(), now).await?;
        let week = found.windows.into_iter().find(|(window, ..)| *window == Window::Week);
        let week = week.map(|(.., tally)| tally).unwrap_or_default();
        counts.push(Count { scope, week, standing: found.standing });
    }
    Ok(counts)
}

impl Count {
    /// Whether a delivery is counted in this scope.
    pub(super) fn has(&self, delivery: &StoredDelivery) -> bool {
        match &self.scope {
            StatisticsScope::All => true,
            StatisticsScope::Tenant(tenant) => delivery.tenant == *tenant,
            StatisticsScope::Endpoint(endpoint) => endpoint_id(delivery.endpoint) == *endpoint,
            StatisticsScope::Topic(_) | StatisticsScope::TopicOfTenant(..) => false,
        }
    }
}

impl StoredDelivery {
    pub(super) const fn key(&self) -> EventKey {
        self.id.event
    }
}
