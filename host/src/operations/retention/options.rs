//! What an operator may set.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer};

/// Less than this is filled by what is in each store.
const LEAST_BYTES: u64 = 64 << 20;

/// How long and how much is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Events that were accepted longer ago are removed once they are over. 0: whatever their age. Default 0.
    #[serde(deserialize_with = "max_age")]
    pub max_age: Duration,
    /// Bytes that the store may take on its disk; before it takes more, the oldest events that are over are removed. 0: any
    /// number. Default 0.
    #[serde(deserialize_with = "max_bytes")]
    pub max_bytes: u64,
}

/// With days, unlike other durations: people think of this one in them.
fn max_age<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    span.and_then(Duration::try_from).map_err(|error| {
        serde::de::Error::custom(format!("`retention.max_age` is a time such as `30d` or `12h`: {error}"))
    })
}

fn max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    if bytes > 0 && bytes < LEAST_BYTES {
        let sentence =
            format!("`retention.max_bytes` is at least {LEAST_BYTES} bytes (64 MiB), or 0 for any number");
        return Err(serde::de::Error::custom(sentence));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_no_store_can_keep_is_refused() {
        let parse = |text: &str| toml::from_str::<Options>(text);
        let options = parse("max_age = \"30d\"\nmax_bytes = 1073741824").unwrap();
        assert_eq!(options, Options { max_age: Duration::from_hours(30 * 24), max_bytes: 1 << 30 });
        assert!(parse("max_age = \"-1h\"").is_err() && parse("max_age = \"soon\"").is_err());
        assert_eq!(parse("max_age = \"0s\"").unwrap(), Options::default());
        assert_eq!(parse("max_bytes = 0").unwrap(), Options::default());
        let error = parse("max_bytes = 1000").unwrap_err().to_string();
        assert!(error.contains("at least 67108864 bytes"), "{error}");
    }
}
