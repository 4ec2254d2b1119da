//! What a piece of machine code is called, and the proof that we made it.
//!
//! The name is a hash of everything that the code depends on, so a file of another version is never looked for. The seal
//! is an HMAC over name and code under a key that only this folder has: a file under another's name is not ours either.

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher};
use std::io;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::plugins::folder::Folder;

/// What stands before the code: the seal.
pub(super) const HEADER_BYTES: usize = 32;
const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
/// The form of the file; a part of the sealed message.
const FORMAT: &[u8] = b"hookway plugin code 1\n";

/// The name of the file for one piece of code.
pub(super) struct Name {
    digest: [u8; 32],
    text: String,
}

/// Makes names and seals for one engine.
pub(super) struct Sealer {
    keyed: Hmac<Sha256>,
    /// Of this program's version, the engine's version, its settings and the processor.
    maker: [u8; 32],
}

impl Name {
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// Whether a file in the folder is a piece of code.
pub(super) fn is_name(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Sealer {
    /// With the key of the folder; a new one if it has none that can be used, and then nothing in it is ours any more.
    pub(super) fn open(folder: &Folder, engine: &Engine) -> io::Result<Self> {
        let key: [u8; KEY_BYTES] = match folder.read(KEY_FILE, KEY_BYTES as u64) {
            Ok(Some((key, rest))) if rest.is_empty() => key,
            _ => {
                let key: [u8; KEY_BYTES] = rand::random();
                folder.remove(KEY_FILE)?;
                folder.write(KEY_FILE, &[&key])?;
                key
            }
        };
        let keyed = Hmac::new_from_slice(&key).map_err(io::Error::other)?;
        Ok(Self { keyed, maker: maker(engine) })
    }

    pub(super) fn name(&self, file: &[u8]) -> Name {
        let digest =
            Sha256::new().chain_update(FORMAT).chain_update(self.maker).chain_update(Sha256::digest(file));
        let digest: [u8; 32] = digest.finalize().into();
        let text = digest.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Name { digest, text }
    }

    /// What stands before the code in its file.
    pub(super) fn seal(&self, name: &Name, code: &[u8]) -> [u8; HEADER_BYTES] {
        self.keyed_over(name, code).finalize().into_bytes().into()
    }

    /// In constant time.
    pub(super) fn is_ours(&self, name: &Name, seal: &[u8; HEADER_BYTES], code: &[u8]) -> bool {
        self.keyed_over(name, code).verify(&(*seal).into()).is_ok()
    }

    fn keyed_over(&self, name: &Name, code: &[u8]) -> Hmac<Sha256> {
        self.keyed.clone().chain_update(FORMAT).chain_update(name.digest).chain_update(code)
    }
}

/// The engine's own hash has its exact version, the settings that code depends on and the features of the processor.
fn maker(engine: &Engine) -> [u8; 32] {
    let mut hasher = Sha256Hasher(Sha256::new().chain_update(env!("CARGO_PKG_VERSION")));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// A [`Hasher`] that gives 256 bits instead of 64.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
