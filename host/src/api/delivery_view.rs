//! How the delivery log is shown.

use schemars::JsonSchema;
use serde::Serialize;

use super::attempt_view::ErrorView;
use crate::model::{
    Delivery, DeliveryId, DeliveryState, DeliveryStatus, EndpointId, Event, EventId, FailReason, FilteredBy,
    HoldReason, PluginName, PluginRun, PluginRunOutcome, TenantId, Topic,
};
use crate::openapi::Time;
use crate::store::DeliverySummary;

/// A delivery, without its attempts.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct DeliveryView {
    /// Its id.
    #[schemars(with = "DeliveryId")]
    id: String,
    /// The event that is delivered.
    #[schemars(with = "EventId")]
    event_id: String,
    /// The event's topic.
    #[schemars(with = "Topic")]
    topic: String,
    /// Whose it is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// Where it goes; the endpoint may have been deleted since.
    #[schemars(with = "EndpointId")]
    endpoint_id: String,
    /// Whether its event tests the endpoint.
    test: bool,
    /// Its state.
    #[schemars(with = "DeliveryStatus")]
    status: &'static str,
    /// Why it stands where it stands, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    reason: Option<String>,
    /// How many attempts there were.
    attempts: u16,
    /// When the event was matched with the endpoint.
    #[schemars(with = "Time")]
    created_at: String,
    /// When it is tried next; `null` once it has ended.
    #[schemars(with = "Option<Time>")]
    due_at: Option<String>,
    /// When it ended; `null` before.
    #[schemars(with = "Option<Time>")]
    finished_at: Option<String>,
    /// What each plugin said, in their order.
    plugins: Vec<PluginRunView>,
}

/// A row of the log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryRow")]
pub(super) struct RowView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The status of the last attempt; `null` where there was none, or no answer.
    last_status: Option<u16>,
    /// How long the last attempt took.
    last_duration_ms: Option<u128>,
    /// Why the last attempt got no complete answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorView")]
    last_error: Option<ErrorView>,
}

/// What a plugin said of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PluginRun")]
pub(super) struct PluginRunView {
    /// The plugin.
    #[schemars(with = "PluginName")]
    plugin: String,
    /// Its version: the start of the hash of its file.
    version: String,
    /// What it said.
    #[schemars(extend("enum" = ["passed", "dropped", "unchanged", "replaced", "failed"]))]
    outcome: &'static str,
    /// Why it dropped the event or failed, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    detail: Option<String>,
    /// How long it took, in microseconds.
    duration_us: u128,
}

impl DeliveryView {
    pub(super) fn new(delivery: &Delivery, event: &Event) -> Self {
        Self {
            id: delivery.id.to_string(),
            event_id: event.id.to_string(),
            topic: event.topic.to_string(),
            tenant: event.tenant.to_string(),
            endpoint_id: delivery.endpoint.to_string(),
            test: event.test_of.is_some(),
            status: delivery.state.name(),
            reason: reason(&delivery.state),
            attempts: delivery.attempts,
            created_at: delivery.created_at.to_string(),
            due_at: delivery.due_at.map(|at| at.to_string()),
            finished_at: delivery.finished_at.map(|at| at.to_string()),
            plugins: delivery.plugins.iter().map(PluginRunView::from).collect(),
        }
    }

    /// Says why it waits, if nothing did yet.
    pub(super) fn waits_because(&mut self, reason: String) {
        self.reason.get_or_insert(reason);
    }
}

impl RowView {
    /// The delivery.
    pub(super) const fn delivery_mut(&mut self) -> &mut DeliveryView {
        &mut self.delivery
    }
}

impl From<&DeliverySummary> for RowView {
    fn from(row: &DeliverySummary) -> Self {
        Self {
            delivery: DeliveryView::new(&row.delivery, &row.event),
            last_status: row.last_status,
            last_duration_ms: row.last_took.map(|took| took.as_millis()),
            last_error: row.last_error.as_ref().map(ErrorView::from),
        }
    }
}

