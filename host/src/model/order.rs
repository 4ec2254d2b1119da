//! Which deliveries of an endpoint go one after another.
//!
//! An endpoint with an order has lines: the deliveries of one line go one after another, those of different lines at the
//! same time. Without a key the whole endpoint is one line.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Far longer than the way to any customer's id, and short enough for a log line.
const MAX_BYTES: usize = 256;
/// As far as `json` looks.
const MAX_STEPS: usize = 32;

/// Where in `data` the value stands by which an endpoint orders: a JSON pointer (RFC 6901) of at most 256 bytes and 32
/// steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderingKey {
    pointer: Arc<str>,
    order: OrderId,
}

/// Why a text is no ordering key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderingKeyError {
    /// More than 256 bytes.
    #[error("an ordering key has at most {MAX_BYTES} bytes")]
    TooLong,
    /// More than 32 steps.
    #[error("an ordering key has at most {MAX_STEPS} steps")]
    TooManySteps,
    /// Not what RFC 6901 calls a pointer.
    #[error(
        "an ordering key is a JSON pointer (RFC 6901) into `data`, for example `/customer/id`; in a name, `~` is \
         written `~0` and `/` is written `~1`"
    )]
    NoPointer,
}

/// An order that an endpoint may ask for, as a number: equal for those that ask for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderId(u64);

/// Deliveries of an endpoint that go one after another. Two values by which it is ordered may share a line, which orders
/// more than was asked for and nothing less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The order that it is a line of.
    pub order: OrderId,
    /// What its values are hashed to.
    pub key: u128,
}

impl OrderingKey {
    /// The pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pointer
    }

    /// The order by this key.
    #[must_use]
    pub const fn order(&self) -> OrderId {
        self.order
    }
}

impl FromStr for OrderingKey {
    type Err = OrderingKeyError;

    fn from_str(text: &str) -> Result<Self, OrderingKeyError> {
        if text.len() > MAX_BYTES {
            return Err(OrderingKeyError::TooLong);
        }
        let is_escaped = |rest: &str| rest.starts_with(['0', '1']);
        let well_formed = text.is_empty() || text.starts_with('/');
        if !well_formed || !text.split('~').skip(1).all(is_escaped) {
            return Err(OrderingKeyError::NoPointer);
        }
        if text.split('/').skip(1).count() > MAX_STEPS {
            return Err(OrderingKeyError::TooManySteps);
        }
        Ok(Self { pointer: text.into(), order: OrderId::by(text) })
    }
}

impl TryFrom<String> for OrderingKey {
    type Error = OrderingKeyError;

    fn try_from(text: String) -> Result<Self, OrderingKeyError> {
        text.parse()
    }
}

impl From<OrderingKey> for String {
    fn from(key: OrderingKey) -> Self {
        key.pointer.as_ref().to_owned()
    }
}

impl fmt::Display for OrderingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pointer)
    }
}

impl OrderId {
    /// The whole endpoint is one line.
    pub const WHOLE: Self = Self(1);

    /// The first bit keeps it apart from the few numbers that mean something else.
    fn by(pointer: &str) -> Self {
        let first = Sha256::digest(pointer).into_iter().take(8);
        Self(first.fold(0, |number, byte| number << 8 | u64::from(byte)) | 1 << 63)
    }

    /// As it is stored.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// As it was stored.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// How many deliveries of one line may be among `limit`, so that a long line leaves room for others.
    #[must_use]
    pub fn share(self, limit: usize) -> usize {
        if self == Self::WHOLE { limit } else { (limit / 8).max(1) }
    }
}

impl Line {
    /// The only line of an endpoint that is ordered as a whole.
    pub const WHOLE: Self = Self { order: OrderId::WHOLE, key: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_an_ordering_key_and_kept_as_it_was_written() {
        for text in ["", "/", "/customer/id", "/items/0", "/a~1b/m~0n", "/ü", &"/a".repeat(32)] {
            let key: OrderingKey = text.parse().unwrap();
            assert_eq!(key.as_str(), text);
            assert_ne!(key.order(), OrderId::WHOLE);
        }
    }

    #[test]
    fn what_is_no_pointer_or_too_long_is_refused() {
        for text in ["customer", "customer/id", "/a~", "/a~2", "/~~0", "#/a"] {
            assert_eq!(text.parse::<OrderingKey>(), Err(OrderingKeyError::NoPointer), "{text}");
        }
        let long = format!("/{}", "a".repeat(256));
        assert_eq!(long.parse::<OrderingKey>(), Err(OrderingKeyError::TooLong));
        assert_eq!("/a".repeat(33).parse::<OrderingKey>(), Err(OrderingKeyError::TooManySteps));
    }

    #[test]
    fn the_number_of_an_order_is_that_of_its_pointer() {
        let order = |text: &str| text.parse::<OrderingKey>().unwrap().order();
        assert_eq!(order("/a"), order("/a"));
        assert_ne!(order("/a"), order("/b"));
        // It is stored: another number would have every backlog indexed again.
        assert_eq!(order("/customer/id").as_u64(), 0xee2e_5f87_032c_3679);
    }
}
