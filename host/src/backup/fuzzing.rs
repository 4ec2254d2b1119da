//! A backup that somebody made, for a fuzzer: what is taken for whole is what it says, and leads nowhere else.

use sha2::{Digest as _, Sha256};

use super::frame::{Kind, MAGIC, encode};
use super::manifest::Summary;
use super::{Error, Part, Reader};

/// The bytes as they are; and their lines as frames whose checksums are right, which nobody would guess. A line begins with the digit of
/// its kind.
pub(crate) fn backup(bytes: &[u8]) {
    let _ = read(bytes);
    let mut whole = MAGIC.to_vec();
    let mut files = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let (kind, payload) = match line.split_first() {
            Some((b'1', payload)) => (Kind::Manifest, payload),
            Some((b'2', payload)) => (Kind::Rows, payload),
            Some((b'3', payload)) => (Kind::File, payload),
            Some((b'4', payload)) => (Kind::Bytes, payload),
            Some((b'5', payload)) => (Kind::End, payload),
            Some(_) | None => continue,
        };
        files += u64::from(kind == Kind::File);
        whole.extend(encode(kind, payload));
    }
    let sha256 = Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect();
    let end = Summary { rows: 0, files, bytes: whole.len() as u64, sha256 };
    whole.extend(encode(Kind::End, &serde_json::to_vec(&end).expect("it can be written")));
    if let Ok(found) = read(&whole) {
        assert_eq!(found, files, "some files are missing");
        assert!(read(&whole[..whole.len() - 1]).is_err(), "it is taken for whole without its end");
    }
}

/// How many files it has, if it is whole.
fn read(bytes: &[u8]) -> Result<u64, Error> {
    let mut reader = Reader::begin(bytes)?;
    let _ = reader.manifest().rows();
    let (mut files, mut left) = (0, 0_u64);
    while let Some(part) = reader.part()? {
        match part {
            Part::Rows(..) => {}
            Part::File(_, name) => {
                let leads_out = name.contains(['/', '\\', '\0']) || ["", ".", ".."].contains(&name.as_str());
                assert!(!leads_out, "{name:?} leads out of its directory");
                files += 1;
            }
            Part::Bytes(bytes) => left = left.saturating_add(bytes.len() as u64),
        }
    }
    assert!(left <= bytes.len() as u64, "files are larger than what they were read from");
    assert!(reader.summary().is_some(), "it ends without its end");
    Ok(files)
}
