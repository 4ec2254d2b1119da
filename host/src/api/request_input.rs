//! What callers say about the requests to an endpoint: its headers, its time limit, its retries.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use jiff::fmt::friendly::{Designator, SpanParser, SpanPrinter};

use super::endpoint_input::{at_most, pointer};
use crate::http::Problem;
use crate::model::{Header, RetrySchedule};

/// A request with more is refused by common receivers.
const MAX_HEADERS: usize = 32;
/// Half of what common receivers take for all headers together.
const MAX_HEADER_BYTES: usize = 4096;
/// The upper end of what Standard Webhooks recommends; it also bounds how long a stop of the gateway takes.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
/// Each is an attempt in the log.
const MAX_WAITS: usize = 50;
/// By then the endpoint is deactivated, unless something else arrives there.
const MAX_WAIT: Duration = Duration::from_hours(72);
/// What describes the body belongs to whoever makes the body: the gateway or a transform.
const OF_THE_BODY: [&str; 2] = ["content-encoding", "content-type"];

/// The headers that each request carries, by rising name.
pub(super) fn headers(given: BTreeMap<String, String>) -> Result<Vec<Header>, Problem> {
    at_most(MAX_HEADERS, given.len(), "/headers", "entries")?;
    let mut headers = Vec::<Header>::with_capacity(given.len());
    for (name, value) in given {
        let at = pointer("/headers", &name);
        let header = header(&name, &value).map_err(|reason| Problem::invalid(at.as_str(), reason))?;
        if headers.iter().any(|other| other.name == header.name) {
            let detail = format!("`{}` is given twice; the case of letters makes no difference", header.name);
            return Err(Problem::invalid(at, detail));
        }
        headers.push(header);
    }
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(headers)
}

/// The time for a whole attempt.
pub(super) fn timeout(text: &str) -> Result<Duration, Problem> {
    duration(text, MAX_TIMEOUT).map_err(|reason| Problem::invalid("/timeout", reason))
}

/// The waits between attempts.
pub(super) fn retry(waits: &[String]) -> Result<RetrySchedule, Problem> {
    if waits.is_empty() {
        let detail = "`retry` has at least one wait; `null` takes the schedule of the gateway";
        return Err(Problem::invalid("/retry", detail));
    }
    at_most(MAX_WAITS, waits.len(), "/retry", "waits")?;
    let wait = |(index, text): (usize, &String)| {
        duration(text, MAX_WAIT).map_err(|reason| Problem::invalid(format!("/retry/{index}"), reason))
    };
    Ok(RetrySchedule::new(waits.iter().enumerate().map(wait).collect::<Result<_, _>>()?))
}

/// A duration as it is read here.
pub(super) fn duration_text(duration: &Duration) -> String {
    SpanPrinter::new().designator(Designator::Compact).unsigned_duration_to_string(duration)
}

/// The name in lower case of a header that an owner may set.
pub(super) fn header_name(text: &str) -> Result<String, &'static str> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| "a header's name has letters, digits and `-` only")?;
    if Header::is_reserved(name.as_str()) || OF_THE_BODY.contains(&name.as_str()) {
        return Err("this header is set by the gateway; choose another name");
    }
    Ok(name.as_str().to_owned())
}

/// The reason never repeats the value: it may be a credential.
fn header(name: &str, value: &str) -> Result<Header, &'static str> {
    let name = header_name(name)?;
    if value.len() > MAX_HEADER_BYTES {
        return Err("a header's value has at most 4096 bytes");
    }
    HeaderValue::from_str(value).map_err(|_| "a header's value has no line breaks or control characters")?;
    Ok(Header { name: name.into(), value: value.to_owned().into() })
}

fn duration(text: &str, max: Duration) -> Result<Duration, impl Display + Into<String> + use<>> {
    let parsed = SpanParser::new().parse_unsigned_duration(text).ok();
    parsed.filter(|duration| !duration.is_zero() && *duration <= max).ok_or_else(|| {
        format!(
            "a duration is written as `5s`, `2m` or `1h 30m`, more than 0 and at most {}",
            duration_text(&max)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> Problem {
        headers(BTreeMap::from([(name.to_owned(), value.to_owned())])).expect_err(name)
    }

    #[test]
    fn reserved_and_malformed_headers_are_refused_by_pointer_and_without_their_value() {
        let long = "x".repeat(4097);
        for (name, value) in [
            ("Host", "s3cret"),
            ("content-length", "s3cret"),
            ("Content-Type", "s3cret"),
            ("content-encoding", "s3cret"),
            ("transfer-encoding", "s3cret"),
            ("connection", "s3cret"),
            ("Webhook-Id", "s3cret"),
            ("webhook-anything", "s3cret"),
            ("hookway-attempt", "s3cret"),
            ("proxy-authorization", "s3cret"),
            (":path", "s3cret"),
            ("", "s3cret"),
            ("a b", "s3cret"),
            ("x-\r\nhost", "s3cret"),
            ("x-ä", "s3cret"),
            ("x-a", "s3cret\r\nwebhook-id: 1"),
            ("x-a", "s3cret\0"),
            ("x-a", "s3cret\n"),
            ("x-a", &long),
        ] {
            let problem = refused(name, value);
            assert_eq!(problem.pointer(), Some(pointer("/headers", name).as_str()), "{name:?}");
            assert!(!problem.detail().contains("s3cret"), "{}", problem.detail());
        }
    }

    #[test]
    fn names_are_told_apart_without_their_case() {
        let two = BTreeMap::from([("X-A".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())]);
        assert_eq!(headers(two).unwrap_err().pointer(), Some("/headers/x-a"));
        let many = (0..33).map(|n| (format!("x-{n}"), String::new())).collect();
        assert_eq!(headers(many).unwrap_err().pointer(), Some("/headers"));
        let good = BTreeMap::from([("X-B".to_owned(), "é ".to_owned()), ("a".to_owned(), String::new())]);
        let names: Vec<_> = headers(good).unwrap().into_iter().map(|header| header.name).collect();
        assert_eq!(names, ["a", "x-b"]);
    }

    #[test]
    fn a_timeout_is_more_than_nothing_and_at_most_30_s() {
        assert_eq!(timeout("1500ms").unwrap(), Duration::from_millis(1500));
        assert_eq!(timeout("30s").unwrap(), MAX_TIMEOUT);
        for text in ["0s", "", "30001ms", "-1s", "5", "soon", "1 year"] {
            let problem = timeout(text).expect_err(text);
            assert_eq!(problem.pointer(), Some("/timeout"), "{text}");
            assert!(problem.detail().ends_with("at most 30s"), "{}", problem.detail());
        }
    }

    #[test]
    fn a_retry_schedule_has_1_to_50_waits_of_at_most_three_days() {
        let waits = |texts: &[&str]| retry(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(waits(&["10ms", "72h"]).unwrap().waits(), [Duration::from_millis(10), MAX_WAIT]);
        assert!(waits(&["1s"; 50]).is_ok());
        for (texts, at) in [
            (&[][..], "/retry"),
            (&["1s"; 51], "/retry"),
            (&["1s", "0s"], "/retry/1"),
            (&["73h"], "/retry/0"),
            (&["x"], "/retry/0"),
        ] {
            assert_eq!(waits(texts).unwrap_err().pointer(), Some(at), "{texts:?}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_can_be_written() {
        for text in ["1500ms", "20s", "72h", "90s"] {
            let duration = SpanParser::new().parse_unsigned_duration(text).unwrap();
            let shown = duration_text(&duration);
            assert_eq!(SpanParser::new().parse_unsigned_duration(&shown).unwrap(), duration, "{shown}");
        }
    }
}
