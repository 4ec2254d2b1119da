//! Access, over every route there is: the gateway without its listener, on a store in memory.

use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ::http::{Method, Request, StatusCode};
use axum::body::Body;
use serde_json::{Value, json};
use tower_service::Service as _;

use super::*;
use crate::deliver::AllowedNetwork;
use crate::plugins::tests::guests::filter;
use crate::store::redb::{Options, RedbStore};
use crate::store::{AuditFilter, DeliveryFilter, RecoveryFilter};

mod failing_disk;
mod json_bodies;
mod reference;
mod rotation;
mod urls;

const SINCE: &str = "2001-01-01T00:00:00Z";
const TOPIC: &str = "/v1/topics/{*topic}";
const SECRET: &str = "/v1/endpoints/{id}/secrets/{secret}";
/// What answers without a key.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/openapi.json", "/docs", "/docs/style.css"];
/// What takes a body and changes nothing that people manage.
const CHANGES_NOTHING: [&str; 3] = ["/v1/events", "/v1/preview", "/v1/plugins/{name}/backtest"];

struct Gateway {
    router: Router,
    store: Arc<dyn Store>,
    shutdown: Shutdown,
    admin: String,
    _home: tempfile::TempDir,
}

/// One of each thing that has an id, of one tenant.
struct Belongings {
    tenant: String,
    endpoint: String,
    secret: String,
    event: String,
    delivery: String,
    recovery: String,
    key: String,
}

async fn gateway() -> Gateway {
    gateway_allowing(vec!["127.0.0.0/8".parse().unwrap()]).await
}

async fn gateway_allowing(networks: Vec<AllowedNetwork>) -> Gateway {
    let options = Options { cache_mib: 16, linger_ms: 0 };
    gateway_on(Arc::new(RedbStore::in_memory(Clock::system(), &options)), networks).await
}

/// On a store of which this is the first start.
async fn gateway_on(store: Arc<dyn Store>, networks: Vec<AllowedNetwork>) -> Gateway {
    let home = tempfile::tempdir().unwrap();
    let mut settings = Settings { data_dir: home.path().to_owned(), ..Settings::default() };
    settings.deliver.allow_http = true;
    settings.deliver.allow_networks = networks;
    let (clock, shutdown) = (Clock::system(), Shutdown::new());
    let app =
        App::start(settings, Arc::clone(&store), Compiler::InProcess, clock, shutdown.clone()).await.unwrap();
    let admin = app.admin_key().map(ApiKey::reveal).unwrap_or_default();
    let dispatch = app.dispatch();
    let router = app.router(&app.resends(&dispatch));
    shutdown.spawn(dispatch.run(app.events, shutdown.clone()));
    Gateway { router, store, shutdown, admin, _home: home }
}

fn all_routes() -> Vec<(Method, &'static str)> {
    described().into_iter().map(|route| (route.method, route.path)).collect()
}

impl Gateway {
    async fn call(&self, method: Method, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        self.call_with(method, path, key, ("application/json", body.to_string().into_bytes())).await
    }

