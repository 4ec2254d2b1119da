//! How an endpoint is shown. A secret's value is shown once, in the answer to its creation.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::binding_view::BindingView;
use super::breaker_view::BreakerView;
use super::request_input::duration_text;
use super::secret_view::SecretView;
use crate::lanes::BreakerState;
use crate::model::{
    Activity, Endpoint, EndpointId, Health, InactiveReason, Ordering, OrderingKey, PluginName,
    RequestOptions, Secret, SignatureStyle, TenantId,
};
use crate::openapi::{Anything, Time};

/// An endpoint.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub(super) struct EndpointView {
    /// Its id.
    #[schemars(with = "EndpointId")]
    id: String,
    /// Whose it is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// Where deliveries are sent to, normalised.
    url: String,
    /// For people.
    description: String,
    /// The patterns of topics that it wants.
    topics: Vec<String>,
    /// The plugin in whose language the patterns are; `null` for the gateway's own.
    #[schemars(with = "Option<PluginName>")]
    matcher: Option<String>,
    /// The plugins that its events go through, in this order, filters before transforms.
    plugins: Vec<BindingView>,
    /// Labels of the owner's.
    metadata: BTreeMap<String, String>,
    /// Its signing secrets, newest first. Their values are shown at creation only.
    secrets: Vec<SecretView>,
    /// Attempts that may start in any second; 0 = no limit.
    rate_limit: u32,
    /// Attempts that may be under way at the same time; 0 = no limit.
    burst_limit: u32,
    /// In which order its deliveries are made.
    ordering: Ordering,
    /// Where in `data` the value stands by which they are ordered: a JSON pointer; `null` for all of them together.
    #[schemars(with = "Option<String>")]
    ordering_key: Option<OrderingKey>,
    /// The condition that an event has to satisfy, as it was written; `null` if there is none.
    #[schemars(with = "Anything")]
    filter: Option<Box<RawValue>>,
    /// Whether it is sent to.
    #[schemars(extend("enum" = ["active", "inactive"]))]
    state: &'static str,
    /// Whether its receiver works, as far as the gateway acts on it.
    health: Health,
    /// Why it is inactive; `null` while it is active.
    inactive_reason: Option<InactiveReason>,
    /// Since when it is inactive; `null` while it is active.
    #[schemars(with = "Option<Time>")]
    inactive_since: Option<String>,
    /// Whether deliveries start as they come, or single ones that probe a receiver that is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BreakerView")]
    breaker: Option<BreakerView>,
    /// Headers that each request carries.
    headers: BTreeMap<String, String>,
    /// The time for a whole attempt; `null` for the gateway's.
    timeout: Option<String>,
    /// The waits before a failed attempt is repeated; `null` for the gateway's.
    retry: Option<Vec<String>>,
    /// The signature beside that of Standard Webhooks.
    signature: SignatureStyle,
    /// When it was made.
    #[schemars(with = "Time")]
    created_at: String,
    /// When it was last changed.
    #[schemars(with = "Time")]
    updated_at: String,
}

impl EndpointView {
    /// The endpoint as everybody may see it.
    ///
    /// # Errors
    /// A stored configuration that is not JSON.
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, serde_json::Error> {
        Self::build(endpoint, SecretView::new)
    }

    /// The endpoint with the values of its secrets, for whoever just made it.
    ///
    /// # Errors
    /// A stored configuration that is not JSON.
    pub(super) fn with_secrets(endpoint: &Endpoint) -> Result<Self, serde_json::Error> {
        Self::build(endpoint, SecretView::with_value)
    }

    /// The same with its breaker.
    pub(super) fn with_breaker(self, breaker: BreakerState) -> Self {
        Self { breaker: Some(breaker.into()), ..self }
    }

