//! `cargo xtask bench retention`: a store at its size limit under full load, beside one without a limit.
//!
//! Both get the same events, as fast as producers can post them, piece by piece in turns, so that what slows the machine for a while slows
//! both. The first half fills the store; the second is measured: there each event that comes makes an old one go. Reported is the median
//! of its pieces, with the lowest and the highest. The file is looked at after each piece.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use hookway_tests::gateway::{Gateway, Setup};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::arrivals::Arrivals;
use crate::payload::Payload;
use crate::producers::{Work, post_all};
use crate::target::binary;

/// Pieces of a run.
const PIECES: usize = 20;
/// After each piece: what a gateway has left to do by then is done while nobody is measured.
const REST: Duration = Duration::from_secs(1);
/// The metrics of the store are younger.
const AGE_OF_METRICS: Duration = Duration::from_secs(2);
/// POSIX leaves the unit open; every system that we know counts 512 bytes.
const BLOCK: u64 = 512;

/// How much.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Events of each of the two gateways
    #[arg(long, default_value_t = 5_000_000)]
    events: usize,
    /// `retention.max_bytes` of the one with a limit, MiB; twice as much should be written
    #[arg(long, default_value_t = 1_024)]
    max_mib: u64,
    /// Bytes of an event, about
    #[arg(long, default_value_t = 500)]
    bytes: usize,
}

/// One of the two.
struct Side {
    gateway: Gateway,
    receiver: Arrivals,
    payload: Payload,
    /// Events a second of each piece.
    rates: Vec<f64>,
    /// The most that the file took after a piece, MiB.
    most_mib: u64,
}

/// Measures both and says what the limit costs.
///
/// # Errors
/// An event is lost or comes twice, the limit does nothing, or the file passes it.
pub(crate) async fn run(options: Options) -> Result<()> {
    let (events, max_mib) = (options.events / PIECES, options.max_mib);
    let (mut without, mut with) = (Side::start(&options, 0).await?, Side::start(&options, max_mib).await?);
    for piece in 0..PIECES {
        // Each is first as often as the other.
        let order = if piece % 2 == 0 { [&mut without, &mut with] } else { [&mut with, &mut without] };
        for side in order {
            side.post(piece, events).await?;
        }
        let (a, b) = (without.rates[piece], with.rates[piece]);
        let measured = if piece < PIECES / 2 { "fills" } else { "counts" };
        println!(
            "{:2} of {PIECES}, {measured}: {a:.0} events a second without a limit, {b:.0} with one",
            piece + 1
        );
    }
    let (without, with) = (without.end(events).await?, with.end(events).await?);
    show("without a limit", &without);
    show(&format!("with {max_mib} MiB"), &with);
    let ratios = without.rates.iter().zip(&with.rates).map(|(without, with)| with / without).collect();
    let (lowest, ratio, highest) = spread(ratios);
    println!("with the limit {ratio:.2} of the events a second without it ({lowest:.2} to {highest:.2})");
    ensure!(without.most_mib > max_mib, "too few events to fill the store: --events, or --max-mib");
    ensure!(with.most_mib <= max_mib, "the file took {} MiB", with.most_mib);
    Ok(())
}

/// What one of them came to.
struct Found {
    /// Events a second of each piece of the second half.
    rates: Vec<f64>,
    most_mib: u64,
    /// Events in the store at the end.
    kept: i64,
}

fn show(name: &str, Found { rates, most_mib, kept }: &Found) {
    let (_, rate, _) = spread(rates.clone());
    println!("{name}: {rate:.0} events a second, {most_mib} MiB at most, {kept} events at the end");
}

/// The lowest, the median and the highest.
fn spread(mut numbers: Vec<f64>) -> (f64, f64, f64) {
    numbers.sort_by(f64::total_cmp);
    (numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1])
}

impl Side {
    async fn start(options: &Options, max_mib: u64) -> Result<Self> {
        let receiver = Arrivals::start(options.events, 1).await?;
        let setup = Setup::default().binary(binary()?).set("log.level=warn").quiet();
        let gateway = setup.set(&format!("retention.max_bytes={}", max_mib << 20)).start().await?;
        let endpoint = json!({ "url": format!("http://{}/", receiver.address()), "topics": ["**"] });
        gateway.client().create_endpoint(&endpoint).await?;
        let payload = Payload::of_size(options.bytes)?;
        Ok(Self { gateway, receiver, payload, rates: Vec::new(), most_mib: 0 })
    }

    /// Posts a piece, and waits until all of it has arrived.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    async fn post(&mut self, piece: usize, events: usize) -> Result<()> {
        let (to, path) = (self.gateway.address(), "/v1/events");
        let (key, payload) = (format!("Bearer {}", self.gateway.key()), self.payload.clone());
        let begun = Instant::now();
        post_all(Work { to, path, key, payload, events, first: piece * events, pace: None }).await?;
        self.receiver.until((piece + 1) * events).await?;
        self.rates.push(events as f64 / begun.elapsed().as_secs_f64());
        self.most_mib = self.most_mib.max(self.taken()?.div_ceil(1 << 20));
        sleep(REST).await;
        Ok(())
    }

    fn taken(&self) -> Result<u64> {
        let file = self.gateway.home().join("data/hookway.redb");
        Ok(std::fs::metadata(file)?.blocks() * BLOCK)
    }

    /// Stops it when all has arrived, each event once.
    async fn end(mut self, events: usize) -> Result<Found> {
        self.receiver.exactly(PIECES * events).await?;
        sleep(AGE_OF_METRICS).await;
        let metrics = self.gateway.client().open("/metrics", &[]).await?.text().await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix("hookway_store_events "));
        let kept = line.unwrap_or("0").trim().parse()?;
        self.gateway.stop().await?;
        Ok(Found { rates: self.rates.split_off(PIECES / 2), most_mib: self.most_mib, kept })
    }
}
