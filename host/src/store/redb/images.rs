//! What a power loss leaves of disks, made of their history: all that was synced, and of the rest whatever a disk may have come to.
//!
//! Of writes since the last sync each may be there, not there or torn (some of its sectors or pages, or a part up to any
//! byte), and they may have come in any order; a file may have any length that it had since. Disks do not know of each other.

use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use super::faults::{Disk, History, Operation};

/// What disks write as a whole, or not at all, for the most part.
const UNITS: [usize; 2] = [512, 4096];

/// The disks of a history, at one moment after the other.
pub(super) struct Moments {
    operations: Vec<(usize, Operation)>,
    disks: Vec<Cached>,
    at: usize,
    syncs_lie: bool,
}

#[derive(Default)]
struct Cached {
    stored: Vec<u8>,
    dirty: Vec<Operation>,
}

impl Moments {
    /// Disks that had these bytes when the history began.
    pub(super) fn new(begun_with: Vec<Vec<u8>>, history: &History) -> Self {
        let cached = |stored| Cached { stored, dirty: Vec::new() };
        let disks = begun_with.into_iter().map(cached).collect();
        Self { operations: history.operations(), disks, at: 0, syncs_lie: false }
    }

    /// The same on disks whose syncs store nothing.
    pub(super) fn without_syncs(self) -> Self {
        Self { syncs_lie: true, ..self }
    }

    /// How many moments there are after the first.
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// Goes on to the moment after so many operations.
    pub(super) fn go_to(&mut self, moment: usize) {
        assert!(self.at <= moment, "time does not go back");
        for (disk, operation) in &self.operations[self.at..moment] {
            let Cached { stored, dirty } = &mut self.disks[*disk];
            match operation {
                Operation::Sync if self.syncs_lie => {}
                Operation::Sync => dirty.drain(..).for_each(|operation| operation.apply(stored)),
                Operation::Write(..) | Operation::SetLen(_) => dirty.push(operation.clone()),
            }
        }
        self.at = moment;
    }

    /// What the power loss leaves that this number stands for.
    pub(super) fn image(&self, seed: u64) -> Vec<Vec<u8>> {
        let mut random = StdRng::seed_from_u64(seed);
        self.disks.iter().map(|disk| disk.lose_power(&mut random)).collect()
    }

    /// The first sync of a disk from this moment on.
    pub(super) fn next_sync(&self, disk: usize, from: usize) -> Option<usize> {
        let is_sync =
            |(of, operation): &(usize, Operation)| *of == disk && matches!(operation, Operation::Sync);
        self.operations[from..].iter().position(is_sync).map(|at| from + at)
    }

    /// The first write to a disk, from this moment on, that has these bytes in it.
    pub(super) fn write_of(&self, disk: usize, bytes: &[u8], from: usize) -> Option<usize> {
        let has = |(of, operation): &(usize, Operation)| match operation {
            Operation::Write(_, data) => *of == disk && memchr::memmem::find(data, bytes).is_some(),
            Operation::SetLen(_) | Operation::Sync => false,
        };
        self.operations[from..].iter().position(has).map(|at| from + at)
    }
}

/// Disks with these bytes on them, and their history from now on.
pub(super) fn disks(image: &[Vec<u8>]) -> (Vec<Disk>, History) {
    let history = History::default();
    let disk = |(number, bytes): (usize, &Vec<u8>)| Disk::recorded(bytes.clone(), number, &history);
    (image.iter().enumerate().map(disk).collect(), history)
}

impl Cached {
    fn lose_power(&self, random: &mut StdRng) -> Vec<u8> {
        let mut left = self.stored.clone();
        match random.random_range(0..8) {
            0 => {}
            1 => self.dirty.iter().for_each(|operation| operation.apply(&mut left)),
            2 | 3 => self.up_to_one_that_is_torn(&mut left, random),
            _ => self.any_in_any_order(&mut left, random),
        }
        left
    }

    fn up_to_one_that_is_torn(&self, left: &mut Vec<u8>, random: &mut StdRng) {
        let Some(last) = self.dirty.len().checked_sub(1) else { return };
        let torn = random.random_range(0..=last);
        self.dirty[..torn].iter().for_each(|operation| operation.apply(left));
        tear(&self.dirty[torn], left, random);
    }

