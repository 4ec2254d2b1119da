//! `hookway plugin bench`: what calls cost.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::events;
use super::figures::{count, many, size, time};
use super::inputs::{Given, Which};
use super::test::samples;
use super::{Error, World};
use crate::client::{Line, Output, Tone};
use crate::plugins::manifest::{JsonText, Sample};
use crate::plugins::{Cost, Effort, Spread};

/// Failures that are told one by one.
const SHOWN_FAILURES: usize = 5;

/// What is measured.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    given: Given,
    /// Events, one JSON object a line, as they are posted to a gateway [default: the samples].
    #[arg(long, value_name = "FILE.ndjson")]
    events: Option<PathBuf>,
    /// The configuration for these events, as JSON [default: that of the manifest].
    #[arg(long, value_name = "JSON", requires = "events", value_parser = json_text)]
    config: Option<JsonText>,
    /// How many calls are timed at most.
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
    /// For how long calls are timed at most, fresh and reused each.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

/// # Errors
/// There is nothing to call it with, or no call has an answer.
pub(super) async fn run(args: Args, world: World) -> Result<(), Error> {
    let project = args.which.find()?;
    let piece = project.read()?;
    let mut out = Output::standard(&world.environment, args.json);
    let bench = args.given.open(&piece, &project, world).await?;
    let asked: Vec<Sample> = match &args.events {
        Some(file) => events::read(file, args.config.as_ref())?,
        None => samples::collect(bench.manifest(), &piece.name, &project)?
            .into_iter()
            .map(|test| test.sample)
            .collect(),
    };
    if asked.is_empty() {
        let nothing =
            "there is nothing to call it with: write samples, or give events with `--events FILE.ndjson`";
        return Err(Error::refused(&project.component)(nothing.to_owned()));
    }
    let effort = Effort { calls: args.calls.max(1), time: Duration::from_secs(args.seconds) };
    let cost = bench.cost(&asked, effort).await.map_err(Error::refused(&project.component))?;
    let what = if args.events.is_some() { "event" } else { "call" };
    if out.json {
        out.json(&as_json(&piece.name.to_string(), bench.version(), &cost).to_string())?;
    } else {
        show(&mut out, &cost, what)?;
    }
    match cost.failures.first() {
        Some((_, message)) if cost.calls == 0 => {
            Err(Error::Failed(format!("no {what} has an answer, the first one like this: {message}")))
        }
        _ => Ok(()),
    }
}

fn json_text(text: &str) -> Result<JsonText, String> {
    let value: Box<RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(JsonText::literal(&value))
}

/// Calls that one processor makes in a second.
fn rate(times: &Spread<Duration>) -> Option<f64> {
    let total: Duration = times.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    let calls = times.count() as f64;
    (!total.is_zero()).then(|| calls / total.as_secs_f64())
}

fn show(out: &mut Output, cost: &Cost, what: &str) -> Result<(), Error> {
    let row = |name: &str, times: &Spread<Duration>| {
        let shown = |value: Option<Duration>| value.map(time).unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate is positive and small"
        )]
        let rate = rate(times).map(|rate| count(rate as u64)).unwrap_or_default();
        vec![
            name.to_owned(),
            shown(times.p50()),
            shown(times.p99()),
            shown(times.max()),
            rate,
            times.count().to_string(),
        ]
    };
    let head = ["INSTANCE", "P50", "P99", "MAX", "CALLS/S", "CALLS"];
    out.table(&head, vec![row("fresh", &cost.fresh), row("reused", &cost.reused)])?;
    let mut lines = vec![String::new()];
    let shown = |value: Option<u64>| value.map(count).unwrap_or_default();
    lines.extend(cost.instructions.as_ref().map(|of| {
        let (p50, p99, max) = (shown(of.p50()), shown(of.p99()), shown(of.max()));
        format!("instructions of a call: p50 {p50}, p99 {p99}, at most {max}")
    }));
    lines.push(format!("memory of an instance: {}", size(cost.memory_bytes)));
    lines.push(format!(
        "measured with {}, on one processor, whole judgement included",
        many(cost.calls, what)
    ));
    if cost.left_out > 0 {
        lines.push(format!("{} of topics that the manifest leaves out", many(cost.left_out, what)));
    }
    out.lines(lines.into_iter().map(Line::from))?;
    let failures = cost.failures.iter().take(SHOWN_FAILURES);
    let failures = failures.map(|(number, message)| format!("{what} {number} has no answer: {message}"));
    out.lines(failures.map(|line| Line::new(Tone::Bad, line)))?;
    if cost.failures.len() > SHOWN_FAILURES {
        let more = cost.failures.len() - SHOWN_FAILURES;
        out.line(Line::new(Tone::Bad, format!("{more} more have no answer")))?;
    }
    Ok(())
}

fn as_json(plugin: &str, version: &str, cost: &Cost) -> Value {
    let times = |times: &Spread<Duration>| {
        let us = |value: Option<Duration>| value.map(|value| value.as_secs_f64() * 1e6);
        json!({
            "calls": times.count(),
            "p50_us": us(times.p50()),
            "p99_us": us(times.p99()),
            "max_us": us(times.max()),
            "calls_per_s": rate(times),
        })
    };
    let instructions =
        cost.instructions.as_ref().map(|of| json!({ "p50": of.p50(), "p99": of.p99(), "max": of.max() }));
    let failures: Vec<_> = cost
        .failures
        .iter()
        .map(|(number, message)| json!({ "number": number, "message": message }))
        .collect();
    json!({
        "plugin": plugin,
        "version": version,
        "different_calls": cost.calls,
        "fresh": times(&cost.fresh),
        "reused": times(&cost.reused),
        "instructions": instructions,
        "memory_bytes": cost.memory_bytes,
        "failures": failures,
        "left_out": cost.left_out,
    })
}
