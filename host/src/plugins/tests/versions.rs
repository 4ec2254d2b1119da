//! Versions that are uploaded, dropped, sent back and gone back to, and gateways that stop at the wrong moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::guests::{drop_with, filter};
use super::{binding, endpoint, event, name};
use crate::clock::Clock;
use crate::json::Subject;
use crate::model::{
    Actor, AuditEntry, Event, KeyId, OnFailure, PluginName, PluginOrigin, PluginRecord, PluginRun, Scope,
    UnixMs, Unsettled,
};
use crate::plugins::{
    Asked, Compiler, Decision, InstallError, Installed, Judgement, Means, NewFiles, NewManifest, Options,
    Places, PluginRecords, PluginState, Plugins, RecordFailure, RecordFuture,
};
use crate::shutdown::Shutdown;

pub(super) const GOOD: &str = "i32.const 0";
pub(super) const TRAPS: &str = "unreachable";

/// A version that works, another one for each number.
pub(super) fn good(number: u32) -> Vec<u8> {
    filter(&format!("(drop (i32.const {number})) {GOOD}"))
}

pub(super) fn dropping() -> Vec<u8> {
    filter(&drop_with("i32.const 64", "i32.const 4"))
}

/// Rows that outlive a gateway, as those of a store do, and what the audit log got.
#[derive(Default)]
struct Rows(watch::Sender<(BTreeMap<PluginName, PluginRecord>, Vec<AuditEntry>)>);

impl PluginRecords for Rows {
    fn all(&self) -> RecordFuture<'_, Vec<PluginRecord>> {
        let all = self.0.borrow().0.values().cloned().collect();
        Box::pin(async { Ok(all) })
    }

    fn set(&self, record: PluginRecord, audit: Option<AuditEntry>) -> RecordFuture<'_, ()> {
        let is_broken = audit.as_ref().is_some_and(|entry| entry.target == "broken");
        if !is_broken {
            self.0.send_modify(|(rows, log)| {
                log.extend(audit);
                if record.is_empty() {
                    rows.remove(&record.plugin);
                } else {
                    rows.insert(record.plugin.clone(), record);
                }
            });
        }
        let failure = || RecordFailure("the storage failed".to_owned());
        Box::pin(async move { if is_broken { Err(failure()) } else { Ok(()) } })
    }
}

/// What is left of a gateway when it stops.
pub(super) struct Home {
    home: tempfile::TempDir,
    rows: Arc<Rows>,
}

pub(super) struct Gateway {
    pub(super) plugins: Plugins,
    shutdown: Shutdown,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

impl Home {
    pub(super) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("plugins")).unwrap();
        Self { home, rows: Arc::default() }
    }

    pub(super) async fn start(&self) -> Gateway {
        let places = Places {
            plugins: self.home.path().join("plugins"),
            cache: None,
            versions: self.home.path().join("versions"),
            compiler: Compiler::InProcess,
            means: Means::default(),
            records: Arc::clone(&self.rows) as Arc<dyn PluginRecords>,
        };
        let deadline = Duration::from_secs(30);
        let options = Options { deadline, instances: 16, max_file_bytes: 100_000, ..Options::default() };
        let shutdown = Shutdown::new();
        let plugins = Plugins::start(places, options, Clock::system(), &shutdown).await.unwrap();
        Gateway { plugins, shutdown }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("plugins").join(name)
    }

    fn record(&self) -> PluginRecord {
        self.rows.0.borrow().0.get(&name("p")).cloned().unwrap_or_else(|| PluginRecord::none(name("p")))
    }

    fn change_record(&self, change: impl FnOnce(&mut PluginRecord)) {
        self.rows.0.send_modify(|(rows, _)| change(rows.get_mut(&name("p")).unwrap()));
    }

    pub(super) fn origins(&self) -> Vec<PluginOrigin> {
        self.record().versions.iter().map(|version| version.origin).collect()
    }

    pub(super) fn actions(&self) -> Vec<String> {
        self.rows.0.borrow().1.iter().map(|entry| entry.action.clone()).collect()
    }

    pub(super) async fn until(&self, what: &str, is_so: impl Fn(&PluginRecord) -> bool) {
        let mut rows = self.rows.0.subscribe();
        let seen = rows.wait_for(|(rows, _)| rows.get(&name("p")).is_some_and(&is_so));
        timeout(Duration::from_secs(10), seen).await.expect(what).unwrap();
    }

    pub(super) fn kept(&self, digest: &str) -> PathBuf {
        self.home.path().join("versions").join(digest)
    }

    pub(super) fn kept_files(&self) -> usize {
        std::fs::read_dir(self.home.path().join("versions")).unwrap().count()
    }
}

