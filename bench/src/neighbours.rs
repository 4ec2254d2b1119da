//! Noisy neighbours: what a receiver that hangs and one that fails take from 98 others, and what 5,000 slow clients take from
//! good producers.
//!
//! Each situation is a gateway of its own under the same load: events for 98 good receivers, first as many as go through, then
//! at a fixed pace, and beside them some for two more. Those are good too (quiet), or one hangs and one answers 503 (noisy); or
//! thousands of connections stop in the middle of a head (slow clients). Situations take turns, and ratios are those of medians.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use comfy_table::Table;
use hookway_tests::gateway::{Gateway, Setup};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::latency::{Percentiles, percentiles};
use crate::payload::Payload;
use crate::producers::{Posted, Work, post_all};
use crate::serve::{Answer, empty, serve};
use crate::target::binary;

const GOOD: usize = 98;
const BYTES: usize = 500;
/// Events a second for the two others: what two of a hundred get at the pace.
const NOISE: f64 = 20.0;
/// Events a second while the latency is measured.
const PACE: f64 = 1_000.0;
const SLOW_CLIENTS: usize = 5_000;

/// How to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds of each situation; reported is the median
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// One round with a tenth of the events: to see that it works, not to quote
    #[arg(long)]
    quick: bool,
    /// Writes all of it to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Quiet,
    NoisyReceivers,
    SlowClients,
}

/// What the good ones got.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    events_per_second: f64,
    /// Milliseconds until the producer had its answer, at the pace.
    answered: Percentiles,
    /// And until the receiver had the event.
    arrived: Percentiles,
}

/// The two others.
struct Others {
    are_noisy: bool,
}

impl Answer for Others {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (self.are_noisy, request.uri().path()) {
            (true, "/hangs") => std::future::pending().await,
            (true, _) => empty(StatusCode::SERVICE_UNAVAILABLE),
            (false, _) => empty(StatusCode::OK),
        }
    }
}

impl Situation {
    const ALL: [Self; 3] = [Self::Quiet, Self::NoisyReceivers, Self::SlowClients];

    const fn title(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::NoisyReceivers => "one receiver hangs, one fails",
            Self::SlowClients => "5,000 slow clients",
        }
    }
}

/// Measures, prints, writes.
///
/// # Errors
/// Something is not built or does not come up, or an event is lost.
pub(crate) async fn run(options: Options) -> Result<()> {
    let (rounds, part) = if options.quick { (1, 10) } else { (options.rounds.max(1), 1) };
    let mut samples = vec![Vec::new(); Situation::ALL.len()];
    for _ in 0..rounds {
        for (situation, samples) in Situation::ALL.into_iter().zip(&mut samples) {
            let sample = measure(situation, 20_000 / part, 20_000 / part).await;
            samples.push(sample.with_context(|| format!("in the situation `{}`", situation.title()))?);
        }
    }
    println!("{}", table(&samples));
    if let Some(file) = &options.json {
        let named: Vec<_> = Situation::ALL.iter().map(|of| of.title()).zip(&samples).collect();
        std::fs::write(file, serde_json::to_vec_pretty(&named)?)
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(())
}

async fn measure(situation: Situation, most: usize, paced: usize) -> Result<Sample> {
    let arrivals = Arrivals::start(most + paced, 1).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let others = format!("http://{}", listener.local_addr()?);
    let are_noisy = situation == Situation::NoisyReceivers;
    let mut beside = JoinSet::new();
    beside.spawn(async move { drop(serve(listener, Arc::new(Others { are_noisy })).await) });
    let mut gateway = Setup::default().binary(binary()?).set("log.level=error").quiet().start().await?;
    for n in 0..GOOD {
        make(&gateway, &format!("http://{}/good/{n}", arrivals.address()), &format!("good/{n}")).await?;
    }
    make(&gateway, &format!("{others}/hangs"), "other/0").await?;
    make(&gateway, &format!("{others}/fails"), "other/1").await?;
    let noise = work(&gateway, Payload::of_size(BYTES)?.spread("other", 2), 0, 1_000_000, Some(NOISE))?;
    beside.spawn(async move { drop(post_all(noise).await) });
    if situation == Situation::SlowClients {
        let to = gateway.address();
        for _ in 0..SLOW_CLIENTS {
            beside.spawn(async move { drop(dawdle(to).await) });
        }
    }
    // The breaker, if there is to be one, has had something to count.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let good = Payload::of_size(BYTES)?.spread("good", GOOD);
    let start = Instant::now();
    post_all(work(&gateway, good.clone(), 0, most, None)?).await?;
    arrivals.until(most).await?;
    let seconds = start.elapsed().as_secs_f64();
    let posted = post_all(work(&gateway, good, most, paced, Some(PACE))?).await?;
    arrivals.all().await?;
    let times = arrivals.times()?;
    beside.abort_all();
    gateway.kill().await?;
    let arrived = |post: &Posted| Some(times.get(post.number)?.saturating_duration_since(post.due));
    Ok(Sample {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        events_per_second: most as f64 / seconds,
        answered: percentiles(posted.iter().map(|post| post.answered - post.due).collect()),
        arrived: percentiles(posted.iter().filter_map(arrived).collect()),
    })
}

async fn make(gateway: &Gateway, url: &str, topic: &str) -> Result<()> {
    gateway.client().create_endpoint(&json!({ "url": url, "topics": [topic] })).await.map(drop)
}

fn work(gateway: &Gateway, payload: Payload, first: usize, events: usize, pace: Option<f64>) -> Result<Work> {
    let to = gateway.base().trim_start_matches("http://").parse()?;
    let key = format!("Bearer {}", gateway.key());
    Ok(Work { to, path: "/v1/events", key, payload, events, first, pace })
}

/// A client that stops in the middle of a head until it is closed, and then comes again.
async fn dawdle(to: std::net::SocketAddr) -> Result<()> {
    loop {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(b"POST /v1/events HTTP/1.1\r\nhost: a\r\nx-slow: ").await?;
        let mut rest = Vec::new();
        let _closed = stream.read_to_end(&mut rest).await;
    }
}

fn table(samples: &[Vec<Sample>]) -> Table {
    let mut table = Table::new();
    table.set_header([
        "situation",
        "events/s",
        "of quiet",
        "answered p99",
        "of quiet",
        "arrived p99",
        "of quiet",
    ]);
    let quiet = samples.first().map(Vec::as_slice).unwrap_or_default();
    for (situation, samples) in Situation::ALL.into_iter().zip(samples) {
        let mut row = vec![situation.title().to_owned()];
        let of: [fn(&Sample) -> f64; 3] =
            [|sample| sample.events_per_second, |sample| sample.answered.p99, |sample| sample.arrived.p99];
        for of in of {
            let (value, quiet) = (median(samples, of), median(quiet, of));
            row.extend([format!("{value:.1}"), format!("{:.2}", value / quiet)]);
        }
        table.add_row(row);
    }
    table
}

fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
