//! One event as JSON into a [`NewEvent`].

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{Caller, Object, Problem, parse};
use crate::model::{EventId, TenantId, Topic, TopicError, UnixMs};
use crate::openapi::{Anything, Time};
use crate::store::NewEvent;

/// What a producer sends. All optional here, so that what is missing is reported with its pointer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewEvent", extend("required" = ["event", "data"]))]
pub(super) struct Input<'a> {
    /// The topic.
    #[serde(borrow)]
    #[schemars(with = "Topic")]
    event: Option<Cow<'a, str>>,
    /// An id of your own, which receivers get as `webhook-id`; made if it is absent. The same id with the same content is
    /// accepted once.
    #[serde(borrow)]
    #[schemars(with = "Option<EventId>")]
    event_id: Option<Cow<'a, str>>,
    /// When it happened; when it was accepted if it is absent.
    #[serde(borrow)]
    #[schemars(with = "Option<Time>")]
    timestamp: Option<Cow<'a, str>>,
    /// Whose it is; that of the key, else `default`, where nobody says.
    #[serde(borrow)]
    #[schemars(with = "Option<TenantId>")]
    tenant: Option<Cow<'a, str>>,
    /// The payload: any JSON. Receivers get it byte for byte.
    #[serde(borrow, default, deserialize_with = "even_null")]
    #[schemars(with = "Anything")]
    data: Option<&'a RawValue>,
}

/// The event in `json`, a part of `body`; its `data` shares the bytes of `body`.
///
/// # Errors
/// 400 for what is no JSON or too deep, 422 for a field that cannot be taken, 403 for a tenant that the caller may not
/// post for.
pub(super) fn read(json: &str, body: &Bytes, caller: &Caller, now: UnixMs) -> Result<NewEvent, Problem> {
    let Object(input): Object<Input<'_>> = parse(json)?;
    let topic = field("/event", input.event, topic)?.ok_or_else(|| {
        Problem::invalid("/event", "`event` is missing: the topic, for example `orders/created`")
    })?;
    let data = input.data.ok_or_else(|| {
        Problem::invalid("/data", "`data` is missing: the payload, any JSON, `null` included")
    })?;
    let tenant = field("/tenant", input.tenant, str::parse::<TenantId>)?;
    Ok(NewEvent {
        id: field("/event_id", input.event_id, str::parse)?,
        idempotency_key: None,
        tenant: caller.posting_tenant(tenant).map_err(|problem| problem.at("/tenant"))?,
        topic,
        timestamp: field("/timestamp", input.timestamp, timestamp)?,
        received_at: now,
        data: body.slice_ref(data.get().as_bytes()),
        test_of: None,
        trace: None,
    })
}

fn field<T, E: Display>(
    pointer: &str,
    text: Option<Cow<'_, str>>,
    read: fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Problem> {
    text.map(|text| read(&text)).transpose().map_err(|error| Problem::invalid(pointer, error.to_string()))
}

/// Operational events come from the gateway alone, so that whoever gets one can trust it.
pub(super) fn topic(text: &str) -> Result<Topic, String> {
    let topic: Topic = text.parse().map_err(|error: TopicError| error.to_string())?;
    if topic.is_reserved() {
        return Err(
            "topics that begin with `hookway` are the gateway's own; use another first segment".into()
        );
    }
    Ok(topic)
}

pub(super) fn timestamp(text: &str) -> Result<jiff::Timestamp, &'static str> {
    text.parse().map_err(|_| "`timestamp` is a time as in RFC 3339, for example `2024-03-15T14:30:00Z`")
}

