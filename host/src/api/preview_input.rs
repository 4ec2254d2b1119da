//! What a request says of an event that is only shown.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Api;
use crate::catalogue::CheckError;
use crate::http::{Caller, Problem};
use crate::model::{EndpointId, EnvelopeCache, Event, EventId, EventKey, TenantId, Topic, UnixMs};
use crate::openapi::{Anything, Time};

/// The body: an event as it would be posted, or the id of one that was. All optional here, so that what is missing is
/// reported with its pointer.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PreviewedEvent")]
pub(super) struct Input {
    /// The topic of a new event.
    #[schemars(with = "Option<Topic>")]
    event: Option<String>,
    /// Its payload: any JSON.
    #[serde(default, deserialize_with = "even_null")]
    #[schemars(with = "Anything")]
    data: Option<Box<RawValue>>,
    /// Its id; without `event`, the id of one that is stored.
    #[schemars(with = "Option<EventId>")]
    event_id: Option<String>,
    /// When it happened.
    #[schemars(with = "Option<Time>")]
    timestamp: Option<String>,
    /// Whose it is; that of the key, else `default`, where nobody says.
    #[schemars(with = "Option<TenantId>")]
    tenant: Option<String>,
    /// At this endpoint only.
    #[schemars(with = "Option<EndpointId>")]
    endpoint: Option<String>,
}

/// What is to be shown.
#[derive(Debug)]
pub(super) struct Asked {
    /// The event: one that is stored, or one made for this.
    pub(super) event: Arc<Event>,
    /// Whether it is stored.
    pub(super) is_stored: bool,
    /// What of it is made up now and would be another if it were posted.
    pub(super) made_up: Vec<&'static str>,
    /// At this endpoint only.
    pub(super) endpoint: Option<EndpointId>,
}

impl Api {
    /// What the caller asks for.
    ///
    /// # Errors
    /// 404 for an event or endpoint that is not there, 403 for another tenant, 422 for what could not be posted.
    pub(super) async fn asked(&self, caller: &Caller, input: Input) -> Result<Asked, Problem> {
        let tenant = field("/tenant", input.tenant.as_deref(), str::parse::<TenantId>)?;
        let tenant = caller.managed_tenant(tenant).map_err(|problem| problem.at("/tenant"))?;
        let endpoint = match &input.endpoint {
            None => None,
            Some(id) => {
                let endpoint = self.find(caller, id).ok().filter(|endpoint| endpoint.tenant == tenant);
                let detail = format!("the tenant `{tenant}` has no endpoint of this id");
                Some(endpoint.ok_or_else(|| Problem::invalid("/endpoint", detail))?.id)
            }
        };
        if let (None, Some(id)) = (&input.event, &input.event_id) {
            if input.data.is_some() || input.timestamp.is_some() {
                let detail = "an event that is stored has its own `data` and `timestamp`; for a new one, name \
                              the topic as `event`";
                return Err(Problem::invalid("/event", detail));
            }
            let event = self.find_event(caller, id, Some(tenant)).await?.event;
            return Ok(Asked { event, is_stored: true, made_up: Vec::new(), endpoint });
        }
        let (event, made_up) = new_event(input, tenant, self.clock.now())?;
        self.fits(&event).await?;
        Ok(Asked { event: Arc::new(event), is_stored: false, made_up, endpoint })
    }

    /// Whether it could be posted, as far as the catalogue says.
    async fn fits(&self, event: &Event) -> Result<(), Problem> {
        let Some(known) = self.catalogue.get(&event.topic) else { return Ok(()) };
        known.check(&event.data).await.map_err(|error| match error {
            CheckError::Mismatch(refusal) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "schema_mismatch", refusal.reason)
                    .at(format!("/data{}", refusal.pointer))
            }
            CheckError::Aborted(_) => Problem::internal(&error),
        })
    }
}

/// The event as it would be accepted now.
fn new_event(input: Input, tenant: TenantId, now: UnixMs) -> Result<(Event, Vec<&'static str>), Problem> {
    let topic = field("/event", input.event.as_deref(), str::parse::<Topic>)?.ok_or_else(|| {
        let detail = "name an event: `event` is the topic of a new one, `event_id` alone one that is stored";
        Problem::invalid("/event", detail)
    })?;
    let data = input.data.ok_or_else(|| {
        Problem::invalid("/data", "`data` is missing: the payload, any JSON, `null` included")
    })?;
    let key = EventKey::new(now, rand::random());
    let id = field("/event_id", input.event_id.as_deref(), str::parse::<EventId>)?;
    let timestamp = field("/timestamp", input.timestamp.as_deref(), timestamp)?;
    let mut made_up = Vec::new();
    made_up.extend(id.is_none().then_some("event_id"));
    made_up.extend(timestamp.is_none().then_some("timestamp"));
    let accepted = i64::try_from(now.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let event = Event {
        key,
        id: id.unwrap_or_else(|| EventId::from(key)),
        tenant,
        topic,
        timestamp: timestamp.or(accepted).unwrap_or(jiff::Timestamp::MAX),
        accepted_at: now,
        data: Bytes::from(String::from(Box::<str>::from(data))),
        test_of: None,
        trace: None,
        envelope: EnvelopeCache::default(),
    };
    Ok((event, made_up))
}

fn field<T, E: std::fmt::Display>(
    pointer: &str,
    text: Option<&str>,
    read: fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    text.map(read).transpose().map_err(|error| Problem::invalid(pointer, error.to_string()))
}

fn timestamp(text: &str) -> Result<jiff::Timestamp, &'static str> {
    text.parse().map_err(|_| "`timestamp` is a time as in RFC 3339, for example `2024-03-15T14:30:00Z`")
}

/// `null` is a payload like any other, not an absent one.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
