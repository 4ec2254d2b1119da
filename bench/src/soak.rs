//! `cargo xtask soak reload`: a plugin is replaced a thousand times while events flow through it at a pace.
//!
//! Each event is numbered, and at the end each must have come once. Memory and open files of the gateway are read at the start and
//! after each quarter: what a replacement leaves behind shows as growth from quarter to quarter.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hookway_tests::client::Client;
use hookway_tests::gateway::{Gateway, Setup};
use hookway_tests::guests;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::arrivals::Arrivals;
use crate::payload::Payload;
use crate::producers::{CONNECTIONS, Work, post_all};
use crate::target::binary;
use crate::usage::Usage;

const PLUGIN: &str = "tagger";
/// Two files that differ in what they write into the body.
const VERSIONS: [&str; 2] = ["switchable-v2", "switchable-v1"];
/// A receiver of events has room for so long a run.
const LONGEST: Duration = Duration::from_hours(1);
/// Events are posted in pieces of this length, so that the end of the replacements is the end of the events soon after.
const PIECE: Duration = Duration::from_secs(1);
const EVENT_BYTES: usize = 500;
/// More than allocators and caches move from one quarter to the next, less than a hundred modules that stay behind.
const MAY_GROW_MIB: u64 = 32;
/// The connections of producers come anew with each piece, and those of the piece before may still be there; a file that each of 250
/// replacements leaves open is more.
const MAY_OPEN: usize = CONNECTIONS + CONNECTIONS / 2;

/// How long and how hard.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often the plugin is replaced
    #[arg(long, default_value_t = 1_000)]
    reloads: usize,
    /// Events a second
    #[arg(long, default_value_t = 2_000)]
    rate: usize,
}

/// What the gateway holds at a moment.
#[derive(Debug, Clone, Copy)]
struct Look {
    resident_mib: u64,
    files: usize,
}

/// Replaces the plugin under load and says whether all is well.
///
/// # Errors
/// An event is lost or came twice, or the gateway holds more and more.
pub(crate) async fn reload(options: Options) -> Result<()> {
    let rate = u32::try_from(options.rate).context("--rate is too high")?;
    let receiver = Arrivals::start(options.rate * usize::try_from(LONGEST.as_secs())?, 1).await?;
    let setup = Setup::default().binary(binary()?).set("log.level=warn").quiet();
    let mut gateway = setup.plugin(PLUGIN, guests::guest(VERSIONS[1])?).start().await?;
    let endpoint = json!({
        "url": format!("http://{}/", receiver.address()), "topics": ["**"], "plugins": [{ "plugin": PLUGIN }],
    });
    gateway.client().create_endpoint(&endpoint).await?;
    println!("{} reloads at {rate} events a second", options.reloads);
    let (stop, stopped) = watch::channel(false);
    let work = Work {
        to: gateway.address(),
        path: "/v1/events",
        key: format!("Bearer {}", gateway.key()),
        payload: Payload::of_size(EVENT_BYTES)?,
        events: 0,
        first: 0,
        pace: Some(f64::from(rate)),
    };
    let started = Instant::now();
    let events = tokio::spawn(post_until(stopped, work));
    let looks = replace(&gateway, options.reloads).await;
    stop.send_replace(true);
    let (posted, looks) = (events.await??, looks?);
    receiver.exactly(posted).await?;
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 events")]
    let pace = posted as f64 / seconds;
    println!("{posted} events in {seconds:.0} s ({pace:.0}/s): each came once");
    gateway.stop().await?;
    judge(&looks)
}

/// Posts piece after piece; returns how many events there were.
async fn post_until(stopped: watch::Receiver<bool>, work: Work) -> Result<usize> {
    let mut first = 0;
    while !*stopped.borrow() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate of events")]
        let events = (work.pace.unwrap_or_default() * PIECE.as_secs_f64()) as usize;
        let piece = Work { events, first, key: work.key.clone(), payload: work.payload.clone(), ..work };
        post_all(piece).await?;
        first += events;
    }
    Ok(first)
}

async fn replace(gateway: &Gateway, reloads: usize) -> Result<Vec<Look>> {
    let (client, files) = (gateway.client(), files()?);
    let mut live = client.plugin_active(PLUGIN).await?["version"].clone();
    let mut looks = vec![report("at the start", gateway)?];
    let style = ProgressStyle::with_template("    {msg} [{bar:40}] {pos}/{len} {eta}")?;
    let bar =
        ProgressBar::new(reloads as u64).with_style(style.progress_chars("=> ")).with_message("reloads");
    for (number, file) in files.iter().cycle().take(reloads).enumerate() {
        live = replace_one(&client, file, &gateway.plugins_dir(), &live).await?;
        bar.inc(1);
        let done = number + 1;
        if done * 4 / reloads != number * 4 / reloads {
            looks.push(bar.suspend(|| report(&format!("after {done}"), gateway))?);
        }
    }
    bar.finish_and_clear();
    Ok(looks)
}

/// Replaces the file and waits until another version than `live` is.
async fn replace_one(client: &Client, file: &Path, plugins_dir: &Path, live: &Value) -> Result<Value> {
    guests::install(file, plugins_dir, PLUGIN)?;
    let is_next = |status: &Value| status["version"] != *live && status["state"] == "active";
    Ok(client.plugin_when(PLUGIN, "the next version", is_next).await?["version"].clone())
}

fn files() -> Result<Vec<PathBuf>> {
    VERSIONS.iter().map(|name| guests::guest(name)).collect()
}

fn report(when: &str, gateway: &Gateway) -> Result<Look> {
    let pid = gateway.id()?;
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).context("/proc is there on Linux only")?.count();
    let look = Look { resident_mib: Usage::of(pid)?.resident >> 20, files };
    println!("    {when:<14} {:>5} MiB {:>4} open files", look.resident_mib, look.files);
    Ok(look)
}

/// The first quarter fills caches and pools; from then on nothing may grow.
fn judge(looks: &[Look]) -> Result<()> {
    let verdict = looks.get(1..).unwrap_or_default().windows(2).try_for_each(|pair| {
        let (before, after) = (pair[0], pair[1]);
        let is_flat = after.resident_mib <= before.resident_mib + MAY_GROW_MIB
            && after.files <= before.files + MAY_OPEN;
        if is_flat { ControlFlow::Continue(()) } else { ControlFlow::Break((before, after)) }
    });
    if let ControlFlow::Break((before, after)) = verdict {
        anyhow::bail!("something grows: {before:?}, then {after:?}");
    }
    ensure!(!looks.is_empty(), "nothing was measured");
    println!("memory and open files are flat from the first quarter on");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_from_quarter_to_quarter_is_told() {
        let look = |resident_mib, files| Look { resident_mib, files };
        judge(&[look(40, 20), look(200, 90), look(220, 90), look(210, 150)]).unwrap();
        let error = judge(&[look(40, 20), look(200, 90), look(240, 90)]).unwrap_err().to_string();
        assert!(error.starts_with("something grows"), "{error}");
        assert!(judge(&[look(40, 20), look(200, 90), look(200, 91 + MAY_OPEN)]).is_err());
    }
}
