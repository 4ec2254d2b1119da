//! Requests to others, through the gateway: `wasi:http` in the shape that a plugin needs.
//!
//! Needs the grant `http`: in the plugin's manifest,
//!
//! ```toml
//! [grants]
//! http = { hosts = ["api.example.com:443"], timeout_ms = 2000, max_response_kb = 256, max_requests = 2 }
//! ```
//!
//! and the same hosts in the gateway's configuration, `[plugins.grants.NAME] http = { hosts = [...] }`. A plugin that uses this
//! module is not loaded without. The event waits for the answer, so ask for little and keep what you can (see [`crate::kv`]).
//!
//! A redirect is an answer like any other and is not followed. In unit tests there is no network: a request is
//! [`Error::Denied`], unless the test answers it with `testing::answer`.

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request is made by `send`"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer. The gateway's log has the sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not to this host or address, or not once more in this call.
    #[error("the request is not allowed: {0}")]
    Denied(String),
    /// Not in time.
    #[error("no answer in time: {0}")]
    Timeout(String),
    /// Request or answer are larger than they may be.
    #[error("too large: {0}")]
    TooLarge(String),
    /// The URL, the method or a header cannot be sent.
    #[error("the request cannot be sent: {0}")]
    Invalid(String),
    /// Anything else: the name, the connection, TLS, or what came back.
    #[error("no answer: {0}")]
    Failed(String),
}

impl Request {
    /// A `GET` of this URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` to this URL.
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", url).body(body)
    }

    /// A request with another method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A header more. `host` and what belongs to the connection are the gateway's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Its body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Its method, as it was given.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its URL, as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its headers, in their order.
    #[must_use]
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The bytes of its body.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.body
    }

    /// Makes the request and waits for the whole answer.
    ///
    /// # Errors
    /// There is none.
    pub fn send(&self) -> Result<Answer, Error> {
        crate::source::http::send(self)
    }
}
