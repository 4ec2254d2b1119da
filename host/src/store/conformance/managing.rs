//! Rules of endpoints and API keys.

use super::fixtures::{T0, at, audit, endpoint, endpoint_id, tenant};
use crate::model::{
    ApiKey, ApiKeyRecord, Binding, Ed25519Key, Endpoint, OnFailure, Scope, Secret, SecretId, SignatureStyle,
    SigningKey, Subscription,
};
use crate::store::{Error, Store};

const URL: &str = "https://example.com/hook";

pub(crate) async fn an_endpoint_is_read_back_as_it_was_written(store: &dyn Store) {
    let binding = Binding {
        plugin: "jq".parse().unwrap(),
        config: Some(r#"{"filter": ".a"}"#.into()),
        topics: vec!["orders/**".parse().unwrap()],
        on_failure: Some(OnFailure::Closed),
    };
    let matched =
        Subscription::Matcher { plugin: "mqtt-topics".parse().unwrap(), patterns: vec!["a/+/#".to_owned()] };
    let silent = Binding { config: None, on_failure: None, ..binding.clone() };
    let mut second = Endpoint { plugins: vec![binding, silent], subscription: matched, ..endpoint(2, URL) };
    let key = SigningKey::Ed25519(Ed25519Key::from_seed(&[9; 32]));
    second.secrets.push(Secret { id: SecretId::new(T0, 2), key, created_at: T0, expires_at: None });
    second.request.signature =
        SignatureStyle::HmacHex { header: "x-signature".to_owned(), prefix: "sha256=".to_owned() };
    let first = endpoint(1, "https://example.com/other?x=ü");
    store.create_endpoint(second.clone(), audit("endpoint.created")).await.unwrap();
    store.create_endpoint(first.clone(), audit("endpoint.created")).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [first, second]);
}

pub(crate) async fn a_tenant_has_one_endpoint_per_url(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL), audit("endpoint.created")).await.unwrap();
    let refused = store.create_endpoint(endpoint(2, URL), audit("endpoint.created")).await.unwrap_err();
    assert!(matches!(refused, Error::UrlTaken(id) if id == endpoint_id(1)), "{refused}");
    store
        .create_endpoint(Endpoint { tenant: tenant("acme"), ..endpoint(3, URL) }, audit("endpoint.created"))
        .await
        .unwrap();
    store.create_endpoint(endpoint(4, "https://example.com/4"), audit("endpoint.created")).await.unwrap();
    let refused =
        store.update_endpoint(endpoint(4, URL), Vec::new(), audit("endpoint.updated")).await.unwrap_err();
    assert!(matches!(refused, Error::UrlTaken(id) if id == endpoint_id(1)), "{refused}");
    let both = [
        store.create_endpoint(endpoint(5, "https://example.com/5"), audit("endpoint.created")),
        store.create_endpoint(endpoint(6, "https://example.com/5"), audit("endpoint.created")),
    ];
    let mut taken = 0;
    for call in both {
        taken += usize::from(matches!(call.await, Err(Error::UrlTaken(_))));
    }
    assert_eq!(taken, 1);
    assert_eq!(store.endpoints().await.unwrap().len(), 4);
}

pub(crate) async fn changing_or_deleting_an_endpoint_frees_its_url(store: &dyn Store) {
    store.create_endpoint(endpoint(1, URL), audit("endpoint.created")).await.unwrap();
    let changed = Endpoint { description: "new".to_owned(), ..endpoint(1, URL) };
    store.update_endpoint(changed.clone(), Vec::new(), audit("endpoint.updated")).await.unwrap();
    assert_eq!(store.endpoints().await.unwrap(), [changed]);
    store
        .update_endpoint(endpoint(1, "https://example.com/moved"), Vec::new(), audit("endpoint.updated"))
        .await
        .unwrap();
    store.create_endpoint(endpoint(2, URL), audit("endpoint.created")).await.unwrap();
    store.delete_endpoint(endpoint_id(2), audit("endpoint.deleted")).await.unwrap();
    store.create_endpoint(endpoint(3, URL), audit("endpoint.created")).await.unwrap();
    let ids: Vec<_> = store.endpoints().await.unwrap().iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(ids, [endpoint_id(1), endpoint_id(3)]);
}

pub(crate) async fn what_is_not_there_is_not_found(store: &dyn Store) {
    assert!(matches!(
        store.update_endpoint(endpoint(1, URL), Vec::new(), audit("endpoint.updated")).await,
        Err(Error::NotFound)
    ));
    assert!(matches!(
        store.delete_endpoint(endpoint_id(1), audit("endpoint.deleted")).await,
        Err(Error::NotFound)
    ));
    assert!(store.endpoints().await.unwrap().is_empty());
}

pub(crate) async fn keys_are_read_back_as_they_were_written(store: &dyn Store) {
    let scopes = [Scope::Admin, Scope::Tenant(tenant("acme")), Scope::EventsWrite(None)];
    let mut written = Vec::new();
    for (n, scope) in (0..).zip(scopes) {
        let key = ApiKey::new(T0, n, [3; 32]).record(scope, "a key", T0);
        store.create_key(key.clone(), audit("key.created")).await.unwrap();
        written.push(key);
    }
    assert_eq!(store.keys().await.unwrap(), written);
}

async fn with_keys<const N: usize>(store: &dyn Store, scopes: [Scope; N]) -> [ApiKeyRecord; N] {
    let mut n = 0;
    let keys = scopes.map(|scope| {
        n += 1;
        ApiKey::new(T0, n, [3; 32]).record(scope, "a key", T0)
    });
    for key in &keys {
        store.create_key(key.clone(), audit("key.created")).await.unwrap();
    }
    keys
}

pub(crate) async fn a_key_that_is_deleted_is_gone_and_a_second_time_not_found(store: &dyn Store) {
    let [admin, other] = with_keys(store, [Scope::Admin, Scope::EventsWrite(None)]).await;
    store.delete_key(other.id, T0, audit("key.deleted")).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [admin]);
    let again = store.delete_key(other.id, T0, audit("key.deleted")).await;
    assert!(matches!(again, Err(Error::NotFound)));
}

pub(crate) async fn the_last_admin_key_that_opens_anything_stays(store: &dyn Store) {
    let [first, second] = with_keys(store, [Scope::Admin, Scope::Admin]).await;
    let key = ApiKey::new(T0, 9, [3; 32]).record(Scope::Admin, "expires", T0);
    let expiring = ApiKeyRecord { expires_at: Some(at(60)), ..key };
    store.create_key(expiring.clone(), audit("key.created")).await.unwrap();
    let mut refused = 0;
    let both = [first.id, second.id].map(|id| store.delete_key(id, at(60), audit("key.deleted")));
    for call in both {
        refused += usize::from(matches!(call.await, Err(Error::LastAdminKey)));
    }
    assert_eq!(refused, 1, "of two at once one stays");
    store.delete_key(expiring.id, at(60), audit("key.deleted")).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [second]);
}

pub(crate) async fn a_use_of_a_key_is_noted_unless_the_key_is_gone_or_the_use_older(store: &dyn Store) {
    let [admin, gone] = with_keys(store, [Scope::Admin, Scope::EventsWrite(None)]).await;
    store.delete_key(gone.id, T0, audit("key.deleted")).await.unwrap();
    store.note_key_uses(vec![(gone.id, at(1)), (admin.id, at(9))]).await.unwrap();
    store.note_key_uses(vec![(admin.id, at(2))]).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [ApiKeyRecord { last_used_at: Some(at(9)), ..admin }]);
    assert_eq!(store.verify_audit().await.unwrap().rows, 3, "a use is no change");
}
