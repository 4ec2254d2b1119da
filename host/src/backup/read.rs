//! Reading one: each frame is held against its checksum, and the whole against its end, before anybody is told that it is whole.

use std::collections::BTreeMap;
use std::io::Read;

use sha2::{Digest as _, Sha256};

use super::Error;
use super::frame::{self, HEAD, Head, Kind, MAGIC, Row};
use super::manifest::{FileHead, FilePlace, Manifest, Summary};
use crate::store::redb::Loader;

/// A backup that is read.
pub struct Reader<R> {
    source: R,
    hash: Sha256,
    bytes: u64,
    manifest: Manifest,
    rows: BTreeMap<String, u64>,
    files: u64,
    /// Of the file whose head came last.
    left: u64,
    summary: Option<Summary>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Rows of a table.
    Rows(String, Vec<Row>),
    /// A file begins.
    File(FilePlace, String),
    /// A piece of it.
    Bytes(Vec<u8>),
}

impl<R: Read> Reader<R> {
    /// Reads the manifest.
    ///
    /// # Errors
    /// It is no backup, or one that this version cannot read.
    pub fn begin(mut source: R) -> Result<Self, Error> {
        let mut magic = [0; MAGIC.len()];
        read_exact(&mut source, &mut magic, 0)
            .map_err(|error| if matches!(error, Error::CutOff(_)) { Error::NotOne } else { error })?;
        let (format, known) = (magic[MAGIC.len() - 1], MAGIC[MAGIC.len() - 1]);
        if magic[..MAGIC.len() - 1] != MAGIC[..MAGIC.len() - 1] {
            return Err(Error::NotOne);
        }
        let by = || "its manifest is not read".to_owned();
        if format != known {
            return Err(Error::Newer { found: u64::from(format), known: u64::from(known), by: by() });
        }
        let mut hash = Sha256::new();
        hash.update(magic);
        let manifest = Manifest {
            hookway: String::new(),
            created_at: String::new(),
            store_format: 0,
            tables: BTreeMap::new(),
            files: 0,
        };
        let mut reader = Self {
            source,
            hash,
            bytes: magic.len() as u64,
            manifest,
            rows: BTreeMap::new(),
            files: 0,
            left: 0,
            summary: None,
        };
        let (kind, payload) = reader.frame()?;
        if kind != Kind::Manifest {
            return Err(Error::Damaged(MAGIC.len() as u64));
        }
        reader.manifest = json(&payload, "its manifest cannot be read")?;
        let (found, known) = (reader.manifest.store_format, Loader::newest_format());
        if found > known {
            return Err(Error::Newer { found, known, by: reader.manifest.hookway.clone() });
        }
        Ok(reader)
    }

    /// What it says of itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Rows so far.
    pub fn rows_read(&self) -> u64 {
        self.rows.values().sum()
    }

    /// The next part; `None` once all is read and right.
    ///
    /// # Errors
    /// It is cut off or damaged.
    pub fn part(&mut self) -> Result<Option<Part>, Error> {
        if self.summary.is_some() {
            return Ok(None);
        }
        let at = self.bytes;
        let before = self.hash.clone();
        let (kind, payload) = self.frame()?;
        let damaged = || Error::Damaged(at);
        if self.left > 0 && kind != Kind::Bytes {
            return Err(damaged());
        }
        match kind {
            Kind::Manifest => Err(damaged()),
            Kind::Rows => {
                let (table, rows) = frame::parse_rows(&payload).ok_or_else(damaged)?;
                *self.rows.entry(table.clone()).or_default() += rows.len() as u64;
                Ok(Some(Part::Rows(table, rows)))
            }
            Kind::File => {
                let head: FileHead = json(&payload, "the name of a file cannot be read")?;
                if head.name.is_empty() || head.name.starts_with('.') || head.name.contains(['/', '\\', '\0'])
                {
                    let sentence =
                        format!("a file is called {:?}, which leads out of its directory", head.name);
                    return Err(Error::Inconsistent(sentence));
                }
                self.files += 1;
                self.left = head.bytes;
                Ok(Some(Part::File(head.place, head.name)))
            }
            Kind::Bytes => {
                self.left = self.left.checked_sub(payload.len() as u64).ok_or_else(damaged)?;
                Ok(Some(Part::Bytes(payload)))
            }
            Kind::End => {
                let summary: Summary = json(&payload, "its end cannot be read")?;
                self.check(&summary, at, before)?;
                self.summary = Some(summary);
                Ok(None)
            }
        }
    }

    /// The end, once it is read.
    pub const fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    fn check(&mut self, summary: &Summary, at: u64, hash: Sha256) -> Result<(), Error> {
        let inconsistent = |sentence: String| Err(Error::Inconsistent(sentence));
        for (table, rows) in &self.manifest.tables {
            let found = self.rows.get(table).copied().unwrap_or(0);
            if found != *rows {
                return inconsistent(format!("`{table}` has {found} rows, and should have {rows}"));
            }
        }
        if let Some(table) = self.rows.keys().find(|table| !self.manifest.tables.contains_key(*table)) {
            return inconsistent(format!("it has rows of `{table}`, which its manifest does not name"));
        }
        if (self.files, summary.files) != (self.manifest.files, self.manifest.files) {
            return inconsistent(format!(
                "it has {} files, and should have {}",
                self.files, self.manifest.files
            ));
        }
        let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if summary.bytes != at || summary.sha256 != sha256 {
            return inconsistent("the checksum of all of it is another".to_owned());
        }
        let mut more = [0];
        match self.source.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => inconsistent("there is something after its end".to_owned()),
            Err(source) => Err(Error::Io { what: "the backup cannot be read".to_owned(), source }),
        }
    }

    fn frame(&mut self) -> Result<(Kind, Vec<u8>), Error> {
        let at = self.bytes;
        let mut head = [0; HEAD];
        read_exact(&mut self.source, &mut head, at)?;
        let known = Head::parse(&head).ok_or(Error::Damaged(at))?;
        let length = u64::from(known.length);
        let mut payload = Vec::new();
        // Grows as it is read: a length that somebody made up must not take all memory.
        let read = self.source.by_ref().take(length).read_to_end(&mut payload);
        read.map_err(Error::io("the backup cannot be read"))?;
        if payload.len() as u64 != length {
            return Err(Error::CutOff(at + HEAD as u64 + payload.len() as u64));
        }
        if !known.fits(&payload) {
            return Err(Error::Damaged(at));
        }
        self.hash.update(head);
        self.hash.update(&payload);
        self.bytes += HEAD as u64 + length;
        Ok((known.kind, payload))
    }
}

/// Reads all of a backup and says what it is.
///
/// # Errors
/// It is none, or not whole.
pub fn verify(
    source: impl Read,
    mut progress: impl FnMut(&Manifest, u64),
) -> Result<(Manifest, Summary), Error> {
    let mut reader = Reader::begin(source)?;
    while reader.part()?.is_some() {
        progress(&reader.manifest, reader.rows_read());
    }
    let summary = reader.summary.ok_or(Error::CutOff(reader.bytes))?;
    Ok((reader.manifest, summary))
}

fn read_exact(source: &mut impl Read, out: &mut [u8], at: u64) -> Result<(), Error> {
    source.read_exact(out).map_err(|error| {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            Error::CutOff(at)
        } else {
            Error::Io { what: "the backup cannot be read".to_owned(), source: error }
        }
    })
}

fn json<T: serde::de::DeserializeOwned>(payload: &[u8], sentence: &str) -> Result<T, Error> {
    serde_json::from_slice(payload).map_err(|error| Error::Inconsistent(format!("{sentence}: {error}")))
}
