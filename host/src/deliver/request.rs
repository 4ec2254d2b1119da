//! From a job to the exact headers and bytes of its POST.
//!
//! Every attempt of a delivery sends the same body; timestamp, signatures and attempt number are made anew. What is
//! built here is all that goes out, `host` and `content-length` included, so the log shows the request as it was.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use url::{Position, Url};

use super::sign;
use crate::model::{CustomRequest, Endpoint, Header, Job, TraceContext, UnixMs};

const USER_AGENT: &str = concat!("Hookway/", env!("CARGO_PKG_VERSION"));

/// One POST, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Where it goes.
    pub url: Url,
    /// Every header, in the order of the wire.
    pub headers: Vec<Header>,
    /// The body that was signed.
    pub body: Bytes,
    /// The time for the whole attempt; `None` = the transport's.
    pub timeout: Option<Duration>,
}

impl Post {
    /// The request for the next attempt of a job at this time, below this span; `None` if the endpoint lacks an active secret.
    #[must_use]
    pub fn new(job: &Job, endpoint: &Endpoint, at: UnixMs, span: Option<&TraceContext>) -> Option<Self> {
        let custom = job.custom.as_deref();
        let body = custom.map_or_else(|| job.event.envelope(), |custom| custom.body.clone());
        let signatures = sign::signatures(endpoint, &job.event.id, at, &body)?;
        let content_type = custom.and_then(|custom| custom.content_type.as_deref());
        let mut own = OwnHeaders::new();
        own.add("host", &&endpoint.url[Position::BeforeHost..Position::AfterPort]);
        own.add("user-agent", &USER_AGENT);
        own.add("accept-encoding", &"identity");
        own.add("content-type", &content_type.unwrap_or("application/json"));
        own.add("content-length", &body.len());
        own.add("webhook-id", &job.event.id);
        own.add("webhook-timestamp", &at.as_secs());
        own.add("webhook-signature", &signatures.standard);
        own.add("hookway-delivery-id", &job.delivery);
        own.add("hookway-topic", &job.event.topic);
        own.add("hookway-attempt", &(u32::from(job.attempts) + 1));
        if job.event.test_of.is_some() {
            own.add("hookway-test", &"true");
        }
        if let Some(span) = span {
            own.add("traceparent", span);
            if let Some(state) = &span.state {
                own.add("tracestate", state);
            }
        }
        let mut headers = own.finish();
        headers.add(&endpoint.request.headers);
        if let Some(custom) = custom {
            headers.customise(custom);
        }
        // Last, so that a transform neither replaces nor removes it.
        headers.add(signatures.of_style.as_slice());
        let timeout = endpoint.request.timeout;
        Some(Self { url: endpoint.url.clone(), headers: headers.0, body, timeout })
    }
}

/// The gateway's own headers in the making. Their values lie in one buffer, so that a request and its record cost few
/// allocations.
struct OwnHeaders {
    text: String,
    /// Each with the end of its value.
    names: Vec<(&'static str, usize)>,
}

impl OwnHeaders {
    /// With room for what they usually are.
    fn new() -> Self {
        Self { text: String::with_capacity(384), names: Vec::with_capacity(16) }
    }

    /// Adds one that is not there yet.
    fn add(&mut self, name: &'static str, value: &dyn Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{value}");
        self.names.push((name, self.text.len()));
    }

    fn finish(self) -> Headers {
        let (text, mut begin) = (Bytes::from(self.text), 0);
        let header = |(name, end)| {
            let value = text.slice(std::mem::replace(&mut begin, end)..end);
            Header { name: Cow::Borrowed(name), value }
        };
        Headers(self.names.into_iter().map(header).collect())
    }
}

#[derive(Debug)]
struct Headers(Vec<Header>);

impl Headers {
    fn set(&mut self, name: &str, value: Bytes) {
        match self.0.iter_mut().find(|header| header.name == name) {
            Some(header) => header.value = value,
            None => self.0.push(Header { name: name.to_owned().into(), value }),
        }
    }

    /// What a transform says.
    fn customise(&mut self, custom: &CustomRequest) {
        for name in custom.remove_headers.iter().filter_map(|name| free(name)) {
            self.0.retain(|header| header.name != name.as_str());
        }
        self.add(&custom.set_headers);
    }

    /// The names and values were checked when an owner gave or a transform returned them. They are checked again,
    /// because a stored header that splits a request or replaces a signature must not go out whatever wrote it.
    fn add(&mut self, headers: &[Header]) {
        for header in headers {
            match free(&header.name) {
                Some(name) if HeaderValue::from_bytes(&header.value).is_ok() => {
                    self.set(name.as_str(), header.value.clone());
                }
                _ => tracing::warn!(header = %header.name.escape_debug(), "a custom header was left out"),
            }
        }
    }
}

/// A name that is one, and not the gateway's.
fn free(name: &str) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    (!Header::is_reserved(name.as_str())).then_some(name)
}