    fn any_in_any_order(&self, left: &mut Vec<u8>, random: &mut StdRng) {
        let mut lengths = vec![left.len()];
        let mut writes = Vec::new();
        for operation in &self.dirty {
            match operation {
                Operation::SetLen(length) => lengths.push(*length),
                Operation::Write(..) => writes.push(operation),
                Operation::Sync => {}
            }
        }
        if random.random() {
            // Not in place, so that one who reads this sees which goes where.
            let mut shuffled = Vec::with_capacity(writes.len());
            while !writes.is_empty() {
                shuffled.push(writes.swap_remove(random.random_range(0..writes.len())));
            }
            writes = shuffled;
        }
        for write in writes {
            match random.random_range(0..3) {
                0 => {}
                1 => write.apply(left),
                _ => tear(write, left, random),
            }
        }
        left.resize(lengths[random.random_range(0..lengths.len())], 0);
    }
}

/// Applies a part of an operation.
fn tear(operation: &Operation, left: &mut Vec<u8>, random: &mut StdRng) {
    let Operation::Write(at, data) = operation else { return };
    let mut apply = |from: usize, to: usize| Operation::Write(at + from, data[from..to].into()).apply(left);
    match random.random_range(0..4) {
        0 => apply(0, random.random_range(0..=data.len())),
        1 => apply(random.random_range(0..=data.len()), data.len()),
        unit => {
            let unit = UNITS[unit - 2];
            let mut from = 0;
            while from < data.len() {
                // Units lie on the disk, not in the write.
                let to = ((at + from) / unit * unit + unit - at).min(data.len());
                if random.random() {
                    apply(from, to);
                }
                from = to;
            }
        }
    }
}

/// What a power loss at this moment may leave of a disk.
pub(crate) fn after_power_loss(disk: &Disk, random: &mut StdRng) -> Vec<u8> {
    Cached { stored: disk.after_power_loss(), dirty: disk.unsynced() }.lose_power(random)
}

/// The seed that follows from one, for the parts of a run.
pub(super) fn derived(seed: u64, part: u64) -> u64 {
    StdRng::seed_from_u64(seed ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)).next_u64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use redb::StorageBackend as _;

    use super::*;

    fn written() -> Moments {
        let (disks, history) = disks(&[vec![0; 4], Vec::new()]);
        disks[0].write(0, b"ab").unwrap();
        disks[0].sync_data().unwrap();
        disks[0].write(2, b"cd").unwrap();
        disks[1].set_len(2).unwrap();
        disks[1].write(0, b"xy").unwrap();
        Moments::new(vec![vec![0; 4], Vec::new()], &history)
    }

    #[test]
    fn an_image_has_what_was_synced_and_any_part_of_the_rest() {
        let mut moments = written();
        assert_eq!(moments.len(), 5);
        moments.go_to(1);
        let first: BTreeSet<_> = (0..200).map(|seed| moments.image(seed).swap_remove(0)).collect();
        let expected = [b"\0\0\0\0", b"a\0\0\0", b"\0b\0\0", b"ab\0\0"];
        assert_eq!(first, expected.map(|image| image.to_vec()).into());
        moments.go_to(5);
        for seed in 0..200 {
            assert!(moments.image(seed)[0].starts_with(b"ab"), "it was synced");
        }
        let second: BTreeSet<_> = (0..200).map(|seed| moments.image(seed).swap_remove(1)).collect();
        assert!(second.contains(&Vec::new()) && second.contains(b"\0\0".as_slice()), "{second:?}");
        assert!(second.contains(b"xy".as_slice()) && second.contains(b"x\0".as_slice()), "{second:?}");
        assert_eq!(moments.image(7), moments.image(7), "the same number is the same image");
    }

    #[test]
    fn a_disk_that_lies_keeps_nothing_for_sure() {
        let mut moments = written().without_syncs();
        moments.go_to(5);
        assert!((0..200).any(|seed| moments.image(seed)[0] == b"\0\0\0\0"));
    }
}
