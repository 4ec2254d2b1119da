//! Files that come, change, break and go.

use std::os::unix::fs::symlink;
use std::time::Duration;

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::time::timeout;

use super::guests::{drop_with, exporting, filter, filter_with_init, missing_function, wrong_types};
use super::{Fixture, binding, endpoint, name, subject};
use crate::clock::Clock;
use crate::model::{OnFailure, PluginName, TenantId};
use crate::plugins::engine::Runtime;
use crate::plugins::load::{Files, Loader};
use crate::plugins::registry::Registry;
use crate::plugins::{Compiler, Decision, InUse, Options, PluginState};

const GOOD: &str = "i32.const 0";

fn dropping() -> Vec<u8> {
    filter(&drop_with("i32.const 64", "i32.const 4"))
}

async fn next(swaps: &mut broadcast::Receiver<PluginName>) -> PluginName {
    timeout(Duration::from_secs(10), swaps.recv()).await.expect("a swap within 10 s").unwrap()
}

async fn decision(fixture: &Fixture) -> Decision {
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    fixture.plugins.snapshot().judge(&subject("{}"), &judged, &[]).await.decision
}

fn reason(fixture: &Fixture, plugin: &str) -> String {
    let status = fixture.plugins.get(&name(plugin)).unwrap();
    assert_eq!(status.state(), PluginState::Degraded, "{plugin}");
    status.rejected.unwrap().reason
}

#[tokio::test]
async fn each_bad_file_is_degraded_with_its_reason_and_the_good_one_works() {
    let core = wat::parse_str("(module)").unwrap();
    let mut truncated = filter(GOOD);
    truncated.truncate(truncated.len() / 2);
    let files: [(&str, &[u8]); 10] = [
        ("p.wasm", &filter(GOOD)),
        ("empty.wasm", b""),
        ("text.wasm", b"hello"),
        ("core.wasm", &core),
        ("elf.wasm", b"\x7fELF\x02\x01\x01"),
        ("truncated.wasm", &truncated),
        ("version.wasm", &exporting("hookway:plugin/filter@2.0.0")),
        ("types.wasm", &wrong_types()),
        ("missing.wasm", &missing_function()),
        ("nothing.wasm", &exporting("acme:other/filter@1.0.0")),
    ];
    let fixture = Fixture::start(&files).await;
    let expected = [
        ("empty", "the file is empty"),
        ("text", "not WebAssembly"),
        (
            "core",
            "core WebAssembly module that does not say which interfaces it has: build for `wasm32-wasip2`",
        ),
        ("elf", "native code"),
        ("truncated", "not a valid component"),
        ("version", "exports `hookway:plugin/filter@2.0.0`, this gateway speaks 1.x"),
        ("types", "does not fit `hookway:plugin@1.0.0`"),
        ("missing", "does not fit `hookway:plugin@1.0.0`"),
        ("nothing", "exports none of"),
    ];
    for (plugin, part) in expected {
        let reason = reason(&fixture, plugin);
        assert!(reason.contains(part), "{plugin}: {reason}");
    }
    assert_eq!(decision(&fixture).await, Decision::Send(None));
}

#[tokio::test]
async fn an_interface_of_a_later_minor_version_is_served() {
    let fixture = Fixture::start(&[("p.wasm", &exporting("hookway:plugin/filter@1.9.0"))]).await;
    assert_eq!(decision(&fixture).await, Decision::Send(None));
}

#[tokio::test]
async fn files_that_are_no_plugins_are_ignored_and_special_files_are_not_read() {
    let fixture =
        Fixture::with(&[("Upper.wasm", b"x"), (".hidden.wasm", b"x"), ("a.wasm~", b"x")], |dir, options| {
            options.max_file_bytes = 4096;
            std::fs::create_dir(dir.join("folder.wasm")).unwrap();
            symlink("/dev/zero", dir.join("endless.wasm")).unwrap();
            symlink("loop.wasm", dir.join("loop.wasm")).unwrap();
            symlink("nowhere", dir.join("dangling.wasm")).unwrap();
            std::fs::write(dir.join("big.wasm"), vec![0; 4097]).unwrap();
        })
        .await;
    let names: Vec<String> = fixture.plugins.list().iter().map(|status| status.name.to_string()).collect();
    assert_eq!(names, ["big", "endless", "folder", "loop"]);
    assert!(reason(&fixture, "big").contains("larger than 4 KiB"));
    assert!(reason(&fixture, "endless").contains("a link that leads out of the plugin directory"));
}

#[tokio::test]
async fn a_renamed_file_goes_live_and_calls_in_flight_keep_their_version() {
    let fixture = Fixture::start(&[("p.wasm", &filter(GOOD))]).await;
    let mut swaps = fixture.plugins.swaps();
    let before = fixture.plugins.snapshot();
    fixture.rename_over("p.wasm", &dropping());
    assert_eq!(next(&mut swaps).await, name("p"));
    assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    assert_eq!(before.judge(&subject("{}"), &judged, &[]).await.decision, Decision::Send(None));
    let status = fixture.plugins.get(&name("p")).unwrap();
    assert_eq!(status.previous, before.get(&name("p")).unwrap().version);

    let renamed = tokio::time::Instant::now();
    fixture.rename_over("p.wasm", &filter("(nop) i32.const 0"));
    next(&mut swaps).await;
    println!("live {:?} after the rename", renamed.elapsed());
    assert!(renamed.elapsed() < Duration::from_secs(2), "seen through an event, not only by the rescan");
}

