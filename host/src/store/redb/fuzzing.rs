//! Bytes that may lie on a disk, for a fuzzer: rows of each table, and the write-ahead log. What is read is what was written.

use redb::StorageBackend as _;
use redb::backends::InMemoryBackend;

use super::blocks::Block;
use super::changes;
use super::codec::{self, EventRow};
use super::endpoint_row::EndpointRow;
use super::wal::{Wal, parse};
use crate::model::{Attempt, EventKey, Recovery, UnixMs};

/// A row, read as one of each table.
pub(crate) fn rows(bytes: &[u8]) {
    let _ = EventRow::parse(bytes).and_then(|row| row.to_event(EventKey::new(UnixMs(1), 1)));
    if let Ok(row) = codec::decode_delivery(bytes) {
        let again = codec::decode_delivery(&codec::encode_delivery(&row));
        assert!(again.is_ok_and(|again| again == row), "a delivery is not what was written");
    }
    if let Ok(row) = codec::decode::<Attempt>("attempts", bytes) {
        let again = codec::decode::<Attempt>("attempts", &codec::encode(&row));
        assert!(again.is_ok_and(|again| again == row), "an attempt is not what was written");
    }
    if let Ok(row) = codec::decode_custom(bytes) {
        let again = codec::decode_custom(&codec::encode_custom(&row));
        assert!(again.is_ok_and(|again| again == row), "a request is not what was written");
    }
    let _ = EndpointRow::from_json(bytes).map(|row| row.to_json());
    let _ = codec::from_json::<Recovery>("recoveries", bytes);
    let _ = Block::parse(bytes);
    let _ = changes::parse(bytes).collect::<Result<Vec<_>, _>>();
}

/// The records of a frame that is whole, and a file that may have some.
pub(crate) fn write_ahead_log(bytes: &[u8]) {
    let _ = parse(bytes).collect::<Result<Vec<_>, _>>();
    let generation =
        bytes.get(8..16).map_or(0, |bytes| u64::from_le_bytes(std::array::from_fn(|n| bytes[n])));
    let file = InMemoryBackend::new();
    let wrote = file.set_len(bytes.len() as u64).and_then(|()| file.write(0, bytes));
    wrote.expect("memory can be written");
    let _ = Wal::new(file).and_then(|wal| wal.read(generation));
}
