//! How the attempts of a delivery are shown: exactly what was sent and what came back.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::delivery_view::DeliveryView;
use crate::model::{Attempt, AttemptErrorClass, AttemptOutcome, Header};
use crate::store::DeliveryRecord;

/// A delivery with all that is known about it.
#[derive(Debug, Serialize)]
pub(super) struct RecordView {
    #[serde(flatten)]
    delivery: DeliveryView,
    last_status: Option<u16>,
    last_duration_ms: Option<u128>,
    attempt_log: Vec<AttemptView>,
    request_body: String,
    request_body_encoding: Encoding,
}

#[derive(Debug, Serialize)]
struct AttemptView {
    number: u16,
    started_at: String,
    duration_ms: u128,
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView>,
    request: RequestView,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ResponseView>,
}

#[derive(Debug, Serialize)]
struct ErrorView {
    class: AttemptErrorClass,
    message: String,
}

#[derive(Debug, Serialize)]
struct RequestView {
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct ResponseView {
    headers: BTreeMap<String, String>,
    body: String,
    body_encoding: Encoding,
    truncated: bool,
}

/// How bytes became a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Text,
    Base64,
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
            AttemptOutcome::Failed(error) => {
                (Some(ErrorView { class: error.class, message: error.message.clone() }), None)
            }
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
fn headers(fields: &[Header]) -> BTreeMap<String, String> {
    let mut map = BTreeMap::<String, String>::new();
    for Header { name, value } in fields {
        let value = String::from_utf8_lossy(value);
        map.entry(name.clone())
            .and_modify(|all| *all = format!("{all}, {value}"))
            .or_insert_with(|| value.into());
    }
    map
}

/// Text where the bytes are text. Where they were `cut`, the character that the cut went through is left out.
fn show(bytes: &[u8], cut: bool) -> (String, Encoding) {
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
        Header { name: name.to_owned(), value: value.to_vec() }
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
