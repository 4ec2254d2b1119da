//! The filter of an endpoint: conditions over an event as JSON, without a plugin.
//!
//! ```json
//! {"event": {"$startsWith": "orders/"}, "data": {"order": {"total": {"$gte": 100}}, "/items/0/sku": "x"}}
//! ```
//!
//! Objects mirror the event; its roots are `data`, `event` (the topic), `event_id`, `tenant`, `timestamp` and
//! `metadata` (the endpoint's). The rules, each of which a row of the tables in `docs/filters.md` shows and a test runs:
//!
//! - *All of it.* Several keys, and several operators beside each other, must all hold. `$and`, `$or` and `$not` stand at
//!   any level. A key that starts with `/` is a JSON pointer (RFC 6901) from there. A scalar or an array is `$eq`.
//! - *Missing keys.* Every test is false for them. The negations `$ne`, `$nin`, `$not` and `"$exists": false` are exactly
//!   the opposite of their positive, and so true.
//! - *Types.* Nothing is converted. Values of different types are never equal, and neither is greater.
//! - *Numbers* compare by value and exactly, however long they are; *texts* by code point; *times* (`timestamp`) as times.
//! - *Arrays.* A test holds for an array if it holds for the whole of it or for one of its elements; a key looks into the
//!   objects of an array. Every test stands alone: two of them may be met by two elements. A pointer goes one way only.
//! - *`null`* is a value. *Objects* compare deeply, the order of keys is without meaning.
//! - *Nothing is guessed.* Whatever can never hold or is not understood is refused with its place when the filter is set.
//!
//! - *Bounded work.* An event for which a filter takes too much of it does not pass, and the reason says so.
//!
//! Pure. Evaluation allocates nothing for what it passes by; the reason is worked out for events that do not pass.

mod error;
mod explain;
mod parse;
mod place;
mod test;

use std::cell::Cell;
use std::collections::BTreeMap;

pub use self::error::{Error, Reason};
use self::place::Place;
use self::test::Test;
use crate::json::Subject;
use crate::model::Endpoint;

/// What one judgement may cost, in values looked at: about a tenth of a second, and nobody else runs on the thread.
const MAX_WORK: usize = 1 << 20;
/// What a pattern costs for each byte that it searches: linear in the text, but also in the size of the pattern.
const WORK_PER_SEARCHED_BYTE: usize = 64;

/// A filter that was checked and is ready to judge.
#[derive(Debug)]
pub struct Filter(Condition);

/// What a filter looks at.
struct View<'a> {
    subject: &'a Subject,
    metadata: &'a BTreeMap<String, String>,
    work: Work,
}

/// What is left of the work of one judgement.
struct Work(Cell<Option<usize>>);

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Place, Test),
}

impl Filter {
    /// The filter in this JSON text.
    ///
    /// # Errors
    /// The first thing that is not understood or can never hold, with its place.
    pub fn parse(json: &str) -> Result<Self, Error> {
        parse::filter(json).map(Self)
    }

    /// Whether the event may go to the endpoint.
    ///
    /// # Errors
    /// The condition that failed, in words: `data.order.total: 40 is not >= 100`.
    pub fn judge(&self, subject: &Subject, endpoint: &Endpoint) -> Result<(), String> {
        let view = || View { subject, metadata: &endpoint.metadata, work: Work::default() };
        let judged = view();
        let holds = self.0.holds(&judged);
        if judged.work.is_exceeded() {
            return Err("the event is too large for this filter: it would take too long to judge".to_owned());
        }
        if holds { Ok(()) } else { Err(explain::refusal(&self.0, &view())) }
    }
}

impl Condition {
    fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|condition| condition.holds(view)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(view)),
            Self::Not(condition) => !condition.holds(view),
            Self::Test(place, test) => {
                place.any(view, &mut |value| test.accepted(value, &view.work).is_some())
            }
        }
    }
}

impl Work {
    /// Whether there is enough left; from the first time that there is not, there is none.
    fn spend(&self, work: usize) -> bool {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(work)));
        !self.is_exceeded()
    }

    const fn is_exceeded(&self) -> bool {
        self.0.get().is_none()
    }
}

impl Default for Work {
    fn default() -> Self {
        Self(Cell::new(Some(MAX_WORK)))
    }
}

#[cfg(test)]
mod tests;
