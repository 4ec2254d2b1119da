//! What is believed and what is not.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::plugins::engine::config;

const FILE: &[u8] = b"the bytes of a plugin";
const MAX: u64 = 1 << 20;

struct Fixture {
    home: tempfile::TempDir,
    engine: Engine,
}

impl Fixture {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), engine: Engine::new(&config()).unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    fn open(&self) -> Cache {
        self.open_with(MAX).unwrap()
    }

    fn open_with(&self, max_bytes: u64) -> Option<Cache> {
        Cache::open(&self.dir(), max_bytes, &self.engine)
    }

    /// Where the code of [`FILE`] lies.
    fn path(&self) -> PathBuf {
        self.dir().join(self.open().sealer.name(FILE).text())
    }
}

fn code(text: &[u8]) -> Artefact {
    Artefact::made_by_us(text.to_vec())
}

fn got(cache: &Cache, file: &[u8]) -> Option<Vec<u8>> {
    cache.get(file).map(|code| code.bytes().to_vec())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_was_put_is_found_again_after_a_restart_and_by_nobody_else() {
    let fixture = Fixture::new();
    fixture.open().put(FILE, &code(b"code"));
    assert_eq!(got(&fixture.open(), FILE).as_deref(), Some(&b"code"[..]));
    assert_eq!(got(&fixture.open(), b"another plugin"), None);
    assert_eq!((mode(&fixture.dir()), mode(&fixture.path())), (0o700, 0o600));
    assert_eq!(mode(&fixture.dir().join("key")), 0o600);
}

#[test]
fn one_bit_is_enough_to_be_refused() {
    let fixture = Fixture::new();
    let cache = fixture.open();
    let machine_code: Vec<u8> = (0..20_000_u32).map(|i| (i % 251) as u8).collect();
    cache.put(FILE, &code(&machine_code));
    let whole = fs::read(fixture.path()).unwrap();
    let bits = whole.len() * 8;
    for bit in (0..300).chain((300..bits).step_by(61)).chain(bits - 16..bits) {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        fs::write(fixture.path(), &changed).unwrap();
        fs::set_permissions(fixture.path(), Permissions::from_mode(0o600)).unwrap();
        assert_eq!(got(&cache, FILE), None, "bit {bit}");
        assert!(!fixture.path().exists(), "what is wrong does not stay");
    }
}

#[test]
fn what_is_too_short_or_too_long_is_refused() {
    let fixture = Fixture::new();
    let cache = fixture.open();
    cache.put(FILE, &code(&[7; 1_000]));
    let whole = fs::read(fixture.path()).unwrap();
    let put = |content: &[u8]| {
        fs::write(fixture.path(), content).unwrap();
        fs::set_permissions(fixture.path(), Permissions::from_mode(0o600)).unwrap();
    };
    for end in 0..whole.len() {
        put(&whole[..end]);
        assert_eq!(got(&cache, FILE), None, "the first {end} bytes");
    }
    put(&[&whole[..], b"x"].concat());
    assert_eq!(got(&cache, FILE), None);
    put(&vec![0; usize::try_from(MAX).unwrap() + 1]);
    assert_eq!(got(&cache, FILE), None);
    put(&whole);
    assert!(got(&cache, FILE).is_some(), "it was the change, not the writing");
}

#[test]
fn a_seal_is_for_one_name_one_key_and_one_engine() {
    let fixture = Fixture::new();
    let cache = fixture.open();
    cache.put(FILE, &code(b"code"));
    let other = fixture.dir().join(cache.sealer.name(b"another plugin").text());
    fs::copy(fixture.path(), &other).unwrap();
    assert_eq!(got(&cache, b"another plugin"), None, "swapped");

    let mut another_engine = config();
    another_engine.epoch_interruption(false);
    let another_engine = Engine::new(&another_engine).unwrap();
    let of_another = Cache::open(&fixture.dir(), MAX, &another_engine).unwrap();
    assert_eq!(got(&of_another, FILE), None, "another engine");
    assert!(got(&cache, FILE).is_some());

    let foreign = Fixture::new();
    foreign.open().put(FILE, &code(b"evil"));
    fs::copy(foreign.path(), fixture.path()).unwrap();
    assert_eq!(got(&cache, FILE), None, "sealed under the key of another gateway");

    cache.put(FILE, &code(b"code"));
    fs::remove_file(fixture.dir().join("key")).unwrap();
    assert_eq!(got(&fixture.open(), FILE), None, "the key is lost");
}

#[test]
fn links_and_other_things_are_not_followed_nor_waited_for() {
    let fixture = Fixture::new();
    let cache = fixture.open();
    cache.put(FILE, &code(b"code"));
    let elsewhere = fixture.home.path().join("elsewhere");
    fs::rename(fixture.path(), &elsewhere).unwrap();
    symlink(&elsewhere, fixture.path()).unwrap();
    assert_eq!(got(&cache, FILE), None, "a link to the very code");
    assert!(elsewhere.exists() && !fixture.path().is_symlink(), "the link goes, the file stays");

    fs::create_dir(fixture.path()).unwrap();
    assert_eq!(got(&cache, FILE), None, "a directory");
    let fifo = rustix::fs::CWD;
    rustix::fs::mkfifoat(fifo, fixture.path(), rustix::fs::Mode::RUSR).unwrap();
    assert_eq!(got(&cache, FILE), None, "a pipe");
    cache.put(FILE, &code(b"code"));
    assert!(got(&cache, FILE).is_some());
}

#[test]
fn what_others_may_touch_or_own_is_refused() {
    let fixture = Fixture::new();
    let cache = fixture.open();
    for open_to_others in [0o620, 0o602, 0o640, 0o604] {
        cache.put(FILE, &code(b"code"));
        fs::set_permissions(fixture.path(), Permissions::from_mode(open_to_others)).unwrap();
        assert_eq!(got(&cache, FILE), None, "{open_to_others:o}");
    }
    cache.put(FILE, &code(b"code"));
    // Only root can give a file away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(fixture.path(), Some(1), Some(1)).unwrap();
        assert_eq!(got(&cache, FILE), None, "of another user");
    }
    fs::set_permissions(fixture.dir(), Permissions::from_mode(0o750)).unwrap();
    assert!(fixture.open_with(MAX).is_none(), "a folder that others may look into");
    let linked = fixture.home.path().join("linked");
    fs::set_permissions(fixture.dir(), Permissions::from_mode(0o700)).unwrap();
    symlink(fixture.dir(), &linked).unwrap();
    assert!(Cache::open(&linked, MAX, &fixture.engine).is_none(), "a folder behind a link");
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let fixture = Fixture::new();
    let cache = fixture.open_with(3_000).unwrap();
    let age = |file: &[u8], seconds: u64| {
        let path = fixture.dir().join(cache.sealer.name(file).text());
        let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    };
    for (number, file) in [b"a", b"b", b"c"].into_iter().enumerate() {
        cache.put(file, &code(&[0; 900]));
        age(file, 1_000 + number as u64);
    }
    assert!(got(&cache, b"a").is_some(), "used now, so `b` is the oldest");
    cache.put(b"d", &code(&[0; 900]));
    let there = [b"a", b"b", b"c", b"d"].map(|file| got(&cache, file).is_some());
    assert_eq!(there, [true, false, true, true]);
    cache.put(b"e", &code(&[0; 3_001]));
    assert!(got(&cache, b"e").is_none() && got(&cache, b"d").is_some(), "too large for the whole cache");
    assert!(fixture.dir().join("key").exists());
}

#[test]
fn a_draft_that_a_crash_left_is_removed() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let draft = fixture.dir().join(".hookway-draft-0123456789abcdef");
    fs::write(&draft, b"half").unwrap();
    drop(fixture.open());
    assert!(!draft.exists());
}
