//! A backtest for people.

use super::reading::{Answered, Body, Change, Difference, Effect, Header, Record, Start, Summary};
use crate::client::line::{Line, Tone};
use crate::client::plugin::microseconds;

pub(super) const HEAD: &[&str] = &["", "VERSION", "DELIVERED", "DROPPED", "FAILED", "P50", "P99"];

pub(super) fn start(Start { plugin, live, candidate }: &Start) -> Vec<Line> {
    let line = Line::new(Tone::Strong, plugin.clone());
    vec![line.and(Tone::Plain, format!("  {candidate} beside {live}, which is live"))]
}

pub(super) fn difference(difference: &Difference) -> Vec<Line> {
    let Difference { event_id, tenant, topic, accepted_at, endpoint_id, url, .. } = difference;
    let Difference { live, candidate, body, headers, .. } = difference;
    let mut all = vec![
        Line::default(),
        Line::new(Tone::Strong, topic.clone())
            .and(Tone::Plain, format!("  {event_id}  {tenant}"))
            .and(Tone::Faint, format!("  {accepted_at}")),
        Line::new(Tone::Faint, format!("to {url}  {endpoint_id}")),
    ];
    if live.verdict != "deliver" || candidate.verdict != "deliver" {
        all.push(answer('-', Tone::Bad, live));
        all.push(answer('+', Tone::Good, candidate));
    }
    all.extend(body.iter().flat_map(of_body));
    all.extend(headers.iter().flat_map(of_header));
    all
}

fn answer(sign: char, tone: Tone, Answered { verdict, reason, message }: &Answered) -> Line {
    let why = reason.as_ref().or(message.as_ref()).map_or_else(String::new, |why| format!(": {why}"));
    Line::new(tone, format!("{sign} {verdict}{why}"))
}

fn of_body(Body { sentence, changes, left_out }: &Body) -> Vec<Line> {
    let mut all = vec![Line::new(Tone::Plain, format!("body: {sentence}"))];
    all.extend(changes.iter().flat_map(of_change));
    if *left_out > 0 {
        all.push(Line::new(Tone::Faint, format!("... and {left_out} more")));
    }
    all
}

fn of_change(Change { pointer, live, candidate }: &Change) -> Vec<Line> {
    let place = if pointer.is_empty() { "the whole of it" } else { pointer };
    let line = |sign, tone, json: &str| Line::new(tone, format!("{sign} {place}  {json}"));
    let live = live.iter().map(|json| line('-', Tone::Bad, json.get()));
    live.chain(candidate.iter().map(|json| line('+', Tone::Good, json.get()))).collect()
}

fn of_header(Header { name, live, candidate }: &Header) -> [Line; 2] {
    let line = |sign, tone, effect: &Effect| {
        let what = match effect {
            Effect::Untouched => "as it was".to_owned(),
            Effect::Removed => "removed".to_owned(),
            Effect::Set(value) => value.clone(),
        };
        Line::new(tone, format!("{sign} {name}: {what}"))
    };
    [line('-', Tone::Bad, live), line('+', Tone::Good, candidate)]
}

pub(super) fn summary(summary: &Summary) -> Vec<Line> {
    let Summary { events, judgements, same, equivalent, different, difference_rate, oldest, more, .. } =
        summary;
    let mut all = vec![Line::default()];
    let back = oldest.as_ref().map_or_else(String::new, |oldest| format!(", back to {oldest}"));
    let older = if *more { "; there are older ones (--limit)" } else { "" };
    all.push(Line::from(format!("{events} events{back}{older}")));
    if *judgements == 0 {
        let nobody = "no endpoint that wants them uses the plugin, so there was nothing to judge";
        all.push(Line::new(Tone::Warning, nobody));
    } else {
        let tone = if *different > 0 { Tone::Warning } else { Tone::Good };
        let share = difference_rate * 100.0;
        let judged = format!("{judgements} judgements: {same} the same, {equivalent} of the same meaning, ");
        all.push(Line::from(judged).and(tone, format!("{different} different ({share:.2} %)")));
    }
    let (took, speed) = (summary.duration_ms, summary.events_per_second);
    all.push(Line::new(Tone::Faint, format!("in {took} ms, {speed} events/s")));
    all
}

