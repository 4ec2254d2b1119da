//! How full the store is, from its file and its rows. Pure.
//!
//! The file says how much it takes on the disk, but not how much of that is free inside: what is removed is written over later,
//! and the file stays as large as it was. Rows are counted as they come and go. What a byte of rows takes in the file is measured
//! whenever the file grows, as it grows when nothing in it is free; from then on the rows say how much is in use.

use crate::store::StoreSize;

/// Growth of the file that is worth measuring at, as a share of it.
const STEP_SHARE: u64 = 256;
/// And at least.
const LEAST_STEP: u64 = 1 << 20;
/// What is left free of the limit, at least: pages that a commit frees are free after the next one only.
const FREE_SHARE: u64 = 16;
/// As much as comes in so long is left free, too: by then as much is removed.
const FREE_MS: u64 = 500;
/// But no more than this.
const MOST_FREE_SHARE: u64 = 8;
/// Events are taken again when so much is free.
const ROOM_SHARE: u64 = 32;
/// Bytes of the file for one of rows, in thousandths: no less, whatever was measured.
const LEAST_OVERHEAD: u64 = 1_000;
/// And no more.
const MOST_OVERHEAD: u64 = 4_000;
/// Fewer bytes of rows say nothing about that.
const LEAST_ROWS: u64 = 8 << 20;

/// What is known of the file.
#[derive(Debug, Clone)]
pub(super) struct Gauge {
    max_bytes: u64,
    /// The most that the file took.
    peak: u64,
    /// Bytes of the file for a thousand of rows, if it was measured.
    overhead: Option<u64>,
    /// Bytes of rows that come in a second, when most came lately.
    pace: u64,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    /// Bytes of the file that are in use, about.
    pub(super) used: u64,
    /// Bytes of rows that are too many.
    pub(super) too_much: u64,
    /// Whether the limit is reached.
    pub(super) is_full: bool,
    /// Whether there is room below it.
    pub(super) has_room: bool,
    /// Bytes that may come before it is reached; as many as there can be without one.
    pub(super) left: u64,
}

impl Gauge {
    /// For this limit; 0 is none.
    pub(super) const fn new(max_bytes: u64) -> Self {
        Self { max_bytes, peak: 0, overhead: None, pace: 0 }
    }

