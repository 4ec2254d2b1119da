//! Each thing that can be wrong is found, named, and told apart from what is not.

use redb::ReadableTable as _;

use super::super::writer::begin;
use super::super::{Options, RedbStore};
use super::*;
use crate::clock::Clock;
use crate::model::{DeliveryState, Endpoint, EndpointId, KvEntry, KvSpace, KvWrite, Ordering};
use crate::store::conformance::fixtures::{
    T0, accept, at, audit, custom_request, delivered, delivery, dispatched, endpoint, endpoint_id,
    event_with_id, held_by, new_event, nth, pending, retrying, verdict,
};
use crate::store::redb::schema::delivery_key;
use crate::store::{FanOut, NewDelivery, Store as _, Verdict};

/// A store in which every table has rows.
pub(in crate::store::redb) async fn filled() -> RedbStore {
    let store = RedbStore::in_memory(Clock::starting_at(T0), &Options { cache_mib: 16, linger_ms: 0 });
    fill(&store).await;
    store
}

/// Fills a store so that every table has rows.
pub(in crate::store::redb) async fn fill(store: &RedbStore) {
    let ordered = Endpoint { ordering: Ordering::Fifo, ..endpoint(2, "https://example.com/2") };
    for endpoint in [endpoint(1, "https://example.com/1"), ordered] {
        store.create_endpoint(endpoint, audit("endpoint.created")).await.unwrap();
    }
    let many = vec![pending(endpoint_id(1)); 1_200];
    dispatched(store, event_with_id("many"), many).await;
    let shaped = Verdict { custom: Some(custom_request()), ..verdict(DeliveryState::Pending, None) };
    let shaped = NewDelivery { endpoint: endpoint_id(2), line: None, verdict: shaped };
    let held = delivery(endpoint_id(1), held_by("p"), Some(at(9)));
    let event = accept(store, event_with_id("some")).await.key;
    let deliveries = vec![shaped, held, pending(endpoint_id(1)), pending(endpoint_id(2))];
    store.fan_out(FanOut { event, at: T0, deliveries, durable: true }).await.unwrap();
    store.finish_attempt(delivered(nth(event, 2), 1)).await.unwrap();
    store.finish_attempt(retrying(nth(event, 0), 1, at(5))).await.unwrap();
    dispatched(store, new_event(), vec![pending(endpoint_id(1))]).await;
    let space = KvSpace { tenant: "acme".parse().unwrap(), plugin: "p".parse().unwrap() };
    let entry = Some(KvEntry { value: "1".into(), expires_at: Some(at(60)) });
    store.kv_write(vec![KvWrite { space, key: "k".to_owned(), entry }], T0).await.unwrap();
}