    async fn call_with(
        &self,
        method: Method,
        path: &str,
        key: &str,
        (media, body): (&str, Vec<u8>),
    ) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, media)
            .header(AUTHORIZATION, format!("Bearer {key}"))
            .body(Body::from(body))
            .unwrap();
        let (head, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, key, &body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    async fn key(&self, scope: &str) -> Value {
        self.post("/v1/keys", &self.admin, json!({ "scope": scope })).await
    }

    async fn belongings(&self, tenant: &str) -> Belongings {
        // Nothing listens there, and no lane of this gateway is asked to send.
        let endpoint = json!({ "tenant": tenant, "url": "http://127.0.0.1:9999/hook", "topics": ["**"] });
        let endpoint = self.post("/v1/endpoints", &self.admin, endpoint).await;
        let event = json!({ "tenant": tenant, "event": "a/b", "event_id": format!("e-{tenant}"), "data": 1 });
        let event = self.post("/v1/events", &self.admin, event).await;
        let delivery = self.delivery_of(&event).await;
        // It never ends: the delivery waits in its lane, so there is no room.
        let path = format!("/v1/endpoints/{}/recover", text(&endpoint["id"]));
        let recovery = self.post(&path, &self.admin, json!({ "since": SINCE })).await;
        let key = self.key(&format!("events:write:{tenant}")).await;
        Belongings {
            tenant: tenant.to_owned(),
            endpoint: text(&endpoint["id"]),
            secret: text(&endpoint["secrets"][0]["id"]),
            event: text(&event["event_id"]),
            delivery,
            recovery: text(&recovery["id"]),
            key: text(&key["id"]),
        }
    }

    /// The path of a new topic of the catalogue.
    async fn topic(&self, name: &str) -> String {
        self.post("/v1/topics", &self.admin, json!({ "topic": name })).await;
        format!("/v1/topics/{name}")
    }

    /// Installs a version of a plugin, and says which.
    async fn plugin(&self, name: &str, number: u32) -> String {
        let path = format!("/v1/plugins/{name}");
        let body = ("application/wasm", component(number));
        let (status, answer) = self.call_with(Method::PUT, &path, &self.admin, body).await;
        assert!(status.is_success(), "{status} {answer}");
        text(&answer["version"])
    }

    /// The path of a route of plugins, of one that has what is needed.
    async fn plugin_path(&self, method: &Method, route: &str) -> String {
        if method == Method::PUT && route == "/v1/plugins/{name}" {
            return "/v1/plugins/new".to_owned();
        }
        let name = format!("p-{method}").to_lowercase();
        let first = self.plugin(&name, 1).await;
        self.plugin(&name, 2).await;
        let path = route.replace("{name}", &name).replace("{version}", &first);
        if route.contains("/candidate") && method != Method::PUT {
            let candidate = format!("/v1/plugins/{name}/candidate");
            let body = ("application/wasm", component(3));
            let (status, answer) = self.call_with(Method::PUT, &candidate, &self.admin, body).await;
            assert!(status.is_success(), "{status} {answer}");
        }
        path
    }

    /// The same with an endpoint that is inactive.
    async fn inactive(&self, tenant: &str) -> Belongings {
        let belongings = self.belongings(tenant).await;
        self.post(&format!("/v1/endpoints/{}/deactivate", belongings.endpoint), &self.admin, json!({})).await;
        belongings
    }

    /// Dispatch is another task: it gets its turns while this one asks.
    async fn delivery_of(&self, event: &Value) -> String {
        let id = text(&event["event_id"]).parse().unwrap();
        let filter = DeliveryFilter { event_id: Some(id), ..DeliveryFilter::default() };
        loop {
            let page = self.store.deliveries(filter.clone(), None, 1).await.unwrap();
            if let Some(row) = page.rows.first() {
                return row.delivery.id.to_string();
            }
            tokio::task::yield_now().await;
        }
    }

    /// All that a request could change.
    async fn everything(&self) -> String {
        let store = &*self.store;
        let deliveries = store.deliveries(DeliveryFilter::default(), None, 100).await.unwrap();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            store.plugins().await.unwrap(),
            store.endpoints().await.unwrap(),
            store.tenants().await.unwrap(),
            store.topics().await.unwrap(),
            store.keys().await.unwrap(),
            store.recoveries(RecoveryFilter::default(), None, 100).await.unwrap(),
            store.audit(AuditFilter::default(), None, 100).await.unwrap(),
            deliveries.rows.iter().map(|row| &row.delivery).collect::<Vec<_>>(),
        )
    }

    async fn stop(self) {
        self.shutdown.request();
        assert!(self.shutdown.finished(Duration::from_secs(30)).await);
    }
}

