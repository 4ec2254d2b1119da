//! Points in time as the gateway stores and compares them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z. Shown and serialised to people as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The point `wait` later; stays at the end of time rather than wrapping.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The point `wait` earlier; stays at the beginning of time rather than wrapping.
    #[must_use]
    pub fn before(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` until this point; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds since 1970, as `webhook-timestamp` wants them.
    #[must_use]
    pub fn as_secs(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        let timestamp = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{timestamp:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_with_milliseconds() {
        assert_eq!(UnixMs(1_710_513_000_000).to_string(), "2024-03-15T14:30:00.000Z");
        assert_eq!(UnixMs(u64::MAX).to_string().len(), "9999-12-30T22:00:00.999Z".len());
    }

    #[test]
    fn never_wraps() {
        assert_eq!(UnixMs(u64::MAX).after(Duration::from_secs(1)), UnixMs(u64::MAX));
        assert_eq!(UnixMs(5).before(Duration::from_secs(1)), UnixMs(0));
        assert_eq!(UnixMs(5).since(UnixMs(9)), Duration::ZERO);
    }
}
