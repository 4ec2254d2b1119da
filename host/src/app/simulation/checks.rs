//! What must hold of every run, whatever happened in it. Each rule is checked against what was seen from outside: on the wire, and
//! in the answers that producers and owners got.

mod limits;
mod order;
mod schedule;
mod store;

use std::collections::HashMap;

use super::outcome::Outcome;
use super::script::Script;
use super::world::{History, Posted, Resend};

/// What was recorded before a kill may be lost with a transaction that was open, and a step of the disk.
const UNRECORDED_MS: u64 = 200;

/// A rule that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) rule: &'static str,
    pub(super) what: String,
}

/// A run that is over.
pub(super) struct Case<'a> {
    pub(super) script: &'a Script,
    pub(super) history: &'a History,
    pub(super) outcome: &'a Outcome,
    /// The requests of each delivery, in their order.
    posts: HashMap<String, Vec<&'a Posted>>,
}

pub(super) type Rule = (&'static str, fn(&Case<'_>) -> Result<(), String>);

/// All rules, by their names.
pub(super) const RULES: &[Rule] = &[
    ("nothing accepted is lost", store::nothing_accepted_is_lost),
    ("each delivery ends in one state", store::each_delivery_ends),
    ("the log has what was sent", store::the_log_has_what_was_sent),
    ("every attempt sends the same bytes, signed now", store::bytes_are_the_same),
    ("statistics are those of the log", store::statistics_are_those_of_the_log),
    ("operations are told of each delivery that is given up", store::operations_are_told),
    ("nothing is left at the end", store::nothing_is_left),
    ("the store is read for a reason", store::reads_have_a_reason),
    ("limits are never exceeded", limits::limits_are_kept),
    ("undelivered work is bounded", limits::work_is_bounded),
    ("an inactive endpoint gets nothing", limits::inactive_endpoints_get_nothing),
    ("lines are in order", order::lines_are_in_order),
    ("no attempt comes early", schedule::no_attempt_comes_early),
    ("no attempt comes late", schedule::no_attempt_comes_late),
    ("a receiver that is down is only probed", schedule::down_receivers_are_only_probed),
];

pub(super) fn check(script: &Script, history: &History, outcome: &Outcome) -> Result<(), Violation> {
    let mut posts = HashMap::<_, Vec<_>>::new();
    for post in &history.posts {
        posts.entry(format!("{}/{}", post.event, post.ordinal)).or_default().push(post);
    }
    let case = Case { script, history, outcome, posts };
    RULES.iter().try_for_each(|(rule, check)| check(&case).map_err(|what| Violation { rule, what }))
}

impl Case<'_> {
    /// The requests of a delivery.
    fn posts(&self, event: &str, ordinal: u16) -> &[&Posted] {
        self.posts.get(&format!("{event}/{ordinal}")).map_or(&[], Vec::as_slice)
    }

    /// Whether the record of what happened in this life at this time may be lost.
    fn may_be_forgotten(&self, life: usize, at: u64) -> bool {
        let life = &self.history.lives[life];
        let killed = life.was_killed && life.ended.is_some_and(|ended| at + UNRECORDED_MS >= ended);
        killed || life.broken_at.is_some_and(|broken| at + UNRECORDED_MS >= broken)
    }

    /// Whether somebody had this delivery sent again, or may have.
    fn was_resent(&self, event: &str, ordinal: u16, endpoint: usize) -> bool {
        self.history.resends.iter().any(|resent| match &resent.what {
            Resend::Retry { event: of, ordinal: nth, .. } => of == event && *nth == ordinal,
            Resend::Recovery { endpoint: to } => *to == endpoint,
            Resend::Replay { .. } | Resend::Cancel { .. } => false,
        })
    }

    fn was_cancelled(&self, event: &str, ordinal: u16) -> bool {
        self.history.resends.iter().any(|resent| {
            matches!(&resent.what, Resend::Cancel { event: of, ordinal: nth } if of == event && *nth == ordinal)
        })
    }
}

/// An error unless it holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
