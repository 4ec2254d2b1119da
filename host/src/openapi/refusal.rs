//! Every error that leaves over HTTP, by its stable code. A test holds this list against the source: a code that is not
//! here, or is nowhere used, fails it.

use http::StatusCode;
use serde_json::{Value, json};

/// An error that a route can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// The word for programs.
    pub code: &'static str,
    /// When it is answered, as the rest of a sentence.
    pub when: &'static str,
    /// What the sentence for people says, for example.
    detail: &'static str,
    /// The field that it is about, for example.
    pointer: Option<&'static str>,
}

impl Refusal {
    /// With this status and code, answered when this is so, with a sentence like this.
    #[must_use]
    pub const fn new(
        status: StatusCode,
        code: &'static str,
        when: &'static str,
        detail: &'static str,
    ) -> Self {
        Self { status, code, when, detail, pointer: None }
    }

    /// The same about a field like this.
    const fn at(self, pointer: &'static str) -> Self {
        Self { pointer: Some(pointer), ..self }
    }

    /// What is answered, for example.
    pub(super) fn example(&self) -> Value {
        let mut problem = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Some(pointer) = self.pointer {
            problem["pointer"] = pointer.into();
        }
        if self.status.is_server_error() && ![NOT_READY.code, DISK_FULL.code].contains(&self.code) {
            problem["request_id"] = "req_0123456789abcdef".into();
        }
        problem
    }
}

