//! `hookway event replay`: an event delivered anew, and what became of that.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::client::delivery::Delivery;
use crate::client::error::Error;
use crate::client::output::{hint, not_understood};
use crate::client::session::Session;

/// The answer.
#[derive(Deserialize)]
struct Replayed {
    deliveries: Vec<Box<RawValue>>,
    not_matched: Vec<String>,
}

pub(super) fn run(
    id: &str,
    tenant: Option<String>,
    endpoints: Vec<String>,
    session: &mut Session,
) -> Result<(), Error> {
    let route = session.api.at(&["events", id, "replay"]).with("tenant", tenant);
    let body = (!endpoints.is_empty()).then(|| json!({ "endpoints": endpoints }).to_string());
    let json = session.api.post(&route, body)?;
    if session.out.json {
        return session.out.json(&json);
    }
    let replayed: Replayed = serde_json::from_str(&json).map_err(|error| not_understood(&error))?;
    for endpoint in &replayed.not_matched {
        hint(&format!("{endpoint} does not want this topic, so it got nothing"));
    }
    if replayed.deliveries.is_empty() {
        return session.out.line("No endpoint wants it now.");
    }
    session.out.rows::<Delivery>(&replayed.deliveries, true)
}
