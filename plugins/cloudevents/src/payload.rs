//! What is wrapped: the event's data in the envelope of the gateway, or the body that an earlier transform made.

use hookway_plugin::Error;
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) struct Payload<'a> {
    pub(crate) data: &'a RawValue,
    /// When it happened, as the envelope says it: with all digits of the producer.
    pub(crate) time: Option<String>,
}

/// The body as the gateway makes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(rename = "event")]
    _topic: String,
    #[serde(rename = "event_id")]
    _id: String,
    timestamp: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Every attribute that a CloudEvent has to have.
#[derive(Deserialize)]
struct Required {
    specversion: String,
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "type")]
    _type: String,
}

impl<'a> Payload<'a> {
    /// # Errors
    /// The body is not JSON.
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, Error> {
        if let Ok(Envelope { timestamp, data, .. }) = serde_json::from_slice(body) {
            return Ok(Self { data, time: Some(timestamp) });
        }
        let data = serde_json::from_slice(body).map_err(|error| {
            Error::Invalid(format!("the body is not JSON, which a CloudEvent of this plugin holds: {error}"))
        })?;
        Ok(Self { data, time: None })
    }

    /// Whether the producer sent a CloudEvent, which the gateway keeps whole.
    pub(crate) fn is_cloud_event(&self) -> bool {
        serde_json::from_str::<Required>(self.data.get()).is_ok_and(|it| it.specversion == "1.0")
    }
}
