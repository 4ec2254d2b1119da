//! Rows behind a version byte: postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Corrupt;

/// Of a row of which nothing else is said.
pub(super) const VERSION: u8 = 1;
/// Room for most rows, so that one is made without moving it.
const USUAL: usize = 320;

/// A versioned row.
pub(in crate::store::redb) fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    encode_as(VERSION, row)
}

/// The content of a versioned row.
pub(in crate::store::redb) fn decode<T: DeserializeOwned>(
    table: &'static str,
    bytes: &[u8],
) -> Result<T, Corrupt> {
    let bytes = versioned(table, bytes)?;
    postcard::from_bytes(bytes).map_err(|source| Corrupt::Postcard { table, source })
}

pub(super) fn encode_as<T: Serialize>(version: u8, row: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL);
    bytes.push(version);
    postcard::to_extend(row, bytes).expect("our rows have nothing that postcard refuses")
}

pub(super) fn versioned<'a>(table: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], Corrupt> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        other => Err(Corrupt::Version { table, version: other.map(|(version, _)| *version) }),
    }
}
