//! `hookway stats` and `hookway endpoint stats`: how deliveries ended and how long attempts took.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;

use super::api::Route;
use super::error::Error;
use super::line::{Line, Tone};
use super::output::not_understood;
use super::session::Session;

/// Whose statistics.
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Of events of this topic.
    #[arg(long)]
    topic: Option<String>,
}

/// The windows that there are, in the order in which they are shown.
const WINDOWS: [&str; 3] = ["1h", "24h", "7d"];
const HEAD: [&str; 12] = [
    "WINDOW",
    "RATE",
    "CREATED",
    "DELIVERED",
    "FAILED",
    "FILTERED",
    "CANCELLED",
    "ATTEMPTS",
    "UNSUCCESSFUL",
    "P50",
    "P95",
    "P99",
];

#[derive(Debug, Deserialize)]
struct Statistics {
    waiting: Waiting,
    windows: BTreeMap<String, Window>,
    last_error: Option<LastError>,
}

#[derive(Debug, Deserialize)]
struct Waiting {
    pending: u64,
    retrying: u64,
    held: u64,
}

#[derive(Debug, Deserialize)]
struct Window {
    delivery_rate: Option<f64>,
    created: i64,
    delivered: i64,
    failed: i64,
    filtered: i64,
    cancelled: i64,
    attempts: Attempts,
}

#[derive(Debug, Deserialize)]
struct Attempts {
    total: i64,
    failed: i64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct LastError {
    at: String,
    delivery_id: String,
    message: String,
}

/// Statistics of what was asked for.
pub(super) fn run(args: StatsArgs, session: &mut Session) -> Result<(), Error> {
    let route = session.api.at(&["stats"]).with("tenant", args.tenant).with("topic", args.topic);
    show(&route, session)
}

/// Shows the statistics of a route.
pub(super) fn show(route: &Route, session: &mut Session) -> Result<(), Error> {
    let json = session.api.get(route)?;
    if session.out.json {
        return session.out.json(&json);
    }
    let statistics: Statistics = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    session.out.table(&HEAD, rows(&statistics))?;
    session.out.lines(lines(&statistics))
}

fn rows(statistics: &Statistics) -> Vec<Vec<String>> {
    let windows = WINDOWS.iter().filter_map(|name| Some((name, statistics.windows.get(*name)?)));
    let row = |(name, window): (&&str, &Window)| {
        let Window { delivery_rate, created, delivered, failed, filtered, cancelled, attempts } = window;
        let mut row = vec![(*name).to_owned(), delivery_rate.map(percent).unwrap_or_default()];
        let counts = [created, delivered, failed, filtered, cancelled, &attempts.total, &attempts.failed];
        row.extend(counts.map(ToString::to_string));
        row.extend(
            [attempts.p50_ms, attempts.p95_ms, attempts.p99_ms].map(|ms| ms.map(took).unwrap_or_default()),
        );
        row
    };
    windows.map(row).collect()
}

fn lines(Statistics { waiting, last_error, .. }: &Statistics) -> Vec<Line> {
    let Waiting { pending, retrying, held } = waiting;
    let mut lines = vec![Line::from(format!("waiting: {pending} pending, {retrying} retrying, {held} held"))];
    if let Some(LastError { at, delivery_id, message }) = last_error {
        let line = Line::new(Tone::Bad, format!("last error: {message}"));
        lines.push(line.and(Tone::Faint, format!("  at {at}  {delivery_id}")));
    }
    lines
}

/// Never rounded up to all: 99.99 % is not 100 %.
fn percent(rate: f64) -> String {
    let tenths = (rate * 1_000.0 + 1e-6).floor();
    format!("{:.1}%", tenths / 10.0)
}

fn took(ms: f64) -> String {
    if ms >= 10_000.0 { format!("{:.1} s", ms / 1_000.0) } else { format!("{ms} ms") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_window_is_a_row_and_what_waits_a_line() {
        let attempts =
            json!({ "total": 1003, "failed": 6, "p50_ms": 124.0, "p95_ms": 2340, "p99_ms": 15000 });
        let hour = json!({
            "since": "T", "delivery_rate": 0.997, "created": 1001, "delivered": 997, "failed": 3, "filtered": 1,
            "cancelled": 0, "attempts": attempts,
        });
        let statistics = json!({
            "waiting": { "pending": 1, "retrying": 2, "held": 0 }, "windows": { "1h": hour },
            "last_error": { "at": "T", "delivery_id": "dlv_1", "message": "the receiver answered 500" },
        });
        let statistics: Statistics = serde_json::from_value(statistics).unwrap();
        let rows = rows(&statistics);
        let expected =
            ["1h", "99.7%", "1001", "997", "3", "1", "0", "1003", "6", "124 ms", "2340 ms", "15.0 s"];
        assert_eq!((rows.len(), &rows[0][..]), (1, &expected.map(str::to_owned)[..]));
        let shown: Vec<_> = lines(&statistics).iter().map(|line| line.render(false)).collect();
        assert_eq!(shown[0], "waiting: 1 pending, 2 retrying, 0 held");
        assert_eq!(shown[1], "last error: the receiver answered 500  at T  dlv_1");
    }

    #[test]
    fn a_rate_below_one_is_never_shown_as_all() {
        assert_eq!([1.0, 0.999_99, 0.997, 0.0].map(percent), ["100.0%", "99.9%", "99.7%", "0.0%"]);
    }
}
