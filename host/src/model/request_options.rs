//! How the requests to one endpoint differ from those to all others.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Header, RetrySchedule, SignatureStyle};

/// What an endpoint's owner says about its requests.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestOptions {
    /// Headers that each request carries, by rising name. A transform's replace them. Their values are credentials as
    /// often as not: `Debug` does not show them and the log of attempts does not keep them.
    pub headers: Vec<Header>,
    /// The time for a whole attempt; `None` = the gateway's.
    pub timeout: Option<Duration>,
    /// When a failed attempt is repeated; `None` = as the gateway says.
    pub retry: Option<RetrySchedule>,
    /// In which form they are signed. A transform does not change its header.
    pub signature: SignatureStyle,
}

/// What an attempt's record has in place of a value that its endpoint's owner gave.
const REDACTED: Bytes = Bytes::from_static(b"[redacted]");

impl RequestOptions {
    /// Nothing is different.
    pub const NONE: Self =
        Self { headers: Vec::new(), timeout: None, retry: None, signature: SignatureStyle::Standard };

    /// Request headers as the log may keep them: without the values that the owner gave.
    #[must_use]
    pub fn redacted(&self, mut sent: Vec<Header>) -> Vec<Header> {
        for header in sent.iter_mut().filter(|header| self.headers.contains(header)) {
            header.value = REDACTED;
        }
        sent
    }
}

impl fmt::Debug for RequestOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|header| &header.name).collect();
        let Self { headers: _, timeout, retry, signature } = self;
        f.debug_struct("RequestOptions")
            .field("headers", &names)
            .field("timeout", timeout)
            .field("retry", retry)
            .field("signature", signature)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.to_owned().into(), value: value.to_owned().into() }
    }

    #[test]
    fn values_of_the_owner_are_in_no_log() {
        let options =
            RequestOptions { headers: vec![header("authorization", "s3cret")], ..RequestOptions::NONE };
        assert!(!format!("{options:?}").contains("115"), "a value is shown as bytes: {options:?}");
        assert!(!format!("{options:?}").contains("s3cret"));
        let sent = vec![header("host", "a"), header("authorization", "s3cret")];
        assert_eq!(options.redacted(sent), [header("host", "a"), header("authorization", "[redacted]")]);
    }

    #[test]
    fn a_header_that_a_transform_replaced_is_kept_as_it_was_sent() {
        let options = RequestOptions { headers: vec![header("x-shop", "1")], ..RequestOptions::NONE };
        assert_eq!(options.redacted(vec![header("x-shop", "2")]), [header("x-shop", "2")]);
    }
}
