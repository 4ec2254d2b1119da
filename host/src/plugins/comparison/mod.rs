//! What two versions of a plugin say of one event, held against each other. Pure.
//!
//! - What counts is what a receiver would get. A drop is a drop, whatever its reason, and a failure is none.
//! - Bytes matter to signatures and not to meaning: JSON that says the same in other bytes is [`Sameness::Equivalent`].
//! - Whatever is said of a difference is bounded, however large the bodies are.

mod body;
mod headers;
mod json;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::body::BodyDifference;
pub use self::headers::{HeaderDifference, HeaderEffect};
pub use self::json::JsonChange;
use super::judge::Decision;
use crate::model::{CustomRequest, Event};

/// What one version says of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[schemars(rename = "PluginAnswer")]
pub enum Answered {
    /// It is delivered.
    Deliver {
        /// As the version made it, or, if `None`, as it is. Not told in a [`Comparison`], which says what differs.
        #[serde(skip)]
        request: Option<Arc<CustomRequest>>,
    },
    /// It is dropped.
    Drop {
        /// Why.
        reason: String,
    },
    /// The version has no answer; what becomes of the event, its binding says.
    Fail {
        /// How it failed, in a sentence.
        message: String,
    },
}

/// How much alike two answers are to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PluginSameness")]
pub enum Sameness {
    /// Byte for byte.
    Same,
    /// It means the same: JSON of the same value in other bytes, or a drop or failure for another reason.
    Equivalent,
    /// It gets something else, or one of the two lets nothing through.
    Different,
}

/// What the version that is live and one that may follow it say of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PluginComparison")]
pub struct Comparison {
    /// How much alike they are.
    pub sameness: Sameness,
    /// What the live version says.
    pub live: Answered,
    /// What the candidate says.
    pub candidate: Answered,
    /// How the bodies differ, where both versions deliver.
    pub body: Option<BodyDifference>,
    /// The headers that differ, by name, where both versions deliver.
    pub headers: Vec<HeaderDifference>,
}

impl Answered {
    /// The same without what is delivered.
    #[must_use]
    fn in_brief(&self) -> Self {
        match self {
            Self::Deliver { .. } => Self::Deliver { request: None },
            other @ (Self::Drop { .. } | Self::Fail { .. }) => other.clone(),
        }
    }
}

impl From<Decision> for Answered {
    /// A plugin that is bound with `on_failure` other than `hold` decides in spite of its failure.
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Send(request) => Self::Deliver { request },
            Decision::Drop { reason, .. } => Self::Drop { reason },
            Decision::Hold { message, .. } | Decision::Refuse { message, .. } => Self::Fail { message },
        }
    }
}

impl Comparison {
    /// Compares what two versions say of this event.
    #[must_use]
    pub fn of(event: &Event, live: &Answered, candidate: &Answered) -> Self {
        let (sameness, body, headers) = match (live, candidate) {
            (Answered::Deliver { request: live }, Answered::Deliver { request: candidate }) => {
                requests(event, live.as_deref(), candidate.as_deref())
            }
            (Answered::Drop { reason: a }, Answered::Drop { reason: b })
            | (Answered::Fail { message: a }, Answered::Fail { message: b }) => {
                (if a == b { Sameness::Same } else { Sameness::Equivalent }, None, Vec::new())
            }
            (Answered::Deliver { .. } | Answered::Drop { .. } | Answered::Fail { .. }, _) => {
                (Sameness::Different, None, Vec::new())
            }
        };
        Self { sameness, live: live.in_brief(), candidate: candidate.in_brief(), body, headers }
    }
}

fn requests(
    event: &Event,
    live: Option<&CustomRequest>,
    candidate: Option<&CustomRequest>,
) -> (Sameness, Option<BodyDifference>, Vec<HeaderDifference>) {
    if live.is_none() && candidate.is_none() {
        return (Sameness::Same, None, Vec::new());
    }
    let body_of = |request: Option<&CustomRequest>| {
        request.map_or_else(|| event.envelope(), |request| request.body.clone())
    };
    let (sameness, body) = body::compare(&body_of(live), &body_of(candidate));
    let headers = headers::compare(live, candidate);
    (if headers.is_empty() { sameness } else { Sameness::Different }, body, headers)
}