impl From<&PluginRun> for PluginRunView {
    fn from(run: &PluginRun) -> Self {
        let (outcome, detail) = match &run.outcome {
            PluginRunOutcome::Passed => ("passed", None),
            PluginRunOutcome::Dropped(reason) => ("dropped", Some(reason.clone())),
            PluginRunOutcome::Unchanged => ("unchanged", None),
            PluginRunOutcome::Replaced => ("replaced", None),
            PluginRunOutcome::Failed(message) => ("failed", Some(message.clone())),
        };
        Self {
            plugin: run.plugin.to_string(),
            version: run.version.to_string(),
            outcome,
            detail,
            duration_us: run.took.as_micros(),
        }
    }
}

/// Why the delivery stands where it stands, as a sentence.
pub(super) fn reason(state: &DeliveryState) -> Option<String> {
    let sentence = match state {
        DeliveryState::Pending | DeliveryState::Retrying | DeliveryState::Delivered => return None,
        DeliveryState::Failed(FailReason::Exhausted) => {
            "the last attempt of the retry schedule failed".to_owned()
        }
        DeliveryState::Failed(FailReason::PluginRefused { plugin, message }) => {
            format!("the plugin `{plugin}` can never handle this event: {message}")
        }
        DeliveryState::Failed(FailReason::PluginFailed { plugin, message }) => {
            format!("the plugin `{plugin}` failed at every try, last with: {message}")
        }
        DeliveryState::Held(HoldReason::PluginFailed { plugin, message, tries, .. }) => {
            format!("the plugin `{plugin}` could not judge it ({tries} tries so far): {message}")
        }
        DeliveryState::Held(HoldReason::NoActiveSecret) => {
            "the endpoint has no active secret to sign with".to_owned()
        }
        DeliveryState::Failed(FailReason::FilterUnreadable { message }) => {
            format!("the endpoint's filter could not be read over the whole retry schedule: {message}")
        }
        DeliveryState::Failed(FailReason::Damaged { message }) => {
            format!("what was to be sent was changed on the disk, so nothing was: {message}")
        }
        DeliveryState::Held(HoldReason::FilterUnreadable { message, tries }) => {
            format!("the endpoint's filter cannot be read ({tries} tries so far); set it again: {message}")
        }
        DeliveryState::Held(HoldReason::EndpointInactive) => {
            "the endpoint is inactive; it is sent once the endpoint is activated".to_owned()
        }
        DeliveryState::Filtered { by: FilteredBy::Filter, reason } => {
            format!("the endpoint's filter does not let it through: {reason}")
        }
        DeliveryState::Filtered { by: FilteredBy::Plugin(plugin), reason } => {
            format!("the plugin `{plugin}` dropped it: {reason}")
        }
        DeliveryState::Cancelled => "somebody cancelled it, or its endpoint was deleted".to_owned(),
    };
    Some(sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_that_did_not_arrive_says_why() {
        let plugin = || "cel-filter".parse().unwrap();
        let message = || "no such field".to_owned();
        let states = [
            DeliveryState::Failed(FailReason::PluginRefused { plugin: plugin(), message: message() }),
            DeliveryState::Failed(FailReason::PluginFailed { plugin: plugin(), message: message() }),
            DeliveryState::Held(HoldReason::PluginFailed {
                plugin: plugin(),
                message: message(),
                tries: 3,
                faults: 0,
            }),
            DeliveryState::Filtered { by: FilteredBy::Plugin(plugin()), reason: message() },
        ];
        for state in states {
            let reason = reason(&state).unwrap();
            assert!(reason.contains("`cel-filter`") && reason.ends_with("no such field"), "{reason}");
        }
        let states = [
            DeliveryState::Failed(FailReason::FilterUnreadable { message: message() }),
            DeliveryState::Held(HoldReason::FilterUnreadable { message: message(), tries: 3 }),
            DeliveryState::Filtered { by: FilteredBy::Filter, reason: message() },
        ];
        for state in states {
            let reason = reason(&state).unwrap();
            assert!(reason.contains("endpoint's filter") && reason.ends_with("no such field"), "{reason}");
        }
        assert_eq!(reason(&DeliveryState::Delivered), None);
        assert!(reason(&DeliveryState::Failed(FailReason::Exhausted)).unwrap().contains("last attempt"));
    }
}
