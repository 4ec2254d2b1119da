//! The one form of every error that leaves over HTTP: RFC 9457 `application/problem+json`.
//!
//! `code` is for programs and never changes its meaning; `detail` is a sentence that says what to change. Causes
//! inside the gateway are logged under a request id, and only the id is shown.

use std::borrow::Cow;
use std::error::Error;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::store;

/// Seconds a producer waits after 503: longer than a slow commit, short enough that nobody notices a restart.
const RETRY_AFTER_SECS: HeaderValue = HeaderValue::from_static("2");

/// Seconds a producer waits after 429: by then something of what is in the way may be over.
const RETRY_AFTER_FULL_SECS: HeaderValue = HeaderValue::from_static("10");

/// Seconds a producer waits while the disk is full: somebody has to make room.
const RETRY_AFTER_DISK_SECS: HeaderValue = HeaderValue::from_static("30");

/// Something that has to be so for the gateway to take events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ReadinessCheck")]
pub struct Check {
    /// What is looked at: `start`, `stop`, `store` or `disk`.
    pub name: &'static str,
    /// Whether it is so.
    pub ok: bool,
    /// How it is, in a sentence; if it is not so, what to do.
    pub detail: String,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    pointer: Option<String>,
    line: Option<usize>,
    request_id: Option<Box<str>>,
    checks: Box<[Check]>,
}

/// An error, as RFC 9457 has it (section 3.1), with extensions.
#[derive(Serialize, JsonSchema)]
struct Body<'a> {
    /// Always `about:blank`: `title` is the phrase of the status, and `code` says what it is.
    r#type: &'static str,
    /// The phrase of the status.
    title: &'static str,
    /// The status, here too.
    status: u16,
    /// A sentence for people that says what to change.
    detail: &'a str,
    /// The word for programs. It never changes its meaning.
    code: &'static str,
    /// The JSON pointer (RFC 6901) of the field that is wrong; empty for the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    pointer: Option<&'a str>,
    /// The line of NDJSON that is wrong, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    line: Option<usize>,
    /// Under which the log of the gateway has the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "&str")]
    request_id: Option<&'a str>,
    /// Of `/readyz`: all that has to be so.
    #[serde(skip_serializing_if = "<[Check]>::is_empty")]
    checks: &'a [Check],
}

