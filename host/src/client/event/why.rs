//! `hookway event why`: whether an event arrived at each endpoint of its tenant, and if not, why not, in sentences.
//!
//! What has a delivery is told from the log. What has none was not matched, and the endpoint as it is now says why:
//! the one thing that cannot be known is how it was when the event came, and where that matters the sentence says so.

use serde::Serialize;

use super::view::{Event, explain_absence};
use crate::client::delivery::{Delivery, Record, state_tone};
use crate::client::endpoint::Endpoint;
use crate::client::error::Error;
use crate::client::line::{Line, Tone};
use crate::client::session::Session;
use crate::model::{Topic, TopicPattern};

/// What became of the event at one endpoint.
#[derive(Debug, Serialize)]
struct Answer {
    endpoint_id: String,
    /// `null` for an endpoint that was deleted.
    url: Option<String>,
    /// `null` if the event was not meant for it.
    delivery_id: Option<String>,
    /// The state of the delivery, or `not_matched`.
    status: String,
    sentence: String,
}

pub(super) fn run(
    id: &str,
    tenant: Option<String>,
    endpoint: Option<&str>,
    session: &mut Session,
) -> Result<(), Error> {
    let route = session.api.at(&["events", id]).with("tenant", tenant.as_ref());
    let event: Event =
        session.api.read(&route).map_err(|error| explain_absence(error, id, tenant.as_deref()))?;
    let of_tenant = session.api.at(&["endpoints"]).with("tenant", Some(&event.tenant));
    let mut endpoints: Vec<Endpoint> = session.all(&of_tenant)?;
    endpoints.retain(|one| endpoint.is_none_or(|id| one.id == id));
    let mut answers = Vec::new();
    for delivery in event.deliveries.iter().filter(|one| endpoint.is_none_or(|id| one.endpoint_id == id)) {
        let record = session.api.read(&session.api.at(&["deliveries", &delivery.id]))?;
        answers.push(delivered(&record, &endpoints));
    }
    if event.is_dispatched() {
        let unmatched =
            endpoints.iter().filter(|one| event.deliveries.iter().all(|d| d.endpoint_id != one.id));
        answers.extend(unmatched.map(|endpoint| not_matched(endpoint, &event)));
    }
    by_endpoint(&mut answers);
    if session.out.json {
        let json =
            serde_json::json!({ "event_id": event.event_id, "status": event.status, "endpoints": answers });
        return session.out.json(&json.to_string());
    }
    session.out.lines(page(&event, &answers))
}

/// A replay delivers an event to an endpoint again: what became of each of its deliveries stands together, in their order.
fn by_endpoint(answers: &mut [Answer]) {
    let order: Vec<_> = answers.iter().map(|answer| answer.endpoint_id.clone()).collect();
    answers.sort_by_key(|answer| order.iter().position(|id| *id == answer.endpoint_id));
}

fn delivered(record: &Record, endpoints: &[Endpoint]) -> Answer {
    let Delivery { id, endpoint_id, status, .. } = &record.delivery;
    let url = endpoints.iter().find(|one| one.id == *endpoint_id).map(|one| one.url.clone());
    Answer {
        endpoint_id: endpoint_id.clone(),
        url,
        delivery_id: Some(id.clone()),
        status: status.clone(),
        sentence: tell(record),
    }
}

/// What became of a delivery.
fn tell(record: &Record) -> String {
    let Delivery { status, reason, attempts, due_at, finished_at, .. } = &record.delivery;
    let when = |time: &Option<String>| time.as_ref().map(|time| format!(" at {time}")).unwrap_or_default();
    let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let last = record.attempt_log.last().map(|attempt| {
        let message = attempt.message().map(|text| format!(" ({text})")).unwrap_or_default();
        format!(" The last attempt, at {}: {}{message}.", attempt.started_at(), attempt.in_words())
    });
    let last = last.unwrap_or_default();
    match status.as_str() {
        "delivered" => format!(
            "It arrived{}, at attempt {attempts}: the receiver {}.",
            when(finished_at),
            accepted(record)
        ),
        "pending" => format!("It is about to be sent{}.", when(due_at)),
        "retrying" => format!(
            "It did not arrive yet after {}; the next one is due{}.{last}",
            counted(*attempts),
            when(due_at)
        ),
        "failed" => {
            format!("It was given up{} after {}{because}.{last}", when(finished_at), counted(*attempts))
        }
        "held" => format!("It is held{because}.{last}"),
        "filtered" => format!("It was not sent on purpose{because}."),
        "cancelled" => format!("It was cancelled{}{because}.{last}", when(finished_at)),
        other => format!("It is {other}{because}.{last}"),
    }
}

fn counted(attempts: u16) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}

fn accepted(record: &Record) -> String {
    record.attempt_log.last().map_or_else(|| "accepted it".to_owned(), |attempt| attempt.in_words())
}

/// Why there is no delivery to this endpoint.
fn not_matched(endpoint: &Endpoint, event: &Event) -> Answer {
    let Endpoint { id, url, topics, matcher, created_at, .. } = endpoint;
    let (topic, patterns) = (&event.topic, topics.join(", "));
    let sentence = if created_at > &event.accepted_at {
        format!("It was not meant for it: the endpoint was created later, at {created_at}.")
    } else if let Some(matcher) = matcher {
        format!(
            "It was not meant for it: the plugin `{matcher}` does not find {topic} in its topics ({patterns})."
        )
    } else if accepts(topics, topic) {
        format!(
            "Its topics ({patterns}) accept {topic} now, but did not when the event came, or the event was for another endpoint alone."
        )
    } else {
        format!("It was not meant for it: its topics ({patterns}) do not accept {topic}.")
    };
    Answer {
        endpoint_id: id.clone(),
        url: Some(url.clone()),
        delivery_id: None,
        status: "not_matched".to_owned(),
        sentence,
    }
}

