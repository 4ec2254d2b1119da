//! The write-ahead log: what was answered before its transaction was committed, so that a crash takes none of it back.
//!
//! A commit of the tables costs two syncs and rewrites the path to each page that changed. So the writer keeps its transaction
//! open for some milliseconds, and what must be on stable storage sooner is appended here and synced: once, one file, in its
//! order. The transaction commits what the log has with the rest; from then on the log begins anew, over its old bytes.
//!
//! - The log is a run of *frames*, each written and synced as a whole: length (4 bytes), CRC-32 of all that follows (4),
//!   generation (8), all little endian, then records.
//! - The tables name the generation that they contain. Frames of the next one are repeated when the store is opened; the
//!   first frame that is not of it, or not whole, ends the log. A frame that is not whole was never answered.
//! - Each frame is on stable storage before the next is written. So one of the generation behind the end of the log is no trace
//!   of a crash: what was before it was changed afterwards. That is damage, and nothing is repeated before a person knows.
//! - The tables have a generation before the log has a frame of the one after the next. So a log that begins with a later one lies
//!   beside tables of an earlier moment, and what was committed in between is in neither.
//! - A generation is never used twice, whichever store the file lies beside: the first of a store is random.
//! - To repeat what is in the tables already changes nothing.

use std::borrow::Cow;
use std::io;

use bytes::Bytes;
use redb::StorageBackend;
use serde::{Deserialize, Serialize};

use super::codec::Corrupt;
use crate::failpoint;
use crate::store::FanOut;

/// Length, checksum, generation.
const HEAD: usize = 16;
/// What the checksum is not over: length and itself.
const BEFORE_CHECKED: usize = 8;
/// The file grows by this much. What is written over costs less than what is new.
const GROWTH: u64 = 4 << 20;
/// Of the records of a frame.
const VERSION: u8 = 1;
/// A generation that is further ahead is that of another store: no gateway lives for so many commits.
const MOST_AHEAD: u64 = 1 << 40;

/// What has to be repeated after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    /// A row of `events`: key, header, `data`.
    Event(u128, Bytes, Bytes),
    /// A row of `ids`: kind, text, tenant; event, content hash.
    Id(u8, Cow<'a, str>, Cow<'a, str>, u128, u128),
    /// A row of `reserved`.
    Reserved(u128),
    /// The verb, whose bytes a plugin made and might make differently the next time.
    FanOut(Cow<'a, FanOut>),
}

/// The records of changes that are applied and not yet in the log.
#[derive(Debug)]
pub(super) struct Records {
    /// The frame that they make, its head not filled in yet; empty without a record.
    frame: Vec<u8>,
    is_kept: bool,
}

/// What a log has of a generation.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// Of all frames up to the end, in their order.
    pub(super) records: Vec<Record<'static>>,
    /// How many frames these are.
    pub(super) frames: u64,
    pub(super) damage: Option<Damage>,
    /// That it is of a later moment than the tables.
    pub(super) newer: Option<Newer>,
}

/// What a log begins with that is of a later moment than the tables.
#[derive(Debug)]
pub(super) struct Newer {
    /// Which generation that is.
    pub(super) generation: u64,
    /// Of all frames of it, in their order.
    pub(super) records: Vec<Record<'static>>,
}

/// A part of the log that was changed after it was written.
#[derive(Debug)]
pub(super) struct Damage {
    /// Where it begins, in bytes.
    pub(super) at: u64,
    /// Where the next frame begins that is whole.
    pub(super) until: u64,
    /// Of all whole frames behind it.
    pub(super) records: Vec<Record<'static>>,
    /// How many frames these are.
    pub(super) frames: u64,
}

/// The log.
#[derive(Debug)]
pub(super) struct Wal {
    file: Box<dyn StorageBackend>,
    generation: u64,
    /// Where the next frame begins.
    at: u64,
    length: u64,
}

impl Records {
    /// None yet; `is_kept` says whether there is a log that they are for.
    pub(super) const fn kept(is_kept: bool) -> Self {
        Self { frame: Vec::new(), is_kept }
    }

