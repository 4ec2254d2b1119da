//! Rules of endpoints and API keys.

use super::fixtures::{T0, endpoint, endpoint_id, tenant};
use crate::model::{ApiKey, Binding, Endpoint, OnFailure, Scope, Subscription};
use crate::store::{Error, Store};

const URL: &str = "https://example.com/hook";

pub(crate) async fn an_endpoint_is_read_back_as_it_was_written(store: &dyn Store) {
    let binding = Binding {
        plugin: "jq".parse().unwrap(),
        config: r#"{"filter": ".a"}"#.into(),
        topics: vec!["orders/**".parse().unwrap()],
        on_failure: OnFailure::Closed,
    };
    let matched =
        Subscription::Matcher { plugin: "mqtt-topics".parse().unwrap(), patterns: vec!["a/+/#".to_owned()] };
    let second = Endpoint { plugins: vec![binding], subscription: matched, ..endpoint(2, URL) };
    let first = endpoint(1, "https://example.com/other?x=ü");
    store.create_endpoint(second.clone()).await.unwrap();
    store.create_endpoint(first.clone()).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [first, second]);
}

pub(crate) async fn a_tenant_has_one_endpoint_per_url(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL)).await.unwrap();
    let refused = store.create_endpoint(endpoint(2, URL)).await.unwrap_err();
    assert!(matches!(refused, Error::UrlTaken(id) if id == endpoint_id(1)), "{refused}");
    store.create_endpoint(Endpoint { tenant: tenant("acme"), ..endpoint(3, URL) }).await.unwrap();
    store.create_endpoint(endpoint(4, "https://example.com/4")).await.unwrap();
    let refused = store.update_endpoint(endpoint(4, URL)).await.unwrap_err();
    assert!(matches!(refused, Error::UrlTaken(id) if id == endpoint_id(1)), "{refused}");
    let both = [
        store.create_endpoint(endpoint(5, "https://example.com/5")),
        store.create_endpoint(endpoint(6, "https://example.com/5")),
    ];
    let mut taken = 0;
    for call in both {
        taken += usize::from(matches!(call.await, Err(Error::UrlTaken(_))));
    }
    assert_eq!(taken, 1);
    assert_eq!(store.endpoints().await.unwrap().len(), 4);
}

pub(crate) async fn changing_or_deleting_an_endpoint_frees_its_url(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL)).await.unwrap();
    let changed = Endpoint { description: "new".to_owned(), ..endpoint(1, URL) };
    store.update_endpoint(changed.clone()).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [changed]);
    store.update_endpoint(endpoint(1, "https://example.com/moved")).await.unwrap();
    store.create_endpoint(endpoint(2, URL)).await.unwrap();
    store.delete_endpoint(endpoint_id(2)).await.unwrap();
    store.create_endpoint(endpoint(3, URL)).await.unwrap();
    let ids: Vec<_> = store.endpoints().await.unwrap().iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(ids, [endpoint_id(1), endpoint_id(3)]);
}

pub(crate) async fn what_is_not_there_is_not_found(store: &dyn Store) {
    assert!(matches!(store.update_endpoint(endpoint(1, URL)).await, Err(Error::NotFound)));
    assert!(matches!(store.delete_endpoint(endpoint_id(1)).await, Err(Error::NotFound)));
    assert!(store.endpoints().await.unwrap().is_empty());
}

pub(crate) async fn keys_are_read_back_as_they_were_written(store: &dyn Store) {
    let scopes = [Scope::Admin, Scope::Tenant(tenant("acme")), Scope::EventsWrite(None)];
    let mut written = Vec::new();
    for (n, scope) in (0..).zip(scopes) {
        let key = ApiKey::new(T0, n, [3; 32]).record(scope, "a key", T0);
        store.create_key(key.clone()).await.unwrap();
        written.push(key);
    }
    assert_eq!(store.keys().await.unwrap(), written);
}
