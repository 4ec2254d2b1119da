//! Endpoints: where a tenant wants which events, and what happens to them on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    Activity, Binding, EndpointId, OrderId, OrderingKey, PluginName, RequestOptions, Secret, TenantId,
    TopicPattern, UnixMs,
};

/// One target URL of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose it is. Never changes.
    pub tenant: TenantId,
    /// Where deliveries are POSTed to, normalised; one endpoint per tenant and URL.
    pub url: Url,
    /// For people.
    pub description: String,
    /// The topics it wants.
    pub subscription: Subscription,
    /// What signs its deliveries, newest first. Every active one contributes a signature.
    ///
    /// Left out when the endpoint is serialised: the store seals each by itself.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// The plugins that judge and change its deliveries, in order.
    pub plugins: Vec<Binding>,
    /// Values that plugins can read and people can sort by.
    pub metadata: BTreeMap<String, String>,
    /// Attempts that may start in any second; 0 = no limit.
    #[serde(default)]
    pub rate_limit: u32,
    /// Attempts that may be under way at the same time; 0 = no limit but the host's.
    #[serde(default)]
    pub burst_limit: u32,
    /// In which order its deliveries are made.
    #[serde(default)]
    pub ordering: Ordering,
    /// Where the value stands by which it is ordered; `None` = the whole endpoint is one line. Only with
    /// [`Ordering::Fifo`].
    #[serde(default)]
    pub ordering_key: Option<OrderingKey>,
    /// Conditions that an event must meet, as JSON in the words of the owner; `None` = all events pass.
    #[serde(default)]
    pub filter: Option<Arc<str>>,
    /// Whether it is sent to.
    #[serde(default)]
    pub activity: Activity,
    /// How its requests are made.
    #[serde(default)]
    pub request: RequestOptions,
    /// When it was created.
    pub created_at: UnixMs,
    /// When it was last changed.
    pub updated_at: UnixMs,
}

/// In which order the deliveries of an endpoint are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// As they come, several at the same time.
    #[default]
    None,
    /// One after another, in the order in which their events were accepted; with an ordering key, those of one value.
    Fifo,
}

/// How an endpoint says which topics it wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subscription {
    /// Patterns of our own language; one that accepts is enough.
    Patterns(Vec<TopicPattern>),
    /// Patterns in the language of a plugin.
    Matcher {
        /// The plugin that exports `topic-matcher`.
        plugin: PluginName,
        /// Its patterns, as the owner wrote them.
        patterns: Vec<String>,
    },
}

impl Endpoint {
    /// An endpoint that wants nothing yet and has no secret.
    #[must_use]
    pub const fn new(id: EndpointId, tenant: TenantId, url: Url, at: UnixMs) -> Self {
        Self {
            id,
            tenant,
            url,
            description: String::new(),
            subscription: Subscription::Patterns(Vec::new()),
            secrets: Vec::new(),
            plugins: Vec::new(),
            metadata: BTreeMap::new(),
            rate_limit: 0,
            burst_limit: 0,
            ordering: Ordering::None,
            ordering_key: None,
            filter: None,
            activity: Activity::Active,
            request: RequestOptions::NONE,
            created_at: at,
            updated_at: at,
        }
    }

    /// The order that it asks for, if it does.
    #[must_use]
    pub fn order(&self) -> Option<OrderId> {
        match self.ordering {
            Ordering::None => None,
            Ordering::Fifo => Some(self.ordering_key.as_ref().map_or(OrderId::WHOLE, OrderingKey::order)),
        }
    }

    /// Whether a delivery could be signed at this time, in every form that its receiver expects.
    #[must_use]
    pub fn can_sign(&self, at: UnixMs) -> bool {
        let style = &self.request.signature;
        self.secrets.iter().any(|secret| secret.is_active(at) && style.takes(&secret.key))
    }
}

impl Subscription {
    /// The patterns as their owner wrote them.
    #[must_use]
    pub fn patterns(&self) -> Vec<String> {
        match self {
            Self::Patterns(patterns) => patterns.iter().map(ToString::to_string).collect(),
            Self::Matcher { patterns, .. } => patterns.clone(),
        }
    }

    /// The plugin that understands the patterns, if it is not us.
    #[must_use]
    pub const fn matcher(&self) -> Option<&PluginName> {
        match self {
            Self::Patterns(_) => None,
            Self::Matcher { plugin, .. } => Some(plugin),
        }
    }
}