impl Belongings {
    /// The path of a route with this tenant's ids in it; `None` if no id in it is a tenant's.
    fn path(&self, route: &str) -> Option<String> {
        let (collection, rest) = route.strip_prefix("/v1/")?.split_once("/{")?;
        let (_, rest) = rest.split_once('}')?;
        let rest = rest.replace("{secret}", &self.secret);
        let id = match collection {
            "endpoints" => &self.endpoint,
            "deliveries" => &self.delivery,
            "recoveries" => &self.recovery,
            "events" => &self.event,
            "keys" => &self.key,
            "tenants" => &self.tenant,
            "plugins" | "topics" => return None,
            other => panic!("teach this test what an id of `{other}` is"),
        };
        assert!(!rest.contains('{'), "{route}: teach this test whose the second id is");
        Some(format!("/v1/{collection}/{id}{rest}"))
    }
}

/// A filter, another one for each number.
fn component(number: u32) -> Vec<u8> {
    filter(&format!("(drop (i32.const {number})) i32.const 0"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_route_but_health_answers_without_a_key() {
    let gateway = gateway().await;
    for (method, path) in all_routes() {
        for key in ["", "hk_01JDB6ZK3V8M2Q4R5S6T7V8W9X_wrong"] {
            let (status, _) = gateway.call(method.clone(), path, key, &json!({})).await;
            let expected = if OPEN.contains(&path) { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            assert_eq!(status, expected, "{method} {path}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_ids_of_another_tenant_are_not_found_on_any_route() {
    let gateway = gateway().await;
    let theirs = gateway.belongings("theirs").await;
    let mine = text(&gateway.key("tenant:mine").await["key"]);
    let before = gateway.everything().await;
    let mut tried = 0;
    for (method, route) in all_routes() {
        let Some(path) = theirs.path(route) else { continue };
        for path in [path.clone(), format!("{path}?tenant=theirs")] {
            let asks_tenant = path.contains('?');
            let (status, answer) = gateway.call(method.clone(), &path, &mine, &json!({})).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {answer}");
            tried += usize::from(!asks_tenant);
        }
    }
    assert!(tried >= 7, "only {tried} routes have an id");
    assert_eq!(gateway.everything().await, before);
    gateway.stop().await;
}

#[tokio::test]
async fn lists_show_a_tenant_its_own_and_refuse_another_tenant() {
    let gateway = gateway().await;
    gateway.belongings("theirs").await;
    gateway.belongings("mine").await;
    let mine = text(&gateway.key("tenant:mine").await["key"]);
    for path in ["/v1/endpoints", "/v1/deliveries", "/v1/events", "/v1/recoveries", "/v1/audit"] {
        let (status, answer) = gateway.call(Method::GET, path, &mine, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let rows = answer["data"].as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row["tenant"] == "mine"), "{path}: {answer}");
        let path = format!("{path}?tenant=theirs");
        let (status, _) = gateway.call(Method::GET, &path, &mine, &Value::Null).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/v1/stats", "/v1/deliveries/stream"] {
        let path = format!("{path}?tenant=theirs");
        let (status, _) = gateway.call(Method::GET, &path, &mine, &Value::Null).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    let (_, own) = gateway.call(Method::GET, "/v1/stats", &mine, &Value::Null).await;
    assert_eq!((&own["tenant"], &own["windows"]["1h"]["created"]), (&json!("mine"), &json!(1)), "{own}");
    let (_, all) = gateway.call(Method::GET, "/v1/stats", &gateway.admin, &Value::Null).await;
    assert_eq!((&all["tenant"], &all["windows"]["1h"]["created"]), (&Value::Null, &json!(2)), "{all}");
    let new = json!({ "tenant": "theirs", "url": "http://127.0.0.1:9999/other", "topics": ["**"] });
    let (status, _) = gateway.call(Method::POST, "/v1/endpoints", &mine, &new).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_for_administrators_is_refused_to_a_tenant() {
    let gateway = gateway().await;
    let tenant = text(&gateway.key("tenant:mine").await["key"]);
    let before = gateway.everything().await;
    for (method, path) in [
        (Method::GET, "/v1/keys"),
        (Method::POST, "/v1/keys"),
        (Method::GET, "/v1/tenants"),
        (Method::PATCH, "/v1/tenants/mine"),
        (Method::GET, "/v1/audit/verify"),
        (Method::POST, "/v1/plugins/p/backtest"),
        (Method::POST, "/v1/topics"),
        (Method::PUT, "/v1/topics"),
        (Method::PATCH, TOPIC),
        (Method::DELETE, TOPIC),
        (Method::PUT, "/v1/plugins/p"),
        (Method::DELETE, "/v1/plugins/p"),
        (Method::GET, "/v1/plugins/p/versions"),
        (Method::POST, "/v1/plugins/p/versions/0123456789abcdef/rollback"),
        (Method::PUT, "/v1/plugins/p/candidate"),
        (Method::GET, "/v1/plugins/p/candidate"),
        (Method::PATCH, "/v1/plugins/p/candidate"),
        (Method::DELETE, "/v1/plugins/p/candidate"),
        (Method::POST, "/v1/plugins/p/candidate/promote"),
    ] {
        let body = if ["topics", "/tenants/", "/plugins/"].iter().any(|word| path.contains(word)) {
            json!({})
        } else {
            json!({ "scope": "admin" })
        };
        let (status, answer) = gateway.call(method.clone(), path, &tenant, &body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {answer}");
    }
    assert_eq!(gateway.everything().await, before);
    gateway.stop().await;
}

#[tokio::test]
async fn a_producers_key_can_do_nothing_but_post() {
    let gateway = gateway().await;
    let own = gateway.belongings("mine").await;
    for scope in ["events:write", "events:write:mine"] {
        let producer = text(&gateway.key(scope).await["key"]);
        let before = gateway.everything().await;
        for (method, route) in all_routes() {
            let is_open_to_all = method == Method::GET && route == "/v1/topics";
            let is_posting = method == Method::POST && route == "/v1/events";
            if OPEN.contains(&route) || is_posting || is_open_to_all {
                continue;
            }
            let path = own.path(route).unwrap_or_else(|| route.to_owned());
            let new = json!({ "url": "http://127.0.0.1:9999/x", "topics": ["**"], "tenant": "mine" });
            let body = if route == "/v1/endpoints" { new } else { json!({}) };
            let (status, answer) = gateway.call(method.clone(), &path, &producer, &body).await;
            let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status);
            assert!(refused, "{method} {path} with {scope}: {status} {answer}");
        }
        assert_eq!(gateway.everything().await, before);
        let event = json!({ "tenant": "mine", "event": "a/b", "data": 2 });
        let event = gateway.post("/v1/events", &producer, event).await;
        // It must not come to light while the next key is tried.
        gateway.delivery_of(&event).await;
        let (status, _) = gateway.call(Method::GET, "/v1/topics", &producer, &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "a producer sees what it may post");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn metrics_are_for_their_own_scope_and_administrators_and_that_scope_opens_nothing_else() {
    let gateway = gateway().await;
    let own = gateway.belongings("mine").await;
    for (scope, expected) in [
        ("tenant:mine", StatusCode::FORBIDDEN),
        ("events:write", StatusCode::FORBIDDEN),
        ("metrics:read", StatusCode::OK),
        ("admin", StatusCode::OK),
    ] {
        let key = text(&gateway.key(scope).await["key"]);
        let (status, _) = gateway.call(Method::GET, "/metrics", &key, &Value::Null).await;
        assert_eq!(status, expected, "{scope}");
    }
    let key = text(&gateway.key("metrics:read").await["key"]);
    let before = gateway.everything().await;
    for (method, route) in all_routes() {
        if OPEN.contains(&route) || method == Method::GET && ["/metrics", "/v1/topics"].contains(&route) {
            continue;
        }
        let path = own.path(route).unwrap_or_else(|| route.to_owned());
        let (status, answer) = gateway.call(method.clone(), &path, &key, &json!({})).await;
        let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status);
        assert!(refused, "{method} {path}: {status} {answer}");
    }
    assert_eq!(gateway.everything().await, before);
    gateway.stop().await;
}

#[tokio::test]
async fn the_listener_for_metrics_has_them_without_a_key_and_nothing_else() {
    let mut router = api::open_router(Metrics::default());
    let mut status = async |path: &str| {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        router.call(request).await.unwrap().status()
    };
    assert_eq!(status("/metrics").await, StatusCode::OK);
    for (_, path) in all_routes() {
        let expected = if path == "/metrics" { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(status(path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn every_route_that_changes_something_writes_one_audit_row() {
    let gateway = gateway().await;
    let own = gateway.belongings("mine").await;
    for (method, route) in all_routes() {
        if method == Method::GET || CHANGES_NOTHING.contains(&route) {
            continue;
        }
        // Some come with a target of their own, so that the order of the routes does not matter.
        let fresh = match (method.clone(), route) {
            (Method::DELETE, "/v1/endpoints/{id}") => Some(gateway.belongings("deleted").await),
            (Method::DELETE, SECRET) => {
                let fresh = gateway.belongings("expired").await;
                let path = fresh.path("/v1/endpoints/{id}/secrets/{secret}/expire").unwrap();
                gateway.post(&path, &gateway.admin, json!({})).await;
                Some(fresh)
            }
            (Method::POST, "/v1/endpoints/{id}/recover") => {
                let fresh = gateway.belongings("fresh").await;
                let path = fresh.path("/v1/recoveries/{id}/cancel").unwrap();
                gateway.post(&path, &gateway.admin, json!({})).await;
                Some(fresh)
            }
            (Method::POST, "/v1/endpoints/{id}/activate") => Some(gateway.inactive("inactive").await),
            _ => None,
        };
        let path = match route {
            TOPIC => gateway.topic(&format!("{method}/topic")).await,
            _ if route.starts_with("/v1/plugins/{name}") => gateway.plugin_path(&method, route).await,
            "/v1/events/{id}/replay" => format!("{}?tenant=mine", own.path(route).unwrap()),
            _ => fresh.as_ref().unwrap_or(&own).path(route).unwrap_or_else(|| route.to_owned()),
        };
        let body = match (method.clone(), route) {
            (Method::POST, "/v1/endpoints") => {
                json!({ "url": "http://127.0.0.1:9999/new", "topics": ["**"] })
            }
            (Method::PUT, "/v1/endpoints/{id}") => {
                json!({ "url": "http://127.0.0.1:9999/hook", "topics": ["replaced/*"] })
            }
            (Method::POST, "/v1/keys") => json!({ "scope": "events:write" }),
            (Method::POST, "/v1/topics") => json!({ "topic": "new" }),
            (Method::PUT, "/v1/topics") => json!({ "topics": [{ "topic": "imported" }] }),
            (Method::PATCH, "/v1/endpoints/{id}" | "/v1/tenants/{name}" | TOPIC) => {
                json!({ "description": "new" })
            }
            (Method::POST, "/v1/endpoints/{id}/recover") => json!({ "since": SINCE }),
            (Method::PATCH, SECRET) => json!({ "expires_at": "2099-01-01T00:00:00Z" }),
            _ => json!({}),
        };
        let is_upload = method == Method::PUT && route.starts_with("/v1/plugins/");
        let json = ("application/json", body.to_string().into_bytes());
        let body = if is_upload { ("application/wasm", component(9)) } else { json };
        let before = gateway.store.verify_audit().await.unwrap();
        let (status, answer) = gateway.call_with(method.clone(), &path, &gateway.admin, body).await;
        assert!(status.is_success(), "{method} {path}: teach this test what to send: {status} {answer}");
        let after = gateway.store.verify_audit().await.unwrap();
        assert_eq!((after.rows, after.broken_at), (before.rows + 1, None), "{method} {path}");
    }
    gateway.stop().await;
}
