//! Values that outlive an instance, kept by the gateway apart for each plugin and tenant.
//!
//! Needs the grant `kv`: in the plugin's manifest,
//!
//! ```toml
//! [grants]
//! kv = { max_kb = 1024, ttl_s = 86400 }
//! ```
//!
//! and in the gateway's configuration, `[plugins.grants.NAME] kv = {}`. A plugin that uses this module is not loaded without.
//!
//! A change is seen by every later call at once, and is on stable storage within a tenth of a second. An event may be judged
//! again after a crash, so what a call adds may be added twice; what a preview changes is forgotten after its call. These functions answer only while an event is judged: not in
//! `new`, and not in a topic matcher.
//!
//! In unit tests the values live in the thread of the test, and never expire.

use std::time::Duration;

/// Why something was not done. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key, the value, the time or the number cannot be taken.
    #[error("{0}")]
    Invalid(String),
    /// It would not fit into what is left of the quota.
    #[error("{0}")]
    Full(String),
    /// Not here, too often in this call, or not while the gateway's store takes no writes.
    #[error("{0}")]
    Unavailable(String),
}

/// What is kept under a key; none if there is nothing, or nothing any more.
///
/// # Errors
/// [`Error::Invalid`] for a key that is empty or longer than 256 bytes; [`Error::Unavailable`].
pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    crate::source::kv::get(key)
}

/// Keeps a value of at most 64 KiB under a key, for this long (in whole seconds, at least one), or for as long as the manifest says.
///
/// # Errors
/// [`Error::Invalid`], [`Error::Full`], [`Error::Unavailable`].
pub fn set(key: &str, value: &[u8], ttl: impl Into<Option<Duration>>) -> Result<(), Error> {
    crate::source::kv::set(key, value, seconds(ttl.into()))
}

/// Forgets a key; no error if there is none.
///
/// # Errors
/// [`Error::Invalid`] for the key; [`Error::Unavailable`].
pub fn delete(key: &str) -> Result<(), Error> {
    crate::source::kv::delete(key)
}

/// Adds to the number under a key, in one step, and returns the sum. A key that is not there counts as 0 and is kept for this
/// long; one that is there goes when it would have gone.
///
/// # Errors
/// [`Error::Invalid`] if something else than a number is there, or the sum is none of 64 bits; [`Error::Full`],
/// [`Error::Unavailable`].
pub fn increment(key: &str, delta: i64, ttl: impl Into<Option<Duration>>) -> Result<i64, Error> {
    crate::source::kv::increment(key, delta, seconds(ttl.into()))
}

fn seconds(ttl: Option<Duration>) -> Option<u64> {
    ttl.map(|ttl| ttl.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_keeps_values_as_the_gateway_does() {
        assert_eq!(get("a"), Ok(None));
        set("a", b"41", None).unwrap();
        assert_eq!(increment("a", 1, Duration::from_secs(60)), Ok(42));
        assert_eq!(get("a"), Ok(Some(b"42".to_vec())));
        delete("a").unwrap();
        assert_eq!(increment("a", -1, None), Ok(-1));
        set("a", b"x", None).unwrap();
        assert!(matches!(increment("a", 1, None), Err(Error::Invalid(_))));
        assert!(matches!(get(""), Err(Error::Invalid(_))));
        assert!(matches!(set("b", b"", Duration::from_millis(1)), Err(Error::Invalid(_))));
    }
}
