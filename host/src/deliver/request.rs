//! From a job to the exact headers and bytes of its POST.
//!
//! Every attempt of a delivery sends the same body; timestamp, signatures and attempt number are made anew. What is
//! built here is all that goes out, `host` and `content-length` included, so the log shows the request as it was.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use url::{Position, Url};

use super::sign;
use crate::model::{CustomRequest, Endpoint, Header, Job, UnixMs};

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
    /// The request for the next attempt of a job at this time; `None` if the endpoint lacks an active secret.
    #[must_use]
    pub fn new(job: &Job, endpoint: &Endpoint, at: UnixMs) -> Option<Self> {
        let custom = job.custom.as_deref();
        let body = custom.map_or_else(|| job.event.envelope(), |custom| custom.body.clone());
        let signatures = sign::signatures(endpoint, &job.event.id, at, &body)?;
        let mut headers = Headers::default();
        headers.set("host", &endpoint.url[Position::BeforeHost..Position::AfterPort]);
        headers.set("user-agent", USER_AGENT);
        headers.set("accept-encoding", "identity");
        headers.set(
            "content-type",
            custom.and_then(|c| c.content_type.as_deref()).unwrap_or("application/json"),
        );
        headers.set("content-length", &body.len().to_string());
        headers.set("webhook-id", job.event.id.as_str());
        headers.set("webhook-timestamp", &at.as_secs().to_string());
        headers.set("webhook-signature", &signatures.standard);
        headers.set("hookway-delivery-id", &job.delivery.to_string());
        headers.set("hookway-topic", &job.event.topic.to_string());
        headers.set("hookway-attempt", &(u32::from(job.attempts) + 1).to_string());
        if job.event.test_of.is_some() {
            headers.set("hookway-test", "true");
        }
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

#[derive(Debug, Default)]
struct Headers(Vec<Header>);

impl Headers {
    fn set(&mut self, name: &str, value: &(impl AsRef<[u8]> + ?Sized)) {
        let value = value.as_ref().to_vec();
        match self.0.iter_mut().find(|header| header.name == name) {
            Some(header) => header.value = value,
            None => self.0.push(Header { name: name.to_owned(), value }),
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
                    self.set(name.as_str(), &header.value);
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
