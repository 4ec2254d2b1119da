//! `hookway event get`: the event and a table of its deliveries.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::view::{Event, explain_absence};
use crate::client::delivery::Delivery;
use crate::client::error::Error;
use crate::client::line::{Line, Tone, lines};
use crate::client::output::not_understood;
use crate::client::pretty::pretty;
use crate::client::session::Session;

/// The deliveries of an event as they were written.
#[derive(Deserialize)]
struct Deliveries {
    deliveries: Vec<Box<RawValue>>,
}

pub(super) fn run(id: &str, tenant: Option<String>, session: &mut Session) -> Result<(), Error> {
    let route = session.api.at(&["events", id]).with("tenant", tenant.as_ref());
    let json = session.api.get(&route).map_err(|error| explain_absence(error, id, tenant.as_deref()))?;
    if session.out.json {
        return session.out.json(&json);
    }
    let event: Event = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    session.out.lines(head(&event))?;
    session.out.lines(lines(Tone::Plain, &pretty(event.data())))?;
    session.out.line("")?;
    let Deliveries { deliveries } = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    match (deliveries.is_empty(), event.is_dispatched()) {
        (true, true) => session.out.line("No endpoint wanted it."),
        (true, false) => session.out.line("It is not matched to endpoints yet."),
        (false, _) => session.out.rows::<Delivery>(&deliveries, true),
    }
}

fn head(event: &Event) -> Vec<Line> {
    let Event { event_id, topic, tenant, accepted_at, .. } = event;
    vec![
        Line::new(Tone::Strong, event_id.clone()).and(Tone::Plain, format!("  {topic}")),
        Line::new(Tone::Faint, format!("tenant {tenant}, accepted {accepted_at}")),
    ]
}