/// The rows of the table.
pub(super) fn versions(summary: &Summary) -> Vec<Vec<String>> {
    let row = |word: &str, record: &Record| {
        let shown = |us: Option<f64>| us.map(microseconds).unwrap_or_default();
        let Record { version, delivered, dropped, failed, .. } = record;
        let counts = [delivered, dropped, failed].map(u64::to_string);
        let times = [shown(record.duration_p50_us), shown(record.duration_p99_us)];
        [word.to_owned(), version.clone()].into_iter().chain(counts).chain(times).collect()
    };
    vec![row("live", &summary.live), row("candidate", &summary.candidate)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(lines: &[Line]) -> String {
        lines.iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn a_difference_says_where_and_what() {
        let line = json!({
            "event_id": "order-1", "tenant": "acme", "topic": "orders/created", "accepted_at": "T",
            "endpoint_id": "ep_1", "url": "https://a", "sameness": "different",
            "live": {"verdict": "deliver"}, "candidate": {"verdict": "deliver"},
            "body": {"sentence": "2 changes in the JSON", "left_out": 1, "changes": [
                {"pointer": "/a", "live": null, "candidate": [1, 2]}, {"pointer": "/b\u{1b}", "live": 3}]},
            "headers": [{"name": "x-a", "live": "removed", "candidate": {"set": "1"}}],
        });
        let shown = text(&difference(&serde_json::from_value(line).unwrap()));
        assert_eq!(
            shown,
            "\norders/created  order-1  acme  T\nto https://a  ep_1\nbody: 2 changes in the JSON\n- /a  null\n\
             + /a  [1,2]\n- /b\\u{1b}  3\n... and 1 more\n- x-a: removed\n+ x-a: 1\n"
        );
    }

    #[test]
    fn a_verdict_says_why() {
        let line = json!({
            "event_id": "e", "tenant": "t", "topic": "a", "accepted_at": "T", "endpoint_id": "ep_1", "url": "https://a",
            "live": {"verdict": "fail", "message": "it trapped"}, "candidate": {"verdict": "drop", "reason": "too small"},
            "body": null, "headers": [],
        });
        let shown = text(&difference(&serde_json::from_value(line).unwrap()));
        assert!(shown.ends_with("\n- fail: it trapped\n+ drop: too small\n"), "{shown}");
    }

    #[test]
    fn a_summary_says_how_many_and_when_there_was_nothing_to_judge() {
        let record = json!({"version": "v", "delivered": 3, "dropped": 1, "failed": 0, "duration_p50_us": 1.5,
                            "duration_p99_us": null});
        let mut found = json!({
            "events": 4, "judgements": 4, "same": 2, "equivalent": 1, "different": 1, "difference_rate": 0.25,
            "live": record, "candidate": record, "oldest": "T", "newest": "T", "more": true, "duration_ms": 2,
            "events_per_second": 2000,
        });
        let shown = summary(&serde_json::from_value(found.clone()).unwrap());
        assert_eq!(
            text(&shown),
            "\n4 events, back to T; there are older ones (--limit)\n4 judgements: 2 the same, 1 of the same meaning, \
             1 different (25.00 %)\nin 2 ms, 2000 events/s\n"
        );
        let rows = versions(&serde_json::from_value(found.clone()).unwrap());
        assert_eq!(rows[1], ["candidate", "v", "3", "1", "0", "1.5 us", ""]);
        found["judgements"] = json!(0);
        assert!(text(&summary(&serde_json::from_value(found).unwrap())).contains("nothing to judge"));
    }
}
