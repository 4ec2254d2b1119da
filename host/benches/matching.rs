//! What it costs to find the endpoints that want an event: `cargo bench -p hookway --bench matching [-- --json FILE]`.
//!
//! Done as dispatch does it: the tenant in the snapshot of the directory, then every endpoint of its index that wants
//! the topic. Each lookup is timed by itself. What is found is looked at, so a lookup that finds thousands costs what
//! thousands of endpoints cost, and no index could make that less.
#![expect(clippy::print_stdout, reason = "the table is the product")]

mod times;

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;

use hookway::clock::Clock;
use hookway::directory::Directory;
use hookway::model::{Actor, AuditEntry, Endpoint, EndpointId, Subscription, TenantId, Topic, UnixMs};
use hookway::notices::Notices;
use hookway::store::redb::{Options, RedbStore};
use hookway::store::{self, Store};
use hookway::vault::{KeyRing, Vault};
use redb::backends::InMemoryBackend;
use serde::Serialize;
use tokio::time::Instant;

use self::times::{Times, percentiles, write_json};

const ENDPOINTS: usize = 10_000;
const MANY: usize = 100_000;
/// Enough for a stable p99 and for every tenant to come up a hundred times.
const LOOKUPS: usize = 100_000;
const WARM_UP: usize = 1_000;
const THINGS: [&str; 20] = [
    "orders",
    "returns",
    "refunds",
    "products",
    "prices",
    "stock",
    "carts",
    "customers",
    "invoices",
    "payments",
    "payouts",
    "shipments",
    "parcels",
    "labels",
    "reviews",
    "coupons",
    "suppliers",
    "contracts",
    "users",
    "teams",
];
const VERBS: [&str; 10] = [
    "created",
    "updated",
    "deleted",
    "paid",
    "cancelled",
    "shipped",
    "failed",
    "approved",
    "expired",
    "merged",
];

/// How endpoints are spread over tenants, and what they want.
struct Case {
    name: &'static str,
    endpoints: usize,
    tenants: usize,
    /// The patterns of the `n`th endpoint.
    patterns: fn(usize) -> Vec<String>,
    /// The topic of the `n`th event.
    topic: fn(usize) -> String,
}

/// One line of the table; times in microseconds.
#[derive(Debug, Serialize)]
struct Row {
    case: &'static str,
    tenants: usize,
    endpoints: usize,
    /// Endpoints that want an event, on average.
    matches: f64,
    lookup: Times,
}

const CASES: [Case; 7] = [
    case("mixed patterns", ENDPOINTS, 1_000, mixed, usual),
    case("mixed patterns", MANY, 10_000, mixed, usual),
    case("a few of one tenant", ENDPOINTS, 1, of_a_shop, in_a_shop),
    case("a few of one tenant", MANY, 1, of_a_shop, in_a_shop),
    case("mixed, one tenant", ENDPOINTS, 1, mixed, usual),
    case("mixed, one tenant", MANY, 1, mixed, usual),
    case("all of one tenant", ENDPOINTS, 1, |_| vec!["**".to_owned()], usual),
];

const fn case(
    name: &'static str,
    endpoints: usize,
    tenants: usize,
    patterns: fn(usize) -> Vec<String>,
    topic: fn(usize) -> String,
) -> Case {
    Case { name, endpoints, tenants, patterns, topic }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!(
        "{:<20} {:>8} {:>10} {:>10}  {:>10} {:>10}",
        "case", "tenants", "endpoints", "matches", "p50 us", "p99 us"
    );
    let mut rows = Vec::new();
    for case in &CASES {
        let row = runtime.block_on(measure(case))?;
        println!(
            "{:<20} {:>8} {:>10} {:>10.1}  {:>10.2} {:>10.2}",
            row.case, row.tenants, row.endpoints, row.matches, row.lookup.p50, row.lookup.p99
        );
        rows.push(row);
    }
    write_json(&rows)
}