    /// Says whether those that are added from now on are for the log.
    pub(super) const fn keep(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Bytes of the frame that they make.
    pub(super) const fn bytes(&self) -> usize {
        self.frame.len()
    }

    /// Those that were added. From now on they are added to `spare`, which has none.
    pub(super) fn hand_over(&mut self, spare: Self) -> Self {
        Self { frame: std::mem::replace(&mut self.frame, spare.frame), is_kept: self.is_kept }
    }

    /// Adds one.
    pub(super) fn add<'a>(&mut self, record: impl FnOnce() -> Record<'a>) {
        if !self.is_kept {
            return;
        }
        let mut frame = std::mem::take(&mut self.frame);
        if frame.is_empty() {
            frame.extend_from_slice(&[0; HEAD]);
            frame.push(VERSION);
        }
        let added = postcard::to_extend(&record(), frame);
        self.frame = added.expect("a record has nothing that postcard refuses");
    }
}

impl Wal {
    /// The log in this file, which may be empty.
    ///
    /// # Errors
    /// Its length cannot be read.
    pub(super) fn new(file: impl StorageBackend) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file: Box::new(file), generation: 0, at: 0, length })
    }

    /// What there is of this generation.
    ///
    /// # Errors
    /// The file cannot be read, or a whole frame has records that this version does not know.
    pub(super) fn read(&self, generation: u64) -> io::Result<Logged> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read(0, &mut bytes)?;
        let (mut logged, mut end) = (Logged::default(), 0);
        while let Some(frame) = frame(&bytes[end..], generation) {
            end += HEAD + frame.len();
            logged.frames += 1;
            parse_into(&mut logged.records, frame)?;
        }
        logged.damage = behind(&bytes, end, generation)?;
        logged.newer = newer(&bytes, generation)?;
        Ok(logged)
    }

    /// Bytes of the file. It grows by some millions and never shrinks.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Begins anew with this generation: all before it is in the tables.
    pub(super) const fn begin(&mut self, generation: u64) {
        self.generation = generation;
        self.at = 0;
    }

    /// The generation, if it has a frame.
    pub(super) fn generation_in_use(&self) -> Option<u64> {
        (self.at > 0).then_some(self.generation)
    }

    /// All that was appended is in the tables.
    pub(super) fn begin_next(&mut self) {
        if self.at > 0 {
            self.begin(self.generation.wrapping_add(1));
        }
    }

    /// Appends these records as a frame. They are on stable storage once this returns.
    ///
    /// # Errors
    /// The storage failed; what it holds is not known.
    pub(super) fn append(&mut self, records: &mut Records) -> io::Result<()> {
        let frame = &mut records.frame;
        if frame.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(frame.len() - HEAD).map_err(io::Error::other)?;
        frame[..4].copy_from_slice(&length.to_le_bytes());
        frame[BEFORE_CHECKED..HEAD].copy_from_slice(&self.generation.to_le_bytes());
        let checksum = crc([&frame[BEFORE_CHECKED..]]);
        frame[4..BEFORE_CHECKED].copy_from_slice(&checksum.to_le_bytes());
        let end = self.at + frame.len() as u64;
        if end > self.length {
            let length = end.next_multiple_of(GROWTH);
            self.file.set_len(length)?;
            self.length = length;
        }
        self.file.write(self.at, frame)?;
        failpoint::reached(failpoint::LOG_WRITTEN);
        self.file.sync_data()?;
        failpoint::reached(failpoint::LOG_SYNCED);
        self.at = end;
        frame.clear();
        Ok(())
    }
}

/// The records of the frame that these bytes begin with, if it is whole and of this generation.
fn frame(bytes: &[u8], generation: u64) -> Option<&[u8]> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |from: usize| u32::from_le_bytes(std::array::from_fn(|n| head[from + n]));
    let (length, checksum) = (usize::try_from(number(0)).ok()?, number(4));
    let records = rest.get(..length).filter(|records| !records.is_empty())?;
    let is_whole = head[BEFORE_CHECKED..] == generation.to_le_bytes()
        && checksum == crc([&head[BEFORE_CHECKED..], records]);
    is_whole.then_some(records)
}

