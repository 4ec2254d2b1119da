//! In which form events come, by the headers of the request.

use http::HeaderMap;

use super::cloudevent::binary;
use crate::http::{Problem, is_media_type};

/// One event or many, and how each is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The body is one event.
    One(Single),
    /// The body has many.
    Many(Plural),
}

/// How a body is one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single {
    /// `application/json`, or nothing said.
    Json,
    /// `application/cloudevents+json`.
    CloudEvent,
    /// Any other type with `ce-` headers: the payload of a CloudEvent, whose attributes are the headers.
    Binary,
}

/// How a body has many events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plural {
    /// `application/x-ndjson`: one a line.
    NdJson,
    /// `application/cloudevents-batch+json`: an array of CloudEvents.
    CloudEvents,
}

impl Form {
    /// The form of a request with these headers. As the HTTP binding of CloudEvents has it, the type is asked first, and
    /// then whether there are headers of a CloudEvent.
    ///
    /// # Errors
    /// 415 for any other.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let is = |media| is_media_type(headers, media);
        if is("application/cloudevents+json") {
            Ok(Self::One(Single::CloudEvent))
        } else if is("application/cloudevents-batch+json") {
            Ok(Self::Many(Plural::CloudEvents))
        } else if binary::is_meant(headers) {
            Ok(Self::One(Single::Binary))
        } else if is("application/x-ndjson") {
            Ok(Self::Many(Plural::NdJson))
        } else if is("application/json") || !headers.contains_key(http::header::CONTENT_TYPE) {
            Ok(Self::One(Single::Json))
        } else {
            Err(Problem::unsupported(
                "the `Content-Type` is not read here; send `application/json` or, for many events, `application/x-ndjson`; \
                 CloudEvents are read as `application/cloudevents+json`, as `application/cloudevents-batch+json` and in \
                 `ce-` headers",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn form(headers: &[(&'static str, &'static str)]) -> Result<Form, StatusCode> {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        };
        Form::of(&headers.iter().map(pair).collect()).map_err(|problem| problem.status())
    }

    #[test]
    fn the_type_is_asked_before_the_headers_of_a_cloud_event() {
        assert_eq!(form(&[]), Ok(Form::One(Single::Json)));
        assert_eq!(form(&[("content-type", "Application/JSON; charset=utf-8")]), Ok(Form::One(Single::Json)));
        assert_eq!(form(&[("content-type", "application/x-ndjson")]), Ok(Form::Many(Plural::NdJson)));
        let structured = ("content-type", "application/cloudevents+json; charset=utf-8");
        assert_eq!(form(&[structured, ("ce-specversion", "1.0")]), Ok(Form::One(Single::CloudEvent)));
        assert_eq!(
            form(&[("content-type", "application/cloudevents-batch+json")]),
            Ok(Form::Many(Plural::CloudEvents))
        );
        for kind in ["application/json", "image/png", "application/x-ndjson"] {
            assert_eq!(
                form(&[("content-type", kind), ("ce-id", "1")]),
                Ok(Form::One(Single::Binary)),
                "{kind}"
            );
        }
        assert_eq!(form(&[("ce-specversion", "1.0")]), Ok(Form::One(Single::Binary)));
        for kind in ["text/plain", "", "application/cloudevents+avro", "application/json+x"] {
            assert_eq!(form(&[("content-type", kind)]), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kind}");
        }
        let avro = [("content-type", "application/cloudevents+avro"), ("ce-id", "1")];
        assert_eq!(form(&avro), Err(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