/// `null` is a payload like any other, not an absent one.
fn even_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::clock::Clock;
    use crate::http::Keys;
    use crate::model::{ApiKey, Scope};

    fn caller(scope: Scope) -> Caller {
        let key = ApiKey::new(UnixMs(1), 1, [1; 32]);
        let keys = Keys::new(vec![key.record(scope, "", UnixMs(1))], Clock::starting_at(UnixMs(1)));
        let value = format!("Bearer {}", key.reveal()).parse().unwrap();
        keys.open(&http::HeaderMap::from_iter([(http::header::AUTHORIZATION, value)])).unwrap()
    }

    fn read_as(json: &str, scope: Scope) -> Result<NewEvent, Problem> {
        let body = Bytes::copy_from_slice(json.as_bytes());
        read(std::str::from_utf8(&body).unwrap(), &body, &caller(scope), UnixMs(7))
    }

    fn refused(json: &str) -> Problem {
        read_as(json, Scope::Admin).expect_err(json)
    }

    #[test]
    fn data_is_the_very_bytes_of_the_body() {
        let json = r#"{"event":"a/b","data": {"b": 1.00,  "a":123456789012345678901234567890} }"#;
        let body = Bytes::copy_from_slice(json.as_bytes());
        let text = std::str::from_utf8(&body).unwrap();
        let event = read(text, &body, &caller(Scope::Admin), UnixMs(7)).unwrap();
        assert_eq!(event.data, r#"{"b": 1.00,  "a":123456789012345678901234567890}"#);
        assert!(body.as_ptr_range().contains(&event.data.as_ptr()));
        assert_eq!((event.tenant, event.id, event.timestamp), (TenantId::default(), None, None));
        assert_eq!(event.received_at, UnixMs(7));
    }

    #[test]
    fn every_field_is_read_escapes_included() {
        let json = r#"{"event_id":"ord\u0065r-1","tenant":"acme","timestamp":"2024-03-15T16:30:00+02:00","event":"a","data":null}"#;
        let event = read_as(json, Scope::Admin).unwrap();
        assert_eq!(event.id.unwrap().as_str(), "order-1");
        assert_eq!(event.tenant.as_str(), "acme");
        assert_eq!(event.timestamp.unwrap().to_string(), "2024-03-15T14:30:00Z");
        assert_eq!(event.data, "null");
    }

    #[test]
    fn a_field_that_cannot_be_taken_is_named_by_its_pointer() {
        let cases = [
            (r#"{"data":1}"#, "/event"),
            (r#"{"event":"a"}"#, "/data"),
            (r#"{"event":5,"data":1}"#, "/event"),
            (r#"{"event":"a b","data":1}"#, "/event"),
            (r#"{"event":"a/*","data":1}"#, "/event"),
            (r#"{"event":"hookway.endpoint.failed","data":1}"#, "/event"),
            (r#"{"event":"hookw\u0061y/a","data":1}"#, "/event"),
            (r#"{"event":"a","data":1,"event_id":"a.b"}"#, "/event_id"),
            (r#"{"event":"a","data":1,"event_id":""}"#, "/event_id"),
            (r#"{"event":"a","data":1,"timestamp":"yesterday"}"#, "/timestamp"),
            (r#"{"event":"a","data":1,"timestamp":1710513000}"#, "/timestamp"),
            (r#"{"event":"a","data":1,"tenant":"a b"}"#, "/tenant"),
            (r#"{"event":"a","data":1,"typo":1}"#, "/typo"),
            (r#"{"event":"a","data":1,"data":2}"#, ""),
            (r#"["event"]"#, ""),
        ];
        for (json, pointer) in cases {
            let problem = refused(json);
            assert_eq!(problem.pointer(), Some(pointer), "{json}: {problem:?}");
            assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{json}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_a_bad_request() {
        let deep = format!(r#"{{"event":"a","data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for json in
            ["", "{", "not json", r#"{"event":"a","data":{"b":}}"#, r#"{"event":"a","data":1}}"#, &deep]
        {
            assert_eq!(refused(json).status(), StatusCode::BAD_REQUEST, "{}", &json[..json.len().min(30)]);
        }
    }

    #[test]
    fn an_event_goes_to_the_tenant_of_the_key_unless_it_says_otherwise() {
        let acme: TenantId = "acme".parse().unwrap();
        let scope = || Scope::EventsWrite(Some(acme.clone()));
        assert_eq!(read_as(r#"{"event":"a","data":1}"#, scope()).unwrap().tenant, acme);
        let problem = read_as(r#"{"event":"a","data":1,"tenant":"other"}"#, scope()).unwrap_err();
        assert_eq!((problem.status(), problem.pointer()), (StatusCode::FORBIDDEN, Some("/tenant")));
    }
}