fn by() -> Actor {
    Actor::Key { id: KeyId::new(UnixMs(1), 1), scope: Scope::Admin, address: None }
}

pub(super) fn asked() -> Asked {
    Asked { by: by(), dry_run: false }
}

impl Gateway {
    pub(super) async fn files(
        &self,
        component: Option<&[u8]>,
        manifest: NewManifest,
    ) -> Result<NewFiles, InstallError> {
        let component = match component {
            Some(bytes) => {
                let mut upload = self.plugins.upload().await?;
                for piece in bytes.chunks(7) {
                    upload.write(piece).await?;
                }
                Some(upload)
            }
            None => None,
        };
        Ok(NewFiles { component, manifest })
    }

    pub(super) async fn push(&self, component: &[u8]) -> Result<Installed, InstallError> {
        let files = self.files(Some(component), NewManifest::AsItIs).await?;
        self.plugins.install(&name("p"), files, &asked()).await
    }

    async fn push_manifest(&self, manifest: NewManifest) -> Result<Installed, InstallError> {
        let files = self.files(None, manifest).await?;
        self.plugins.install(&name("p"), files, &asked()).await
    }

    async fn roll_back(&self, version: &str) -> Result<Installed, InstallError> {
        self.plugins.roll_back(&name("p"), version, &asked()).await
    }

    pub(super) fn version(&self) -> Option<String> {
        self.plugins.get(&name("p"))?.version
    }

    pub(super) fn subject(&self, number: u64) -> Subject {
        let id = format!("evt_{number}").parse().unwrap();
        Subject::new(Arc::new(Event { id, ..event(number, "orders/created", "{}") }))
    }

    pub(super) async fn judgement(&self, subject: &Subject) -> Judgement {
        let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
        self.plugins.snapshot().judge(subject, &judged, &[]).await
    }

    pub(super) async fn judge(&self, number: u64) -> Decision {
        self.judgement(&self.subject(number)).await.decision
    }

