//! How measured values are spread.

/// Of values in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread<T>(Vec<T>);

impl<T: Copy + Ord> Spread<T> {
    pub(super) fn of(mut values: Vec<T>) -> Self {
        values.sort_unstable();
        Self(values)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Half of them are at most this; none if there are none.
    #[must_use]
    pub fn p50(&self) -> Option<T> {
        self.percentile(50)
    }

    /// 99 of 100 are at most this; none if there are none.
    #[must_use]
    pub fn p99(&self) -> Option<T> {
        self.percentile(99)
    }

    /// The greatest; none if there are none.
    #[must_use]
    pub fn max(&self) -> Option<T> {
        self.0.last().copied()
    }

    /// All of them, from the least.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.0.iter().copied()
    }

    /// The least that `percent` of 100 values are not above: the nearest rank.
    fn percentile(&self, percent: usize) -> Option<T> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let of = |values: Vec<u64>| {
            let spread = Spread::of(values);
            (spread.p50(), spread.p99(), spread.max())
        };
        assert_eq!(of((1..=100).rev().collect()), (Some(50), Some(99), Some(100)));
        assert_eq!(of((1..=1_000).collect()), (Some(500), Some(990), Some(1_000)));
        assert_eq!(of(vec![7]), (Some(7), Some(7), Some(7)));
        assert_eq!(of(Vec::new()), (None, None, None));
    }
}