fn accepts(patterns: &[String], topic: &str) -> bool {
    let Ok(topic) = topic.parse::<Topic>() else { return false };
    let mut parsed = patterns.iter().filter_map(|pattern| pattern.parse::<TopicPattern>().ok());
    parsed.any(|pattern| pattern.matches(&topic))
}

fn page(event: &Event, answers: &[Answer]) -> Vec<Line> {
    let Event { event_id, topic, tenant, accepted_at, .. } = event;
    let head =
        format!("The event {event_id} ({topic}) of the tenant {tenant} was accepted at {accepted_at}.");
    let mut page = vec![Line::from(head)];
    if !event.is_dispatched() {
        page.push("It is not matched to endpoints yet.".into());
    } else if answers.is_empty() {
        page.push("The tenant has no endpoint that it could have gone to.".into());
    }
    for (n, Answer { endpoint_id, url, delivery_id, status, sentence }) in answers.iter().enumerate() {
        let is_again = answers[..n].last().is_some_and(|before| before.endpoint_id == *endpoint_id);
        if !is_again {
            let place = Line::new(Tone::Strong, url.as_deref().unwrap_or("an endpoint that was deleted"));
            page.push(Line::default());
            page.push(place.and(Tone::Faint, format!("  {endpoint_id}")));
        }
        let again = if is_again { "Sent anew: " } else { "" };
        page.push(Line::new(state_tone(status), format!("{again}{sentence}")).indented());
        page.extend(
            delivery_id
                .iter()
                .map(|id| Line::new(Tone::Faint, format!("more: hookway delivery show {id}")).indented()),
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(status: &str, reason: Option<&str>, attempts: &Value) -> Record {
        let count = attempts.as_array().unwrap().len();
        let record = json!({
            "id": "dlv_1", "event_id": "e1", "topic": "a/b", "tenant": "acme", "endpoint_id": "ep_1",
            "status": status, "reason": reason, "attempts": count, "created_at": "T0", "due_at": "T9",
            "finished_at": "T8", "attempt_log": attempts, "request_body": "", "request_body_encoding": "text",
        });
        serde_json::from_value(record).unwrap()
    }

    fn endpoint(topics: &[&str], matcher: Option<&str>, created_at: &str) -> Endpoint {
        let endpoint = json!({
            "id": "ep_1", "tenant": "acme", "url": "https://a", "topics": topics, "matcher": matcher, "state": "active",
            "health": "healthy", "created_at": created_at,
        });
        serde_json::from_value(endpoint).unwrap()
    }

    fn event() -> Event {
        let event = json!({
            "event_id": "e1", "topic": "orders/created", "tenant": "acme", "timestamp": "T", "accepted_at": "2024-03-15",
            "data": 1, "status": "dispatched", "deliveries": [],
        });
        serde_json::from_str(&event.to_string()).unwrap()
    }

    #[test]
    fn every_state_is_told_in_a_sentence() {
        let answered =
            |status: u16| json!([{"number": 1, "started_at": "T1", "duration_ms": 5, "status": status}]);
        let told = |status, reason, attempts: &Value| tell(&record(status, reason, attempts));
        assert_eq!(
            told("delivered", None, &answered(204)),
            "It arrived at T8, at attempt 1: the receiver answered 204."
        );
        assert_eq!(
            told("retrying", None, &answered(500)),
            "It did not arrive yet after 1 attempt; the next one is due at T9. The last attempt, at T1: answered 500."
        );
        assert_eq!(
            told("held", Some("the endpoint is inactive"), &json!([])),
            "It is held: the endpoint is inactive."
        );
        for status in ["pending", "failed", "filtered", "cancelled", "frozen"] {
            let sentence = told(status, Some("because"), &answered(500));
            assert!(sentence.starts_with("It ") && sentence.ends_with('.'), "{sentence}");
        }
    }

    #[test]
    fn an_endpoint_without_a_delivery_says_why() {
        let why = |endpoint: &Endpoint| not_matched(endpoint, &event()).sentence;
        assert!(
            why(&endpoint(&["products/*"], None, "2024-01-01"))
                .contains("(products/*) do not accept orders/created")
        );
        assert!(why(&endpoint(&["orders/*"], None, "2024-04-01")).contains("created later"));
        assert!(why(&endpoint(&["orders/*"], None, "2024-01-01")).contains("accept orders/created now"));
        assert!(why(&endpoint(&["orders/#"], Some("mqtt-topics"), "2024-01-01")).contains("`mqtt-topics`"));
    }

    #[test]
    fn what_was_replayed_stands_below_what_it_replays() {
        let answer = |endpoint: &str, sentence: &str| Answer {
            endpoint_id: endpoint.to_owned(),
            url: Some(format!("https://{endpoint}")),
            delivery_id: None,
            status: "failed".to_owned(),
            sentence: sentence.to_owned(),
        };
        let mut answers =
            vec![answer("a", "It failed."), answer("b", "It arrived."), answer("a", "It arrived.")];
        by_endpoint(&mut answers);
        let page = page(&event(), &answers);
        let shown: Vec<_> = page.iter().map(|line| line.render(false)).collect();
        assert_eq!(
            shown[1..],
            [
                "",
                "https://a  a",
                "  It failed.",
                "  Sent anew: It arrived.",
                "",
                "https://b  b",
                "  It arrived."
            ]
        );
    }
}