/// No key, or one that opens nothing.
pub const UNAUTHORIZED: Refusal = Refusal::new(
    StatusCode::UNAUTHORIZED,
    "unauthorized",
    "the API key is missing, unknown or expired",
    "send `Authorization: Bearer hk_...` with an API key; this one is missing, unknown or expired",
);
/// A key that opens other things.
pub const FORBIDDEN: Refusal = Refusal::new(
    StatusCode::FORBIDDEN,
    "forbidden",
    "the key is good, but not for this",
    "only a key with the scope `admin` may do this",
);
/// Nothing of that name, or nothing that the key may know of.
pub const NOT_FOUND: Refusal = Refusal::new(
    StatusCode::NOT_FOUND,
    "not_found",
    "there is nothing of this name, or it belongs to another tenant",
    "there is no endpoint of this id",
);
/// What cannot be read at all.
pub const MALFORMED: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "malformed",
    "the request cannot be read: it is not UTF-8, not valid JSON, or has not exactly one `Host`",
    "this is not valid JSON: expected value at column 1",
);
/// A place in the live tail that is none.
pub const INVALID_LAST_EVENT_ID: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "invalid_last_event_id",
    "`Last-Event-ID` is no id of an event of the stream",
    "`Last-Event-ID` is the `id` of an event of this stream: a number; leave it out to begin now",
);
/// As many live tails as there may be.
pub const TOO_MANY_STREAMS: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_streams",
    "as many streams are open as may be",
    "too many streams are open: at most 32 of one tenant and 256 of all; close one first",
);
/// As many backtests as there may be.
pub const TOO_MANY_BACKTESTS: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "too_many_backtests",
    "another backtest runs",
    "another backtest runs, and there is one at a time: wait for its end, or end it by hanging up",
);
/// Another backup is made.
pub const BACKUP_RUNS: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "backup_runs",
    "another backup is made",
    "another backup is made, and there is one at a time: wait for its end, or end it by hanging up",
);
/// As much undelivered work as there may be.
pub const BACKLOG_FULL: Refusal = Refusal::new(
    StatusCode::TOO_MANY_REQUESTS,
    "backlog_full",
    "as many deliveries of the tenant, or of all tenants, are not over as may be, or the store is full of them; `Retry-After` says \
     when to send it again",
    "the tenant `acme` has 1000000 deliveries with 512000000 bytes that are not over, and may have 1000000 and 4294967296 \
     (0 = any number); send the same again later. What is in the way is in `GET /v1/deliveries` with the states `pending`, \
     `retrying` and `held`",
);
/// A query that cannot be taken.
pub const INVALID_QUERY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "invalid_query",
    "a query parameter is unknown or cannot be taken",
    "a query parameter cannot be taken: limit: `limit` is a number from 1 to 250",
);
/// JSON with too many levels.
pub const TOO_DEEP: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "too_deep",
    "the JSON nests deeper than 64 levels",
    "the JSON nests deeper than 64 levels; flatten it",
);
/// A header that cannot be taken.
pub const INVALID_IDEMPOTENCY_KEY: Refusal = Refusal::new(
    StatusCode::BAD_REQUEST,
    "invalid_idempotency_key",
    "`Idempotency-Key` cannot be taken, or is sent with many events",
    "`Idempotency-Key` is one header of 1 to 255 visible ASCII characters",
);
/// A body that is not all there in time.
pub const TIMEOUT: Refusal = Refusal::new(
    StatusCode::REQUEST_TIMEOUT,
    "timeout",
    "the body was not complete in time",
    "the body was not complete in time; send it faster or in smaller requests",
);
/// A body that is too large.
pub const TOO_LARGE: Refusal = Refusal::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "too_large",
    "the body, or an event in it, has more bytes than the limit, or there are too many events",
    "the body may have at most 1048576 bytes; send less at once",
);
/// A body of another type.
pub const UNSUPPORTED_MEDIA_TYPE: Refusal = Refusal::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported_media_type",
    "the `Content-Type` or the `Content-Encoding` is not read here",
    "the `Content-Type` is not read here; send `application/json`",
);
/// A field that cannot be taken.
pub const INVALID_FIELD: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid_field",
    "a field is missing, unknown or cannot be taken; `pointer` says which",
    "`url` is missing: where deliveries are sent to",
)
.at("/url");
/// A payload that its topic does not allow.
pub const SCHEMA_MISMATCH: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "schema_mismatch",
    "`data` does not satisfy the schema that the catalogue has for the topic",
    "\"three\" is not of type \"integer\"",
)
.at("/data/items/0/quantity");
/// A topic that nobody announced.
pub const UNKNOWN_TOPIC: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "unknown_topic",
    "the topic is not in the catalogue, and the setting `ingest.unknown_topics` is `refuse`",
    "the topic `orders/craeted` is not in the catalogue, and others are refused here",
)
.at("/event");
/// An id that stands for something else.
pub const ID_REUSED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "id_reused",
    "the event id or the idempotency key belongs to an event with other content",
    "this id or idempotency key belongs to the event `order-42`, which has other content; use a new one for a new event",
);
/// A URL that is in use.
pub const URL_TAKEN: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "url_taken",
    "another endpoint of the tenant has this URL",
    "the endpoint `ep_01JDB6ZK3V8M2Q4R5S6T7V8W9X` of this tenant has this URL already; change that one",
)
.at("/url");
/// Somebody else was faster.
pub const CHANGED_MEANWHILE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "changed_meanwhile",
    "another request changed the endpoint or the delivery at the same time",
    "another request changed this endpoint at the same time; read it and send the change again",
);
/// An attempt is being made.
pub const UNDER_WAY: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "under_way",
    "an attempt of the delivery is under way",
    "an attempt of this delivery is under way; see what comes of it, then retry if you still want to",
);
/// Nobody is there to send it to.
pub const ENDPOINT_DELETED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "endpoint_deleted",
    "the endpoint of the delivery was deleted",
    "the endpoint of this delivery was deleted; replay the event to send it to the endpoints of now",
);
/// It was not meant to be sent.
pub const FILTERED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "filtered",
    "the filter of the endpoint or a plugin dropped the delivery",
    "the endpoint's filter does not let it through: data.total: 1 is not >= 100. Once that has changed, replay the event: it is judged anew",
);
/// There is no number for another attempt.
pub const TOO_MANY_ATTEMPTS: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "too_many_attempts",
    "the delivery has had 65535 attempts",
    "the delivery has had 65535 attempts; replay its event instead",
);
/// Nothing waits.
pub const DELIVERY_OVER: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "delivery_over",
    "the delivery is over, so there is nothing to cancel",
    "the delivery is over: it is `delivered`, and nothing of it waits",
);
/// It is sent for the first time.
pub const NOT_DISPATCHED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "not_dispatched",
    "the event was not matched to endpoints yet",
    "the event is not dispatched yet: it is sent for the first time soon; ask again after that",
);
/// One at a time.
pub const RECOVERY_RUNNING: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "recovery_running",
    "the endpoint has a recovery that runs",
    "the recovery `rec_01JDB6ZK3V8M2Q4R5S6T7V8W9X` of this endpoint runs; wait for its end, or cancel it with \
     `POST /v1/recoveries/rec_01JDB6ZK3V8M2Q4R5S6T7V8W9X/cancel`",
);
/// Nothing is left of it to end.
pub const RECOVERY_ENDED: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "recovery_ended",
    "the recovery has ended",
    "the recovery has ended: it is `done`",
);
/// As many secrets as there may be.
pub const TOO_MANY_SECRETS: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "too_many_secrets",
    "the endpoint has 10 secrets already",
    "an endpoint has at most 10 secrets: delete one that has expired and try again",
);
/// A secret that is in use.
pub const SECRET_ACTIVE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "secret_active",
    "the secret has not expired",
    "this secret still signs: expire it first, with `POST` to its `/expire`",
);
/// A topic that is there.
pub const TOPIC_TAKEN: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "topic_taken",
    "the catalogue has this topic already",
    "the catalogue has this topic already; change it with `PATCH /v1/topics/{topic}`",
)
.at("/topic");
/// As many topics as there may be.
pub const CATALOGUE_FULL: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "catalogue_full",
    "the catalogue has as many topics as it may have",
    "the catalogue has at most 5000 topics",
);
/// A name that no plugin may have.
pub const INVALID_PLUGIN_NAME: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "invalid_plugin_name",
    "the name is none that a plugin may have",
    "a plugin name has 1 to 63 characters of a-z, 0-9, `_` and `-`, and starts with a letter or digit",
);
/// A version that cannot go live.
pub const PLUGIN_REFUSED: Refusal = Refusal::new(
    StatusCode::UNPROCESSABLE_ENTITY,
    "plugin_refused",
    "something is wrong with the version, so the one before stays; `detail` says what",
    "the component imports `wasi:keyvalue/store@0.2.0`, which this gateway does not provide",
);
/// A plugin that something would miss.
pub const PLUGIN_IN_USE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "plugin_in_use",
    "endpoints, tenants or the gateway use the plugin",
    "the plugin `redact` is used by all endpoints of tenant `acme`: take it out there first, or delete it all the same with \
     `?force=true`",
);
/// A version that cannot be tried beside the live one.
pub const NOT_A_CANDIDATE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "not_a_candidate",
    "the version cannot be tried in this way beside the live one",
    "this version is live, so there is nothing to try",
);
/// Plugins come in another way here.
pub const PLUGINS_DIR_NOT_WRITABLE: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "plugins_dir_not_writable",
    "the gateway cannot write into the plugin directory",
    "the plugin directory (/etc/hookway/plugins) cannot be written: Read-only file system (os error 30); let the gateway \
     write there, or put the files there in another way",
);
/// Without it nobody could make keys.
pub const LAST_ADMIN_KEY: Refusal = Refusal::new(
    StatusCode::CONFLICT,
    "last_admin_key",
    "it is the last admin key that has not expired",
    "this is the last admin key that has not expired, and without one nobody could make keys; create another admin key first",
);
/// More headers than there may be.
pub const TOO_MANY_HEADERS: Refusal = Refusal::new(
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "too_many_headers",
    "the request has more than 64 headers",
    "a request may have at most 64 headers",
);
/// A fault of the gateway.
pub const INTERNAL: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "internal",
    "the gateway failed; its log has the cause under `request_id`",
    "the gateway failed; its log has the cause under this request id",
);
/// What is asked for is lost.
pub const DAMAGED: Refusal = Refusal::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "damaged",
    "what is stored of it was changed on the disk, so it is not shown",
    "what is stored of it was changed on the disk, so it is not shown; `hookway doctor` says what else was, and a backup may have it",
);
/// The store cannot be used now.
pub const UNAVAILABLE: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "unavailable",
    "the storage is not available now",
    "the storage is not available now; send the same request again later",
);
/// No events are taken now.
pub const NOT_READY: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "not_ready",
    "the gateway takes no events now: it is starting or stopping, its store cannot be written, or its disk is almost full; `checks` \
     says which",
    "the gateway is stopping",
);
/// There is no room for events.
pub const DISK_FULL: Refusal = Refusal::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "disk_full",
    "the disk of the gateway is almost full; what was accepted is delivered all the same",
    "the disk of the gateway is almost full, and it takes no events until there is room again; send the same again later",
);
