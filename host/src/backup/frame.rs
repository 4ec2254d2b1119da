//! The form of a backup: a magic, then frames. Pure.
//!
//! A frame is its kind (1 byte), the length of its payload (4 bytes), the CRC-32 of the payload (4), that of these nine bytes (4),
//! and the payload; numbers are little endian. The head has a checksum of its own, so that a length is believed before it is read
//! by: what is damaged is not taken for cut off. The checksums of each say where damage is; that of all, in the last, that there is none.

/// What a backup begins with. The last byte is the format.
pub(super) const MAGIC: &[u8; 16] = b"HOOKWAY BACKUP\n\x01";
/// The bytes before a payload.
pub(super) const HEAD: usize = 13;
/// Those of them that the checksum of the head is about.
const SUMMED: usize = HEAD - 4;

/// What a frame has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The manifest, as JSON. Always the first.
    Manifest = 1,
    /// The name of a table, after its length (1 byte), and rows of it: length (4 bytes) and bytes of the key, and of the value.
    Rows = 2,
    /// The head of a file, as JSON.
    File = 3,
    /// A piece of the file whose head came last.
    Bytes = 4,
    /// The summary, as JSON. Always the last.
    End = 5,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Manifest,
            2 => Self::Rows,
            3 => Self::File,
            4 => Self::Bytes,
            5 => Self::End,
            _ => return None,
        })
    }
}

/// A frame with this payload. A payload has less than 4 GiB: rows have less, and files come in pieces.
pub(super) fn encode(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEAD + payload.len());
    frame.push(kind as u8);
    frame.extend(length.to_le_bytes());
    frame.extend(crc32fast::hash(payload).to_le_bytes());
    frame.extend(crc32fast::hash(&frame).to_le_bytes());
    frame.extend(payload);
    frame
}

/// What is known of a frame before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Bytes of its payload.
    pub(super) length: u32,
    checksum: u32,
}

impl Head {
    /// `None` if these are not the bytes that were written.
    pub(super) fn parse(bytes: &[u8; HEAD]) -> Option<Self> {
        let number = |from: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[from + n]));
        if crc32fast::hash(&bytes[..SUMMED]) != number(SUMMED) {
            return None;
        }
        Some(Self { kind: Kind::from_byte(bytes[0])?, length: number(1), checksum: number(5) })
    }

    /// Whether it is the payload that was written.
    pub(super) fn fits(self, payload: &[u8]) -> bool {
        crc32fast::hash(payload) == self.checksum
    }
}

/// Adds a row to a payload of rows.
pub(super) fn push_row(payload: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        payload.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        payload.extend(part);
    }
}

/// Begins a payload of rows of this table.
pub(super) fn begin_rows(table: &str) -> Vec<u8> {
    let mut payload = vec![u8::try_from(table.len()).unwrap_or(u8::MAX)];
    payload.extend(table.as_bytes());
    payload
}

/// A key and its value.
pub(super) type Row = (Vec<u8>, Vec<u8>);

/// The table and the rows of such a payload; `None` if it is none.
pub(super) fn parse_rows(payload: &[u8]) -> Option<(String, Vec<Row>)> {
    let (length, rest) = payload.split_first()?;
    let (table, mut rest) = rest.split_at_checked(usize::from(*length))?;
    let mut rows = Vec::new();
    while !rest.is_empty() {
        let key = take(&mut rest)?;
        rows.push((key, take(&mut rest)?));
    }
    Some((String::from_utf8(table.to_vec()).ok()?, rows))
}

fn take(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, after) = rest.split_first_chunk()?;
    let (bytes, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *rest = after;
    Some(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_backup_never_change() {
        let mut payload = begin_rows("meta");
        push_row(&mut payload, b"k", b"");
        assert_eq!(payload, b"\x04meta\x01\0\0\0k\0\0\0\0");
        let frame = encode(Kind::Rows, &payload);
        assert_eq!(frame[..HEAD], [2, 14, 0, 0, 0, 196, 75, 126, 184, 172, 90, 147, 44]);
        let mut head: [u8; HEAD] = frame[..HEAD].try_into().unwrap();
        assert!(Head::parse(&head).is_some_and(|head| head.kind == Kind::Rows && head.fits(&payload)));
        head[3] ^= 1;
        assert_eq!(Head::parse(&head), None);
        assert_eq!(parse_rows(&payload), Some(("meta".to_owned(), vec![(b"k".to_vec(), Vec::new())])));
        assert_eq!(parse_rows(&payload[..9]), None);
    }
}
