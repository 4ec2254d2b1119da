//! `POST /v1/endpoints/{id}/test`: one event for this endpoint alone.
//!
//! - It goes the whole way of an event, filter, plugins, limits, signature and log; only the topics of the endpoint are not
//!   asked.
//! - It says that it is a test in the log, to the receiver in `hookway-test`, and in the payload unless the caller gives one.
//! - It is stored and written down in the audit log before it is answered, like every event and every change.

pub(super) mod docs;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::LOCATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Api;
use crate::http::{
    Caller, Media, Object, PathText, Problem, media_type, parse, read_body, refuse_encoding, text,
    uninterrupted,
};
use crate::model::{DeliveryId, Endpoint, Event, EventId, Topic};
use crate::openapi::Anything;
use crate::store::NewEvent;

/// The topic of a test of an endpoint that names none in full.
const PING: &str = "test/ping";
/// The payload when the caller gives none.
const PAYLOAD: &[u8] =
    br#"{"test":true,"message":"A test from Hookway, sent to this endpoint alone. Nothing happened."}"#;

/// What the caller may say of the event.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TestEvent")]
struct Input {
    /// The topic; without it the first that the endpoint names in full, else `test/ping`.
    #[schemars(with = "Option<Topic>")]
    event: Option<String>,
    /// Any JSON; without it a small object that says that it is a test.
    #[serde(default, deserialize_with = "even_null")]
    #[schemars(with = "Anything")]
    data: Option<Box<RawValue>>,
}

/// A test that is on its way.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SentTest")]
struct Sent {
    /// The event.
    #[schemars(with = "EventId")]
    event_id: String,
    /// Not in the log before the event is dispatched, some milliseconds later.
    #[schemars(with = "DeliveryId")]
    delivery_id: String,
    /// Its topic.
    #[schemars(with = "Topic")]
    topic: String,
}

/// Sends one. The body is optional, and so is all of it.
pub(super) async fn send(
    State(api): State<Api>,
    caller: Caller,
    PathText(id): PathText,
    request: Request,
) -> Result<Response, Problem> {
    let endpoint = api.find(&caller, &id)?;
    let input = api.input(request).await?;
    let topic = match input.event {
        Some(text) => text.parse::<Topic>().map_err(|error| Problem::invalid("/event", error.to_string()))?,
        None => first_topic(&endpoint),
    };
    let data = input.data.map_or(Bytes::from_static(PAYLOAD), |data| data.get().to_owned().into());
    let event = uninterrupted(api.accept_test(caller, endpoint, topic, data)).await?;
    let location = format!("/v1/events/{}?tenant={}", event.id, event.tenant);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(Sent::from(&*event))).into_response())
}

impl Api {
    async fn input(&self, request: Request) -> Result<Input, Problem> {
        refuse_encoding(request.headers())?;
        if media_type(request.headers()) != Ok(Media::Json) {
            return Err(Problem::unsupported("the `Content-Type` is not read here; send `application/json`"));
        }
        let body = read_body(request.into_body(), (self.max_event_bytes)()).await?;
        if body.is_empty() { Ok(Input::default()) } else { parse(text(&body)?).map(|Object(input)| input) }
    }

    /// Stores the event, then hands it on.
    async fn accept_test(
        self,
        caller: Caller,
        endpoint: Arc<Endpoint>,
        topic: Topic,
        data: Bytes,
    ) -> Result<Arc<Event>, Problem> {
        let audit = self.changed(&caller, "tested", &*endpoint, &*endpoint)?;
        let audit = audit.with("topic", &Value::Null, &json!(topic));
        let event = NewEvent {
            id: None,
            idempotency_key: None,
            tenant: endpoint.tenant.clone(),
            topic,
            timestamp: None,
            received_at: self.clock.now(),
            data,
            test_of: Some(endpoint.id),
            trace: None,
        };
        let event = self.store.accept_test(event, audit).await?;
        self.accepted.offer(Arc::clone(&event));
        tracing::info!(endpoint = %endpoint.id, tenant = %endpoint.tenant, event = %event.id, "endpoint tested");
        Ok(event)
    }
}

impl From<&Event> for Sent {
    fn from(event: &Event) -> Self {
        // The only one of its event.
        let delivery = DeliveryId { event: event.key, ordinal: 0 };
        Self {
            event_id: event.id.to_string(),
            delivery_id: delivery.to_string(),
            topic: event.topic.to_string(),
        }
    }
}

/// The first of the endpoint's patterns that is a topic itself.
fn first_topic(endpoint: &Endpoint) -> Topic {
    let named = endpoint.subscription.patterns().iter().find_map(|pattern| pattern.parse().ok());
    named.unwrap_or_else(|| PING.parse().expect("a constant that a test parses"))
}

/// `null` is a payload like any other, not an absent one.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EndpointId, Subscription, TenantId, UnixMs};

    fn topic_for(subscription: Subscription) -> String {
        let url = "https://example.com/".parse().unwrap();
        let endpoint = Endpoint::new(EndpointId::new(UnixMs(1), 1), TenantId::default(), url, UnixMs(1));
        first_topic(&Endpoint { subscription, ..endpoint }).to_string()
    }

    fn patterns(patterns: &[&str]) -> Subscription {
        Subscription::Patterns(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
    }

    #[test]
    fn the_topic_is_the_first_that_the_endpoint_names_in_full() {
        assert_eq!(topic_for(patterns(&["orders/*", "orders/paid", "returns/made"])), "orders/paid");
        assert_eq!(topic_for(patterns(&["**"])), PING);
        assert_eq!(topic_for(patterns(&[])), PING);
        let plugin = "mqtt-topics".parse().unwrap();
        let matcher = |pattern: &str| vec![pattern.to_owned()];
        assert_eq!(topic_for(Subscription::Matcher { plugin, patterns: matcher("orders/+/#") }), PING);
    }

    #[test]
    fn null_is_a_payload() {
        let input: Input = parse(r#"{"data": null}"#).unwrap();
        assert_eq!(input.data.unwrap().get(), "null");
        assert!(parse::<Input>("{}").unwrap().data.is_none());
    }

    #[test]
    fn the_payload_is_json_and_says_that_it_is_a_test() {
        assert_eq!(serde_json::from_slice::<Value>(PAYLOAD).unwrap()["test"], true);
    }
}
