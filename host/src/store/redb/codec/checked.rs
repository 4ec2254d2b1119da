//! Rows behind a checksum: a version byte, a CRC-32 (4 bytes, little endian) of all that follows, and then a row of an earlier
//! version.
//!
//! redb verifies the checksums of its pages when it repairs them, not when it reads them. What was accepted must be what is
//! delivered, so rows that have payloads have a checksum of their own.

use serde::Serialize;

/// The version and the checksum.
const HEAD: usize = 5;
/// Room for most rows without their bodies.
const USUAL: usize = 96;

/// A row that stands behind a checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked<'a> {
    pub(super) row: &'a [u8],
    checksum: u32,
}

impl<'a> Checked<'a> {
    /// The row in these bytes, if their version is this one.
    pub(super) fn parse(version: u8, bytes: &'a [u8]) -> Option<Self> {
        let (checksum, row) = bytes.strip_prefix(&[version])?.split_first_chunk()?;
        Some(Self { row, checksum: u32::from_le_bytes(*checksum) })
    }

    /// Whether it is what was written.
    pub(super) fn is_right(&self) -> bool {
        crc(&[self.row]) == self.checksum
    }
}

/// A row of a version behind room for its checksum; `body` is the size of what it has besides the usual.
pub(super) fn encode<T: Serialize>(checked: u8, version: u8, row: &T, body: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(USUAL + body);
    head.extend_from_slice(&[checked, 0, 0, 0, 0, version]);
    postcard::to_extend(row, head).expect("our rows have nothing that postcard refuses")
}

/// Fills in the checksum of a row whose last bytes are these.
pub(super) fn complete(mut row: Vec<u8>, last: &[u8]) -> Vec<u8> {
    let checksum = crc(&[&row[HEAD..], last]);
    row[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    row
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}
