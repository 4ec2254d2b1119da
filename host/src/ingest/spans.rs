//! The spans of a request with events.
//!
//! The request is one. An event that comes alone is accepted in it. Of many each has one of its own, so that each may be in the trace of
//! whoever made it: events of many producers come together.

use http::StatusCode;

use crate::http::Problem;
use crate::model::{Event, TraceContext};
use crate::store::Accepted;
use crate::traces::{Answered, Kind, RequestTrace};

const ROUTE: &str = "/v1/events";

/// What is told of events that are on stable storage.
pub(super) type Spans = fn(&RequestTrace, &[&Accepted]);

/// An event that came alone.
pub(super) fn one(request: &RequestTrace, accepted: &[&Accepted]) {
    let (Some(answered), [accepted]) = (request.answered(), accepted) else { return };
    let Some(trace) = answered.event(&accepted.event) else { return };
    let span = if accepted.duplicate {
        let span = answered.own_span(ROUTE, StatusCode::ACCEPTED);
        span.link(trace.accepted()).with("hookway.duplicate", true)
    } else {
        let parent = trace.producer().map(|producer| producer.span);
        let span = answered.span(trace.accepted(), parent, ROUTE, StatusCode::ACCEPTED);
        // A CloudEvent may say more than its request.
        let of_request = answered.parent().filter(|parent| trace.producer() != Some(parent));
        match of_request {
            Some(parent) => span.link(parent),
            None => span,
        }
    };
    answered.record(span.about(&accepted.event));
}

/// All of many.
pub(super) fn all(request: &RequestTrace, accepted: &[&Accepted]) {
    many(request, accepted, StatusCode::ACCEPTED);
}

/// Those of many that could be taken.
pub(super) fn each(request: &RequestTrace, accepted: &[&Accepted]) {
    many(request, accepted, StatusCode::OK);
}

/// A request that is answered with a problem.
pub(super) fn refused(request: &RequestTrace, problem: &Problem) {
    let Some(answered) = request.answered() else { return };
    let span = answered.own_span(ROUTE, problem.status());
    answered.record(span.with("hookway.problem", problem.code()));
}

fn many(request: &RequestTrace, accepted: &[&Accepted], status: StatusCode) {
    let Some(answered) = request.answered() else { return };
    let (place, parent) = (answered.place(), answered.parent_span());
    let new: Vec<_> = accepted.iter().filter(|accepted| !accepted.duplicate).collect();
    let span = answered.span(&place, parent, ROUTE, status);
    let duplicates = accepted.len() - new.len();
    answered.record(span.with("hookway.events", new.len()).with("hookway.duplicates", duplicates));
    for accepted in new {
        part(&answered, &place, &accepted.event);
    }
}

/// One event of the request at this place.
fn part(answered: &Answered<'_>, request: &TraceContext, event: &Event) {
    let Some(trace) = answered.event(event) else { return };
    let is_in_request = trace.producer().is_some() && trace.producer() == answered.parent();
    let span = if is_in_request {
        answered.part("accept", Kind::Producer, trace.accepted(), Some(request.span))
    } else {
        let parent = trace.producer().map(|producer| producer.span);
        answered.part("accept", Kind::Producer, trace.accepted(), parent).link(request)
    };
    answered.record(span.about(event));
}
