//! Why a POST got no complete answer, with the class and the sentence that the delivery log shows.

use std::error::Error as _;

use super::connect::ConnectError;
use crate::model::{AttemptError, AttemptErrorClass};

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// There was no connection to send it on.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Another attempt that was to connect for this one as well did not succeed.
    #[error("{}", .0.message)]
    Shared(AttemptError),
    /// Another attempt was to connect for this one as well, and had not done so in time.
    #[error("no connection to the receiver in time")]
    NoConnection,
    /// URL or headers cannot be written as HTTP.
    #[error("the request cannot be sent as HTTP: {0}")]
    Request(#[from] http::Error),
    /// No head of an answer within the time for the attempt.
    #[error("the receiver did not answer in time")]
    NoAnswer,
    /// The connection broke before the head of the answer was complete, or what came is not HTTP.
    #[error("{}", sentence(.0))]
    Broken(#[source] hyper::Error),
    /// The answer's body did not end within the time for the attempt.
    #[error("the receiver answered {status}, but its answer did not end in time")]
    BodyTimeout { status: u16 },
    /// The connection broke within the answer's body.
    #[error("the receiver answered {status}, but the connection broke before the answer was complete")]
    BodyBroken {
        status: u16,
        #[source]
        source: hyper::Error,
    },
}

impl SendError {
    fn class(&self) -> AttemptErrorClass {
        match self {
            Self::Connect(error) => error.class(),
            Self::Shared(error) => error.class,
            Self::NoConnection => AttemptErrorClass::ConnectTimeout,
            Self::Broken(error) if error.is_timeout() => AttemptErrorClass::ResponseTimeout,
            Self::Request(_) | Self::Broken(_) | Self::BodyBroken { .. } => AttemptErrorClass::Protocol,
            Self::NoAnswer => AttemptErrorClass::ResponseTimeout,
            Self::BodyTimeout { .. } => AttemptErrorClass::BodyTimeout,
        }
    }

    const fn status(&self) -> Option<u16> {
        match self {
            Self::Connect(_)
            | Self::Shared(_)
            | Self::NoConnection
            | Self::Request(_)
            | Self::NoAnswer
            | Self::Broken(_) => None,
            Self::BodyTimeout { status } | Self::BodyBroken { status, .. } => Some(*status),
        }
    }
}

impl From<SendError> for AttemptError {
    fn from(error: SendError) -> Self {
        Self { class: error.class(), message: error.to_string(), status: error.status() }
    }
}

fn sentence(error: &hyper::Error) -> String {
    if error.is_parse_too_large() {
        "the headers of the answer are too large: at most 100 of them and 64 KiB together are read".to_owned()
    } else if error.is_parse() {
        format!("the receiver's answer is not HTTP/1.1: {error}")
    } else if error.is_timeout() {
        "the receiver was silent, and did not acknowledge a ping on its HTTP/2 connection".to_owned()
    } else if let Some(error) = error.source().and_then(|source| source.downcast_ref()) {
        http2_sentence(error)
    } else {
        "the receiver closed the connection without an answer".to_owned()
    }
}

/// Never with what the receiver wrote into its GOAWAY: that is text of a stranger.
fn http2_sentence(error: &h2::Error) -> String {
    let reason = error.reason().map_or_else(|| "no reason".to_owned(), |reason| reason.to_string());
    match (error.is_remote(), error.is_go_away()) {
        (true, true) => format!("the receiver ended its HTTP/2 connection without an answer: {reason}"),
        (true, false) => format!("the receiver reset the HTTP/2 request without an answer: {reason}"),
        (false, _) => format!(
            "the receiver's answer is not HTTP/2, or its headers are larger than the 16 KiB that are read: {reason}"
        ),
    }
}