/// What is found after a store was changed behind its back.
fn after(store: &RedbStore, change: impl FnOnce(&mut Tables<'_>)) -> Findings {
    let found = store.shared.with(|database| {
        let transaction = begin(database)?;
        let mut tables = Tables::open(&transaction)?;
        change(&mut tables);
        inspect(&tables, &mut |_| {})
    });
    found.unwrap()
}

fn is_repairable(findings: &Findings) -> bool {
    findings.sentences().iter().all(|(_, is_repairable)| *is_repairable)
}

fn kinds(findings: &Findings) -> Vec<(&'static str, Damage)> {
    findings.0.keys().copied().collect()
}

#[tokio::test]
async fn nothing_is_wrong_with_what_the_verbs_write() {
    let store = filled().await;
    let findings = after(&store, |tables| {
        assert!(rows(tables).unwrap() > 1_200);
        assert!(tables.blocks.len().unwrap() > 0 && tables.ordered.len().unwrap() > 0);
    });
    assert_eq!(findings.sentences(), Vec::new());
}

#[tokio::test]
async fn what_is_lost_of_a_derived_table_is_found_and_can_be_made_anew() {
    let store = filled().await;
    type Loss = fn(&mut Tables<'_>);
    let losses: [(Loss, &str); 12] = [
        (|tables| _ = tables.queue.pop_first().unwrap(), "queue"),
        (|tables| _ = tables.holds.pop_first().unwrap(), "holds"),
        (|tables| _ = tables.endpoint_holds.pop_first().unwrap(), "endpoint_holds"),
        (|tables| _ = tables.ordered.pop_first().unwrap(), "ordered"),
        (|tables| _ = tables.endpoint_log.pop_first().unwrap(), "endpoint_log"),
        (|tables| _ = tables.block_states.pop_first().unwrap(), "blocks"),
        (|tables| _ = tables.standing.insert([0].as_slice(), (1, 2, 3)).unwrap(), "standing"),
        (|tables| _ = tables.backlog.insert("acme", (1, 1)).unwrap(), "backlog"),
        (|tables| _ = tables.urls.pop_first().unwrap(), "urls"),
        (|tables| _ = tables.kv_expiry.pop_first().unwrap(), "kv_usage"),
        (|tables| _ = tables.ids.pop_first().unwrap(), "ids"),
        (|tables| _ = tables.meta.insert("row_bytes", 7).unwrap(), "row_bytes"),
    ];
    for (lose, table) in losses {
        let findings = after(&store, lose);
        // Ids are counted with what the store has.
        let also = (table == "ids").then_some(("row_bytes", Damage::Disagrees));
        let expected: Vec<_> = [(table, Damage::Disagrees)].into_iter().chain(also).collect();
        assert_eq!(kinds(&findings), expected, "{:?}", findings.sentences());
        assert!(is_repairable(&findings) && findings.has(table));
        assert!(findings.sentences()[0].0.contains("can be made anew"), "{:?}", findings.sentences());
    }
}

#[tokio::test]
async fn what_is_too_much_is_found_too() {
    let store = filled().await;
    let findings = after(&store, |tables| {
        tables.queue.insert((1, 2, 3, 4), ()).unwrap();
        let event = tables.events.first().unwrap().map(|(key, _)| key.value()).unwrap();
        tables.endpoint_log.insert((1, event, 3), ()).unwrap();
        // Of an event that is gone: that is swept some time.
        tables.endpoint_log.insert((1, 2, 3), ()).unwrap();
        tables.holds.insert(("q", 1, 2, 3), ()).unwrap();
        tables.urls.insert(("acme", "https://example.com/"), 1).unwrap();
    });
    let tables = ["endpoint_log", "holds", "queue", "urls"];
    assert_eq!(kinds(&findings), tables.map(|table| (table, Damage::Disagrees)));
}

#[tokio::test]
async fn what_is_lost_of_a_source_is_said_to_be_lost() {
    let store = filled().await;
    let lost = after(&store, |tables| drop(tables.events.pop_last().unwrap()));
    assert!(kinds(&lost).contains(&("events", Damage::Missing)) && !is_repairable(&lost));
    assert!(lost.sentences()[0].0.contains("a backup may"), "{:?}", lost.sentences());
    let changed = after(&store, |tables| {
        let key = tables.deliveries.last().unwrap().map(|(key, _)| key.value()).unwrap();
        tables.deliveries.insert(key, [9, 9].as_slice()).unwrap();
    });
    assert!(kinds(&changed).contains(&("deliveries", Damage::Unreadable)), "{:?}", changed.sentences());
    let gone = after(&store, |tables| {
        let event = tables.events.iter().unwrap().nth(1).unwrap().unwrap().0.value();
        tables.deliveries.remove((event, 2)).unwrap();
        tables.custom.remove(delivery_key(nth(crate::model::EventKey::from_u128(event), 0))).unwrap();
    });
    let expected = [("custom", Damage::Missing), ("deliveries", Damage::Missing)];
    assert!(expected.iter().all(|kind| kinds(&gone).contains(kind)), "{:?}", gone.sentences());
    let audit = after(&store, |tables| drop(tables.audit.pop_first().unwrap()));
    assert_eq!(kinds(&audit), [("audit", Damage::Missing)]);
    let endpoint = after(&store, |tables| {
        tables.endpoints.insert(endpoint_id(1).as_u128(), b"{".as_slice()).unwrap();
    });
    assert_eq!(kinds(&endpoint), [("endpoints", Damage::Unreadable)]);
    assert!(endpoint.sentences()[0].0.contains(&EndpointId::from_u128(endpoint_id(1).as_u128()).to_string()));
}