#[tokio::test]
async fn a_bad_file_does_not_replace_a_good_one() {
    let fixture = Fixture::start(&[("p.wasm", &filter(GOOD))]).await;
    let mut swaps = fixture.plugins.swaps();
    fixture.rename_over("p.wasm", b"broken");
    // A second plugin, behind it in the order of the pass, tells when the broken file was dealt with.
    fixture.rename_over("q.wasm", &filter(GOOD));
    assert_eq!(next(&mut swaps).await, name("q"));
    let status = fixture.plugins.get(&name("p")).unwrap();
    assert_eq!(status.state(), PluginState::Degraded);
    assert!(status.version.is_some());
    assert_eq!(decision(&fixture).await, Decision::Send(None));
    fixture.rename_over("p.wasm", &filter(GOOD));
    fixture.rename_over("r.wasm", &filter(GOOD));
    assert_eq!(next(&mut swaps).await, name("r"));
    assert_eq!(fixture.plugins.get(&name("p")).unwrap().state(), PluginState::Active);
}

#[tokio::test]
async fn a_version_that_fails_with_a_configuration_in_use_does_not_go_live() {
    let fixture = Fixture::start(&[("p.wasm", &filter(GOOD))]).await;
    fixture.plugins.set_in_use(|_| {
        vec![InUse::Binding {
            tenant: Some(TenantId::default()),
            whose: "tenant acme".into(),
            config: Some("\"bad\"".into()),
        }]
    });
    let mut swaps = fixture.plugins.swaps();
    fixture.rename_over("p.wasm", &filter_with_init(GOOD));
    fixture.rename_over("q.wasm", &filter(GOOD));
    assert_eq!(next(&mut swaps).await, name("q"));
    assert!(reason(&fixture, "p").contains("`init` refused the configuration: seen"));
    assert_eq!(decision(&fixture).await, Decision::Send(None));
}

#[tokio::test]
async fn a_deleted_file_is_unloaded_after_a_while_and_a_slow_copy_is_loaded_once_it_is_whole() {
    let fixture = Fixture::start(&[("p.wasm", &filter(GOOD))]).await;
    let mut swaps = fixture.plugins.swaps();
    std::fs::remove_file(fixture.path().join("p.wasm")).unwrap();
    assert_eq!(next(&mut swaps).await, name("p"));
    assert_eq!(fixture.plugins.get(&name("p")), None);
    assert!(
        matches!(decision(&fixture).await, Decision::Hold { message, .. } if message.contains("there is no plugin `p`"))
    );
    let bytes = dropping();
    for end in (0..bytes.len()).step_by(bytes.len() / 4) {
        std::fs::write(fixture.path().join("p.wasm"), &bytes[..end]).unwrap();
        tokio::task::yield_now().await;
    }
    std::fs::write(fixture.path().join("p.wasm"), &bytes).unwrap();
    assert_eq!(next(&mut swaps).await, name("p"));
    assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
}

#[tokio::test]
async fn a_config_map_is_followed_when_its_link_is_swapped() {
    let fixture = Fixture::with(&[], |dir, _| {
        for (folder, bytes) in [("..v1", filter(GOOD)), ("..v2", dropping())] {
            std::fs::create_dir(dir.join(folder)).unwrap();
            std::fs::write(dir.join(folder).join("p.wasm"), bytes).unwrap();
        }
        symlink("..v1", dir.join("..data")).unwrap();
        symlink("..data/p.wasm", dir.join("p.wasm")).unwrap();
    })
    .await;
    assert_eq!(decision(&fixture).await, Decision::Send(None));
    let mut swaps = fixture.plugins.swaps();
    symlink("..v2", fixture.path().join("..data_tmp")).unwrap();
    std::fs::rename(fixture.path().join("..data_tmp"), fixture.path().join("..data")).unwrap();
    assert_eq!(next(&mut swaps).await, name("p"));
    assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
}

#[tokio::test]
async fn two_hundred_versions_leave_the_last_and_the_one_before_it() {
    let options = Options { instances: 4, ..Options::default() };
    let runtime = Arc::new(Runtime::alone(options, Clock::system()).unwrap());
    let registry = Registry::new(Arc::clone(&runtime)).0;
    let loader = Loader::new(Arc::clone(&runtime), Compiler::InProcess, None);
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    let mut versions = Vec::new();
    for i in 0..200 {
        let bytes = filter(&format!("(drop (i32.const {i})) {}", drop_with("i32.const 64", "i32.const 4")));
        let version =
            loader.load(&name("p"), Files { component: bytes, manifest: None }, None, &[]).await.unwrap();
        registry.publish(version);
        let set = registry.snapshot();
        assert!(matches!(set.judge(&subject("{}"), &judged, &[]).await.decision, Decision::Drop { .. }));
        versions.push(Arc::downgrade(set.version(&name("p")).unwrap()));
    }
    let alive: Vec<_> = versions.iter().map(|version| version.upgrade().is_some()).collect();
    assert_eq!(alive.iter().filter(|alive| **alive).count(), 2);
    assert!(alive[198] && alive[199]);
    assert_eq!(runtime.pool.free_slots(), 3, "the live version keeps one idle instance");
}
