//! A store with something of everything, backed up and restored; then what is not whole.

use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::model::{Activity, AuditEntry};
use crate::store::conformance::fixtures::{T0, audit, dispatched, endpoint, endpoint_id, new_event, pending};
use crate::store::conformance::persistence;
use crate::store::redb::{Options, RedbStore};
use crate::store::{NewEvent, Snapshots as _, Store};
use crate::vault::{KeyRing, Vault};

/// Nothing here is about how long a write waits.
const OPTIONS: Options = Options { cache_mib: 16, linger_ms: 5 };

struct Scene {
    home: tempfile::TempDir,
    vault: Vault,
    store: Arc<RedbStore>,
}

impl Scene {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(KeyRing::random());
        let clock = Clock::starting_at(T0);
        let path = home.path().join("hookway.redb");
        let store = Arc::new(RedbStore::open(&path, vault.clone(), clock, &OPTIONS).unwrap());
        for (place, name) in [("plugins", "a.wasm"), ("plugins", "a.toml"), ("plugin-versions", "0123")] {
            let directory = home.path().join(place);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(name), format!("{place} {name} ").repeat(100_000)).unwrap();
        }
        fs::write(home.path().join("plugins/.hidden.wasm"), "half").unwrap();
        fs::write(home.path().join("plugins/notes.txt"), "not ours").unwrap();
        Self { home, vault, store }
    }

    fn backups(&self) -> Backups {
        let at = |name: &str| self.home.path().join(name);
        let places = Places { plugins: at("plugins"), versions: at("plugin-versions") };
        Backups::new(Arc::<RedbStore>::clone(&self.store), places, Clock::starting_at(T0))
    }

    async fn back_up(&self) -> Vec<u8> {
        let backups = self.backups();
        let place = backups.enter().unwrap();
        assert!(backups.enter().is_none(), "one at a time");
        let mut parts = backups.start(place, made()).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(part) = parts.recv().await {
            bytes.extend(part);
        }
        bytes
    }

    fn open(&self, restored: &Destination) -> RedbStore {
        let path = restored.data.join("hookway.redb");
        RedbStore::open(&path, self.vault.clone(), Clock::starting_at(T0), &OPTIONS).unwrap()
    }
}

fn made() -> AuditEntry {
    audit("backup.created")
}

fn destination(home: &std::path::Path) -> Destination {
    Destination {
        data: home.join("data"),
        plugins: home.join("data/plugins"),
        versions: home.join("data/plugin-versions"),
        may_be_there: vec![home.join("data/secrets.keys")],
        aside: None,
        paused: None,
    }
}

#[tokio::test]
async fn what_is_restored_is_what_was_backed_up_byte_for_byte() {
    let scene = Scene::new();
    persistence::write(&*scene.store).await;
    let bytes = scene.back_up().await;
    dispatched(&*scene.store, new_event(), vec![pending(endpoint_id(1))]).await;
    let home = tempfile::tempdir().unwrap();
    let (file, to) = (home.path().join("backup"), destination(home.path()));
    fs::write(&file, &bytes).unwrap();
    fs::create_dir_all(&to.data).unwrap();
    fs::write(to.data.join("secrets.keys"), "the key").unwrap();
    let mut last = 0;
    let restored = restore(&file, &to, |done, all| {
        assert!(done >= last && done <= all);
        last = done;
    });
    assert_eq!(restored.unwrap().store, to.data.join("hookway.redb"));
    for name in ["plugins/a.wasm", "plugins/a.toml", "plugin-versions/0123"] {
        let both = [&scene.home.path().join(name), &to.data.join(name)].map(|path| fs::read(path).unwrap());
        assert!(both[0] == both[1], "{name}");
    }
    assert!(!to.data.join("plugins/.hidden.wasm").exists() && !to.data.join("plugins/notes.txt").exists());
    assert!(!to.data.join(UNFINISHED).exists());
    let store = scene.open(&to);
    assert!(store.verify_audit().await.unwrap().broken_at.is_none());
    assert_eq!(rows(&store).await, parts_of(&bytes), "each row of each table");
}

/// All rows of a store, but what opening writes.
async fn rows(store: &RedbStore) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let scene = store.snapshot(made()).await.unwrap();
    let mut all = Vec::new();
    scene
        .rows(&mut |table, key, value| {
            all.push((table.to_owned(), key.to_vec(), value.to_vec()));
            true
        })
        .unwrap();
    without_changing(all)
}

fn parts_of(bytes: &[u8]) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut reader = Reader::begin(Cursor::new(bytes)).unwrap();
    let mut all = Vec::new();
    while let Some(part) = reader.part().unwrap() {
        if let Part::Rows(table, rows) = part {
            all.extend(rows.into_iter().map(|(key, value)| (table.clone(), key, value)));
        }
    }
    without_changing(all)
}

/// Opening moves marks, and each snapshot is written down.
fn without_changing(all: Vec<(String, Vec<u8>, Vec<u8>)>) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    all.into_iter().filter(|(table, ..)| !["meta", "audit"].contains(&table.as_str())).collect()
}