    pub(super) async fn runs(&self, number: u64) -> Vec<PluginRun> {
        self.judgement(&self.subject(number)).await.runs
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn an_upload_is_live_lies_in_the_directory_and_is_there_after_a_restart() {
    let home = Home::new();
    let gateway = home.start().await;
    let first = gateway.push(&good(1)).await.unwrap();
    assert_eq!((first.previous.as_ref(), first.changed), (None, true));
    assert_eq!(gateway.version().as_ref(), Some(&first.version));
    assert_eq!(read(&home.file("p.wasm")), good(1));
    let again = gateway.push(&good(1)).await.unwrap();
    assert_eq!((again.version.as_ref(), again.changed), (first.version.as_str(), false));
    let second = gateway.push(&dropping()).await.unwrap();
    assert_eq!(second.previous, Some(first.version));
    assert!(matches!(gateway.judge(1).await, Decision::Drop { .. }));
    drop(gateway);

    let gateway = home.start().await;
    assert_eq!(gateway.version(), Some(second.version));
    assert_eq!(home.origins(), [PluginOrigin::Upload, PluginOrigin::Upload], "the restart is no news");
    assert_eq!(home.record().newest().unwrap().key, Some(KeyId::new(UnixMs(1), 1)));
    assert_eq!(home.actions(), ["plugin.installed", "plugin.installed"]);
    assert_eq!(home.record().unsettled, None);
}

#[tokio::test]
async fn an_upload_that_is_refused_changes_nothing() {
    let home = Home::new();
    let gateway = home.start().await;
    let live = gateway.push(&good(1)).await.unwrap().version;
    let (record, kept) = (home.record(), home.kept_files());
    let samples = "[[samples]]\nevent = { topic = \"a\", data = 1 }\nexpect = \"drop\"\n";
    for (refused, word) in [
        (gateway.push(b"hello").await, "not WebAssembly"),
        (gateway.push(b"").await, "empty"),
        (gateway.push(&vec![0; 100_001]).await, "more than 100000 bytes"),
        (gateway.push_manifest(NewManifest::Text(b"topcs = []".to_vec())).await, "topcs"),
        (gateway.push_manifest(NewManifest::Text(samples.into())).await, "expects `drop`"),
        (gateway.roll_back("0123456789abcdef").await, "not kept"),
    ] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let files = gateway.files(Some(&dropping()), NewManifest::AsItIs).await.unwrap();
    let tried = Asked { dry_run: true, ..asked() };
    assert!(gateway.plugins.install(&name("p"), files, &tried).await.unwrap().changed);
    assert_eq!(gateway.version(), Some(live));
    assert_eq!((home.record(), home.kept_files()), (record, kept));
    let names: Vec<_> = std::fs::read_dir(home.file("")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["p.wasm"]);
    let status = gateway.plugins.get(&name("p")).unwrap();
    assert_eq!(status.state(), PluginState::Active, "what is refused over the API is told there");
}

#[tokio::test]
async fn files_and_uploads_are_one_history_and_a_roll_back_brings_the_manifest_along() {
    let home = Home::new();
    std::fs::write(home.file("p.toml"), "topics = [\"orders/*\"]").unwrap();
    std::fs::write(home.file("p.wasm"), good(1)).unwrap();
    let gateway = home.start().await;
    let dropped = gateway.version().unwrap();
    assert!(dropped.contains('+'));
    let uploaded = gateway.push(&good(2)).await.unwrap().version;
    assert!(uploaded.ends_with(dropped.split('+').nth(1).unwrap()), "the manifest stays as it is");
    let bare = gateway.push_manifest(NewManifest::Nothing).await.unwrap().version;
    assert!(uploaded.starts_with(&bare) && !home.file("p.toml").exists());
    assert_eq!(home.origins(), [PluginOrigin::Upload, PluginOrigin::Upload, PluginOrigin::File]);

    let back = gateway.roll_back(&dropped).await.unwrap();
    assert_eq!((back.version, back.previous, back.changed), (dropped.clone(), Some(bare), true));
    assert_eq!(gateway.version().as_ref(), Some(&dropped));
    assert_eq!(read(&home.file("p.wasm")), good(1));
    assert_eq!(read(&home.file("p.toml")), b"topics = [\"orders/*\"]");
    assert_eq!(home.origins(), [PluginOrigin::Rollback, PluginOrigin::Upload, PluginOrigin::Upload]);
    assert!(!gateway.roll_back(&dropped).await.unwrap().changed);
    let expected = ["plugin.installed", "plugin.installed", "plugin.installed", "plugin.rolled_back"];
    assert_eq!(home.actions(), expected);
}

#[tokio::test]
async fn the_last_ten_versions_are_kept_and_the_files_of_no_other() {
    let home = Home::new();
    let gateway = home.start().await;
    let mut pushed = Vec::new();
    for number in 0..12 {
        pushed.push(gateway.push(&good(number)).await.unwrap().version);
    }
    let versions = gateway.plugins.versions(&name("p")).await.unwrap();
    let kept: Vec<_> = versions.into_iter().map(|version| version.version).collect();
    pushed.reverse();
    assert_eq!(kept, pushed[..10]);
    assert_eq!(home.kept_files(), 10);
    assert!(matches!(gateway.roll_back(&pushed[10]).await, Err(InstallError::NoVersion)));
    assert_eq!(gateway.plugins.versions(&name("q")).await, None);
}

#[tokio::test]
async fn after_a_restart_a_version_that_was_sent_back_stays_so_until_somebody_asks_for_it() {
    let home = Home::new();
    let gateway = home.start().await;
    let before = gateway.push(&good(1)).await.unwrap().version;
    assert_eq!(gateway.judge(1).await, Decision::Send(None));
    let bad = gateway.push(&filter(TRAPS)).await.unwrap().version;
    for number in 2..7 {
        assert!(matches!(gateway.judge(number).await, Decision::Hold { .. }));
    }
    home.until("it is written down", |record| record.newest().is_some_and(|bad| bad.sent_back.is_some()))
        .await;
    assert_eq!(gateway.version().as_ref(), Some(&before));
    drop(gateway);

    let gateway = home.start().await;
    let status = gateway.plugins.get(&name("p")).unwrap();
    assert_eq!((status.state(), status.version.as_ref()), (PluginState::RolledBack, Some(&before)));
    assert!(status.reason().unwrap().contains("hit `unreachable`"), "{:?}", status.reason());
    assert_eq!(status.rejected.unwrap().version, bad);
    assert_eq!(gateway.judge(7).await, Decision::Send(None));
    assert_eq!(home.actions().last().unwrap(), "plugin.sent_back");

    // Whoever uploads the version before has it in the directory; whoever uploads the bad one has it live.
    assert!(gateway.push(&good(1)).await.unwrap().changed);
    assert_eq!(gateway.plugins.get(&name("p")).unwrap().state(), PluginState::Active);
    assert_eq!(gateway.push(&filter(TRAPS)).await.unwrap().version, bad);
    assert_eq!(gateway.version(), Some(bad));
    assert_eq!(home.record().newest().unwrap().sent_back, None);
}

#[tokio::test]
async fn what_was_decided_before_a_crash_is_done_by_the_next_start() {
    let home = Home::new();
    let gateway = home.start().await;
    gateway.push(&good(1)).await.unwrap();
    let second = gateway.push(&good(2)).await.unwrap().version;
    drop(gateway);
    // The row was written, the file was not, and half of another one lies there.
    home.change_record(|record| record.unsettled = Some(Unsettled::Install));
    std::fs::write(home.file("p.wasm"), good(1)).unwrap();
    std::fs::write(home.file(".hookway-draft-0123456789abcdef"), b"half").unwrap();
    let gateway = home.start().await;
    assert_eq!(gateway.version().as_ref(), Some(&second));
    assert_eq!((read(&home.file("p.wasm")), home.record().unsettled), (good(2), None));
    assert!(!home.file(".hookway-draft-0123456789abcdef").exists());
    drop(gateway);
    // Somebody put another file there before the start: that was the last word.
    home.change_record(|record| record.unsettled = Some(Unsettled::Install));
    std::fs::write(home.file("p.wasm"), good(3)).unwrap();
    let gateway = home.start().await;
    assert_ne!(gateway.version(), Some(second));
    assert_eq!((read(&home.file("p.wasm")), home.record().unsettled), (good(3), None));
    assert_eq!(home.origins(), [PluginOrigin::File, PluginOrigin::Upload, PluginOrigin::Upload]);
    drop(gateway);

    home.change_record(|record| record.unsettled = Some(Unsettled::Remove));
    let gateway = home.start().await;
    assert_eq!(gateway.plugins.get(&name("p")), None);
    assert!(!home.file("p.wasm").exists() && home.record().is_empty());
    assert_eq!(home.kept_files(), 0);
}

#[tokio::test]
async fn a_deleted_plugin_is_gone_with_its_versions_and_one_whose_file_is_removed_keeps_them() {
    let home = Home::new();
    let gateway = home.start().await;
    let version = gateway.push(&good(1)).await.unwrap().version;
    let mut swaps = gateway.plugins.swaps();
    std::fs::remove_file(home.file("p.wasm")).unwrap();
    timeout(Duration::from_secs(10), swaps.recv()).await.unwrap().unwrap();
    assert_eq!(gateway.plugins.get(&name("p")), None);
    assert!(gateway.roll_back(&version).await.unwrap().changed, "this is the way back");
    gateway.plugins.remove(&name("p"), by()).await.unwrap();
    assert_eq!(gateway.plugins.get(&name("p")), None);
    assert!(!home.file("p.wasm").exists() && home.record().is_empty());
    assert_eq!(home.kept_files(), 0);
    assert!(matches!(gateway.plugins.remove(&name("p"), by()).await, Err(InstallError::NoPlugin)));
    assert_eq!(home.actions(), ["plugin.installed", "plugin.rolled_back", "plugin.deleted"]);
}

#[tokio::test]
async fn a_directory_or_a_store_that_cannot_be_written_is_a_sentence_and_changes_nothing() {
    let home = Home::new();
    let gateway = home.start().await;
    std::fs::create_dir(home.file("p.wasm")).unwrap();
    let error = gateway.push(&good(1)).await.unwrap_err();
    assert!(matches!(error, InstallError::Directory { .. }), "{error}");
    assert!(error.to_string().contains("`p.wasm` is a directory"), "{error}");
    let files = gateway.files(Some(&good(1)), NewManifest::AsItIs).await.unwrap();
    let error = gateway.plugins.install(&name("broken"), files, &asked()).await.unwrap_err();
    assert!(matches!(error, InstallError::Records(_)), "{error}");
    assert_eq!(gateway.plugins.get(&name("broken")), None);
    assert!(!home.file("broken.wasm").exists());
    assert_eq!(home.kept_files(), 0);
}
