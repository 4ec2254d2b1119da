//! In which form requests are signed: as Standard Webhooks ask, and for receivers that are yet to move there, in the form that
//! they know from a sender before Hookway as well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SigningKey;

/// The signature that a request carries beside that of Standard Webhooks. Only symmetric secrets make one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "style", rename_all = "kebab-case")]
pub enum SignatureStyle {
    /// None.
    #[default]
    Standard,
    /// HMAC-SHA256 of the body in hex, as GitHub does it.
    HmacHex {
        /// The header, in lower case.
        header: String,
        /// What stands before the hex; may be empty.
        prefix: String,
    },
    /// `t=<seconds>,v1=<hex>`: HMAC-SHA256 of `<seconds>.<body>`, as Stripe does it.
    Timestamped {
        /// The header, in lower case.
        header: String,
    },
}

impl SignatureStyle {
    /// The header that is added for it.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Standard => None,
            Self::HmacHex { header, .. } | Self::Timestamped { header } => Some(header),
        }
    }

    /// Whether a key can make what this style asks for.
    #[must_use]
    pub const fn takes(&self, key: &SigningKey) -> bool {
        match self {
            Self::Standard => true,
            Self::HmacHex { .. } | Self::Timestamped { .. } => key.as_hmac().is_some(),
        }
    }
}
