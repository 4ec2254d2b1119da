//! CloudEvents 1.0 into events.
//!
//! - The event's `data` is the whole CloudEvent in its JSON format: whatever mode it came in, no attribute is lost, and what
//!   came as JSON is kept byte for byte.
//! - `type` is the topic and `time` the timestamp.
//! - A CloudEvent is named by `source` and `id` together, and both may be of any length and have any character. The event's id
//!   is made of both ([`event_id`]), so that the same CloudEvent is always the same event.
//! - The extension `hookwaytenant` is the tenant.
//!
//! [`structured`]: one JSON object, also as an element of a batch. [`binary`]: attributes in headers, payload in the body.

pub(super) mod binary;
pub(super) mod structured;

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::event::{timestamp, topic};
use crate::http::{Caller, Problem};
use crate::model::{EventId, TenantId, TraceContext, UnixMs};
use crate::store::NewEvent;

/// The only version there is of 1.x: 1.0.1 and 1.0.2 say `1.0` too.
const VERSION: &str = "1.0";
/// The extension that says whose the event is. Names of extensions have letters and digits only.
const TENANT: &str = "hookwaytenant";

/// Where a CloudEvent's attributes are, so that a problem can name one.
trait Attributes {
    /// The value of an attribute; `None` if it is not set.
    ///
    /// # Errors
    /// 422 if it is no text.
    fn text(&self, name: &str) -> Result<Option<String>, Problem>;

    /// 422 about this attribute.
    fn refuse(&self, name: &str, detail: &dyn Display) -> Problem;

    /// An attribute that has to be there and not be empty.
    fn required(&self, name: &str, hint: &str) -> Result<String, Problem> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.refuse(name, &format!("it is missing: {hint}")))
    }
}

/// The event that a CloudEvent with these attributes is; `data` is all of it.
///
/// # Errors
/// 422 for the first attribute that is missing or cannot be taken; 403 for a tenant that the caller may not post for.
fn event(
    attributes: &impl Attributes,
    data: Bytes,
    caller: &Caller,
    now: UnixMs,
) -> Result<NewEvent, Problem> {
    let refuse = |name, error: &dyn Display| attributes.refuse(name, error);
    let version = attributes.required("specversion", "the version of CloudEvents, `1.0`")?;
    if version != VERSION {
        return Err(refuse("specversion", &format!("only version {VERSION} is read here")));
    }
    let kind = attributes
        .required("type", "what happened, which is the topic, for example `com.example.order.created`")?;
    let source =
        attributes.required("source", "where it happened, a URI reference, for example `/shops/1`")?;
    let id = attributes.required("id", "what tells this event from all others of its source")?;
    for (name, text) in [("source", &source), ("id", &id)] {
        if text.chars().any(char::is_control) {
            return Err(refuse(name, &"a text of a CloudEvent has no control characters"));
        }
    }
    let time = attributes.text("time")?;
    let tenant = attributes.text(TENANT)?.map(|text| text.parse::<TenantId>()).transpose();
    let tenant = tenant.map_err(|error| refuse(TENANT, &error))?;
    Ok(NewEvent {
        id: Some(event_id(&source, &id)),
        idempotency_key: None,
        tenant: caller.posting_tenant(tenant)?,
        topic: topic(&kind).map_err(|error| refuse("type", &error))?,
        timestamp: time.as_deref().map(timestamp).transpose().map_err(|error| refuse("time", &error))?,
        received_at: now,
        data,
        test_of: None,
        trace: trace(attributes),
    })
}

/// Where it stands in a trace, by the extension for that (distributed tracing). Nothing is refused for it.
fn trace(attributes: &impl Attributes) -> Option<Arc<TraceContext>> {
    let text = |name| attributes.text(name).ok().flatten();
    let (parent, state) = (text("traceparent")?, text("tracestate"));
    let states = state.iter().map(String::as_bytes);
    TraceContext::of_headers([parent.as_bytes()].into_iter(), states).map(Arc::new)
}

/// `ce_` and base64url of SHA-256 over source, a line break and id: what receivers get as `webhook-id`, which has no room for
/// either.
fn event_id(source: &str, id: &str) -> EventId {
    let hash = Sha256::digest(format!("{source}\n{id}"));
    let text = format!("ce_{}", URL_SAFE_NO_PAD.encode(hash));
    text.parse().expect("46 letters, digits, `_` and `-`")
}

#[cfg(test)]
mod tests;
