//! `cargo xtask bench retention`: a store at its size limit under full load, beside one without a limit.
//!
//! Both get the same events, as fast as producers can post them. The first half fills the store; the second is measured: there each event that
//! comes makes an old one go. The file is looked at after each piece.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Result, ensure};
use hookway_tests::gateway::{Gateway, Setup};
use serde_json::json;
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::payload::Payload;
use crate::producers::{Work, post_all};
use crate::target::binary;

/// Pieces of a run: the file is looked at after each.
const PIECES: usize = 20;
/// POSIX leaves the unit open; every system that we know counts 512 bytes.
const BLOCK: u64 = 512;

/// How much.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Events of each of the two runs
    #[arg(long, default_value_t = 5_000_000)]
    events: usize,
    /// `retention.max_bytes` of the one with a limit, MiB; twice as much should be written
    #[arg(long, default_value_t = 1_024)]
    max_mib: u64,
    /// Bytes of an event, about
    #[arg(long, default_value_t = 500)]
    bytes: usize,
}

/// What a run came to.
#[derive(Debug)]
struct Found {
    /// Events a second in the second half.
    rate: f64,
    /// The most that the file took after a piece, MiB.
    most_mib: u64,
    /// Events in the store at the end.
    kept: i64,
}

/// Measures both and says what the limit costs.
///
/// # Errors
/// An event is lost, the limit does nothing, or the file passes it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let without = measure(&options, 0).await?;
    show("without a limit", &without);
    let with = measure(&options, options.max_mib << 20).await?;
    show(&format!("with {} MiB", options.max_mib), &with);
    let ratio = with.rate / without.rate;
    println!("with the limit {ratio:.2} of the events a second without it");
    ensure!(without.most_mib > options.max_mib, "too few events to fill the store: --events, or --max-mib");
    ensure!(with.most_mib <= options.max_mib, "the file took {} MiB", with.most_mib);
    Ok(())
}

fn show(name: &str, found: &Found) {
    let Found { rate, most_mib, kept } = found;
    println!("{name}: {rate:.0} events a second, {most_mib} MiB at most, {kept} events at the end");
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
async fn measure(options: &Options, max_bytes: u64) -> Result<Found> {
    let receiver = Arrivals::start(options.events, 1).await?;
    let setup = Setup::default().binary(binary()?).set("log.level=warn").quiet();
    let gateway = setup.set(&format!("retention.max_bytes={max_bytes}")).start().await?;
    let endpoint = json!({ "url": format!("http://{}/", receiver.address()), "topics": ["**"] });
    gateway.client().create_endpoint(&endpoint).await?;
    let payload = Payload::of_size(options.bytes)?;
    let piece = options.events / PIECES;
    let (mut half, mut most) = (Instant::now(), 0);
    for n in 0..PIECES {
        if n == PIECES / 2 {
            receiver.until(n * piece).await?;
            half = Instant::now();
        }
        let (to, path, key) = (gateway.address(), "/v1/events", format!("Bearer {}", gateway.key()));
        let payload = payload.clone();
        post_all(Work { to, path, key, payload, events: piece, first: n * piece, pace: None }).await?;
        most = most.max(taken(gateway.home())?);
    }
    receiver.until(PIECES * piece).await?;
    let rate = (PIECES / 2 * piece) as f64 / half.elapsed().as_secs_f64();
    let found = Found { rate, most_mib: most >> 20, kept: kept(&gateway).await? };
    let mut gateway = gateway;
    gateway.stop().await?;
    Ok(found)
}

fn taken(home: &Path) -> Result<u64> {
    Ok(std::fs::metadata(home.join("data/hookway.redb"))?.blocks() * BLOCK)
}

async fn kept(gateway: &Gateway) -> Result<i64> {
    let metrics = gateway.client().open("/metrics", &[]).await?.text().await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("hookway_store_events "));
    Ok(line.unwrap_or("0").trim().parse()?)
}