impl Problem {
    /// A problem with this status, this stable code and this sentence.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, pointer, line) = (detail.into(), None, None);
        Self { status, code, detail, pointer, line, request_id: None, checks: Box::default() }
    }

    /// 400: the request cannot be read at all, as JSON that is none.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// 422: the field at this JSON pointer was read but cannot be taken.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).at(pointer)
    }

    /// 401, in the same words for a key that is missing, wrong or expired.
    #[must_use]
    pub fn unauthorized() -> Self {
        let detail =
            "send `Authorization: Bearer hk_...` with an API key; this one is missing, unknown or expired";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 403: the key is good, but not for this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: there is no such thing, or the key must not know of it.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 409: the request contradicts what is stored.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413: more bytes than the limit.
    #[must_use]
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// 415: a content type or encoding that is not read here.
    #[must_use]
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 500: our fault. The cause goes to the log, never to the caller.
    #[must_use]
    pub fn internal(cause: &dyn Error) -> Self {
        let detail = "the gateway failed; its log has the cause under this request id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).logged(cause)
    }

    /// 500: what was asked for was changed on the disk. It stays so until a backup is restored.
    #[must_use]
    pub fn damaged(cause: &dyn Error) -> Self {
        let detail = "what is stored of it was changed on the disk, so it is not shown; `hookway doctor` says what else was, \
                      and a backup may have it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", detail).logged(cause)
    }

    /// 503: the store does not take or give anything now; the same request may succeed later.
    #[must_use]
    pub fn unavailable(cause: &dyn Error) -> Self {
        let detail = "the storage is not available now; send the same request again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).logged(cause)
    }

    /// 503: the gateway cannot do anything yet; the same request may succeed soon.
    #[must_use]
    pub fn not_started() -> Self {
        let detail = "the gateway is starting; send the same request again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }

    /// 503: not all of this is so, and the gateway takes no events until it is.
    #[must_use]
    pub fn not_ready(checks: Vec<Check>) -> Self {
        let failing: Vec<_> = checks.iter().filter(|check| !check.ok).map(|check| &*check.detail).collect();
        let detail = failing.join("; ");
        Self { checks: checks.into(), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail) }
    }

    /// 503: events would fill the disk, and what is accepted already has to be worked off first.
    #[must_use]
    pub fn disk_full() -> Self {
        let detail = "the disk of the gateway is almost full, and it takes no events until there is room again; send the \
                      same again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk_full", detail)
    }

    fn backlog_full(full: &store::BacklogFull) -> Self {
        let detail = format!(
            "{full}; send the same again later. What is in the way is in `GET /v1/deliveries` with the states `pending`, \
             `retrying` and `held`"
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, "backlog_full", detail)
    }

    /// The same about the field at this JSON pointer (RFC 6901).
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The same about this line of NDJSON, counted from 1.
    #[must_use]
    pub const fn on_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The status it is answered with.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The JSON pointer of the bad field.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        self.pointer.as_deref()
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        match (self.status, self.code) {
            (StatusCode::SERVICE_UNAVAILABLE, "disk_full") => Some(RETRY_AFTER_DISK_SECS),
            (StatusCode::SERVICE_UNAVAILABLE, _) => Some(RETRY_AFTER_SECS),
            (StatusCode::TOO_MANY_REQUESTS, _) => Some(RETRY_AFTER_FULL_SECS),
            _ => None,
        }
    }

    fn logged(mut self, cause: &dyn Error) -> Self {
        let request_id = format!("req_{:016x}", rand::random::<u64>());
        let source = cause.source().map(tracing::field::display);
        tracing::error!(code = self.code, %request_id, error = %cause, source, "a request failed");
        self.request_id = Some(request_id.into());
        self
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match &error {
            store::Error::NotFound => Self::not_found("there is no such object; it may have been deleted"),
            store::Error::UrlTaken(id) => {
                let detail =
                    format!("the endpoint `{id}` of this tenant has this URL already; change that one");
                Self::conflict("url_taken", detail).at("/url")
            }
            store::Error::IdReused { first, .. } => {
                let detail = format!(
                    "this id or idempotency key belongs to the event `{first}`, which has other content; \
                     use a new one for a new event"
                );
                Self::conflict("id_reused", detail)
            }
            store::Error::BacklogFull { full, .. } => Self::backlog_full(full),
            store::Error::TopicTaken => {
                let detail =
                    "the catalogue has this topic already; change it with `PATCH /v1/topics/{topic}`";
                Self::conflict("topic_taken", detail).at("/topic")
            }
            store::Error::LastAdminKey => {
                let detail = "this is the last admin key that has not expired, and without one nobody could make keys; \
                              create another admin key first";
                Self::conflict("last_admin_key", detail)
            }
            store::Error::StateChanged => {
                let detail = "the delivery changed at the same time; look at it and send the request again";
                Self::conflict("changed_meanwhile", detail)
            }
            store::Error::IsFinal(state) => {
                let detail = format!("the delivery is over: it is `{state}`, and nothing of it waits");
                Self::conflict("delivery_over", detail)
            }
            store::Error::TooManyAttempts => {
                let detail = "the delivery has had 65535 attempts; replay its event instead";
                Self::conflict("too_many_attempts", detail)
            }
            store::Error::NotDispatched => {
                let detail = "the event is not dispatched yet: it is sent for the first time soon; ask again after that";
                Self::conflict("not_dispatched", detail)
            }
            store::Error::RecoveryRuns(id) => {
                let detail = format!(
                    "the recovery `{id}` of this endpoint runs; wait for its end, or cancel it with \
                     `POST /v1/recoveries/{id}/cancel`"
                );
                Self::conflict("recovery_running", detail)
            }
            store::Error::RecoveryEnded(state) => {
                Self::conflict("recovery_ended", format!("the recovery has ended: it is `{state}`"))
            }
            store::Error::TooManyDeliveries(_) => Self::internal(&error),
            store::Error::Damaged(_) => Self::damaged(&error),
            store::Error::Storage(_) | store::Error::Closed | store::Error::Unusable(_) => {
                Self::unavailable(&error)
            }
        }
    }
}

/// That of its body.
impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Body::json_schema(generator)
    }
}

/// As its body.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            pointer: self.pointer.as_deref(),
            line: self.line,
            request_id: self.request_id.as_deref(),
            checks: &self.checks,
        };
        body.serialize(serializer)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(&self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        } else if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds);
        } else if self.status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the body may still come, and must not be taken for a request.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;

    async fn body(problem: Problem) -> (Response<()>, Value) {
        let (parts, body) = problem.into_response().into_parts();
        let bytes = axum::body::to_bytes(body, 10_000).await.unwrap();
        (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn names_the_field_and_the_line_in_the_form_of_rfc_9457() {
        let (head, body) = body(Problem::invalid("/topics/2", "a topic has no spaces").on_line(7)).await;
        assert_eq!(head.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(
            body,
            json!({
                "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "invalid_field",
                "detail": "a topic has no spaces", "pointer": "/topics/2", "line": 7
            })
        );
    }

    #[tokio::test]
    async fn a_missing_key_is_told_how_to_send_one() {
        let (head, body) = body(Problem::unauthorized()).await;
        assert_eq!(head.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(body["code"], "unauthorized");
    }

    #[tokio::test]
    async fn a_storage_failure_says_when_to_come_back_and_not_what_broke() {
        let cause = store::Error::Storage(Arc::new(io::Error::other("disk /dev/sda1 is on fire")));
        let (head, body) = body(cause.into()).await;
        assert_eq!(head.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(head.headers()[RETRY_AFTER], RETRY_AFTER_SECS);
        assert!(body["request_id"].as_str().unwrap().starts_with("req_"));
        assert!(!body.to_string().contains("sda1"));
    }
}