/// Whole frames of the generation behind the end of the log.
fn behind(bytes: &[u8], end: usize, generation: u64) -> io::Result<Option<Damage>> {
    let mut damage: Option<Damage> = None;
    let mut at = end;
    while let Some(found) = memchr::memmem::find(&bytes[at..], &generation.to_le_bytes()) {
        let begins = (at + found).checked_sub(BEFORE_CHECKED).filter(|begins| *begins >= end);
        let frame = begins.and_then(|begins| Some((begins, frame(&bytes[begins..], generation)?)));
        let Some((begins, frame)) = frame else {
            at += found + 1;
            continue;
        };
        let until = begins as u64;
        let damage = damage.get_or_insert(Damage { at: end as u64, until, records: Vec::new(), frames: 0 });
        parse_into(&mut damage.records, frame)?;
        damage.frames += 1;
        at = begins + HEAD + frame.len();
    }
    Ok(damage)
}

/// What these bytes begin with, if it is of a generation after this one.
fn newer(bytes: &[u8], generation: u64) -> io::Result<Option<Newer>> {
    let Some(first) = bytes.get(BEFORE_CHECKED..HEAD).and_then(|bytes| bytes.try_into().ok()) else {
        return Ok(None);
    };
    let first = u64::from_le_bytes(first);
    let is_newer = (1..=MOST_AHEAD).contains(&first.wrapping_sub(generation));
    if !is_newer || frame(bytes, first).is_none() {
        return Ok(None);
    }
    let (mut newer, mut end) = (Newer { generation: first, records: Vec::new() }, 0);
    while let Some(frame) = frame(&bytes[end..], first) {
        end += HEAD + frame.len();
        parse_into(&mut newer.records, frame)?;
    }
    Ok(Some(newer))
}

fn parse_into(records: &mut Vec<Record<'static>>, frame: &[u8]) -> io::Result<()> {
    for record in parse(frame) {
        records.push(record.map_err(io::Error::other)?);
    }
    Ok(())
}

/// The records of a frame.
pub(super) fn parse(frame: &[u8]) -> impl Iterator<Item = Result<Record<'static>, Corrupt>> {
    let mut rest = frame
        .strip_prefix(&[VERSION])
        .ok_or(Corrupt::Version { table: "the write-ahead log", version: frame.first().copied() });
    std::iter::from_fn(move || match std::mem::replace(&mut rest, Ok(&[])) {
        Err(corrupt) => Some(Err(corrupt)),
        Ok([]) => None,
        Ok(bytes) => match postcard::take_from_bytes(bytes) {
            Ok((record, left)) => {
                rest = Ok(left);
                Some(Ok(record))
            }
            Err(source) => Some(Err(Corrupt::Postcard { table: "the write-ahead log", source })),
        },
    })
}

