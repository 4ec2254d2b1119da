//! What a request says about its body: content type and encoding.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Problem;

/// What a body is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/json`, or nothing said.
    Json,
    /// `application/x-ndjson`: a JSON text per line.
    NdJson,
}

/// The type of the body; its parameters do not matter, as JSON is always UTF-8.
///
/// # Errors
/// 415 for any other.
pub fn media_type(headers: &HeaderMap) -> Result<Media, Problem> {
    let Some(essence) = essence(headers) else { return Ok(Media::Json) };
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(Media::Json)
    } else if essence.eq_ignore_ascii_case("application/x-ndjson") {
        Ok(Media::NdJson)
    } else {
        Err(Problem::unsupported(
            "the `Content-Type` is not read here; send `application/json` or, for many events, `application/x-ndjson`",
        ))
    }
}

/// Whether the body is of this type, whatever its parameters.
#[must_use]
pub fn is_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    essence(headers).is_some_and(|essence| essence.eq_ignore_ascii_case(wanted))
}

/// The type without its parameters; `None` when nothing is said.
fn essence(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(text.split(';').next().unwrap_or_default().trim())
}

/// Compressed bodies are not read: a few kilobytes can unpack to gigabytes.
///
/// # Errors
/// 415 for any encoding but `identity`.
pub fn refuse_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(Problem::unsupported("compressed bodies are not read; send the body without `Content-Encoding`"))
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn json_is_what_is_sent_when_nothing_is_said() {
        assert_eq!(media_type(&HeaderMap::new()), Ok(Media::Json));
        assert_eq!(media_type(&with(CONTENT_TYPE, "Application/JSON; charset=utf-8")), Ok(Media::Json));
        assert_eq!(media_type(&with(CONTENT_TYPE, "application/x-ndjson")), Ok(Media::NdJson));
        for other in ["text/plain", "", "application/json+x", "multipart/form-data; x=application/json"] {
            let problem = media_type(&with(CONTENT_TYPE, other)).unwrap_err();
            assert_eq!(problem.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{other}");
        }
        let toml = with(CONTENT_TYPE, "application/TOML;charset=utf-8");
        assert!(is_media_type(&toml, "application/toml") && !is_media_type(&toml, "application/json"));
        assert!(!is_media_type(&HeaderMap::new(), "application/toml"));
    }

    #[test]
    fn compressed_bodies_are_refused() {
        assert_eq!(refuse_encoding(&HeaderMap::new()), Ok(()));
        assert_eq!(refuse_encoding(&with(CONTENT_ENCODING, "identity")), Ok(()));
        for other in ["gzip", "identity, gzip", ""] {
            assert!(refuse_encoding(&with(CONTENT_ENCODING, other)).is_err(), "{other}");
        }
    }
}