async fn measure(case: &Case) -> Result<Row, Box<dyn Error>> {
    let directory = directory(case).await?;
    // Neighbouring events belong to different tenants, so no tenant's index is warm from the event before.
    let events: Vec<(TenantId, Topic)> = (0..ENDPOINTS)
        .map(|n| Ok((tenant(n % case.tenants)?, (case.topic)(n).parse()?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let lookups = if case.tenants == 1 { LOOKUPS / 10 } else { LOOKUPS };
    let mut times = Vec::with_capacity(lookups);
    let mut found = 0;
    for (n, (tenant, topic)) in events.iter().cycle().take(WARM_UP + lookups).enumerate() {
        let started = Instant::now();
        let matches = wanted(&directory, tenant, topic);
        let took = started.elapsed();
        if n >= WARM_UP {
            found += matches;
            times.push(took);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let matches = found as f64 / lookups as f64;
    let (tenants, lookup) = (case.tenants, percentiles(times));
    Ok(Row { case: case.name, tenants, endpoints: case.endpoints, matches, lookup })
}

/// What dispatch does before it judges.
fn wanted(directory: &Directory, tenant: &TenantId, topic: &Topic) -> usize {
    let Some(tenant) = directory.tenant(tenant) else { return 0 };
    let mut found = tenant.index().matcher_groups().len();
    for endpoint in tenant.index().matches(topic) {
        black_box(endpoint.id);
        found += 1;
    }
    found
}

async fn directory(case: &Case) -> Result<Directory, Box<dyn Error>> {
    let vault = Vault::new(KeyRing::random());
    let options = Options { cache_mib: 16, linger_ms: 0 };
    let store = RedbStore::with_backend(InMemoryBackend::new(), vault, Clock::system(), &options)?;
    let store: Arc<dyn Store> = Arc::new(store);
    // All are called before the first is awaited, so that they share a few commits.
    let mut created = Vec::with_capacity(case.endpoints);
    for n in 0..case.endpoints {
        let audit = AuditEntry::new(UnixMs(1), Actor::Gateway, "endpoint.created", n);
        created.push(store.create_endpoint(endpoint(case, n)?, audit));
    }
    for endpoint in created {
        endpoint.await?;
    }
    Ok(Directory::load(store, Notices::off(), Vec::new())
        .await
        .map_err(|error: store::Error| error.to_string())?)
}

fn endpoint(case: &Case, n: usize) -> Result<Endpoint, Box<dyn Error>> {
    let patterns = (case.patterns)(n).iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let id = EndpointId::new(UnixMs(1), n as u128);
    let url = format!("https://example.com/{n}").parse()?;
    let blank = Endpoint::new(id, tenant(n % case.tenants)?, url, UnixMs(1));
    Ok(Endpoint { subscription: Subscription::Patterns(patterns), ..blank })
}

fn tenant(n: usize) -> Result<TenantId, Box<dyn Error>> {
    Ok(format!("tenant-{n}").parse()?)
}

/// Four of ten name a topic in full, two everything of a thing, three a verb of whatever thing, one wants all.
fn mixed(n: usize) -> Vec<String> {
    // Endpoints of one tenant are a thousand apart: what they want depends on more than the last digits.
    let n = n / 1_000 + n % 1_000 * 10;
    let (thing, verb) = (THINGS[n / 10 % THINGS.len()], VERBS[n / 7 % VERBS.len()]);
    let pattern = match n % 10 {
        0..4 => format!("{thing}/{verb}"),
        4 => format!("{thing}/*"),
        5 => format!("{thing}/**"),
        6 => format!("*/{verb}"),
        7 => format!("**/{verb}"),
        8 => format!("**/lines/{verb}"),
        _ => "**".to_owned(),
    };
    vec![pattern]
}

fn usual(n: usize) -> String {
    format!("{}/{}", THINGS[n / 3 % THINGS.len()], VERBS[n / 11 % VERBS.len()])
}

/// Four endpoints for each of 2,500 shops: exact, one segment, prefix, suffix.
fn of_a_shop(n: usize) -> Vec<String> {
    let shop = n / 4;
    let pattern = match n % 4 {
        0 => format!("shops/{shop}/orders/created"),
        1 => format!("shops/{shop}/*/created"),
        2 => format!("shops/{shop}/**"),
        _ => format!("**/{shop}/orders/created"),
    };
    vec![pattern]
}

fn in_a_shop(n: usize) -> String {
    format!("shops/{}/orders/created", n % (ENDPOINTS / 4))
}