fn crc<const N: usize>(parts: [&[u8]; N]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::redb::faults::Disk;

    proptest! {
        /// Whatever lies in the file: what was appended is read, and nothing that was not.
        #[test]
        fn a_log_over_old_bytes_has_what_was_appended(
            old in prop::collection::vec(any::<u8>(), 0..400),
            frames in prop::collection::vec(prop::collection::vec(any::<u128>(), 1..4), 0..5),
            generation: u64,
        ) {
            let disk = Disk::holding(old);
            let mut wal = Wal::new(disk.clone()).unwrap();
            wal.begin(generation);
            for numbers in &frames {
                wal.append(&mut records(numbers)).unwrap();
            }
            prop_assert_eq!(read(disk.after_power_loss(), generation), reserved(&frames.concat()));
        }

        #[test]
        fn hostile_records_are_refused_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
            bytes[0] = VERSION;
            let _ = parse(&bytes).collect::<Result<Vec<_>, _>>();
        }
    }

    fn records(numbers: &[u128]) -> Records {
        let mut records = Records::kept(true);
        numbers.iter().for_each(|number| records.add(|| Record::Reserved(*number)));
        records
    }

    fn read(disk: Vec<u8>, generation: u64) -> Vec<Record<'static>> {
        let logged = Wal::new(Disk::holding(disk)).unwrap().read(generation).unwrap();
        assert!(logged.damage.is_none(), "{logged:?}");
        logged.records
    }

    fn reserved(numbers: &[u128]) -> Vec<Record<'static>> {
        numbers.iter().copied().map(Record::Reserved).collect()
    }

    #[test]
    fn what_was_appended_is_read_in_its_order_after_a_power_loss() {
        let disk = Disk::default();
        let mut wal = Wal::new(disk.clone()).unwrap();
        wal.begin(7);
        wal.append(&mut records(&[1, 2])).unwrap();
        wal.append(&mut records(&[])).unwrap();
        wal.append(&mut records(&[3])).unwrap();
        assert_eq!(read(disk.after_power_loss(), 7), reserved(&[1, 2, 3]));
        assert_eq!(read(disk.after_power_loss(), 8), []);
        assert_eq!(read(Vec::new(), 7), []);
    }

    #[test]
    fn a_new_generation_is_not_followed_by_what_is_left_of_the_old_one() {
        let disk = Disk::default();
        let mut wal = Wal::new(disk.clone()).unwrap();
        for (generation, numbers) in [(7, [1, 2, 3]), (8, [4, 5, 6])] {
            wal.begin(generation);
            let frames = if generation == 7 { 3 } else { 1 };
            numbers[..frames].iter().for_each(|number| wal.append(&mut records(&[*number])).unwrap());
        }
        assert_eq!(read(disk.after_kill(), 8), reserved(&[4]));
        // Nobody asks for it: a generation begins when the one before is in the tables.
        let old = Wal::new(Disk::holding(disk.after_kill())).unwrap().read(7).unwrap();
        assert_eq!(old.records, [], "its beginning is written over");
        assert_eq!(old.damage.map(|damage| damage.records), Some(reserved(&[2, 3])));
    }

    #[test]
    fn a_frame_that_is_cut_off_or_changed_ends_the_log() {
        let disk = Disk::default();
        let mut wal = Wal::new(disk.clone()).unwrap();
        wal.begin(7);
        wal.append(&mut records(&[1])).unwrap();
        let whole = usize::try_from(wal.at).unwrap();
        wal.append(&mut records(&[2, 3])).unwrap();
        let (bytes, end) = (disk.after_kill(), usize::try_from(wal.at).unwrap());
        for cut in whole..end {
            assert_eq!(read(bytes[..cut].to_vec(), 7), reserved(&[1]), "cut at {cut}");
        }
        for changed in whole..end {
            let mut bytes = bytes.clone();
            bytes[changed] ^= 1;
            assert_eq!(read(bytes, 7), reserved(&[1]), "changed at {changed}");
        }
    }

    #[test]
    fn a_frame_that_was_changed_before_others_is_damage_and_they_can_be_read() {
        let disk = Disk::default();
        let mut wal = Wal::new(disk.clone()).unwrap();
        wal.begin(7);
        let mut ends = vec![0];
        for numbers in [[1, 2], [3, 4], [5, 6], [7, 8]] {
            wal.append(&mut records(&numbers)).unwrap();
            ends.push(wal.at);
        }
        let bytes = disk.after_kill();
        for changed in ends[1]..ends[2] {
            let mut bytes = bytes.clone();
            bytes[usize::try_from(changed).unwrap()] ^= 0x10;
            let logged = Wal::new(Disk::holding(bytes)).unwrap().read(7).unwrap();
            assert_eq!((logged.records, logged.frames), (reserved(&[1, 2]), 1), "changed at {changed}");
            let damage = logged.damage.unwrap();
            assert_eq!(
                (damage.at, damage.until, damage.frames),
                (ends[1], ends[2], 2),
                "changed at {changed}"
            );
            assert_eq!(damage.records, reserved(&[5, 6, 7, 8]));
        }
    }

    #[test]
    fn a_version_that_is_not_known_is_an_error_and_not_the_end() {
        let disk = Disk::default();
        let mut wal = Wal::new(disk.clone()).unwrap();
        wal.begin(7);
        let mut newer = records(&[1]);
        newer.frame[HEAD] = VERSION + 1;
        wal.append(&mut newer).unwrap();
        let error = Wal::new(Disk::holding(disk.after_kill())).unwrap().read(7).unwrap_err();
        assert!(error.to_string().contains("the write-ahead log"), "{error}");
    }
}
