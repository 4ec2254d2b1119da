//! How a preview is shown.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::attempt_view::{Encoding, headers, show};
use super::delivery_view::{PluginRunView, reason};
use super::preview_input::Asked;
use crate::model::{Endpoint, EndpointId, Event, EventId, Subscription, TenantId, Topic};
use crate::openapi::Time;
use crate::preview::{Outcome, Post, Preview};

/// What changes from attempt to attempt.
const OF_THIS_MOMENT: [&str; 3] = ["webhook-timestamp", "webhook-signature", "hookway-delivery-id"];

/// An event before the endpoints of its tenant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Preview")]
pub(super) struct PreviewView {
    /// Its id.
    #[schemars(with = "EventId")]
    event_id: String,
    /// What happened.
    #[schemars(with = "Topic")]
    topic: String,
    /// Whose it is.
    #[schemars(with = "TenantId")]
    tenant: String,
    /// When it happened.
    #[schemars(with = "Time")]
    timestamp: String,
    /// Whether this is an event that was posted.
    stored: bool,
    /// What will be another when it is sent: these headers, and these fields if they were left out.
    of_this_moment: Vec<&'static str>,
    /// Its endpoints, by rising id.
    data: Vec<EndpointView>,
    /// What to send as `cursor` for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// An event before one endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointPreview")]
struct EndpointView {
    /// The endpoint.
    #[schemars(with = "EndpointId")]
    endpoint_id: String,
    /// Where it is.
    url: String,
    /// Whether it wants the topic.
    matches: bool,
    /// The state that its delivery would begin in, or `not_matched`.
    #[schemars(extend("enum" = ["pending", "filtered", "held", "failed", "not_matched"]))]
    status: &'static str,
    /// Why nothing would be sent now.
    reason: Option<String>,
    /// Its own filter, if it has one and was asked.
    filter: Option<FilterView>,
    /// What each plugin said.
    plugins: Vec<PluginRunView>,
    /// What would be sent.
    request: Option<RequestView>,
}

/// The filter of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PreviewedFilter")]
struct FilterView {
    /// How long it took, in microseconds.
    duration_us: u128,
}

/// What would be sent.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PreviewedRequest")]
struct RequestView {
    /// Always `POST`.
    method: &'static str,
    /// Where to.
    url: String,
    /// By name, in lower case; values of the endpoint's own headers are `[redacted]`.
    headers: BTreeMap<String, String>,
    /// The exact body.
    body: String,
    /// How it became a text.
    body_encoding: Encoding,
}

impl PreviewView {
    pub(super) fn new(asked: &Asked, previews: &[Preview], next_cursor: Option<String>) -> Self {
        let event = &asked.event;
        Self {
            event_id: event.id.to_string(),
            topic: event.topic.to_string(),
            tenant: event.tenant.to_string(),
            timestamp: event.timestamp.to_string(),
            stored: asked.is_stored,
            of_this_moment: OF_THIS_MOMENT.iter().chain(&asked.made_up).copied().collect(),
            data: previews.iter().map(|preview| EndpointView::new(preview, event)).collect(),
            next_cursor,
        }
    }
}

impl EndpointView {
    fn new(Preview { endpoint, outcome }: &Preview, event: &Event) -> Self {
        let mut view = Self {
            endpoint_id: endpoint.id.to_string(),
            url: endpoint.url.to_string(),
            matches: outcome.is_some(),
            status: "not_matched",
            reason: None,
            filter: None,
            plugins: Vec::new(),
            request: None,
        };
        let Some(Outcome { state, filter_took, plugins, post }) = outcome else {
            return Self { reason: Some(why_not(endpoint, event)), ..view };
        };
        view.status = state.name();
        view.reason = reason(state);
        view.filter = filter_took.map(|took| FilterView { duration_us: took.as_micros() });
        view.plugins = plugins.iter().map(PluginRunView::from).collect();
        view.request = post.as_ref().map(RequestView::from);
        view
    }
}

impl From<&Post> for RequestView {
    fn from(post: &Post) -> Self {
        let (body, body_encoding) = show(&post.body, false);
        let (url, headers) = (post.url.to_string(), headers(&post.headers));
        Self { method: "POST", url, headers, body, body_encoding }
    }
}

/// Why an endpoint does not want an event.
fn why_not(endpoint: &Endpoint, event: &Event) -> String {
    let topic = &event.topic;
    if event.test_of.is_some() {
        return "the event is a test of another endpoint".to_owned();
    }
    let patterns = endpoint.subscription.patterns().join(", ");
    match &endpoint.subscription {
        Subscription::Patterns(all) if all.is_empty() => "it has no topics".to_owned(),
        Subscription::Patterns(_) => format!("none of its topics covers `{topic}`: {patterns}"),
        Subscription::Matcher { plugin, .. } => {
            format!("the plugin `{plugin}` says that none of its patterns covers `{topic}`: {patterns}")
        }
    }
}
