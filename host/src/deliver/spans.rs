//! The span of an attempt, by the conventions of OpenTelemetry for clients of HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! Of the URL it has scheme, host and port: with many receivers the path is the credential.

use url::{Position, Url};

use crate::model::{Attempt, AttemptOutcome, DeliveryState, Endpoint, Event, Job, SpanId, TraceContext};
use crate::traces::{Kind, Moment, Span, Traces};

/// What stands for a path, and for whatever is behind it.
const REDACTED: &str = "/REDACTED";

/// An attempt that is under way.
pub(super) struct Attempting {
    place: (TraceContext, Option<SpanId>),
    begun: Moment,
}

impl Attempting {
    /// That of a job with this event; `None` if there are no traces.
    pub(super) fn begin(traces: &Traces, event: &Event) -> Option<Self> {
        Some(Self { place: traces.of(event)?.below(), begun: traces.now()? })
    }

    /// Where it is, which the receiver is told.
    pub(super) const fn place(&self) -> &TraceContext {
        &self.place.0
    }

    /// It is over, and the delivery is in this state now.
    pub(super) fn end(
        self,
        traces: &Traces,
        job: &Job,
        endpoint: &Endpoint,
        (attempt, state): (&Attempt, &DeliveryState),
    ) {
        let (at, parent) = &self.place;
        if !at.is_sampled() {
            return;
        }
        let span = Span::new("POST", Kind::Client, at, *parent, (self.begun, self.begun.end()))
            .with("http.request.method", "POST")
            .with("url.full", shown(&endpoint.url))
            .with("server.address", endpoint.url.host_str().unwrap_or_default())
            .with("server.port", endpoint.url.port_or_known_default().unwrap_or_default())
            .about(&job.event)
            .with("hookway.delivery.id", job.delivery.to_string())
            .with("hookway.delivery.state", state.name())
            .with("hookway.endpoint.id", endpoint.id.to_string())
            .with("hookway.attempt", attempt.number);
        let span = match attempt.number {
            0 | 1 => span,
            number => span.with("http.request.resend_count", number - 1),
        };
        let span = match attempt.outcome.status() {
            Some(status) => span.with("http.response.status_code", status),
            None => span,
        };
        traces.record(match &attempt.outcome {
            AttemptOutcome::Failed(error) => span.failed(error.class.name()),
            AttemptOutcome::Answered { status, .. } if !attempt.outcome.is_success() => {
                span.failed(status.to_string())
            }
            AttemptOutcome::Answered { .. } => span,
        });
    }
}

/// A URL without what may be a secret.
fn shown(url: &Url) -> String {
    let (scheme, host) = (url.scheme(), &url[Position::BeforeHost..Position::AfterPort]);
    let rest = if url[Position::BeforePath..].len() > 1 { REDACTED } else { "/" };
    format!("{scheme}://{host}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_that_may_be_a_secret() {
        for (url, expected) in [
            ("https://hooks.example.com", "https://hooks.example.com/"),
            ("https://hooks.example.com:8443/", "https://hooks.example.com:8443/"),
            ("https://hooks.example.com/services/T0/B0/s3cret", "https://hooks.example.com/REDACTED"),
            ("https://user:s3cret@hooks.example.com/?token=s3cret", "https://hooks.example.com/REDACTED"),
            ("http://[::1]:8080/a#s3cret", "http://[::1]:8080/REDACTED"),
        ] {
            assert_eq!(shown(&url.parse().unwrap()), expected);
        }
    }
}