    fn build(endpoint: &Endpoint, secret: fn(&Secret) -> SecretView) -> Result<Self, serde_json::Error> {
        let (state, inactive) = match endpoint.activity {
            Activity::Active => ("active", None),
            Activity::Inactive { since, reason } => ("inactive", Some((since, reason))),
        };
        let RequestOptions { headers, timeout, retry, signature } = &endpoint.request;
        Ok(Self {
            id: endpoint.id.to_string(),
            tenant: endpoint.tenant.to_string(),
            url: endpoint.url.to_string(),
            description: endpoint.description.clone(),
            topics: endpoint.subscription.patterns(),
            matcher: endpoint.subscription.matcher().map(ToString::to_string),
            plugins: BindingView::all(&endpoint.plugins)?,
            metadata: endpoint.metadata.clone(),
            secrets: endpoint.secrets.iter().map(secret).collect(),
            rate_limit: endpoint.rate_limit,
            burst_limit: endpoint.burst_limit,
            ordering: endpoint.ordering,
            ordering_key: endpoint.ordering_key.clone(),
            filter: endpoint.filter.as_deref().map(serde_json::from_str).transpose()?,
            state,
            health: endpoint.activity.health(),
            inactive_reason: inactive.map(|(_, reason)| reason),
            inactive_since: inactive.map(|(since, _)| since.to_string()),
            breaker: None,
            headers: headers.iter().map(|h| (h.name.to_string(), text(&h.value))).collect(),
            timeout: timeout.as_ref().map(duration_text),
            retry: retry.as_ref().map(|retry| retry.waits().iter().map(duration_text).collect()),
            signature: signature.clone(),
            created_at: endpoint.created_at.to_string(),
            updated_at: endpoint.updated_at.to_string(),
        })
    }
}

/// Values were read from JSON, so they are UTF-8.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// Neither the values of secrets nor those of headers.
impl std::fmt::Debug for EndpointView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EndpointView({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Binding, Ed25519Key, HmacKey, OnFailure, SecretId, SigningKey, Subscription, UnixMs};

    fn endpoint() -> Endpoint {
        let at = UnixMs(1_710_513_000_000);
        Endpoint {
            subscription: Subscription::Patterns(vec!["orders/*".parse().unwrap()]),
            secrets: vec![Secret {
                id: SecretId::new(at, 2),
                key: SigningKey::Hmac(HmacKey::new(vec![7; 24]).unwrap()),
                created_at: at,
                expires_at: None,
            }],
            plugins: vec![Binding {
                plugin: "cel-filter".parse().unwrap(),
                config: Some(r#"{"b": 1.0,  "a":2}"#.into()),
                topics: Vec::new(),
                on_failure: Some(OnFailure::Closed),
            }],
            filter: Some(r#"{"data":  {"n": 1.0}}"#.into()),
            ..Endpoint::new(
                EndpointId::new(at, 1),
                TenantId::default(),
                "https://example.com/hook".parse().unwrap(),
                at,
            )
        }
    }

    #[test]
    fn a_secret_is_shown_to_its_maker_only() {
        let value = HmacKey::new(vec![7; 24]).unwrap().reveal();
        let shown = serde_json::to_value(EndpointView::with_secrets(&endpoint()).unwrap()).unwrap();
        assert_eq!(shown["secrets"][0]["value"], value);
        assert_eq!(shown["secrets"][0]["type"], "hmac-sha256");
        let later = serde_json::to_string(&EndpointView::new(&endpoint()).unwrap()).unwrap();
        assert!(!later.contains("whsec_") && !later.contains("value"), "{later}");
        assert!(!format!("{:?}", EndpointView::with_secrets(&endpoint()).unwrap()).contains(&value));
    }

    #[test]
    fn a_private_key_is_shown_to_nobody_and_its_public_half_to_everybody() {
        let key = Ed25519Key::from_seed(&[7; 32]);
        let (public, private) = (key.public(), "Bwc");
        let mut endpoint = endpoint();
        endpoint.secrets[0].key = SigningKey::Ed25519(key);
        for view in [EndpointView::with_secrets(&endpoint), EndpointView::new(&endpoint)] {
            let shown = serde_json::to_value(view.unwrap()).unwrap();
            let secret = &shown["secrets"][0];
            assert_eq!((&secret["type"], &secret["public_key"]), (&json!("ed25519"), &json!(public)));
            assert!(secret.get("value").is_none() && !shown.to_string().contains(private), "{shown}");
        }
    }

    #[test]
    fn an_endpoint_is_shown_as_it_was_written() {
        let text = serde_json::to_string(&EndpointView::new(&endpoint()).unwrap()).unwrap();
        assert!(text.contains(r#""config":{"b": 1.0,  "a":2}"#), "{text}");
        assert!(text.contains(r#""filter":{"data":  {"n": 1.0}}"#), "{text}");
        let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(shown["topics"], json!(["orders/*"]));
        assert_eq!((&shown["matcher"], &shown["plugins"][0]["on_failure"]), (&json!(null), &json!("closed")));
        assert_eq!(shown["created_at"], "2024-03-15T14:30:00.000Z");
        assert_eq!(shown["signature"], json!({ "style": "standard" }));
    }
}
