//! `hookway delivery tail`: the log as it grows.

use super::stream::{Message, Stream};
use super::view::{Delivery, state_tone};
use crate::client::error::Error;
use crate::client::line::{Line, Tone};
use crate::client::output::{hint, not_understood};
use crate::client::session::Session;

/// Tells changes until somebody stops it, or nobody reads any more.
pub(super) fn run(mut changes: Stream, session: &mut Session) -> Result<(), Error> {
    loop {
        let Message { event, data } = changes.next(&session.api)?;
        match event.as_str() {
            "delivery" if session.out.json => session.out.json(&data)?,
            "delivery" => {
                let delivery = serde_json::from_str(&data).map_err(|error| not_understood(&error))?;
                session.out.line(line(&delivery))?;
            }
            "gap" => hint("some changes are missing: they are older than what the gateway keeps for this"),
            // An event of a newer gateway.
            _ => {}
        }
    }
}

fn line(delivery: &Delivery) -> Line {
    let Delivery { id, created_at, status, attempts, topic, endpoint_id, .. } = delivery;
    let answer = delivery.last_answer().map(|answer| format!(", last {answer}")).unwrap_or_default();
    let tried = if *attempts == 0 { String::new() } else { format!("  attempts: {attempts}{answer}") };
    Line::new(Tone::Faint, created_at.clone())
        .and(state_tone(status), format!("  {status:9}"))
        .and(Tone::Plain, format!("  {topic}  to {endpoint_id}{tried}"))
        .and(Tone::Faint, format!("  {id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(more: &Value) -> String {
        let mut delivery = json!({
            "id": "dlv_1", "event_id": "e", "topic": "a/b", "tenant": "x", "endpoint_id": "ep_1", "status": "retrying",
            "attempts": 2, "created_at": "T", "due_at": null, "finished_at": null,
        });
        delivery.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line(&serde_json::from_value(delivery).unwrap()).render(false)
    }

    #[test]
    fn a_change_is_one_line() {
        assert_eq!(
            shown(&json!({ "last_status": 500 })),
            "T  retrying   a/b  to ep_1  attempts: 2, last answered 500  dlv_1"
        );
        let refused = json!({ "last_error": { "class": "connect", "message": "refused" } });
        let line = shown(&refused);
        assert!(line.contains("attempts: 2, last the connection was refused, or "), "{line}");
    }
}
