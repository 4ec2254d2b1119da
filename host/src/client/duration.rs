//! Durations and rates as people type them: `5s`, `1h 30m`; `100/s`.

use std::str::FromStr;
use std::time;

use jiff::fmt::friendly::SpanParser;

/// A duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(time::Duration);

/// So many in a second; more than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(pub(super) u32);

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration = SpanParser::new().parse_unsigned_duration(text);
        duration.map(Self).map_err(|_| "a duration is written as `500ms`, `5s` or `1h 30m`")
    }
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix("/s").unwrap_or(text).parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or("a rate is written as `100/s`")
    }
}

/// A duration as people read it: two units at most.
pub(super) fn shown(duration: time::Duration) -> String {
    let (secs, ms) = (duration.as_secs(), duration.subsec_millis());
    match secs {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", secs, ms / 100),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        3600..86_400 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_read() {
        assert_eq!("2s".parse(), Ok(Duration(time::Duration::from_secs(2))));
        assert_eq!("0s".parse(), Ok(Duration(time::Duration::ZERO)));
        assert_eq!(("100/s".parse(), "7".parse()), (Ok(Rate(100)), Ok(Rate(7))));
        assert!("2".parse::<Duration>().is_err() && "-2s".parse::<Duration>().is_err());
        for text in ["0", "0/s", "-1/s", "1/m", "x", ""] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_in_units_of_its_size() {
        let shown = |ms| shown(time::Duration::from_millis(ms));
        let all = [(12, "12 ms"), (1_250, "1.2 s"), (61_000, "1 min 1 s"), (3_660_000, "1 h 1 min")];
        for (ms, text) in all {
            assert_eq!(shown(ms), text);
        }
        assert_eq!(shown(90_000_000), "1 d 1 h");
    }
}
