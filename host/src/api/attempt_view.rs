//! How the attempts of a delivery are shown: exactly what was sent and what came back.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;

use super::delivery_view::DeliveryView;
use crate::model::{Attempt, AttemptError, AttemptErrorClass, AttemptOutcome, Header};
use crate::openapi::Time;
use crate::store::DeliveryRecord;

/// A delivery with all that is known about it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeliveryRecord")]
pub(super) struct RecordView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// The status of the last attempt; `null` where there was none, or no answer.
    last_status: Option<u16>,
    /// How long the last attempt took.
    last_duration_ms: Option<u128>,
    /// Every attempt, the first one first.
    attempt_log: Vec<AttemptView>,
    /// The body of every attempt.
    request_body: String,
    /// How that body became a text.
    request_body_encoding: Encoding,
}

/// One POST of a delivery.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
struct AttemptView {
    /// Counts from 1.
    number: u16,
    /// When it began.
    #[schemars(with = "Time")]
    started_at: String,
    /// How long it took.
    duration_ms: u128,
    /// The status of the answer; `null` where there was none.
    status: Option<u16>,
    /// Why there is no complete answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ErrorView")]
    error: Option<ErrorView>,
    /// What was sent, besides the body.
    request: RequestView,
    /// What came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ResponseView")]
    response: Option<ResponseView>,
}

/// Why an attempt has no complete answer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AttemptError")]
pub(super) struct ErrorView {
    /// The kind.
    class: AttemptErrorClass,
    /// A sentence for people.
    message: String,
}

impl From<&AttemptError> for ErrorView {
    fn from(error: &AttemptError) -> Self {
        Self { class: error.class, message: error.message.clone() }
    }
}

/// What was sent in an attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AttemptRequest")]
struct RequestView {
    /// The headers; values that the endpoint's owner gave are `[redacted]`.
    headers: BTreeMap<String, String>,
}

/// What came back in an attempt.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AttemptResponse")]
struct ResponseView {
    /// The headers; those of one name are joined by `, `.
    headers: BTreeMap<String, String>,
    /// The body, at most its first 16 KiB.
    body: String,
    /// How the body became a text.
    body_encoding: Encoding,
    /// Whether there was more of the body than is kept.
    truncated: bool,
}

/// How bytes became a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BodyEncoding")]
pub(super) enum Encoding {
    /// They are UTF-8.
    Text,
    /// They are not, and stand as base64.
    Base64,
}

impl RecordView {
    /// The delivery.
    pub(super) const fn delivery_mut(&mut self) -> &mut DeliveryView {
        &mut self.delivery
    }
}

impl From<&DeliveryRecord> for RecordView {
    fn from(record: &DeliveryRecord) -> Self {
        let body = match &record.custom {
            Some(custom) => custom.body.clone(),
            None => record.event.envelope(),
        };
        let (request_body, request_body_encoding) = show(&body, false);
        let last = record.attempts.last();
        Self {
            delivery: DeliveryView::new(&record.delivery, &record.event),
            last_status: last.and_then(|attempt| attempt.outcome.status()),
            last_duration_ms: last.map(|attempt| attempt.took.as_millis()),
            attempt_log: record.attempts.iter().map(AttemptView::from).collect(),
            request_body,
            request_body_encoding,
        }
    }
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> Self {
        let (error, response) = match &attempt.outcome {
            AttemptOutcome::Answered { headers: fields, body, truncated, .. } => {
                let truncated = *truncated;
                let (body, body_encoding) = show(body, truncated);
                (None, Some(ResponseView { headers: headers(fields), body, body_encoding, truncated }))
            }
            AttemptOutcome::Failed(error) => (Some(ErrorView::from(error)), None),
        };
        Self {
            number: attempt.number,
            started_at: attempt.started_at.to_string(),
            duration_ms: attempt.took.as_millis(),
            status: attempt.outcome.status(),
            error,
            request: RequestView { headers: headers(&attempt.request_headers) },
            response,
        }
    }
}

/// Headers by name; those of one name are joined as RFC 9110, section 5.3 has it.
pub(super) fn headers(fields: &[Header]) -> BTreeMap<String, String> {
    let mut map = BTreeMap::<String, String>::new();
    for Header { name, value } in fields {
        let value = String::from_utf8_lossy(value);
        map.entry(name.to_string())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into());
    }
    map
}

/// Text where the bytes are text. Where they were `cut`, the character that the cut went through is left out.
pub(super) fn show(bytes: &[u8], cut: bool) -> (String, Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), Encoding::Text),
        Err(error) if cut && error.error_len().is_none() => show(&bytes[..error.valid_up_to()], false),
        Err(_) => (STANDARD.encode(bytes), Encoding::Base64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &[u8]) -> Header {
        Header { name: name.to_owned().into(), value: value.to_vec().into() }
    }

    #[test]
    fn bytes_are_shown_as_text_where_they_are_text() {
        assert_eq!(show("grün".as_bytes(), false), ("grün".to_owned(), Encoding::Text));
        assert_eq!(show(b"\xff\x00", false), ("/wA=".to_owned(), Encoding::Base64));
        assert_eq!(show(b"gr\xc3", true), ("gr".to_owned(), Encoding::Text));
        assert_eq!(show(b"gr\xc3", false).1, Encoding::Base64);
        assert_eq!(show(b"\xffgr\xc3", true).1, Encoding::Base64);
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let shown = headers(&[header("vary", b"a"), header("x", b"\xff"), header("vary", b"b")]);
        assert_eq!(shown["vary"], "a, b");
        assert_eq!(shown["x"], "\u{fffd}");
    }
}
