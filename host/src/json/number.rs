//! Numbers of JSON, compared by value without rounding: no length, fraction or exponent is too long.

use std::cmp::Ordering;

/// A JSON number in its parts. `int` and `frac` are its digits; the value is `0.int frac` times ten to the `point`.
struct Number<'a> {
    negative: bool,
    int: &'a str,
    frac: &'a str,
    /// Where the point stands, counted from the first digit that is not zero. An exponent beyond 64 bits counts as
    /// the largest there is.
    point: i64,
    /// Zeros before that digit.
    zeros: usize,
}

/// What is the same in all spellings of a number.
pub(super) struct Canonical {
    /// -1, 0 or 1; of 0 the rest is empty.
    pub(super) sign: i8,
    /// The value is `0.digits` times ten to this power.
    pub(super) point: i64,
    /// Without zeros at either end.
    pub(super) digits: Vec<u8>,
}

impl Canonical {
    pub(super) fn of(text: &str) -> Self {
        let number = Number::new(text);
        let mut digits: Vec<_> = number.significant().collect();
        digits.truncate(digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1));
        let sign = number.sign();
        Self { sign, point: if sign == 0 { 0 } else { number.point }, digits }
    }
}

/// Which of two JSON numbers is greater. What is no number is equal to anything with the same digits.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Number::new(a), Number::new(b));
    let size = || if a.negative { b.compare_size(&a) } else { a.compare_size(&b) };
    a.sign().cmp(&b.sign()).then_with(size)
}

impl<'a> Number<'a> {
    fn new(text: &'a str) -> Self {
        let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (int, frac) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let zeros = int.bytes().chain(frac.bytes()).take_while(|digit| *digit == b'0').count();
        let point = exponent_of(exponent).saturating_add(length(int)).saturating_sub(length_of(zeros));
        Self { negative, int, frac, point, zeros }
    }

    fn is_zero(&self) -> bool {
        self.zeros == self.int.len() + self.frac.len()
    }

    fn sign(&self) -> i8 {
        match (self.is_zero(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Compares without the signs. A zero is compared with another zero only.
    fn compare_size(&self, other: &Self) -> Ordering {
        if self.is_zero() {
            return Ordering::Equal;
        }
        self.point.cmp(&other.point).then_with(|| {
            let length = self.significant().count().max(other.significant().count());
            let padded = |number: &Self| number.significant().chain(std::iter::repeat(b'0')).take(length);
            padded(self).cmp(padded(other))
        })
    }

    fn significant(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.int.bytes().chain(self.frac.bytes()).skip(self.zeros)
    }
}

fn exponent_of(text: &str) -> i64 {
    text.parse().unwrap_or(if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 })
}

fn length(digits: &str) -> i64 {
    length_of(digits.len())
}

fn length_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let ascending = [
            "-1e400",
            "-123456789012345678901234567891",
            "-123456789012345678901234567890",
            "-10",
            "-9.99",
            "-1e-400",
            "0",
            "1e-99999999999999999999",
            "1e-400",
            "0.1",
            "0.10000000000000000000000001",
            "9",
            "10",
            "9007199254740992",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e400",
            "1e99999999999999999999",
        ];
        for (n, a) in ascending.iter().enumerate() {
            for (m, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), n.cmp(&m), "{a} and {b}");
            }
        }
    }

    #[test]
    fn spelling_is_without_meaning() {
        for (a, b) in [
            ("1", "1.0"),
            ("10", "1e1"),
            ("10", "1E+1"),
            ("0.01", "1e-2"),
            ("0.010", "0.1e-1"),
            ("0", "-0.0"),
            ("0", "0e5"),
            ("100e-1", "10"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} and {b}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_compare_as_they_do_elsewhere(a: i64, b: i64) {
            prop_assert_eq!(compare(&a.to_string(), &b.to_string()), a.cmp(&b));
        }

        #[test]
        fn anything_is_survived(a in "[-+.eE0-9]{0,12}", b in "[-+.eE0-9]{0,12}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
