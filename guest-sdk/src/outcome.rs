//! What a plugin answers.

/// A filter's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The event goes to the endpoint, unless another filter drops it.
    Deliver,
    /// It does not; the reason stands in the delivery log (the first 1 KiB of it).
    Drop(String),
}

/// A transform's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Send what would be sent without this transform.
    Unchanged,
    /// Send this instead.
    Replace(Request),
    /// Send nothing; the reason stands in the delivery log (the first 1 KiB of it).
    Drop(String),
}

/// What is sent instead. The URL and the method cannot be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The body that is signed and sent; at most 1 MiB.
    pub body: Vec<u8>,
    /// `content-type`; `None` leaves it as it is.
    pub content_type: Option<String>,
    /// Headers to add or replace: at most 32, 4 KiB each. The gateway refuses `host`, `content-length`,
    /// `transfer-encoding`, `connection` and other hop-by-hop names, `webhook-*` and `hookway-*`.
    pub set_headers: Vec<(String, Vec<u8>)>,
    /// Headers to leave out.
    pub remove_headers: Vec<String>,
}

/// Why a call could not be answered. What happens then is the `on_failure` of the binding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// This event can never be handled: retrying would not help.
    #[error("{0}")]
    Invalid(String),
    /// Something passing: the gateway tries again later.
    #[error("{0}")]
    Retry(String),
}

impl Verdict {
    /// [`Verdict::Drop`] with this reason.
    pub fn drop(reason: impl Into<String>) -> Self {
        Self::Drop(reason.into())
    }
}

impl Outcome {
    /// [`Outcome::Replace`] with this body and nothing else changed.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        Self::Replace(Request { body: body.into(), ..Request::default() })
    }

    /// [`Outcome::Drop`] with this reason.
    pub fn drop(reason: impl Into<String>) -> Self {
        Self::Drop(reason.into())
    }
}

impl Error {
    /// [`Error::Invalid`] with this message.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// [`Error::Retry`] with this message.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::Retry(message.into())
    }
}

impl From<serde_json::Error> for Error {
    /// JSON that a plugin cannot read stays unreadable: [`Error::Invalid`].
    fn from(error: serde_json::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}
