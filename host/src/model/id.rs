//! Ids: prefixed, ordered by time, free of `.` (the Standard Webhooks separator), 128 bits inside.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of this kind: expected `{prefix}` and 26 characters, for example `{example}`")]
pub struct IdError {
    text: String,
    prefix: &'static str,
    example: &'static str,
}

/// A ULID that is written with a fixed prefix. The macro is the one place that knows how.
macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u128);

        impl $name {
            /// The 128 bits: 48 of milliseconds since 1970, 80 of randomness.
            #[must_use]
            pub const fn as_u128(self) -> u128 {
                self.0
            }

            /// The id with these 128 bits.
            #[must_use]
            pub const fn from_u128(bits: u128) -> Self {
                Self(bits)
            }

            /// A new id for this time and these 80 bits of randomness (the higher bits of `random` are ignored).
            #[must_use]
            pub const fn new(at: super::UnixMs, random: u128) -> Self {
                Self(Ulid::from_parts(at.0, random).0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "[0-7][0-9A-HJKMNP-TV-Z]{25}$"),
                    "examples": [concat!($prefix, "01JDB6ZK3V8M2Q4R5S6T7V8W9X")],
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), Ulid(self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(parse_ulid)
                    .map(Self)
                    .ok_or_else(|| IdError {
                        text: shorten(text),
                        prefix: $prefix,
                        example: concat!($prefix, "01JDB6ZK3V8M2Q4R5S6T7V8W9X"),
                    })
            }
        }
    };
}

prefixed_id!(
    /// Where an event stands in the store: assigned at the durable commit, rising in commit order.
    EventKey, "evt_"
);
prefixed_id!(
    /// An endpoint.
    EndpointId, "ep_"
);
prefixed_id!(
    /// A signing secret of an endpoint.
    SecretId, "sec_"
);
prefixed_id!(
    /// The part of an API key that is no secret.
    KeyId, "key_"
);
prefixed_id!(
    /// A recovery: the job that has a range of an endpoint's events sent again.
    RecoveryId, "rec_"
);

impl EventKey {
    /// The first key that an event accepted at this time may have.
    #[must_use]
    pub const fn first_at(at: super::UnixMs) -> Self {
        const MAX_MS: u64 = (1 << 48) - 1;
        let ms = if at.0 < MAX_MS { at.0 } else { MAX_MS };
        Self::new(super::UnixMs(ms), 0)
    }

    /// When the event was accepted: the 48 bits of milliseconds.
    #[must_use]
    pub const fn time(self) -> super::UnixMs {
        super::UnixMs(Ulid(self.0).timestamp_ms())
    }
}

/// A delivery: the event's key and which of its deliveries this is, so that the id alone finds both rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId {
    /// The event that is delivered.
    pub event: EventKey,
    /// Counts the deliveries of that event from 0.
    pub ordinal: u16,
}

impl JsonSchema for DeliveryId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "DeliveryId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^dlv_[0-7][0-9A-HJKMNP-TV-Z]{25}_(0|[1-9][0-9]{0,4})$",
            "examples": ["dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0"],
        })
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dlv_{}_{}", Ulid(self.event.0), self.ordinal)
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let (ulid, ordinal) = text.strip_prefix("dlv_")?.split_once('_')?;
            let id = Self { event: EventKey(parse_ulid(ulid)?), ordinal: ordinal.parse().ok()? };
            (id.ordinal.to_string() == ordinal).then_some(id)
        };
        parse().ok_or_else(|| IdError {
            text: shorten(text),
            prefix: "dlv_",
            example: "dlv_01JDB6ZK3V8M2Q4R5S6T7V8W9X_0",
        })
    }
}

/// Only the canonical spelling, so that one id has one text.
fn parse_ulid(text: &str) -> Option<u128> {
    let ulid = Ulid::from_string(text).ok()?;
    (ulid.to_string() == text).then_some(ulid.0)
}

/// Error messages repeat what the user sent, but never a megabyte of it.
fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::UnixMs;

    proptest! {
        /// Cursors of lists are ids.
        #[test]
        fn every_id_has_one_text_and_every_text_one_id_or_none(bits: u128, ordinal: u16, text in "(dlv_|evt_|ep_)?.{0,30}") {
            let (event, delivery) = (EventKey(bits), DeliveryId { event: EventKey(bits), ordinal });
            prop_assert_eq!(event.to_string().parse(), Ok(event));
            prop_assert_eq!(delivery.to_string().parse(), Ok(delivery));
            if let Ok(event) = text.parse::<EventKey>() {
                prop_assert_eq!(event.to_string(), text.as_str());
            }
            if let Ok(delivery) = text.parse::<DeliveryId>() {
                prop_assert_eq!(delivery.to_string(), text);
            }
        }
    }

    #[test]
    fn text_round_trips_and_carries_its_prefix() {
        let id = EndpointId::new(UnixMs(1_700_000_000_000), 42);
        let text = id.to_string();
        assert!(text.starts_with("ep_"), "{text}");
        assert_eq!(text.parse(), Ok(id));
        assert!(text.parse::<EventKey>().is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let early = EventKey::new(UnixMs(1), u128::MAX);
        let late = EventKey::new(UnixMs(2), 0);
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
    }

    #[test]
    fn a_delivery_id_names_its_event() {
        let id = DeliveryId { event: EventKey::new(UnixMs(7), 9), ordinal: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().replace("_12", "_012").parse::<DeliveryId>().is_err());
        assert!("dlv_".parse::<DeliveryId>().is_err());
    }

    #[test]
    fn only_one_spelling_is_an_id() {
        let text = EndpointId::new(UnixMs(1_700_000_000_000), 42).to_string();
        assert!(text.to_lowercase().parse::<EndpointId>().is_err());
        assert!(format!("{text}0").parse::<EndpointId>().is_err());
    }
}
