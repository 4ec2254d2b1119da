//! What is measured: each scenario is one setup of gateway and load.

use serde_json::{Value, json};

use crate::payload::TOPIC;

/// Bytes of a usual event.
const USUAL: usize = 500;
/// Endpoints of the scenario with many.
const MANY: usize = 10_000;

/// A setup and a load.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Its name in the file of results.
    pub(crate) key: &'static str,
    /// What it is, for the table.
    pub(crate) title: &'static str,
    pub(crate) target: Target,
    /// Bytes of an event, about.
    pub(crate) bytes: usize,
    /// Events of a full round.
    pub(crate) events: usize,
}

/// What the events go to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The bare forwarder.
    Bare,
    /// A gateway.
    Gateway {
        /// Endpoints that get each event.
        copies: u32,
        /// Endpoints of other tenants and topics, which get none.
        others: usize,
        /// The plugins of each endpoint.
        plugins: Value,
        /// Attempts a second of each endpoint; 0 is no limit.
        rate_limit: u32,
    },
}

impl Target {
    /// One endpoint that gets its deliveries slowly.
    pub(crate) fn slow(rate_limit: u32) -> Self {
        Self::Gateway { copies: 1, others: 0, plugins: json!([]), rate_limit }
    }

    /// How often each event arrives.
    pub(crate) const fn copies(&self) -> u32 {
        match self {
            Self::Bare => 1,
            Self::Gateway { copies, .. } => *copies,
        }
    }
}

/// All of them. Each size of event has a bare forwarder of its own to be compared with.
pub(crate) fn all() -> Vec<Scenario> {
    let filter = || json!({ "plugin": "cel-filter", "config": { "expr": "data.total > 100.0" } });
    let redact = || json!({ "plugin": "redact", "config": { "mask": ["/data/customer/email"] } });
    let gateway = |copies, others, plugins| Target::Gateway { copies, others, plugins, rate_limit: 0 };
    let plain = || gateway(1, 0, json!([]));
    let scenario = |key, title, target, bytes, events| Scenario { key, title, target, bytes, events };
    vec![
        scenario("bare", "bare forwarder", Target::Bare, USUAL, 40_000),
        scenario("ingest", "stored, no endpoint", gateway(0, 0, json!([])), USUAL, 40_000),
        scenario("end_to_end", "stored, signed, delivered", plain(), USUAL, 40_000),
        scenario("filter", "with cel-filter", gateway(1, 0, json!([filter()])), USUAL, 40_000),
        scenario(
            "filter_transform",
            "with cel-filter and redact",
            gateway(1, 0, json!([filter(), redact()])),
            USUAL,
            40_000,
        ),
        scenario("fan_out_10", "to 10 endpoints each", gateway(10, 0, json!([])), USUAL, 5_000),
        scenario("endpoints_10000", "among 10,000 endpoints", gateway(1, MANY, json!([])), USUAL, 40_000),
        scenario("bare_8k", "bare forwarder, 8 kB", Target::Bare, 8_000, 20_000),
        scenario("end_to_end_8k", "delivered, 8 kB", plain(), 8_000, 20_000),
        scenario("bare_64k", "bare forwarder, 64 kB", Target::Bare, 64_000, 4_000),
        scenario("end_to_end_64k", "delivered, 64 kB", plain(), 64_000, 4_000),
    ]
}

impl Scenario {
    /// The bare forwarder that it is compared with.
    pub(crate) const fn bare(&self) -> &'static str {
        match self.bytes {
            8_000 => "bare_8k",
            64_000 => "bare_64k",
            _ => "bare",
        }
    }
}

/// An endpoint that gets every event.
pub(crate) fn endpoint(url: &str, plugins: &Value, rate_limit: u32) -> Value {
    json!({ "url": url, "topics": [TOPIC], "plugins": plugins, "rate_limit": rate_limit })
}

/// An endpoint that gets none: of another tenant, or for other topics.
pub(crate) fn other(url: &str, number: usize) -> Value {
    let tenant = if number.is_multiple_of(10) { "default".to_owned() } else { format!("t{}", number % 1000) };
    let topics = [format!("orders/{number}"), format!("returns/{}/*", number % 50), "invoices/**".to_owned()];
    json!({ "url": url, "topics": topics, "tenant": tenant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_compared_with_a_forwarder_of_events_of_its_size() {
        let all = all();
        for scenario in &all {
            let bare = all.iter().find(|other| other.key == scenario.bare()).unwrap();
            assert_eq!(bare.bytes, scenario.bytes);
            assert!(matches!(bare.target, Target::Bare));
        }
    }
}
