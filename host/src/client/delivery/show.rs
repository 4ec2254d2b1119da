//! `hookway delivery show`: everything about one delivery, in the order in which it happened.

use super::view::{Attempt, Delivery, PluginRun, Record, Response, state_tone};
use crate::client::diff::diff;
use crate::client::duration::shown;
use crate::client::error::Error;
use crate::client::event::Event;
use crate::client::line::{Line, Tone, lines};
use crate::client::output::not_understood;
use crate::client::pretty::pretty;
use crate::client::session::Session;

pub(super) fn run(id: &str, session: &mut Session) -> Result<(), Error> {
    let json = session.api.get(&session.api.at(&["deliveries", id]))?;
    if session.out.json {
        return session.out.json(&json);
    }
    let record: Record = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    let Delivery { event_id, tenant, .. } = &record.delivery;
    let event: Event =
        session.api.read(&session.api.at(&["events", event_id]).with("tenant", Some(tenant)))?;
    session.out.lines(page(&record, &event))
}

fn page(record: &Record, event: &Event) -> Vec<Line> {
    let delivery = &record.delivery;
    let mut page = head(delivery);
    page.extend(section("Event", lines(Tone::Plain, &pretty(event.data()))));
    page.extend(section("Plugins", delivery.plugins.iter().map(plugin_run).collect()));
    page.extend(body(record, event));
    page.extend(section("Attempts", record.attempt_log.iter().flat_map(attempt).collect()));
    page
}

fn head(delivery: &Delivery) -> Vec<Line> {
    let state = Line::new(Tone::Strong, delivery.id.clone());
    let state = state.and(Tone::Plain, "  ").and(state_tone(&delivery.status), delivery.status.clone());
    let mut head = vec![state];
    head.extend(delivery.reason.iter().map(|reason| Line::new(Tone::Plain, reason.clone()).indented()));
    let facts = [
        ("event", Some(format!("{} ({})", delivery.event_id, delivery.topic))),
        ("tenant", Some(delivery.tenant.clone())),
        ("endpoint", Some(delivery.endpoint_id.clone())),
        ("created", Some(delivery.created_at.clone())),
        ("next try", delivery.due_at.clone()),
        ("finished", delivery.finished_at.clone()),
    ];
    let fact = |(name, value): (&str, Option<String>)| {
        Some(Line::new(Tone::Faint, format!("  {name:9}")).and(Tone::Plain, value?))
    };
    head.extend(facts.into_iter().filter_map(fact));
    head
}

/// The body as it is signed and sent; against the event, if a transform made it.
fn body(record: &Record, event: &Event) -> Vec<Line> {
    let sent = &record.request_body;
    if record.request_body_encoding != "text" {
        return section("Body, in base64", lines(Tone::Plain, sent));
    }
    let mut page = section("Body", lines(Tone::Plain, &pretty(sent)));
    if record.delivery.is_transformed() {
        let changes = diff(&pretty(&event.envelope()), &pretty(sent));
        let changes = if changes.is_empty() { vec!["nothing but headers".into()] } else { changes };
        page.extend(section("Changed by plugins: - the event, + the body", changes));
    }
    page
}

/// What one plugin said, on one line.
pub(in crate::client) fn plugin_run(run: &PluginRun) -> Line {
    let tone = match run.outcome.as_str() {
        "failed" => Tone::Bad,
        "dropped" => Tone::Warning,
        _ => Tone::Plain,
    };
    let line =
        Line::new(Tone::Plain, format!("{} {} ", run.plugin, run.version)).and(tone, run.outcome.clone());
    let took = Line::and(line, Tone::Faint, format!(" in {} us", run.duration_us));
    match &run.detail {
        Some(detail) => took.and(Tone::Plain, format!(": {detail}")),
        None => took,
    }
}

fn attempt(attempt: &Attempt) -> Vec<Line> {
    let took = shown(std::time::Duration::from_millis(attempt.duration_ms));
    let head = Line::from(format!("{}  {}  ", attempt.number, attempt.started_at))
        .and(attempt.tone(), attempt.in_words())
        .and(Tone::Faint, format!(" in {took}"));
    let mut all = vec![head];
    all.extend(attempt.message().map(|message| Line::from(message.to_owned()).indented()));
    all.extend(attempt.response.iter().flat_map(answer));
    all
}

fn answer(response: &Response) -> Vec<Line> {
    let header =
        |(name, value): (&String, &String)| Line::new(Tone::Faint, format!("{name}: {value}")).indented();
    let mut all: Vec<_> = response.headers.iter().map(header).collect();
    let text = if response.body_encoding == "text" { pretty(&response.body) } else { response.body.clone() };
    all.extend(lines(Tone::Plain, &text).into_iter().map(Line::indented));
    if response.truncated {
        all.push(Line::new(Tone::Faint, "(there was more)").indented());
    }
    all
}

/// A title over its lines; nothing if there are none.
fn section(title: &str, content: Vec<Line>) -> Vec<Line> {
    if content.is_empty() {
        return content;
    }
    let mut section = vec![Line::default(), Line::new(Tone::Strong, title)];
    section.extend(content.into_iter().map(Line::indented));
    section
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown_page(plugins: &serde_json::Value, body: &str) -> String {
        let record = json!({
            "id": "dlv_1", "event_id": "e1", "topic": "orders/created", "tenant": "acme", "endpoint_id": "ep_1",
            "status": "retrying", "attempts": 2, "created_at": "T0", "due_at": "T9", "finished_at": null,
            "plugins": plugins, "request_body": body, "request_body_encoding": "text", "attempt_log": [
                {"number": 1, "started_at": "T1", "duration_ms": 12, "status": 500, "response":
                    {"headers": {"server": "x"}, "body": "oops\u{1b}[31m", "body_encoding": "text", "truncated": true}},
                {"number": 2, "started_at": "T2", "duration_ms": 5000, "status": null,
                    "error": {"class": "connect_timeout", "message": "no connection to 10.0.0.1:443 within 5s"}},
            ],
        });
        let event = json!({
            "event_id": "e1", "topic": "orders/created", "tenant": "acme", "timestamp": "T", "accepted_at": "T",
            "status": "dispatched", "data": {"n": 1}, "deliveries": [],
        });
        let record = serde_json::from_value(record).unwrap();
        let event = serde_json::from_str(&event.to_string()).unwrap();
        page(&record, &event).iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn every_attempt_is_told_in_words() {
        let page = shown_page(
            &json!([]),
            r#"{"event":"orders/created","event_id":"e1","timestamp":"T","data":{"n":1}}"#,
        );
        assert!(
            page.contains(
                "  1  T1  answered 500 in 12 ms\n    server: x\n    oops\\u{1b}[31m\n    (there was more)\n"
            ),
            "{page}"
        );
        assert!(
            page.contains("  2  T2  no connection in time in 5.0 s\n    no connection to 10.0.0.1"),
            "{page}"
        );
        assert!(!page.contains("Changed") && !page.contains("Plugins"), "{page}");
    }

    #[test]
    fn what_a_transform_changed_is_shown_as_a_diff() {
        let run =
            json!([{"plugin": "jq-transform", "version": "ab", "outcome": "replaced", "duration_us": 7}]);
        let page = shown_page(&run, r#"{"event":"orders/created","n":1}"#);
        assert!(page.contains("  jq-transform ab replaced in 7 us\n"), "{page}");
        assert!(
            page.contains("  -   \"event_id\": \"e1\",\n") && page.contains("  +   \"n\": 1\n"),
            "{page}"
        );
    }
}
