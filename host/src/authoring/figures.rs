//! Figures for people.

use std::time::Duration;

/// A time in the unit that fits it, to two or three digits: `1.24 us`, `23 us`, `1.8 ms`.
pub(super) fn time(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    let (value, unit) = match us {
        us if us < 1e3 => (us, "us"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// A size: `512 bytes`, `1.2 MiB`.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is shown to one digit behind the point")]
    let value = bytes as f64;
    match bytes {
        0..1_024 => format!("{bytes} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", value / 1_024.0),
        _ => format!("{:.1} MiB", value / 1_048_576.0),
    }
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (left, digit) in (1..=digits.len()).rev().zip(digits.chars()) {
        text.push(digit);
        if left > 1 && left % 3 == 1 {
            text.push(',');
        }
    }
    text
}

/// How many of something: `1 sample`, `2 samples`.
pub(super) fn many(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_have_their_unit() {
        let times = [740, 1_237, 12_340, 123_400, 1_800_000, 2_500_000_000];
        let shown = times.map(|ns| time(Duration::from_nanos(ns)));
        assert_eq!(shown, ["0.74 us", "1.24 us", "12.3 us", "123 us", "1.80 ms", "2.50 s"]);
        assert_eq!([0, 1_023, 1_536, 1_258_291].map(size), ["0 bytes", "1023 bytes", "1.5 KiB", "1.2 MiB"]);
        let counts = [0, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!((many(1, "sample"), many(0, "sample")), ("1 sample".to_owned(), "0 samples".to_owned()));
    }
}
