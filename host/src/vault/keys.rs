//! The key ring: lines `KEY_ID BASE64_OF_32_BYTES`, the first of which seals, all of which open.
//!
//! Messages name the line and never repeat it: what is wrong there may be a key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What the cipher takes.
pub(super) const KEY_BYTES: usize = 32;
const MAX_ID_BYTES: usize = 32;

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Names a key where the key itself must not be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyId(String);

/// Keys, the current one first. Never empty. `Debug` shows their ids only.
pub struct KeyRing(Vec<(KeyId, Key)>);

/// What is wrong with a text of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// No line has a key.
    #[error("there is no key: write a line with a key id and base64 of {KEY_BYTES} random bytes")]
    Empty,
    /// A line is not an id and a key.
    #[error(
        "line {0} is not a key: expected an id (1 to {MAX_ID_BYTES} letters, digits, `-`, `_`), a space, and base64 of exactly \
         {KEY_BYTES} bytes"
    )]
    Line(usize),
    /// Two keys have one id.
    #[error("line {line} has the key id `{id}` again: every key has an id of its own")]
    Repeated {
        /// Counted from 1.
        line: usize,
        /// The id.
        id: KeyId,
    },
}

impl KeyId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyRing {
    /// A ring with one new key: random, under a random id.
    #[must_use]
    pub fn random() -> Self {
        let id = KeyId(format!("key-{:08x}", rand::random::<u32>()));
        Self(vec![(id, Zeroizing::new(rand::random()))])
    }

    /// The key that seals.
    pub(super) fn current(&self) -> (&KeyId, &Key) {
        let (id, key) = self.0.first().expect("a ring is never empty");
        (id, key)
    }

    /// The key with this id.
    pub(super) fn get(&self, id: &KeyId) -> Option<&Key> {
        self.0.iter().find(|(known, _)| known == id).map(|(_, key)| key)
    }

    /// The ids of the others.
    pub(super) fn older(&self) -> Vec<KeyId> {
        self.0.iter().skip(1).map(|(id, _)| id.clone()).collect()
    }

    /// The lines that make this ring.
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let lines = self.0.iter().map(|(id, key)| format!("{id} {}\n", STANDARD.encode(**key)));
        Zeroizing::new(lines.collect())
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(is_good);
        if fits { Ok(Self(text.to_owned())) } else { Err(()) }
    }
}

/// Lines end with a newline or, for an environment variable, a comma. Empty ones and those that begin with `#` are
/// skipped.
impl FromStr for KeyRing {
    type Err = KeysError;

    fn from_str(text: &str) -> Result<Self, KeysError> {
        let mut ring = Self(Vec::new());
        for (number, line) in (1..).zip(text.split(['\n', ','])) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, key) = parse_line(line).ok_or(KeysError::Line(number))?;
            if ring.get(&id).is_some() {
                return Err(KeysError::Repeated { line: number, id });
            }
            ring.0.push((id, key));
        }
        if ring.0.is_empty() { Err(KeysError::Empty) } else { Ok(ring) }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

fn parse_line(line: &str) -> Option<(KeyId, Key)> {
    let (id, encoded) = line.split_once(char::is_whitespace)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok()?;
    Some((id.parse().ok()?, Zeroizing::new(key)))
}
