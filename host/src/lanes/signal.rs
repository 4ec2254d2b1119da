//! What an attempt says of its receiver, which is not what it says of its delivery. Pure.
//!
//! An answer in time says that the receiver is there, even a `404`: it read this request and did not want it. Down is one that
//! does not answer, breaks off, says that it failed itself (5xx), or says that it has no room now (`408`, `429`).

use std::time::Duration;

use crate::model::{AttemptErrorClass, AttemptOutcome};

/// RFC 9110, 15.5.9: the receiver did not get round to reading the request.
const REQUEST_TIMEOUT: u16 = 408;
/// RFC 6585, 4.
const TOO_MANY_REQUESTS: u16 = 429;

/// What was heard of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It answered, after so long.
    Up(Duration),
    /// It did not, or said that it can do nothing now, after so long.
    Down(Duration),
    /// Nothing was asked of it.
    Nothing,
}

impl Signal {
    /// What an attempt that took so long says.
    #[must_use]
    pub const fn of(outcome: &AttemptOutcome, took: Duration) -> Self {
        match outcome {
            AttemptOutcome::Answered { status: REQUEST_TIMEOUT | TOO_MANY_REQUESTS | 500.., .. } => {
                Self::Down(took)
            }
            AttemptOutcome::Answered { .. } => Self::Up(took),
            // The guard refused it: no packet was sent.
            AttemptOutcome::Failed(error) if matches!(error.class, AttemptErrorClass::Forbidden) => {
                Self::Nothing
            }
            AttemptOutcome::Failed(_) => Self::Down(took),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::AttemptError;

    const TOOK: Duration = Duration::from_millis(7);

    fn answered(status: u16) -> Signal {
        let (headers, body) = (Vec::new(), Bytes::new());
        Signal::of(&AttemptOutcome::Answered { status, headers, body, truncated: false }, TOOK)
    }

    fn failed(class: AttemptErrorClass) -> Signal {
        let error = AttemptError { class, message: String::new(), status: None };
        Signal::of(&AttemptOutcome::Failed(error), TOOK)
    }

    #[test]
    fn a_receiver_that_refuses_a_request_is_up() {
        for status in [200, 204, 301, 400, 401, 404, 409, 410, 413, 422] {
            assert_eq!(answered(status), Signal::Up(TOOK), "{status}");
        }
    }

    #[test]
    fn one_that_fails_or_has_no_room_is_down() {
        for status in [408, 429, 500, 502, 503, 504, 599] {
            assert_eq!(answered(status), Signal::Down(TOOK), "{status}");
        }
        for class in [
            AttemptErrorClass::Dns,
            AttemptErrorClass::Connect,
            AttemptErrorClass::ConnectTimeout,
            AttemptErrorClass::Tls,
            AttemptErrorClass::TlsTimeout,
            AttemptErrorClass::Protocol,
            AttemptErrorClass::ResponseTimeout,
            AttemptErrorClass::BodyTimeout,
        ] {
            assert_eq!(failed(class), Signal::Down(TOOK), "{class:?}");
        }
    }

    #[test]
    fn what_the_guard_refused_says_nothing_of_the_receiver() {
        assert_eq!(failed(AttemptErrorClass::Forbidden), Signal::Nothing);
    }
}
