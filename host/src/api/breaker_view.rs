//! How the breaker of an endpoint is shown, and what waits because of it.

use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::delivery_view::DeliveryView;
use crate::lanes::BreakerState;
use crate::model::{Delivery, DeliveryState};
use crate::openapi::Time;

/// Whether deliveries to an endpoint start as they come. After failures in a row its breaker opens, and single attempts
/// probe whether the receiver is back.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Breaker")]
pub(super) struct BreakerView {
    /// `closed`: they start as they come. `open`: none starts before `next_probe_at`. `half_open`: the probe may start or is
    /// under way.
    #[schemars(extend("enum" = ["closed", "open", "half_open"]))]
    state: &'static str,
    /// Since when it is not closed; `null` while it is.
    #[schemars(with = "Option<Time>")]
    since: Option<String>,
    /// When the next probe may start; `null` unless it is open.
    #[schemars(with = "Option<Time>")]
    next_probe_at: Option<String>,
}

impl From<BreakerState> for BreakerView {
    fn from(breaker: BreakerState) -> Self {
        let (state, since, probe_at) = match breaker {
            BreakerState::Closed => ("closed", None, None),
            BreakerState::Open { since, probe_at } => ("open", Some(since), Some(probe_at)),
            BreakerState::HalfOpen { since } => ("half_open", Some(since), None),
        };
        let text = |at: crate::model::UnixMs| at.to_string();
        Self { state, since: since.map(text), next_probe_at: probe_at.map(text) }
    }
}

impl Api {
    /// A delivery as it is shown, with what it waits for.
    pub(super) fn explain(&self, shown: &mut DeliveryView, delivery: &Delivery) {
        if matches!(delivery.state, DeliveryState::Pending | DeliveryState::Retrying)
            && let Some(reason) = reason(self.lanes.breaker(delivery.endpoint))
        {
            shown.waits_because(reason);
        }
    }
}

/// Why what waits for an attempt does not start, as a sentence.
fn reason(breaker: BreakerState) -> Option<String> {
    match breaker {
        BreakerState::Closed => None,
        BreakerState::Open { since, probe_at } => Some(format!(
            "the endpoint's receiver is down since {since}, so single attempts probe it, the next one at {probe_at}; once \
             one succeeds all that waits is sent, and until then it keeps the attempts that it has left"
        )),
        BreakerState::HalfOpen { since } => Some(format!(
            "the endpoint's receiver is down since {since}, and the next attempt probes it; once one succeeds all that \
             waits is sent, and until then it keeps the attempts that it has left"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::model::UnixMs;

    #[test]
    fn what_is_not_closed_says_since_when_and_when_it_is_probed() {
        let (since, probe_at) = (UnixMs(1_710_513_000_000), UnixMs(1_710_513_004_000));
        let shown = |breaker| to_value(BreakerView::from(breaker)).unwrap();
        let [from, at] = ["2024-03-15T14:30:00.000Z", "2024-03-15T14:30:04.000Z"];
        assert_eq!(
            shown(BreakerState::Closed),
            json!({ "state": "closed", "since": null, "next_probe_at": null })
        );
        let open = BreakerState::Open { since, probe_at };
        assert_eq!(shown(open), json!({ "state": "open", "since": from, "next_probe_at": at }));
        let half_open = BreakerState::HalfOpen { since };
        assert_eq!(shown(half_open), json!({ "state": "half_open", "since": from, "next_probe_at": null }));
        assert_eq!(reason(BreakerState::Closed), None);
        assert!(reason(open).unwrap().contains(at) && reason(half_open).unwrap().contains(from));
    }
}
