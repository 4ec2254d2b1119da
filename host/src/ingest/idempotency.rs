//! The header `Idempotency-Key`: the same request again gets the same answer.

use http::{HeaderMap, StatusCode};

use crate::http::Problem;

const NAME: &str = "idempotency-key";
/// Room for any id in use; it becomes part of a key of the store.
const MAX_LEN: usize = 255;

/// The key of this request, if it has one.
///
/// # Errors
/// 400 if it has more than one, or one that is not 1 to 255 visible ASCII characters.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if visible && (1..=MAX_LEN).contains(&text.len()) && values.next().is_none() => {
            Ok(Some(text.to_owned()))
        }
        _ => Err(problem("`Idempotency-Key` is one header of 1 to 255 visible ASCII characters")),
    }
}

/// Many events have no key in common.
///
/// # Errors
/// 400 if there is one.
pub(super) fn refuse(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(NAME) {
        return Err(problem(
            "`Idempotency-Key` is for one event; in NDJSON give each event an `event_id` instead",
        ));
    }
    Ok(())
}

fn problem(detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        let name = HeaderName::from_static(NAME);
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_key_is_one_header_of_visible_characters() {
        assert_eq!(key(&with(&[])), Ok(None));
        assert_eq!(key(&with(&["order-1.created"])), Ok(Some("order-1.created".to_owned())));
        assert!(key(&with(&["a", "b"])).is_err());
        assert!(key(&with(&[""])).is_err());
        assert!(key(&with(&["a b"])).is_err());
        let mut long = HeaderMap::new();
        long.insert(NAME, HeaderValue::from_str(&"x".repeat(256)).unwrap());
        assert!(key(&long).is_err());
        long.insert(NAME, HeaderValue::from_bytes(b"\xc3\xa4").unwrap());
        assert!(key(&long).is_err());
    }

    #[test]
    fn many_events_have_no_key_in_common() {
        assert_eq!(refuse(&with(&[])), Ok(()));
        assert!(refuse(&with(&["a"])).unwrap_err().detail().contains("event_id"));
    }
}
