//! A new first key for signing secrets while deliveries go on.

use std::collections::BTreeMap;
use std::path::Path;

use ::http::{HeaderMap, Uri};
use axum::body::Bytes;
use axum::extract::State;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::*;
use crate::model::{
    Actor, AuditEntry, Endpoint, HmacKey, Secret, SecretId, SigningKey, Subscription, TenantId,
};
use crate::vault::Vault;

const OLD: &str = "old AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new ISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0A=";
const ENDPOINTS: u32 = 10_000;
/// So many of them get every event; they are spread over all, so that each batch of the rotation has some.
const LISTENING: u32 = 20;
const AT: UnixMs = UnixMs(1_710_513_000_000);
const OPTIONS: Options = Options { cache_mib: 16, linger_ms: 0 };

/// Verifies what arrives with the secret that the path names.
struct Receiver {
    address: std::net::SocketAddr,
    seen: watch::Receiver<Seen>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

/// How many requests came for each event, and how many signatures were wrong.
#[derive(Default)]
struct Seen {
    events: BTreeMap<String, u32>,
    wrong: usize,
}

impl Receiver {
    async fn start() -> Self {
        let (seen, arrived) = watch::channel(Seen::default());
        let router = Router::new().route("/{n}", axum::routing::post(receive)).with_state(Arc::new(seen));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve =
            tokio::spawn(http::serve(listener, router.into(), http::Options::default(), Shutdown::new()));
        Self { address, seen: arrived, _task: tokio_util::task::AbortOnDropHandle::new(serve) }
    }

    /// Waits until every one of these events arrived everywhere, and says how many signatures were wrong.
    async fn all_arrived(&mut self, events: &[String]) -> usize {
        let arrived = |seen: &Seen| events.iter().all(|id| seen.events.get(id) == Some(&LISTENING));
        self.seen.wait_for(arrived).await.unwrap().wrong
    }
}

async fn receive(
    State(seen): State<Arc<watch::Sender<Seen>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let n = uri.path().trim_start_matches('/').parse().unwrap();
    let verified = Webhook::new(&signing_key(n).reveal()).unwrap().verify(&body, &headers);
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    seen.send_modify(|seen| {
        *seen.events.entry(id).or_default() += 1;
        seen.wrong += usize::from(verified.is_err());
    });
    StatusCode::OK
}

fn signing_key(n: u32) -> HmacKey {
    HmacKey::new(n.to_be_bytes().repeat(8)).unwrap()
}

fn endpoint(n: u32, receiver: std::net::SocketAddr) -> Endpoint {
    let topic = if n.is_multiple_of(ENDPOINTS / LISTENING) { "orders/created" } else { "unused" };
    let id = SecretId::new(AT, n.into());
    Endpoint {
        subscription: Subscription::Patterns(vec![topic.parse().unwrap()]),
        secrets: vec![Secret { id, key: SigningKey::Hmac(signing_key(n)), created_at: AT, expires_at: None }],
        ..Endpoint::new(
            EndpointId::new(AT, n.into()),
            TenantId::default(),
            format!("http://{receiver}/{n}").parse().unwrap(),
            AT,
        )
    }
}

fn open(path: &Path, keys: &[&str]) -> Arc<RedbStore> {
    let vault = Vault::new(keys.join("\n").parse().unwrap());
    RedbStore::check_keys(path, &vault, &OPTIONS).unwrap();
    Arc::new(RedbStore::open(path, vault, Clock::system(), &OPTIONS).unwrap())
}

async fn fill(store: &Arc<RedbStore>, receiver: std::net::SocketAddr) {
    let mut creating = JoinSet::new();
    for n in 0..ENDPOINTS {
        let store = Arc::clone(store);
        creating.spawn(async move {
            let endpoint = endpoint(n, receiver);
            let audit = AuditEntry::new(AT, Actor::Gateway, "endpoint.created", endpoint.id);
            store.create_endpoint(endpoint, audit).await.unwrap();
        });
    }
    creating.join_all().await;
}

/// A gateway on this store whose stages run; the rotation is left to the caller.
async fn running(store: Arc<RedbStore>, home: tempfile::TempDir) -> Gateway {
    let mut settings = Settings { data_dir: home.path().to_owned(), ..Settings::default() };
    settings.deliver.allow_http = true;
    settings.deliver.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    let (clock, shutdown) = (Clock::system(), Shutdown::new());
    let store: Arc<dyn Store> = store;
    let app =
        App::start(settings, Arc::clone(&store), Compiler::InProcess, clock, shutdown.clone()).await.unwrap();
    let admin = ApiKey::new(clock.now(), rand::random(), rand::random());
    app.keys.insert(admin.record(crate::model::Scope::Admin, "", clock.now()));
    let (deliver, dispatch) = (app.deliver(), app.dispatch());
    let router = app.router(&app.resends(&dispatch));
    shutdown.spawn(deliver::run(deliver, shutdown.clone()));
    shutdown.spawn(dispatch.run(app.events, shutdown.clone()));
    Gateway { router, store, shutdown, admin: admin.reveal(), _home: home }
}

impl Gateway {
    async fn send(&self) -> String {
        let event = json!({ "event": "orders/created", "data": 1 });
        text(&self.post("/v1/events", &self.admin, event).await["event_id"])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_over_10_000_endpoints_fails_no_signature_and_frees_the_old_key() {
    let mut receiver = Receiver::start().await;
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("hookway.redb");
    let store = open(&path, &[OLD]);
    fill(&store, receiver.address).await;
    store.close().unwrap();

    let store = open(&path, &[NEW, OLD]);
    let gateway = running(Arc::clone(&store), tempfile::tempdir().unwrap()).await;
    let rotation = tokio::spawn(reseal::run(Arc::clone(&gateway.store), gateway.shutdown.clone()));
    let mut events = vec![gateway.send().await];
    while !rotation.is_finished() {
        events.push(gateway.send().await);
    }
    events.push(gateway.send().await);
    assert_eq!(receiver.all_arrived(&events).await, 0, "signatures failed");
    assert!(events.len() > 10, "only {} events were sent during the rotation", events.len());
    gateway.stop().await;
    store.close().unwrap();

    let only_old = Vault::new(OLD.parse().unwrap());
    assert!(RedbStore::check_keys(&path, &only_old, &OPTIONS).is_err(), "something still needs no new key");
    let store = open(&path, &[NEW]);
    let gateway = running(Arc::clone(&store), tempfile::tempdir().unwrap()).await;
    let last = vec![gateway.send().await];
    assert_eq!(receiver.all_arrived(&last).await, 0, "signatures failed without the old key");
    gateway.stop().await;
    store.close().unwrap();
}