#[tokio::test]
async fn a_backup_that_is_cut_off_or_changed_anywhere_is_refused_and_leaves_nothing() {
    let scene = Scene::new();
    persistence::write(&*scene.store).await;
    let bytes = scene.back_up().await;
    verify(Cursor::new(&bytes), |_, _| {}).unwrap();
    let step = (bytes.len() / 97).max(1);
    for at in (0..bytes.len()).step_by(step).chain(0..40).chain(bytes.len() - 40..bytes.len()) {
        let cut = verify(Cursor::new(&bytes[..at]), |_, _| {}).unwrap_err();
        assert!(matches!(cut, Error::CutOff(_) | Error::NotOne), "{at}: {cut}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x20;
        let changed = verify(Cursor::new(&changed), |_, _| {}).unwrap_err();
        assert!(!matches!(changed, Error::CutOff(_)), "{at}: {changed}");
    }
    let more = [bytes.as_slice(), b"x"].concat();
    assert!(verify(Cursor::new(&more), |_, _| {}).is_err());

    let home = tempfile::tempdir().unwrap();
    let (file, to) = (home.path().join("backup"), destination(home.path()));
    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let refused = restore(&file, &to, |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("cut off"), "{refused}");
    assert!(!to.data.exists());
    fs::write(&file, "something else").unwrap();
    assert!(matches!(restore(&file, &to, |_, _| {}), Err(Error::NotOne)));
}

#[tokio::test]
async fn frames_that_are_left_out_or_swapped_are_noticed() {
    let scene = Scene::new();
    persistence::write(&*scene.store).await;
    let backups = scene.backups();
    let mut parts = backups.start(backups.enter().unwrap(), made()).await.unwrap();
    let mut frames = Vec::new();
    while let Some(part) = parts.recv().await {
        frames.push(part);
    }
    for left_out in 1..frames.len() {
        let others = frames.iter().enumerate().filter(|(n, _)| *n != left_out).map(|(_, frame)| frame);
        let bytes: Vec<u8> = others.flatten().copied().collect();
        assert!(verify(Cursor::new(bytes), |_, _| {}).is_err(), "without {left_out}");
    }
    frames.swap(3, 4);
    assert!(verify(Cursor::new(frames.concat()), |_, _| {}).is_err());
}

#[tokio::test]
async fn a_directory_in_use_is_left_alone_unless_it_is_to_be_put_aside() {
    let scene = Scene::new();
    persistence::write(&*scene.store).await;
    let bytes = scene.back_up().await;
    let home = tempfile::tempdir().unwrap();
    let (file, to) = (home.path().join("backup"), destination(home.path()));
    fs::write(&file, &bytes).unwrap();
    fs::create_dir_all(to.data.join("plugins")).unwrap();
    fs::write(to.data.join("hookway.redb"), "the one before").unwrap();
    fs::write(to.data.join("plugins/b.wasm"), "of the one before").unwrap();
    let refused = restore(&file, &to, |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("--replace"), "{refused}");
    assert_eq!(fs::read(to.data.join("hookway.redb")).unwrap(), b"the one before");
    // What an interrupted one left is begun anew.
    fs::create_dir_all(to.data.join(UNFINISHED)).unwrap();
    fs::write(to.data.join(UNFINISHED).join("hookway.redb"), "half").unwrap();
    let aside = to.data.join("replaced");
    let replace = Destination { aside: Some(aside.clone()), ..to.clone() };
    restore(&file, &replace, |_, _| {}).unwrap();
    assert_eq!(fs::read(aside.join("hookway.redb")).unwrap(), b"the one before");
    assert_eq!(fs::read(aside.join("b.wasm")).unwrap(), b"of the one before");
    assert!(!to.data.join("plugins/b.wasm").exists() && to.data.join("plugins/a.wasm").exists());
    scene.open(&to);
}

#[tokio::test]
async fn paused_endpoints_are_sent_nothing_until_they_are_activated() {
    let scene = Scene::new();
    let active = endpoint(1, "https://example.com/1");
    scene.store.create_endpoint(active.clone(), audit("endpoint.created")).await.unwrap();
    let bytes = scene.back_up().await;
    let home = tempfile::tempdir().unwrap();
    let (file, to) = (home.path().join("backup"), destination(home.path()));
    fs::write(&file, &bytes).unwrap();
    let since = T0.after(Duration::from_secs(9));
    restore(&file, &Destination { paused: Some(since), ..to.clone() }, |_, _| {}).unwrap();
    let endpoints = scene.open(&to).endpoints().await.unwrap();
    let [one] = &endpoints[..] else { panic!("{endpoints:?}") };
    assert!(matches!(one.activity, Activity::Inactive { since: at, .. } if at == since));
    assert_eq!(one.secrets.len(), active.secrets.len());
}

#[tokio::test]
async fn what_is_answered_before_is_in_it_and_what_comes_while_it_is_made_is_not() {
    let scene = Scene::new();
    let data = format!("\"{}\"", "x".repeat(1_000));
    let many = vec![NewEvent { data: data.into(), ..new_event() }; 3_000];
    scene.store.accept(many.clone()).await.unwrap();
    let backups = scene.backups();
    let mut parts = backups.start(backups.enter().unwrap(), made()).await.unwrap();
    let mut bytes = parts.recv().await.unwrap().to_vec();
    scene.store.accept(many).await.unwrap();
    while let Some(part) = parts.recv().await {
        bytes.extend(part);
    }
    let (manifest, summary) = verify(Cursor::new(bytes), |_, _| {}).unwrap();
    assert_eq!((manifest.tables["events"], summary.files), (3_000, 3));
    assert!(backups.enter().is_some(), "the next one may begin");
}
