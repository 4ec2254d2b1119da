//! The gateway of a run: the stages of [`App`], on disks that fail and with receivers that follow a script. No listener, and no
//! plugin directory that is watched.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, Method, Request, StatusCode};
use axum::body::Body;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;
use tower_service::Service as _;

use super::super::*;
use super::sabotage::Sabotage;
use super::script::{Limits, OPERATIONS, Order, Plan, Setup};
use super::world::World;
use crate::lanes;
use crate::model::{
    Endpoint, EndpointId, HmacKey, Ordering, RetrySchedule, Secret, SecretId, SigningKey, Subscription,
};
use crate::plugins::{Options, Unrecorded};
use crate::store::conformance::fixtures::{T0, audit};
use crate::store::redb::RedbStore;
use crate::store::redb::faults::Disk;
use crate::store::redb::images::after_power_loss;
use crate::vault::{KeyRing, Vault};

/// A transaction is open for at most this long.
pub(super) const LINGER: Duration = Duration::from_millis(50);
/// What all runs share: an engine without plugins takes longer to start than a run takes.
pub(super) struct Fixture {
    plugins: Plugins,
    /// Nothing is sent with them.
    senders: Senders,
    _home: TempDir,
}

/// What outlives a gateway.
pub(super) struct Machine {
    pub(super) tables: Disk,
    pub(super) log: Disk,
    vault: Vault,
    admin: Option<ApiKey>,
    chance: Chance,
}

/// A gateway that runs.
pub(super) struct Gateway {
    pub(super) store: Arc<RedbStore>,
    pub(super) directory: Directory,
    pub(super) shutdown: Shutdown,
    router: Router,
    admin: String,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Self::in_runtime())
    }

    /// The same where a runtime runs.
    pub(super) async fn in_runtime() -> Self {
        let home = tempfile::tempdir().unwrap();
        let places = Places {
            plugins: home.path().join("plugins"),
            cache: None,
            versions: home.path().join("versions"),
            compiler: Compiler::InProcess,
            means: Means::default(),
            records: Arc::new(Unrecorded),
        };
        let (clock, shutdown) = (Clock::starting_at(T0), Shutdown::new());
        let plugins = Plugins::start(places, Options::default(), clock, &shutdown).await.unwrap();
        // Nobody looks at the directory in virtual time.
        shutdown.request();
        shutdown.finished(Duration::from_secs(30)).await;
        let senders = Senders::new(&deliver::Options::default()).unwrap();
        Self { plugins, senders, _home: home }
    }
}

impl Machine {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let disk = if sabotage == Some(Sabotage::DisksLie) { Disk::that_lies } else { Disk::default };
        Self {
            tables: disk(),
            log: disk(),
            vault: Vault::new(KeyRing::random()),
            admin: None,
            chance: Chance::of_seed(seed),
        }
    }

    /// The store on the disks, each step of which takes at most so long.
    fn open(&self, clock: Clock, world: &Arc<World>, most_ms: u64) -> Result<Arc<RedbStore>, store::Error> {
        let (tables, log, vault) = (self.tables.clone(), self.log.clone(), self.vault.clone());
        let store = Arc::new(RedbStore::in_steps(tables, log, vault, clock)?);
        let (stepped, world) = (Arc::clone(&store), Arc::clone(world));
        let disk_takes = move || Duration::from_millis(world.draw(|rng| rng.random_range(0..=most_ms)));
        tokio::spawn(async move { stepped.work_in_steps(LINGER, disk_takes).await });
        Ok(store)
    }

    /// What is on the disks after a kill, or after a power loss.
    pub(super) fn restart(&mut self, power_was_lost: bool, random: &mut StdRng, sabotage: Option<Sabotage>) {
        for disk in [&mut self.tables, &mut self.log] {
            let bytes = if power_was_lost { after_power_loss(disk, random) } else { disk.after_kill() };
            *disk = Disk::holding(bytes);
        }
        if sabotage == Some(Sabotage::DisksLie) {
            self.tables.lie();
            self.log.lie();
        }
    }
}

