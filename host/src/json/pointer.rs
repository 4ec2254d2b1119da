//! The tokens of JSON pointers (RFC 6901).

use std::borrow::Cow;

/// Real documents nest a few levels. Each level on the way may cost one pass over the rest of the document, inside a
/// host call that no deadline interrupts, so the way is bounded.
pub const MAX_STEPS: usize = 32;

/// The key in a token of a pointer: `~1` is `/` and `~0` is `~`; any other `~` is malformed.
#[must_use]
pub fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut parts = token.split('~');
    let mut key = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = (part.chars().next()?, part.get(1..)?);
        key.push(match escaped {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        key.push_str(rest);
    }
    Some(Cow::Owned(key))
}

/// The token of a pointer for a key.
#[must_use]
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The place in an array: digits without leading zeros. `-`, the element after the last, never exists.
pub(super) fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    (canonical && token.bytes().all(|b| b.is_ascii_digit())).then(|| token.parse().ok())?
}
