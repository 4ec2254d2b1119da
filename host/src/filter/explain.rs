//! Why an event does not pass, in words: the first condition that failed, with the value that it met.

use super::place::Place;
use super::test::Test;
use super::{Condition, View};
use crate::json::Value;

/// Room for the sentence in a row of the log.
const MAX_REASON_BYTES: usize = 512;
/// How much of a value is shown.
const MAX_VALUE_BYTES: usize = 64;
/// How many conditions are named where all of them are the reason.
const MAX_LISTED: usize = 3;

/// Why the condition does not hold.
pub(super) fn refusal(condition: &Condition, view: &View<'_>) -> String {
    let reason = why(condition, view, false);
    if view.work.is_exceeded() {
        return "a condition failed; to name it would take too long".to_owned();
    }
    clipped(&reason, MAX_REASON_BYTES)
}

/// A value as JSON, the beginning of it if it is long.
pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => clipped(text, MAX_VALUE_BYTES),
        Value::Text(text) => format!("{:?}", clipped(text, MAX_VALUE_BYTES)),
        Value::Array(inside) | Value::Object(inside) => clipped(inside.text(), MAX_VALUE_BYTES),
    }
}

/// Why the condition holds or does not hold, whichever of the two is the case.
fn why(condition: &Condition, view: &View<'_>, holds: bool) -> String {
    match condition {
        Condition::All(all) if holds => listed(all, view, holds, " and "),
        Condition::Any(any) if !holds => listed(any, view, holds, "; "),
        Condition::All(some) | Condition::Any(some) => {
            let decisive = some.iter().find(|condition| condition.holds(view) == holds);
            decisive.map(|condition| why(condition, view, holds)).unwrap_or_default()
        }
        Condition::Not(inner) => why(inner, view, !holds),
        Condition::Test(place, test) => met(place, test, view, holds),
    }
}

fn listed(conditions: &[Condition], view: &View<'_>, holds: bool, joined_by: &str) -> String {
    let mut reasons: Vec<_> =
        conditions.iter().take(MAX_LISTED).map(|condition| why(condition, view, holds)).collect();
    if conditions.len() > MAX_LISTED {
        reasons.push(format!("{} more", conditions.len() - MAX_LISTED));
    }
    reasons.join(joined_by)
}

fn met(place: &Place, test: &Test, view: &View<'_>, holds: bool) -> String {
    let mut first = None;
    let mut others = 0_usize;
    place.any(view, &mut |value| {
        let decisive = if holds { test.accepted(value, &view.work) } else { Some(value.clone()) };
        match (&first, decisive) {
            (None, found) => first = found,
            (Some(_), _) => others += 1,
        }
        false
    });
    match (first, test) {
        (None, _) => format!("{place} is missing"),
        (Some(_), Test::Exists) => format!("{place} is there"),
        (Some(value), _) if others > 0 && !holds => {
            format!("{place}: {} {}, nor is any of {others} more", shown(&value), test.words(false))
        }
        (Some(value), _) => format!("{place}: {} {}", shown(&value), test.words(holds)),
    }
}

fn clipped(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(limit)])
}