async fn read_on_and_on(store: Arc<RedbStore>, shutdown: Shutdown) {
    while !shutdown.is_requested() {
        let _ = store.endpoints().await;
        tokio::time::sleep(LINGER).await;
    }
}

pub(super) fn endpoint_id(n: usize) -> EndpointId {
    EndpointId::new(T0, n as u128 + 1)
}

pub(super) fn endpoint_number(id: EndpointId) -> usize {
    usize::try_from(id.as_u128() & 0xffff).unwrap() - 1
}

fn endpoint(n: usize, plan: &Plan, sabotage: Option<Sabotage>) -> Endpoint {
    let Plan { tenant, topics, limits: Limits { rate, burst }, order, is_filtered, retry, .. } = plan;
    let order = if sabotage == Some(Sabotage::IgnoresOrder) { &Order::None } else { order };
    let ignores = sabotage == Some(Sabotage::IgnoresLimits);
    let mut endpoint = Endpoint {
        subscription: Subscription::Patterns(vec![topics.parse().unwrap()]),
        secrets: vec![Secret {
            id: SecretId::new(T0, 1),
            key: SigningKey::Hmac(HmacKey::new(vec![7; 32]).unwrap()),
            created_at: UnixMs(0),
            expires_at: None,
        }],
        rate_limit: if ignores { 0 } else { *rate },
        burst_limit: if ignores { 0 } else { *burst },
        ordering: if *order == Order::None { Ordering::None } else { Ordering::Fifo },
        ordering_key: (*order == Order::ByKey).then(|| "/k".parse().unwrap()),
        filter: is_filtered.then(|| r#"{"data": {"k": {"$in": [0, 1, 2]}}}"#.into()),
        ..Endpoint::new(
            endpoint_id(n),
            tenant.parse().unwrap(),
            format!("https://e{n}.example.com/hook").parse().unwrap(),
            T0,
        )
    };
    let seconds = |waits: &Vec<u64>| waits.iter().copied().map(Duration::from_secs).collect();
    endpoint.request.retry = retry.as_ref().map(|waits| RetrySchedule::new(seconds(waits)));
    let wrong = match sabotage {
        Some(Sabotage::RetriesAtOnce) => Some(Duration::from_millis(10)),
        Some(Sabotage::DeliversLate) => Some(Duration::from_hours(20)),
        _ => None,
    };
    if let Some(wait) = wrong {
        endpoint.request.retry = Some(RetrySchedule::new(vec![wait; 17]));
    }
    endpoint
}

fn settings(setup: &Setup, sabotage: Option<Sabotage>) -> Settings {
    let mut settings = Settings::default();
    settings.operations.tenant =
        (sabotage != Some(Sabotage::TellsNobody)).then(|| OPERATIONS.parse().unwrap());
    settings.lanes = lanes::Options {
        max_in_flight: setup.max_in_flight,
        max_in_flight_per_endpoint: setup.max_in_flight_per_endpoint,
        lane_buffer: setup.lane_buffer,
        ..lanes::Options::default()
    };
    if sabotage == Some(Sabotage::HasNoBreakers) {
        settings.lanes.breaker_failures = 0;
    }
    settings.dispatch.max_in_flight = setup.dispatch_in_flight;
    settings.ingest.tenant_backlog_deliveries =
        if sabotage == Some(Sabotage::IgnoresBacklog) { 0 } else { setup.backlog };
    settings
}

impl Gateway {
    /// Opens the store, and starts the stages as [`App::run`] does.
    pub(super) async fn start(
        machine: &mut Machine,
        setup: &Setup,
        world: &Arc<World>,
        fixture: &Fixture,
        sabotage: Option<Sabotage>,
    ) -> Result<Self, Error> {
        let (clock, shutdown) = (world.begin_life(), Shutdown::new());
        let redb = machine.open(clock, world, setup.disk_takes_ms)?;
        let clock = redb.clock();
        world.goes_by(clock);
        let (settings, store): (_, Arc<dyn Store>) = (settings(setup, sabotage), Arc::clone(&redb) as _);
        let made = http::ensure_admin_key(&*store, &clock).await?;
        if made.is_some() {
            machine.admin = made;
        }
        let keys = Keys::load(&*store, clock).await?;
        let (accepted, events) = handoff::channel(setup.handoff);
        let notices = Notices::new(&settings.operations, clock, accepted.clone());
        let directory = Directory::load(Arc::clone(&store), notices.clone(), Vec::new()).await?;
        let lanes = Lanes::start(
            settings.lanes.clone(),
            Arc::clone(&store),
            directory.clone(),
            clock,
            shutdown.clone(),
        )
        .await?;
        let free_space = FreeSpace::endless();
        let senders = fixture.senders.clone();
        let live = Live::new(&settings, free_space, lanes.clone(), senders, Arc::clone(&store));
        let app = App {
            settings,
            keys,
            admin_key: None,
            catalogue: Catalogue::load(Arc::clone(&store)).await?,
            store,
            directory: directory.clone(),
            plugins: fixture.plugins.clone(),
            lanes,
            transport: Arc::clone(world) as _,
            accepted,
            events,
            notices,
            metrics: Metrics::default(),
            traces: Traces::default(),
            exporting: Exporting::default(),
            live,
            clock,
            chance: machine.chance.clone(),
            shutdown: shutdown.clone(),
        };
        match sabotage {
            Some(Sabotage::ReadsOnAndOn) => {
                shutdown.spawn(read_on_and_on(Arc::clone(&redb), shutdown.clone()));
            }
            Some(Sabotage::LeavesTask) => drop(tokio::spawn(std::future::pending::<()>())),
            _ => {}
        }
        let admin = machine.admin.as_ref().map(ApiKey::reveal).unwrap_or_default();
        Ok(Self { store: redb, directory, shutdown, router: app.run_stages(), admin })
    }

    /// Creates the endpoints that are not there.
    pub(super) async fn create_endpoints(
        &self,
        setup: &Setup,
        sabotage: Option<Sabotage>,
        created: &[usize],
    ) -> Result<Vec<usize>, store::Error> {
        let mut new = Vec::new();
        for (n, plan) in setup.endpoints.iter().enumerate().filter(|(n, _)| !created.contains(n)) {
            if self.directory.get(endpoint_id(n)).is_none() {
                self.directory.create(endpoint(n, plan, sabotage), audit("endpoint.created")).await?;
            }
            new.push(n);
        }
        Ok(new)
    }

    /// A request to the API, or to ingest.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        (media, body): (&str, String),
    ) -> (StatusCode, HeaderMap, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, media)
            .header(AUTHORIZATION, format!("Bearer {}", self.admin))
            .body(Body::from(body))
            .unwrap();
        let (head, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (head.status, head.headers, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

impl Clone for Gateway {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            directory: self.directory.clone(),
            shutdown: self.shutdown.clone(),
            router: self.router.clone(),
            admin: self.admin.clone(),
        }
    }
}

impl App {
    /// The stages, without those that look at what is no part of the flow: plugins, and keys that seal secrets.
    fn run_stages(self) -> Router {
        let (deliver, dispatch) = (self.deliver(), self.dispatch());
        let resends = self.resends(&dispatch);
        let router = self.router(&resends);
        operations::start(&self.operations(), &self.shutdown);
        let Self { keys, store, events, shutdown, .. } = self;
        shutdown.spawn(deliver::run(deliver, shutdown.clone()));
        shutdown.spawn(dispatch.run(events, shutdown.clone()));
        shutdown.spawn(resends.go_on());
        shutdown.spawn(keys.keep_noting(store, shutdown.clone()));
        router
    }
}
