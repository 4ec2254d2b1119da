//! The span of a request that has something sent again. It is in the trace of whoever asks, and has a link to the event's: the attempts
//! that follow go on there.

use http::StatusCode;

use crate::model::Event;
use crate::traces::{RequestTrace, Span};

/// Tells that an event is sent again, as was asked for at this route; `about` says more of it.
pub(super) fn resent(request: &RequestTrace, route: &str, event: &Event, about: impl FnOnce(Span) -> Span) {
    let Some(answered) = request.answered() else { return };
    let Some(original) = answered.event(event) else { return };
    let span = answered.own_span(route, StatusCode::ACCEPTED).about(event).link(&original.dispatched().0);
    answered.record(about(span));
}
