//! The spans of a request with events.
//!
//! The request is one. An event that comes alone is accepted in it. Of many each has one of its own, so that each may be in the trace of
//! whoever made it: events of many producers come together.

use http::StatusCode;

use crate::http::Problem;
use crate::model::{Event, TraceContext};
use crate::store::Accepted;
use crate::traces::{Answered, Kind, RequestTrace, Span};

const ROUTE: &str = "/v1/events";

/// What is told of events that are on stable storage.
pub(super) type Spans = fn(&RequestTrace, &[&Accepted]);

/// An event that came alone.
pub(super) fn one(request: &RequestTrace, accepted: &[&Accepted]) {
    let (Some(answered), [accepted]) = (request.answered(), accepted) else { return };
    let Some(trace) = answered.event(&accepted.event) else { return };
    let span = if accepted.duplicate {
        let parent = answered.parent().map(|parent| parent.span);
        let span = answered.span(&answered.place(), parent, ROUTE, StatusCode::ACCEPTED);
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
    answered.record(about(span, &accepted.event));
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
    let parent = answered.parent().map(|parent| parent.span);
    let span = answered.span(&answered.place(), parent, ROUTE, problem.status());
    answered.record(span.with("hookway.problem", problem.code()));
}

fn many(request: &RequestTrace, accepted: &[&Accepted], status: StatusCode) {
    let Some(answered) = request.answered() else { return };
    let (place, parent) = (answered.place(), answered.parent().map(|parent| parent.span));
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
    answered.record(about(span, event));
}

fn about(span: Span, event: &Event) -> Span {
    span.with("hookway.tenant", event.tenant.as_str())
        .with("hookway.event.id", event.id.as_str())
        .with("hookway.topic", event.topic.as_str())
}
