//! What a plugin's calls may take, and numbers within bounds.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::plugins::options::Options;

/// What one call may take. Absent: what the operator's configuration says for all plugins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How long it may take, on the wall clock.
    #[serde(rename = "deadline_ms", deserialize_with = "milliseconds::<1, 60_000, _>")]
    pub deadline: Option<Duration>,
    /// How much linear memory an instance may have.
    #[serde(rename = "memory_mb", deserialize_with = "whole_shifted::<1, 4_096, 20, _>")]
    pub memory_bytes: Option<usize>,
    /// How much the plugin may hand over: a body, its headers and reasons together.
    #[serde(rename = "output_kb", deserialize_with = "whole_shifted::<1, 65_536, 10, _>")]
    pub output_bytes: Option<usize>,
}

impl Limits {
    /// The first of the limits that is above what the operator allows: its key, and a sentence.
    pub(super) fn over(&self, options: &Options) -> Option<(&'static str, String)> {
        let deadline = options.max_deadline.max(options.deadline);
        let memory = options.max_memory_bytes.max(options.memory_bytes);
        let output = options.max_output_bytes.max(options.output_bytes);
        let over = |key, most: u128, setting| {
            let problem = format!(
                "the operator allows at most {most}: ask for less, or raise the setting `plugins.{setting}`"
            );
            (key, problem)
        };
        if self.deadline.is_some_and(|asked| asked > deadline) {
            Some(over("deadline_ms", deadline.as_millis(), "max_deadline"))
        } else if self.memory_bytes.is_some_and(|asked| asked > memory) {
            Some(over("memory_mb", (memory >> 20) as u128, "max_memory_bytes"))
        } else if self.output_bytes.is_some_and(|asked| asked > output) {
            Some(over("output_kb", (output >> 10) as u128, "max_output_bytes"))
        } else {
            None
        }
    }
}

/// A whole number of at least `MIN` and at most `MAX`.
struct Whole<const MIN: u64, const MAX: u64>(u64);

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_i64(Bounds::<MIN, MAX>).map(Self)
    }
}

struct Bounds<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Visitor<'_> for Bounds<MIN, MAX> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
        let whole = u64::try_from(number).ok().filter(|number| (MIN..=MAX).contains(number));
        whole.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        let inside = (MIN..=MAX).contains(&number);
        if inside { Ok(number) } else { Err(E::invalid_value(Unexpected::Unsigned(number), &self)) }
    }
}

/// A number as the type that it is needed in; `MAX` fits into it.
pub(super) fn whole<'de, const MIN: u64, const MAX: u64, N, D>(deserializer: D) -> Result<Option<N>, D::Error>
where
    N: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let Whole::<MIN, MAX>(number) = Whole::deserialize(deserializer)?;
    Ok(N::try_from(number).ok())
}

/// The same in units of two to the power of `SHIFT`.
pub(super) fn whole_shifted<'de, const MIN: u64, const MAX: u64, const SHIFT: u32, D>(
    deserializer: D,
) -> Result<Option<usize>, D::Error>
where
    D: Deserializer<'de>,
{
    let Whole::<MIN, MAX>(number) = Whole::deserialize(deserializer)?;
    Ok(usize::try_from(number << SHIFT).ok())
}

/// A time in milliseconds.
pub(super) fn milliseconds<'de, const MIN: u64, const MAX: u64, D>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    let Whole::<MIN, MAX>(number) = Whole::deserialize(deserializer)?;
    Ok(Some(Duration::from_millis(number)))
}

/// A time in seconds.
pub(super) fn seconds<'de, const MIN: u64, const MAX: u64, D>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    let Whole::<MIN, MAX>(number) = Whole::deserialize(deserializer)?;
    Ok(Some(Duration::from_secs(number)))
}

/// The list, if it is no longer than that.
pub(super) fn at_most<T, E: Error>(most: usize, what: &str, list: Vec<T>) -> Result<Vec<T>, E> {
    if list.len() <= most {
        return Ok(list);
    }
    Err(E::custom(format!("there may be at most {most} {what}; this has {}", list.len())))
}
