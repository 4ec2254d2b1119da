//! HTTP headers of a delivery, and which of them nobody but the gateway may set.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// What frames the message or belongs to the connection: RFC 9110, 7.6.1, and the headers that trick proxies.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];
const RESERVED_PREFIXES: [&str; 3] = ["hookway-", "proxy-", "webhook-"];

/// An HTTP header, its name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name.
    pub name: Cow<'static, str>,
    /// The value; not always UTF-8. May be a part of a larger buffer.
    pub value: Bytes,
}

impl Header {
    /// Whether a header of this name (in lower case) is the gateway's or the connection's: neither a plugin nor an
    /// endpoint's owner may set or remove it.
    #[must_use]
    pub fn is_reserved(name: &str) -> bool {
        RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    }
}
