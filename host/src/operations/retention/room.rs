//! Whether the disk has room for as much as may be kept. Where it has not, the disk is almost full before the store is, and removing
//! does not help: what is removed is free inside of the file. An operator wants to know that before it happens.

use super::Options;
use crate::free_space::FreeSpace;
use crate::store::StoreSize;

/// Warns once for each pair of limits.
#[derive(Debug)]
pub(super) struct Room {
    free_space: FreeSpace,
    /// `retention.max_bytes` and `ingest.min_free_bytes` when it looked last.
    seen: Option<(u64, u64)>,
}

impl Room {
    /// Of the disk whose free space this is.
    pub(super) const fn new(free_space: FreeSpace) -> Self {
        Self { free_space, seen: None }
    }

    /// Looks, if the limits are others than before, and says in the log if they are too high together.
    pub(super) fn check(&mut self, options: &Options, size: &StoreSize) {
        let limits = (options.max_bytes, self.free_space.least());
        if self.seen.replace(limits) == Some(limits) {
            return;
        }
        let Some(file_bytes) = size.file_bytes else { return };
        if let Some(sentence) = too_little(limits, self.free_space.free().saturating_add(file_bytes)) {
            tracing::warn!("{sentence}");
        }
    }
}

/// What is wrong with limits where the disk has so much for the store.
fn too_little((max_bytes, min_free_bytes): (u64, u64), there: u64) -> Option<String> {
    if max_bytes == 0 || max_bytes.saturating_add(min_free_bytes) <= there {
        return None;
    }
    let most = there.saturating_sub(min_free_bytes);
    Some(format!(
        "`retention.max_bytes` ({max_bytes}) and `ingest.min_free_bytes` ({min_free_bytes}) together are more than the disk has for \
         the store ({there} bytes): the disk is almost full before the oldest events are removed, and then events are refused; set \
         `retention.max_bytes` to less than {most}, or make room"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_the_disk_has_room_for_are_fine_and_others_are_told_with_the_number_to_set() {
        assert_eq!(too_little((0, 500), 100), None, "nothing is removed by size");
        assert_eq!(too_little((700, 300), 1_000), None);
        let sentence = too_little((701, 300), 1_000).unwrap();
        assert!(sentence.contains("less than 700,") && sentence.contains("(1000 bytes)"), "{sentence}");
        assert!(too_little((u64::MAX, u64::MAX), 1_000).unwrap().contains("less than 0,"));
    }
}
