//! Receivers that do what a script says: answer, refuse, hang, break off, or ask for time.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::model::{AttemptError, AttemptErrorClass, AttemptOutcome, Header, UnixMs};

/// The time for a whole attempt, after which the gateway gives up.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How a receiver behaves for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Answers 200 within so many milliseconds.
    Fine(u64),
    /// Answers 200 after seconds.
    Slow,
    /// One of the others each time.
    Moody,
    /// Answers with a status that is a failure.
    Status(u16),
    /// Answers 429, and says how many seconds to wait.
    Busy(u32),
    /// Answers 503, and says until when.
    BusyUntil(u32),
    Gone,
    Hangs,
    Resets,
    Refuses,
    /// Begins an answer that never ends.
    HalfAnswers,
}

/// What a receiver does with one request.
#[derive(Debug, Clone)]
pub(super) struct Reaction {
    pub(super) takes: Duration,
    pub(super) outcome: AttemptOutcome,
    /// How long it asks to be left alone, counted from the end of the attempt.
    pub(super) asks_for: Option<Duration>,
}

impl Mode {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        match rng.random_range(0..16) {
            0..5 => Self::Fine(rng.random_range(1..200)),
            5 => Self::Slow,
            6..9 => Self::Moody,
            9 => Self::Status([500, 502, 404, 400, 301, 408][rng.random_range(0..6)]),
            10 => Self::Busy(rng.random_range(1..400)),
            11 => Self::BusyUntil(rng.random_range(1..400)),
            12 if rng.random_ratio(1, 3) => Self::Gone,
            12 | 13 => Self::Hangs,
            14 => Self::Resets,
            _ => [Self::Refuses, Self::HalfAnswers][rng.random_range(0..2)],
        }
    }

    /// What it does now. `wall` is the time that the gateway has on its wall.
    pub(super) fn react(self, rng: &mut StdRng, wall: UnixMs) -> Reaction {
        let ms = |ms| Duration::from_millis(ms);
        match self {
            Self::Fine(most) => answer(ms(rng.random_range(0..most)), 200),
            Self::Slow => answer(ms(rng.random_range(1_000..10_000)), 200),
            Self::Moody => {
                let others = [
                    Self::Fine(50),
                    Self::Fine(500),
                    Self::Status(500),
                    Self::Resets,
                    Self::Slow,
                    Self::Busy(3),
                    Self::HalfAnswers,
                ];
                others[rng.random_range(0..others.len())].react(rng, wall)
            }
            Self::Status(status) => answer(ms(rng.random_range(0..100)), status),
            Self::Busy(seconds) => {
                let asks_for = Some(Duration::from_secs(seconds.into()));
                asking(answer(ms(5), 429), &seconds.to_string(), asks_for)
            }
            Self::BusyUntil(seconds) => {
                let takes = ms(rng.random_range(0..50));
                let until = wall.after(takes + Duration::from_secs(seconds.into())).as_secs();
                let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(until));
                let wait = UnixMs(until * 1000).since(wall.after(takes));
                asking(answer(takes, 503), &date, Some(wait).filter(|wait| !wait.is_zero()))
            }
            Self::Gone => answer(ms(3), 410),
            Self::Hangs => failure(TIMEOUT, AttemptErrorClass::ResponseTimeout, None),
            Self::Resets => failure(ms(rng.random_range(0..30)), AttemptErrorClass::Protocol, None),
            Self::Refuses => failure(Duration::ZERO, AttemptErrorClass::Connect, None),
            Self::HalfAnswers => failure(TIMEOUT, AttemptErrorClass::BodyTimeout, Some(200)),
        }
    }
}

fn answer(takes: Duration, status: u16) -> Reaction {
    let outcome =
        AttemptOutcome::Answered { status, headers: Vec::new(), body: Bytes::new(), truncated: false };
    Reaction { takes, outcome, asks_for: None }
}

fn asking(mut reaction: Reaction, value: &str, asks_for: Option<Duration>) -> Reaction {
    if let AttemptOutcome::Answered { headers, .. } = &mut reaction.outcome {
        headers.push(Header { name: "retry-after".into(), value: value.to_owned().into() });
    }
    Reaction { asks_for, ..reaction }
}

fn failure(takes: Duration, class: AttemptErrorClass, status: Option<u16>) -> Reaction {
    let message = class.name().to_owned();
    Reaction {
        takes,
        outcome: AttemptOutcome::Failed(AttemptError { class, message, status }),
        asks_for: None,
    }
}