    /// Has this limit from now on; 0 is none.
    pub(super) const fn limit(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Has seen so many bytes of rows come in so many milliseconds. It takes some seconds to forget that many came.
    pub(super) fn came(&mut self, bytes: u64, ms: u64) {
        let now = bytes.saturating_mul(1_000) / ms.max(1);
        self.pace = now.max(self.pace - self.pace / 8);
    }

    /// What was measured, in thousandths.
    pub(super) fn overhead(&self) -> Option<u32> {
        self.overhead.and_then(|overhead| u32::try_from(overhead).ok())
    }

    /// Looks at the store.
    pub(super) fn look(&mut self, size: &StoreSize) -> Look {
        let (file, rows) = (size.file_bytes.unwrap_or(size.row_bytes), size.row_bytes);
        self.measure(file, rows, size);
        // Nothing measured yet: whatever is in the file is in use.
        let used = self.overhead.map_or(file, |overhead| (rows.saturating_mul(overhead) / 1_000).min(file));
        if self.max_bytes == 0 {
            return Look { used, has_room: true, left: u64::MAX, ..Look::default() };
        }
        let overhead = self.overhead.unwrap_or(LEAST_OVERHEAD);
        let excess = used.saturating_sub(self.max_bytes - self.free(overhead));
        Look {
            used,
            too_much: excess.saturating_mul(1_000) / overhead,
            is_full: used >= self.max_bytes,
            has_room: used < self.max_bytes - self.max_bytes / ROOM_SHARE,
            left: self.max_bytes.saturating_sub(used),
        }
    }

    /// What is left free of the limit.
    fn free(&self, overhead: u64) -> u64 {
        let comes = (self.pace.saturating_mul(FREE_MS) / 1_000).saturating_mul(overhead) / 1_000;
        comes.clamp(self.max_bytes / FREE_SHARE, self.max_bytes / MOST_FREE_SHARE)
    }

    fn measure(&mut self, file: u64, rows: u64, size: &StoreSize) {
        if self.peak == 0 {
            self.peak = file;
            self.overhead = size.overhead.map(u64::from);
        }
        if file < self.peak {
            self.peak = file;
        }
        let has_grown = file > self.peak + LEAST_STEP.max(self.peak / STEP_SHARE);
        // What a snapshot pins is neither in use nor free.
        let is_telling = rows >= LEAST_ROWS && !size.is_pinned;
        if is_telling && (has_grown || self.overhead.is_none()) {
            let overhead = file.saturating_mul(1_000) / rows;
            self.overhead = Some(overhead.clamp(LEAST_OVERHEAD, MOST_OVERHEAD));
        }
        if has_grown {
            self.peak = file;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn size(file: u64, rows: u64) -> StoreSize {
        StoreSize { file_bytes: Some(file * MIB), row_bytes: rows * MIB, ..StoreSize::default() }
    }

    #[test]
    fn below_the_limit_nothing_is_too_much_and_without_one_never() {
        let mut gauge = Gauge::new(160 * MIB);
        for file in [20, 100, 149] {
            assert_eq!(gauge.look(&size(file, file * 2 / 3)).too_much, 0, "{file}");
        }
        assert_eq!(Gauge::new(0).look(&size(1 << 30, 1 << 29)).too_much, 0);
    }

    #[test]
    fn what_is_removed_is_free_though_the_file_stays_as_it_is() {
        let mut gauge = Gauge::new(160 * MIB);
        gauge.look(&size(100, 50));
        let full = gauge.look(&size(154, 77));
        assert_eq!(full.too_much, 2 * MIB, "4 of 154 MiB are above 15/16, and half of the file is rows");
        let look = Look { used: 150 * MIB, has_room: true, left: 10 * MIB, ..Look::default() };
        assert_eq!(gauge.look(&size(154, 75)), look);
    }

    #[test]
    fn where_much_comes_more_is_left_free_and_for_some_seconds_after() {
        let mut gauge = Gauge::new(160 * MIB);
        assert_eq!(gauge.look(&size(150, 75)).too_much, 0);
        gauge.came(3 * MIB, 200);
        assert_eq!(gauge.look(&size(150, 75)).too_much, 5 * MIB / 2, "half a second of rows takes 15 MiB");
        gauge.came(30 * MIB, 100);
        assert_eq!(gauge.look(&size(150, 75)).too_much, 5 * MIB, "an eighth, however much comes");
        for _ in 0..30 {
            gauge.came(0, 100);
        }
        assert_eq!(gauge.look(&size(150, 75)).too_much, 0);
    }

    #[test]
    fn a_file_that_grows_all_the_same_has_more_to_a_row_than_was_thought() {
        let mut gauge = Gauge::new(160 * MIB);
        gauge.look(&size(100, 50));
        gauge.look(&size(150, 75));
        let look = gauge.look(&size(157, 75));
        assert!(look.too_much > 3 * MIB && gauge.overhead() > Some(2_090), "{look:?} {gauge:?}");
    }

    #[test]
    fn a_start_goes_by_what_was_measured_before() {
        let mut gauge = Gauge::new(160 * MIB);
        let look = gauge.look(&StoreSize { overhead: Some(2_000), ..size(155, 60) });
        assert_eq!((look.used, look.too_much), (120 * MIB, 0));
    }

    #[test]
    fn what_a_snapshot_pins_says_nothing_about_rows() {
        let mut gauge = Gauge::new(160 * MIB);
        gauge.look(&size(150, 75));
        let look = gauge.look(&StoreSize { is_pinned: true, ..size(300, 75) });
        assert_eq!((look.used, look.too_much), (150 * MIB, 0));
    }

    #[test]
    fn events_are_refused_at_the_limit_and_taken_again_below_it() {
        let mut gauge = Gauge::new(160 * MIB);
        let look = gauge.look(&size(160, 80));
        assert!(look.is_full && !look.has_room);
        let look = gauge.look(&size(160, 78));
        assert!(!look.is_full && !look.has_room);
        assert!(gauge.look(&size(160, 77)).has_room);
    }
}
