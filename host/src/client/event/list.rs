//! `hookway event list`: events, also those that no endpoint wanted.

use clap::Args;
use serde::Deserialize;

use crate::client::error::Error;
use crate::client::output::Row;
use crate::client::session::{ListArgs, Session};

/// Which events.
#[derive(Debug, Args)]
pub struct EventListArgs {
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Of this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Those that an endpoint wanted, or with `false` those that none wanted.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    matched: Option<bool>,
    /// Accepted at this time or later: `2024-03-15T14:30:00Z`.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Accepted before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Deserialize)]
struct Listed {
    event_id: String,
    accepted_at: String,
    tenant: String,
    topic: String,
    matched: Option<bool>,
    delivery_count: u64,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Delivery {
    status: String,
}

impl Row for Listed {
    const HEAD: &'static [&'static str] = &["ID", "ACCEPTED", "TENANT", "TOPIC", "DELIVERIES"];

    fn cells(self) -> Vec<String> {
        let became = became(&self);
        vec![self.event_id, self.accepted_at, self.tenant, self.topic, became]
    }
}

pub(super) fn run(args: EventListArgs, session: &mut Session) -> Result<(), Error> {
    let EventListArgs { tenant, topic, matched, since, until, list } = args;
    let route = session.api.at(&["events"]);
    let route = route.with("tenant", tenant).with("topic", topic).with("matched", matched);
    session.list::<Listed>(&route.with("since", since).with("until", until), &list)
}

/// What became of an event: `2 delivered, 1 failed`.
fn became(event: &Listed) -> String {
    match event.matched {
        None => return "not matched yet".to_owned(),
        Some(false) => return "nobody wanted it".to_owned(),
        Some(true) => {}
    }
    let mut counts: Vec<(&str, u64)> = Vec::new();
    for Delivery { status } in &event.deliveries {
        match counts.iter_mut().find(|(known, _)| known == status) {
            Some((_, count)) => *count += 1,
            None => counts.push((status, 1)),
        }
    }
    let mut parts: Vec<_> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    let more = event.delivery_count.saturating_sub(event.deliveries.len() as u64);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(matched: Option<bool>, statuses: &[&str], delivery_count: u64) -> Listed {
        let deliveries = statuses.iter().map(|status| Delivery { status: (*status).to_owned() }).collect();
        let text = String::new;
        let (event_id, accepted_at, tenant, topic) = (text(), text(), text(), text());
        Listed { event_id, accepted_at, tenant, topic, matched, delivery_count, deliveries }
    }

    #[test]
    fn what_became_of_an_event_is_a_few_words() {
        let all = event(Some(true), &["delivered", "failed", "delivered"], 5);
        assert_eq!(became(&all), "2 delivered, 1 failed, 2 more");
        assert_eq!(became(&event(Some(false), &[], 0)), "nobody wanted it");
        assert_eq!(became(&event(None, &[], 0)), "not matched yet");
    }
}
