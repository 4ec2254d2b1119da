//! Rules of the audit log and of what is written with it.

use serde_json::{Value, json};

use super::fixtures::{T0, at, audit, endpoint, endpoint_id, tenant};
use crate::model::{Actor, AuditEntry, Endpoint};
use crate::store::{AuditFilter, AuditRow, Error, Store};

const URL: &str = "https://example.com/hook";

async fn rows(store: &dyn Store, filter: AuditFilter) -> Vec<AuditRow> {
    store.audit(filter, None, 100).await.unwrap().rows
}

pub(crate) async fn a_change_and_its_audit_row_are_both_there_or_neither(store: &dyn Store) {
    let written = audit("endpoint.created").with("url", &Value::Null, &json!(URL));
    store.create_endpoint(endpoint(1, URL), written.clone()).await.unwrap();
    let refused = store.create_endpoint(endpoint(2, URL), audit("endpoint.created")).await;
    assert!(matches!(refused, Err(Error::UrlTaken(_))));
    let refused = store.delete_endpoint(endpoint_id(3), audit("endpoint.deleted")).await;
    assert!(matches!(refused, Err(Error::NotFound)));
    let found = rows(store, AuditFilter::default()).await;
    assert_eq!(found.iter().map(|row| &row.entry).collect::<Vec<_>>(), [&written]);
    assert_eq!(found[0].number, 1);
}

pub(crate) async fn every_change_of_one_batch_gets_its_own_row(store: &dyn Store) {
    let calls: Vec<_> = (1..=20)
        .map(|n| {
            let url = format!("https://example.com/{}", n % 10);
            store.create_endpoint(endpoint(n, &url), audit(&format!("n{n}")))
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.is_ok(), n < 10, "{n}");
    }
    let found = rows(store, AuditFilter::default()).await;
    let actions: Vec<_> = found.iter().rev().map(|row| row.entry.action.clone()).collect();
    assert_eq!(actions, (1..=10).map(|n| format!("n{n}")).collect::<Vec<_>>());
    let chain = store.verify_audit().await.unwrap();
    assert_eq!((chain.rows, chain.broken_at, chain.head), (10, None, found[0].hash));
}

pub(crate) async fn the_audit_log_pages_from_the_newest_to_the_oldest(store: &dyn Store) {
    for n in 0..5 {
        let url = format!("https://example.com/{n}");
        store.create_endpoint(endpoint(n, &url), audit("endpoint.created")).await.unwrap();
    }
    let mut numbers = Vec::new();
    let mut before = None;
    loop {
        let page = store.audit(AuditFilter::default(), before, 2).await.unwrap();
        numbers.extend(page.rows.iter().map(|row| row.number));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

pub(crate) async fn every_filter_of_the_audit_log_narrows(store: &dyn Store) {
    let acme = tenant("acme");
    let mine = AuditEntry::new(at(5), Actor::Gateway, "endpoint.created", "a").of_tenant(Some(&acme));
    let other = AuditEntry::new(T0, Actor::Gateway, "endpoint.updated", "a");
    let owned = Endpoint { tenant: acme.clone(), ..endpoint(1, URL) };
    store.create_endpoint(owned.clone(), mine).await.unwrap();
    store.update_endpoint(owned, Vec::new(), other).await.unwrap();
    for (filter, number) in [
        (AuditFilter { tenant: Some(acme), ..AuditFilter::default() }, 1),
        (AuditFilter { action: Some("endpoint.updated".to_owned()), ..AuditFilter::default() }, 2),
        (AuditFilter { since: Some(at(5)), ..AuditFilter::default() }, 1),
    ] {
        let found = rows(store, filter.clone()).await;
        assert_eq!(found.iter().map(|row| row.number).collect::<Vec<_>>(), [number], "{filter:?}");
    }
    assert!(rows(store, AuditFilter { since: Some(at(6)), ..AuditFilter::default() }).await.is_empty());
}
