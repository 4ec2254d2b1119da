//! The states of a delivery without their reasons: what lists are filtered by and what statistics count.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a delivery stands, as one word. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum DeliveryStatus {
    /// Waits for its first attempt.
    Pending = 0,
    /// Waits for its next attempt.
    Retrying = 1,
    /// Answered with 2xx.
    Delivered = 2,
    /// Given up.
    Failed = 3,
    /// Stopped by a plugin, a missing secret or an inactive endpoint.
    Held = 4,
    /// Dropped by a filter or a plugin.
    Filtered = 5,
    /// Its endpoint was deleted, or somebody stopped it.
    Cancelled = 6,
}

/// Why a text is not one of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`status` is one of pending, retrying, delivered, failed, held, filtered, cancelled")]
pub struct DeliveryStatusError;

impl DeliveryStatus {
    /// All of them, by their numbers.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Retrying,
        Self::Delivered,
        Self::Failed,
        Self::Held,
        Self::Filtered,
        Self::Cancelled,
    ];

    /// The word that the API and the log use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Filtered => "filtered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The number that is stored.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether nothing will change any more, short of a person asking for it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Failed | Self::Filtered | Self::Cancelled => true,
            Self::Pending | Self::Retrying | Self::Held => false,
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DeliveryStatus {
    type Err = DeliveryStatusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(DeliveryStatusError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back() {
        for status in DeliveryStatus::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            assert_eq!(DeliveryStatus::from_code(status.code()), Some(status));
        }
        assert_eq!(DeliveryStatus::from_code(7), None);
        let error = "done".parse::<DeliveryStatus>().unwrap_err().to_string();
        assert!(DeliveryStatus::ALL.iter().all(|status| error.contains(status.name())), "{error}");
    }
}
