//! Results for people, and as JSON.

use serde_json::{Value as Json, json};

use super::{Ran, Results};
use crate::authoring::Error;
use crate::authoring::figures::{count, many, size, time};
use crate::client::{Line, Output, Tone, diff};
use crate::plugins::manifest::{Asked, Expected, ExpectedBody};

/// A verdict in the table; the whole of one that is a problem stands below it.
const MAX_VERDICT: usize = 56;
/// Log lines that are shown of a sample.
const MAX_LOG: usize = 20;

pub(super) fn show(out: &mut Output, results: &Results) -> Result<(), Error> {
    if out.json {
        return Ok(out.json(&as_json(results).to_string())?);
    }
    let head = ["RESULT", "SAMPLE", "VERDICT", "P50", "P99", "INSTRUCTIONS", "MEMORY"];
    out.table(&head, results.ran.iter().map(row).collect())?;
    for ran in &results.ran {
        out.lines(details(ran, &results.plugin))?;
    }
    let failed = results.ran.iter().filter(|ran| !ran.passed()).count();
    let updated = results.ran.iter().filter(|ran| ran.is_updated).count();
    let mut summary = format!(
        "{} of {} came out as expected",
        results.ran.len() - failed - updated,
        many(results.ran.len(), "sample")
    );
    if updated > 0 {
        summary += &format!(", {} updated", many(updated, "sample"));
    }
    let tone = if failed == 0 { Tone::Good } else { Tone::Bad };
    out.lines([Line::default(), Line::new(tone, summary)])?;
    Ok(())
}

fn row(ran: &Ran) -> Vec<String> {
    let tried = &ran.tried;
    let word = match ran {
        Ran { is_updated: true, .. } => "NEW",
        ran if ran.passed() => "ok",
        _ => "FAIL",
    };
    vec![
        word.to_owned(),
        ran.test.name.clone(),
        shortened(&tried.outcome.verdict()),
        tried.times.p50().map(time).unwrap_or_default(),
        tried.times.p99().map(time).unwrap_or_default(),
        tried.instructions.map(count).unwrap_or_default(),
        size(tried.memory_bytes),
    ]
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_VERDICT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What is wrong with a sample, how what came out differs, and what the plugin said.
fn details(ran: &Ran, plugin: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let problems = ran.problems.iter().map(|problem| Line::new(Tone::Bad, problem).indented());
    lines.extend(problems);
    lines.extend(difference(ran).into_iter().map(|line| line.indented().indented()));
    let tried = &ran.tried;
    for line in tried.log.iter().take(MAX_LOG) {
        let text = format!("log, {}: {}", word(line.level), line.message);
        lines.push(Line::new(Tone::Faint, text).indented());
    }
    let unseen = tried.log.len().saturating_sub(MAX_LOG) as u64 + tried.log_lines_dropped;
    if unseen > 0 {
        lines.push(Line::new(Tone::Faint, format!("log: {unseen} lines more")).indented());
    }
    if !lines.is_empty() {
        let title = Line::new(Tone::Strong, &ran.test.name);
        let place = ran.test.place.text(plugin);
        lines.insert(0, title.and(Tone::Faint, format!(" ({place})")));
        lines.insert(0, Line::default());
    }
    lines
}

/// How the body that came out differs from the one that is expected, line by line.
pub(super) fn difference(ran: &Ran) -> Vec<Line> {
    let Some((expected, body)) = bodies(ran) else { return Vec::new() };
    diff(&expected, &body)
}

/// The body that is expected and the one that came out, where there are both and they differ: JSON with its members in order,
/// one a line.
fn bodies(ran: &Ran) -> Option<(String, String)> {
    ran.tried.problem.as_ref()?;
    let body = ran.tried.outcome.body()?;
    let Asked::Event { expect: Expected::Body(expected), .. } = &ran.test.sample.asked else { return None };
    let text = String::from_utf8_lossy(body);
    Some(match expected {
        ExpectedBody::Text(expected) => (expected.to_string(), text.into_owned()),
        ExpectedBody::Json(expected) => {
            let body = serde_json::from_str::<Json>(&text);
            (format!("{expected:#}"), body.map_or_else(|_| text.into_owned(), |body| format!("{body:#}")))
        }
    })
}

fn word(level: crate::plugins::LogLevel) -> String {
    format!("{level:?}").to_lowercase()
}

fn as_json(results: &Results) -> Json {
    let samples: Vec<_> = results.ran.iter().map(|ran| sample_as_json(ran, &results.plugin)).collect();
    let failed = results.ran.iter().filter(|ran| !ran.passed()).count();
    json!({
        "plugin": results.plugin,
        "version": results.version,
        "failed": failed,
        "samples": samples,
    })
}

fn sample_as_json(ran: &Ran, plugin: &str) -> Json {
    let tried = &ran.tried;
    let us = |value: Option<std::time::Duration>| value.map(|value| value.as_secs_f64() * 1e6);
    let log: Vec<_> =
        tried.log.iter().map(|line| json!({ "level": line.level, "message": line.message })).collect();
    let difference: Vec<_> = difference(ran).iter().map(|line| line.render(false)).collect();
    json!({
        "name": ran.test.name,
        "place": ran.test.place.text(plugin),
        "passed": ran.passed(),
        "updated": ran.is_updated,
        "verdict": tried.outcome.verdict(),
        "body": tried.outcome.body().map(|body| String::from_utf8_lossy(body)),
        "problems": ran.problems,
        "difference": difference,
        "p50_us": us(tried.times.p50()),
        "p99_us": us(tried.times.p99()),
        "instructions": tried.instructions,
        "memory_bytes": tried.memory_bytes,
        "log": log,
        "log_lines_dropped": tried.log_lines_dropped,
    })
}
