//! What came out of a sample, and how it differs from what its author says.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::model::Topic;
use crate::plugins::judge::Decision;
use crate::plugins::manifest::{Asked, Expected, ExpectedBody};
use crate::plugins::text::clean;

/// A body in a sentence.
const SHOWN: usize = 200;

/// What a plugin made of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SampleOutcome {
    /// Of an event.
    Judged {
        /// What would become of the delivery.
        decision: Decision,
        /// The body that the event has where nobody changes it.
        envelope: Bytes,
    },
    /// Of the topics of a sample: which of them its patterns accept.
    Matched {
        /// These are accepted.
        accepts: Vec<Topic>,
        /// These are not.
        rejects: Vec<Topic>,
    },
    /// It could not be asked.
    Unanswered(String),
}

impl SampleOutcome {
    /// The body that would be sent; none if nothing would.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Judged { decision: Decision::Send(custom), envelope } => {
                Some(custom.as_ref().map_or(envelope, |custom| &custom.body))
            }
            Self::Judged { .. } | Self::Matched { .. } | Self::Unanswered(_) => None,
        }
    }

    /// Why there is no answer; none if there is one.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        match self {
            Self::Judged {
                decision: Decision::Hold { message, .. } | Decision::Refuse { message, .. },
                ..
            }
            | Self::Unanswered(message) => Some(message),
            Self::Judged { .. } | Self::Matched { .. } => None,
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub fn verdict(&self) -> String {
        match self {
            Self::Judged { decision: Decision::Send(None), .. } => "delivered as it is".to_owned(),
            Self::Judged { decision: Decision::Send(Some(custom)), .. } => {
                format!("delivered with a body of {} bytes", custom.body.len())
            }
            Self::Judged { decision: Decision::Drop { reason, .. }, .. } => format!("dropped: {reason}"),
            Self::Judged {
                decision: Decision::Hold { message, .. } | Decision::Refuse { message, .. },
                ..
            } => {
                format!("failed: {message}")
            }
            Self::Matched { accepts, rejects } => {
                format!("{} of {} topics accepted", accepts.len(), accepts.len() + rejects.len())
            }
            Self::Unanswered(message) => format!("failed: {message}"),
        }
    }
}

/// How what came out differs from what is expected, as `expects this, but that`; none if it does not.
pub(in crate::plugins) fn problem(asked: &Asked, outcome: &SampleOutcome) -> Option<String> {
    match (asked, outcome) {
        (Asked::Event { expect, .. }, SampleOutcome::Judged { decision, .. })
            if is_met(expect, decision, outcome) =>
        {
            None
        }
        (Asked::Event { expect, .. }, _) => {
            Some(format!("expects {}, but {}", expectation(expect), got(outcome)))
        }
        (
            Asked::Topics { patterns, accepts, .. },
            SampleOutcome::Matched { accepts: accepted, rejects: rejected },
        ) => {
            let patterns = shown(&patterns.join("`, `"));
            let missing = accepts.iter().find(|topic| rejected.contains(topic));
            let missing =
                missing.map(|topic| format!("expects that `{patterns}` accepts `{topic}`, but it does not"));
            missing.or_else(|| {
                let extra = accepted.iter().find(|topic| !accepts.contains(topic))?;
                Some(format!("expects that `{patterns}` does not accept `{extra}`, but it does"))
            })
        }
        (Asked::Topics { .. }, _) => Some(format!("expects answers about topics, but {}", got(outcome))),
    }
}

fn is_met(expected: &Expected, decision: &Decision, outcome: &SampleOutcome) -> bool {
    match (expected, decision) {
        (Expected::Deliver, Decision::Send(_))
        | (Expected::Drop, Decision::Drop { .. })
        | (Expected::Unchanged, Decision::Send(None)) => true,
        (Expected::Body(expected), Decision::Send(_)) => {
            let body = outcome.body().map(|body| &**body).unwrap_or_default();
            match expected {
                ExpectedBody::Text(text) => body == text.as_bytes(),
                ExpectedBody::Json(json) => {
                    serde_json::from_slice::<Json>(body).is_ok_and(|body| body == *json)
                }
            }
        }
        _ => false,
    }
}

fn expectation(expected: &Expected) -> String {
    match expected {
        Expected::Deliver => "`deliver`".to_owned(),
        Expected::Drop => "`drop`".to_owned(),
        Expected::Unchanged => "`unchanged`".to_owned(),
        Expected::Body(ExpectedBody::Text(text)) => format!("the body `{}`", shown(text)),
        Expected::Body(ExpectedBody::Json(json)) => format!("the body `{}`", shown(&json.to_string())),
    }
}

fn got(outcome: &SampleOutcome) -> String {
    match outcome {
        SampleOutcome::Judged { decision, .. } => match decision {
            Decision::Send(None) => "the plugin delivers the event as it is".to_owned(),
            Decision::Send(Some(custom)) => {
                format!("the plugin makes the body `{}`", shown(&String::from_utf8_lossy(&custom.body)))
            }
            Decision::Drop { reason, .. } => format!("the plugin drops the event: {reason}"),
            Decision::Hold { message, .. } | Decision::Refuse { message, .. } => {
                format!("the plugin fails: {message}")
            }
        },
        SampleOutcome::Matched { .. } => "the plugin answers about topics".to_owned(),
        SampleOutcome::Unanswered(message) => format!("the plugin cannot be asked: {message}"),
    }
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", clean(&short))
}
