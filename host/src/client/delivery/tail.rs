//! `hookway delivery tail`: the log as it grows.
//!
//! Where changes come from is known to [`Polled`] alone: the API has no stream, so the newest part of the log is
//! asked for again and again.

use std::thread;
use std::time::Duration;

use super::seen::{Change, Seen};
use super::view::{Delivery, state_tone};
use crate::client::api::{Api, Page, Route};
use crate::client::error::Error;
use crate::client::line::{Line, Tone};
use crate::client::output::not_understood;
use crate::client::session::{MAX_LIMIT, Session};

/// Asks for the newest page of the log. A change of a delivery that is no longer on it is not noticed.
pub(super) struct Polled {
    route: Route,
    interval: Duration,
    seen: Seen,
    begun: bool,
    to_begin_with: usize,
}

impl Polled {
    /// At most `to_begin_with` of the deliveries that are there already are told.
    pub(super) fn new(route: Route, interval: Duration, to_begin_with: usize) -> Self {
        let route = route.with("limit", Some(MAX_LIMIT));
        Self { route, interval, seen: Seen::default(), begun: false, to_begin_with }
    }

    /// The next changes, oldest first; waits a while before it asks again.
    fn next(&mut self, api: &Api) -> Result<Vec<Change>, Error> {
        if self.begun {
            thread::sleep(self.interval);
        }
        let page: Page = api.read(&self.route)?;
        let change = |json: Box<serde_json::value::RawValue>| {
            Ok(Change { delivery: serde_json::from_str(json.get())?, json })
        };
        let rows: Result<Vec<_>, _> = page.data.into_iter().map(change).collect();
        let mut news = self.seen.changed(rows.map_err(|error| not_understood(&error))?);
        if !self.begun {
            self.begun = true;
            news.drain(..news.len().saturating_sub(self.to_begin_with));
        }
        Ok(news)
    }
}

/// Tells changes until somebody stops it, or nobody reads any more.
pub(super) fn run(mut changes: Polled, session: &mut Session) -> Result<(), Error> {
    loop {
        for Change { delivery, json } in changes.next(&session.api)? {
            if session.out.json {
                session.out.json(json.get())?;
            } else {
                session.out.line(line(&delivery))?;
            }
        }
    }
}

fn line(delivery: &Delivery) -> Line {
    let Delivery { id, created_at, status, attempts, topic, endpoint_id, last_status, .. } = delivery;
    let answer = last_status.map(|status| format!(", last answered {status}")).unwrap_or_default();
    let tried = if *attempts == 0 { String::new() } else { format!("  attempts: {attempts}{answer}") };
    Line::new(Tone::Faint, created_at.clone())
        .and(state_tone(status), format!("  {status:9}"))
        .and(Tone::Plain, format!("  {topic}  to {endpoint_id}{tried}"))
        .and(Tone::Faint, format!("  {id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_one_line() {
        let delivery = json!({
            "id": "dlv_1", "event_id": "e", "topic": "a/b", "tenant": "x", "endpoint_id": "ep_1", "status": "retrying",
            "attempts": 2, "created_at": "T", "due_at": null, "finished_at": null, "last_status": 500,
        });
        let line = line(&serde_json::from_value(delivery).unwrap()).render(false);
        assert_eq!(line, "T  retrying   a/b  to ep_1  attempts: 2, last answered 500  dlv_1");
    }
}
