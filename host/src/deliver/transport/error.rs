//! Why a POST got no complete answer, with the class and the sentence that the delivery log shows.

use super::connect::ConnectError;
use crate::model::{AttemptError, AttemptErrorClass};

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// There was no connection to send it on.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// URL or headers cannot be written as HTTP/1.1.
    #[error("the request cannot be sent as HTTP: {0}")]
    Request(#[from] http::Error),
    /// No head of an answer within the time for the attempt.
    #[error("the receiver did not answer in time")]
    NoAnswer,
    /// The connection broke before the head of the answer was complete, or it is not HTTP/1.1.
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
    const fn class(&self) -> AttemptErrorClass {
        match self {
            Self::Connect(error) => error.class(),
            Self::Request(_) | Self::Broken(_) | Self::BodyBroken { .. } => AttemptErrorClass::Protocol,
            Self::NoAnswer => AttemptErrorClass::ResponseTimeout,
            Self::BodyTimeout { .. } => AttemptErrorClass::BodyTimeout,
        }
    }

    const fn status(&self) -> Option<u16> {
        match self {
            Self::Connect(_) | Self::Request(_) | Self::NoAnswer | Self::Broken(_) => None,
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
    } else {
        "the receiver closed the connection without an answer".to_owned()
    }
}
