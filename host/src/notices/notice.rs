//! From what happened to the event that tells it. Pure.
//!
//! Topics and fields are a promise to receivers: `docs/api.md` shows an example of each, and a test compares them.

use bytes::Bytes;
use serde_json::{Value, json};
use url::Url;

use crate::model::{
    Activity, AttemptOutcome, DeliveryId, Endpoint, Event, FailReason, Health, InactiveReason, PluginName,
    SecretId, TenantId, UnixMs,
};
use crate::store::NewEvent;

/// Something that operations are told.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The health of an endpoint became `failed`.
    EndpointFailed(Stop<'a>),
    /// An endpoint became inactive, for whatever reason.
    EndpointDeactivated(Stop<'a>),
    /// An endpoint is active again. Tells how it had been.
    EndpointActivated(Stop<'a>),
    /// A signing secret expires soon.
    SecretExpiring {
        /// Whose it is.
        endpoint: &'a Endpoint,
        /// The secret.
        secret: SecretId,
        /// When it stops signing.
        expires_at: UnixMs,
    },
    /// A delivery was given up.
    DeliveryExhausted(GivenUp<'a>),
    /// The newest file of a plugin cannot be loaded.
    PluginDegraded {
        /// Which plugin.
        plugin: &'a PluginName,
        /// The version that cannot be loaded; empty if its file cannot even be read.
        version: &'a str,
        /// The version that serves on.
        live: Option<&'a str>,
        /// Why, in a sentence.
        message: &'a str,
    },
    /// A new version of a plugin was sent back.
    PluginRolledBack {
        /// Which plugin.
        plugin: &'a PluginName,
        /// The version that was sent back.
        version: &'a str,
        /// The version that serves again.
        live: Option<&'a str>,
        /// Why, in a sentence.
        message: &'a str,
    },
    /// A plugin failed on several events of a tenant and is not asked for a while.
    BreakerOpened(PluginBreaker<'a>),
    /// It is asked again.
    BreakerClosed(PluginBreaker<'a>),
}

/// A breaker of a plugin.
#[derive(Debug)]
pub struct PluginBreaker<'a> {
    /// Which plugin.
    pub plugin: &'a PluginName,
    /// The version that failed.
    pub version: &'a str,
    /// For whose events.
    pub tenant: &'a TenantId,
    /// Since when it is or was open.
    pub since: UnixMs,
    /// How the last call failed, in a sentence.
    pub message: &'a str,
}

/// The time in which an endpoint is sent nothing.
#[derive(Debug)]
pub struct Stop<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Why.
    pub reason: InactiveReason,
    /// Since when.
    pub since: UnixMs,
}

/// A delivery that was given up.
#[derive(Debug)]
pub struct GivenUp<'a> {
    /// What was to be delivered.
    pub event: &'a Event,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Where to.
    pub endpoint: &'a Endpoint,
    /// Why.
    pub reason: &'a FailReason,
    /// How many attempts were made.
    pub attempts: u16,
    /// What came of the last one.
    pub last: Option<&'a AttemptOutcome>,
}

impl<'a> Notice<'a> {
    /// What a change of an endpoint gives to tell.
    pub(super) fn of_change(before: &Endpoint, after: &'a Endpoint) -> Vec<Self> {
        let stop = |reason, since| Stop { endpoint: after, reason, since };
        match (before.activity, after.activity) {
            (Activity::Active, Activity::Inactive { since, reason }) => {
                let failed = after.activity.health() == Health::Failed;
                let failed = failed.then(|| Notice::EndpointFailed(stop(reason, since)));
                failed.into_iter().chain([Notice::EndpointDeactivated(stop(reason, since))]).collect()
            }
            (Activity::Inactive { since, reason }, Activity::Active) => {
                vec![Notice::EndpointActivated(stop(reason, since))]
            }
            (Activity::Active, Activity::Active) | (Activity::Inactive { .. }, Activity::Inactive { .. }) => {
                Vec::new()
            }
        }
    }

    /// Whether an operational event is its cause.
    pub(super) fn is_caused_by_one(&self) -> bool {
        matches!(self, Self::DeliveryExhausted(given_up) if given_up.event.topic.is_reserved())
    }

    /// The event for this tenant.
    pub(super) fn to_event(&self, tenant: TenantId, at: UnixMs) -> NewEvent {
        NewEvent {
            id: None,
            idempotency_key: None,
            tenant,
            topic: self.topic().parse().expect("what `topic` names are topics"),
            timestamp: None,
            received_at: at,
            data: Bytes::from(self.data().to_string()),
            test_of: None,
            trace: None,
        }
    }

    const fn topic(&self) -> &'static str {
        match self {
            Self::EndpointFailed(_) => "hookway.endpoint.failed",
            Self::EndpointDeactivated(_) => "hookway.endpoint.deactivated",
            Self::EndpointActivated(_) => "hookway.endpoint.activated",
            Self::SecretExpiring { .. } => "hookway.secret.expiring",
            Self::DeliveryExhausted(_) => "hookway.delivery.exhausted",
            Self::PluginDegraded { .. } => "hookway.plugin.degraded",
            Self::PluginRolledBack { .. } => "hookway.plugin.rolled_back",
            Self::BreakerOpened(_) => "hookway.plugin.breaker_opened",
            Self::BreakerClosed(_) => "hookway.plugin.breaker_closed",
        }
    }

    fn data(&self) -> Value {
        match self {
            Self::EndpointFailed(stop) | Self::EndpointDeactivated(stop) | Self::EndpointActivated(stop) => {
                let Stop { endpoint, reason, since } = stop;
                about(endpoint, json!({ "reason": reason, "since": since.to_string() }))
            }
            Self::SecretExpiring { endpoint, secret, expires_at } => {
                let fields = json!({
                    "secret_id": secret.to_string(),
                    "expires_at": expires_at.to_string(),
                    "is_last": !endpoint.can_sign(*expires_at),
                });
                about(endpoint, fields)
            }
            Self::DeliveryExhausted(given_up) => about(given_up.endpoint, given_up.fields()),
            Self::PluginDegraded { plugin, version, live, message }
            | Self::PluginRolledBack { plugin, version, live, message } => {
                json!({ "plugin": plugin, "version": version, "live_version": live, "message": message })
            }
            Self::BreakerOpened(breaker) | Self::BreakerClosed(breaker) => json!({
                "plugin": breaker.plugin,
                "version": breaker.version,
                "tenant": breaker.tenant,
                "since": breaker.since.to_string(),
                "message": breaker.message,
            }),
        }
    }
}

impl GivenUp<'_> {
    fn fields(&self) -> Value {
        let (reason, plugin, message) = match self.reason {
            FailReason::Exhausted => ("exhausted", None, self.last.map_or_else(String::new, came_of)),
            FailReason::PluginRefused { plugin, message } => {
                ("plugin_refused", Some(plugin), message.clone())
            }
            FailReason::PluginFailed { plugin, message } => ("plugin_failed", Some(plugin), message.clone()),
            FailReason::FilterUnreadable { message } => ("filter_unreadable", None, message.clone()),
            FailReason::Damaged { message } => ("damaged", None, message.clone()),
        };
        json!({
            "delivery_id": self.delivery.to_string(),
            "event_id": self.event.id.as_str(),
            "topic": self.event.topic.as_str(),
            "attempts": self.attempts,
            "last_status": self.last.and_then(AttemptOutcome::status),
            "reason": reason,
            "plugin": plugin,
            "message": message,
        })
    }
}

/// What came of an attempt, as a sentence.
fn came_of(outcome: &AttemptOutcome) -> String {
    match outcome {
        AttemptOutcome::Answered { status, .. } => format!("the receiver answered {status}"),
        AttemptOutcome::Failed(error) => error.message.clone(),
    }
}

/// These fields and those that name the endpoint.
fn about(endpoint: &Endpoint, mut fields: Value) -> Value {
    fields["tenant"] = json!(endpoint.tenant);
    fields["endpoint_id"] = json!(endpoint.id.to_string());
    fields["url"] = json!(without_secrets(&endpoint.url));
    fields
}

/// The URL without what often carries a token.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Only URLs without a host have no place for these, and no endpoint has such a one.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

#[cfg(test)]
mod tests;
