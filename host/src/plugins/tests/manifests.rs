//! Manifests that come, change, break and go, and what they do to calls.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::timeout;

use super::guests::{drop_with, filter, filter_with_init};
use super::{Fixture, binding, endpoint, name, subject};
use crate::clock::Clock;
use crate::model::{Binding, OnFailure, PluginName, TenantId};
use crate::plugins::engine::Runtime;
use crate::plugins::load::{Files, Loader};
use crate::plugins::{Compiler, Decision, InUse, LoadError, Options, PluginState, PluginStatus};

const GOOD: &str = "i32.const 0";
const LOOP: &str = "(loop $l (br $l)) i32.const 0";

fn dropping() -> Vec<u8> {
    filter(&drop_with("i32.const 64", "i32.const 4"))
}

async fn next(swaps: &mut broadcast::Receiver<PluginName>) -> PluginName {
    timeout(Duration::from_secs(10), swaps.recv()).await.expect("a swap within 10 s").unwrap()
}

/// Waits until the status of `p` is as it should be.
async fn status(fixture: &Fixture, wanted: impl Fn(&PluginStatus) -> bool) -> PluginStatus {
    let mut changes = fixture.plugins.changes();
    let found = async {
        loop {
            if let Some(status) = fixture.plugins.get(&name("p")).filter(&wanted) {
                return status;
            }
            changes.changed().await.unwrap();
        }
    };
    timeout(Duration::from_secs(10), found).await.expect("the status within 10 s")
}

fn reason(status: &PluginStatus) -> &str {
    status.rejected.as_ref().map(|rejected| rejected.reason.as_str()).unwrap_or_default()
}

/// A binding that leaves everything to the manifest.
fn silent() -> Binding {
    Binding { on_failure: None, ..binding("p", OnFailure::Hold) }
}

async fn decision(fixture: &Fixture) -> Decision {
    let judged = endpoint(vec![silent()]);
    fixture.plugins.snapshot().judge(&subject("{}"), &judged, &[]).await.decision
}

async fn message(component: &[u8], manifest: &str) -> String {
    let fixture = Fixture::start(&[("p.wasm", component), ("p.toml", manifest.as_bytes())]).await;
    let decision = decision(&fixture).await;
    let Decision::Hold { message, .. } = decision else {
        panic!("{decision:?}: {:?}", fixture.plugins.list())
    };
    message
}

#[tokio::test]
async fn a_change_of_the_manifest_alone_is_a_new_version_and_its_end_another() {
    let fixture = Fixture::start(&[("p.wasm", &dropping())]).await;
    let mut swaps = fixture.plugins.swaps();
    let bare = fixture.plugins.get(&name("p")).unwrap().version.unwrap();
    assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
    fixture.rename_over("p.toml", b"topics = [\"invoices/*\"]");
    assert_eq!(next(&mut swaps).await, name("p"));
    assert_eq!(decision(&fixture).await, Decision::Send(None), "the plugin is not for the topic");
    let with_manifest = fixture.plugins.get(&name("p")).unwrap().version.unwrap();
    assert_eq!(
        with_manifest.split_once('+').map(|(code, rest)| (code, rest.len())),
        Some((bare.as_str(), 8))
    );

    fixture.rename_over("p.toml", b"topics = [\"orders/*\"]");
    assert_eq!(next(&mut swaps).await, name("p"));
    assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
    assert_ne!(fixture.plugins.get(&name("p")).unwrap().version.as_ref(), Some(&with_manifest));
    std::fs::remove_file(fixture.path().join("p.toml")).unwrap();
    assert_eq!(next(&mut swaps).await, name("p"));
    assert_eq!(fixture.plugins.get(&name("p")).unwrap().version, Some(bare));
}

#[tokio::test]
async fn nothing_is_compiled_when_only_the_manifest_changed() {
    let runtime = Arc::new(Runtime::alone(Options::default(), Clock::system()).unwrap());
    let first = Loader::new(Arc::clone(&runtime), Compiler::InProcess, None);
    let without_compiler =
        Loader::new(runtime, Compiler::ThisProgram("/there/is/no/such/program".into()), None);
    let files = |manifest: Option<&str>| Files {
        component: dropping(),
        manifest: manifest.map(|text| text.as_bytes().to_vec()),
    };
    let live = first.load(&name("p"), files(None), None, &[]).await.ok().unwrap();
    let new = files(Some("topics = []"));
    let refused = without_compiler.load(&name("p"), new.clone(), None, &[]).await.err().unwrap();
    assert!(matches!(refused, LoadError::NoCompiler(_)), "{refused}");
    let version = without_compiler.load(&name("p"), new, Some(&live), &[]).await.ok().unwrap();
    assert_eq!(version.code(), &*live.hash);
}

#[tokio::test]
async fn a_bad_manifest_does_not_replace_a_good_one() {
    let fixture = Fixture::start(&[("p.wasm", &dropping()), ("p.toml", b"topics = [\"orders/*\"]")]).await;
    let good = fixture.plugins.get(&name("p")).unwrap().version;
    assert!(good.is_some());
    for (bad, sentence) in [
        ("topcs = []", "p.toml, line 1, `topcs`: unknown field `topcs`, expected one of `topics`"),
        (
            "[limits]\ndeadline_ms = 40000",
            "p.toml, line 2, `limits.deadline_ms`: the operator allows at most 30000",
        ),
        ("topics = [", "p.toml, line 1: "),
    ] {
        fixture.rename_over("p.toml", bad.as_bytes());
        let status = status(&fixture, |status| reason(status).starts_with(sentence)).await;
        assert_eq!((status.state(), &status.version), (PluginState::Degraded, &good), "{status:?}");
        assert!(matches!(decision(&fixture).await, Decision::Drop { .. }));
    }
    fixture.rename_over("p.toml", b"topics = [\"orders/*\"]");
    let status = status(&fixture, |status| status.state() == PluginState::Active).await;
    assert_eq!(status.version, good);
}

#[tokio::test]
async fn a_first_version_with_a_bad_manifest_is_not_loaded() {
    let fixture = Fixture::start(&[("p.wasm", &dropping()), ("p.toml", b"\xff")]).await;
    let status = fixture.plugins.get(&name("p")).unwrap();
    assert_eq!(reason(&status), "p.toml, line 1: this is not UTF-8; write the file as UTF-8 text");
    assert_eq!(status.version, None);
}

#[tokio::test]
async fn a_manifest_alone_says_so_and_waits_for_its_component() {
    let fixture = Fixture::start(&[("p.toml", b"topics = []")]).await;
    let alone = status(&fixture, |status| status.state() == PluginState::Degraded).await;
    assert!(reason(&alone).starts_with("`p.toml` is there, but no `p.wasm`"), "{alone:?}");
    fixture.rename_over("p.wasm", &dropping());
    status(&fixture, |status| status.state() == PluginState::Active).await;
    // The component goes and the manifest stays: it is unloaded, and the manifest is told of.
    std::fs::remove_file(fixture.path().join("p.wasm")).unwrap();
    let alone = status(&fixture, |status| status.state() == PluginState::Degraded).await;
    assert_eq!(alone.version, None);
    let mut swaps = fixture.plugins.swaps();
    std::fs::remove_file(fixture.path().join("p.toml")).unwrap();
    next(&mut swaps).await;
    assert_eq!(fixture.plugins.get(&name("p")), None);
}

#[tokio::test]
async fn special_files_are_not_read_as_manifests() {
    let component = dropping();
    let fixture = Fixture::with(&[("folder.wasm", &component), ("link.wasm", &component)], |dir, _| {
        std::fs::create_dir(dir.join("folder.toml")).unwrap();
        symlink("/dev/zero", dir.join("link.toml")).unwrap();
        std::fs::write(dir.join("big.wasm"), &component).unwrap();
        std::fs::write(dir.join("big.toml"), vec![b'#'; 300 << 10]).unwrap();
    })
    .await;
    for (plugin, sentence) in [
        ("folder", "folder.toml cannot be read: it is not a regular file"),
        ("link", "link.toml cannot be read: it is a link that leads out of the plugin directory"),
        ("big", "big.toml is larger than 256 KiB: leave out samples, or make their data smaller"),
    ] {
        assert_eq!(reason(&fixture.plugins.get(&name(plugin)).unwrap()), sentence);
    }
}

#[tokio::test]
async fn a_config_map_swaps_component_and_manifest_together() {
    let fixture = Fixture::with(&[], |dir, _| {
        for (folder, bytes, manifest) in
            [("..v1", filter(GOOD), "topics = []"), ("..v2", dropping(), "on_failure = \"open\"")]
        {
            std::fs::create_dir(dir.join(folder)).unwrap();
            std::fs::write(dir.join(folder).join("p.wasm"), bytes).unwrap();
            std::fs::write(dir.join(folder).join("p.toml"), manifest).unwrap();
        }
        symlink("..v1", dir.join("..data")).unwrap();
        symlink("..data/p.wasm", dir.join("p.wasm")).unwrap();
        symlink("..data/p.toml", dir.join("p.toml")).unwrap();
    })
    .await;
    let first = fixture.plugins.get(&name("p")).unwrap().version.unwrap();
    let mut swaps = fixture.plugins.swaps();
    symlink("..v2", fixture.path().join("..data_tmp")).unwrap();
    std::fs::rename(fixture.path().join("..data_tmp"), fixture.path().join("..data")).unwrap();
    assert_eq!(next(&mut swaps).await, name("p"));
    let second = fixture.plugins.get(&name("p")).unwrap();
    assert_eq!(second.previous, Some(first.clone()), "one swap, not two");
    let parts = |version: &str| version.split_once('+').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (before, after) = (parts(&first), parts(&second.version.unwrap()));
    assert!(before.0 != after.0 && before.1 != after.1);
}

#[tokio::test]
async fn the_limits_of_the_manifest_are_those_of_the_calls() {
    assert_eq!(message(&filter(LOOP), "limits.deadline_ms = 20").await, "it ran past its deadline of 20 ms");
    let growing = filter("(drop (memory.grow (i32.const 32))) i32.const 0");
    assert_eq!(message(&growing, "limits.memory_mb = 1").await, "it used more than 1 MiB of memory");
    let fixture = Fixture::start(&[("p.wasm", &growing), ("p.toml", b"limits.memory_mb = 3")]).await;
    assert_eq!(decision(&fixture).await, Decision::Send(None));
    // A reason of 100 KB: the host takes 64 KiB beside the limit.
    let huge = filter(&format!(
        "(drop (memory.grow (i32.const 4))) {}",
        drop_with("i32.const 64", "i32.const 100000")
    ));
    assert_eq!(message(&huge, "limits.output_kb = 1").await, "its output is over the limit of 1 KiB");
}

#[tokio::test]
async fn an_event_of_its_own_for_each_instance_has_no_state_between_calls() {
    let second_call = format!(
        "(if (i32.gt_u (global.get $calls) (i32.const 1)) (then {} drop)) i32.const 4 i32.load8_u (if (result i32) (then i32.const 0) (else i32.const 0))",
        drop_with("i32.const 64", "i32.const 4")
    );
    for (manifest, state) in [("", true), ("reuse.max_calls = 1", false), ("isolation = \"event\"", false)] {
        let fixture =
            Fixture::start(&[("p.wasm", &filter(&second_call)), ("p.toml", manifest.as_bytes())]).await;
        assert_eq!(decision(&fixture).await, Decision::Send(None), "{manifest}");
        let second = decision(&fixture).await;
        assert_eq!(matches!(second, Decision::Drop { .. }), state, "{manifest}: {second:?}");
    }
}

#[tokio::test]
async fn the_manifest_speaks_where_the_binding_is_silent() {
    let files: [(&str, &[u8]); 2] =
        [("p.wasm", &filter("unreachable")), ("p.toml", b"on_failure = \"open\"")];
    let fixture = Fixture::start(&files).await;
    assert_eq!(decision(&fixture).await, Decision::Send(None));
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    let set = fixture.plugins.snapshot();
    assert!(matches!(set.judge(&subject("{}"), &judged, &[]).await.decision, Decision::Hold { .. }));

    let component = filter_with_init(GOOD);
    let files: [(&str, &[u8]); 2] = [("p.wasm", &component), ("p.toml", b"config = '\"bad\"'")];
    let fixture = Fixture::start(&files).await;
    let refused = fixture.plugins.get(&name("p")).unwrap();
    assert!(reason(&refused).contains("`init` refused the configuration: seen"), "{refused:?}");
}

#[tokio::test]
async fn a_default_that_a_silent_binding_cannot_live_with_does_not_go_live() {
    let fixture = Fixture::start(&[("p.wasm", &filter_with_init(GOOD))]).await;
    fixture.plugins.set_in_use(|_| {
        vec![InUse::Binding { tenant: Some(TenantId::default()), whose: "tenant acme".into(), config: None }]
    });
    fixture.rename_over("p.toml", b"config = '\"bad\"'");
    let status = status(&fixture, |status| status.state() == PluginState::Degraded).await;
    assert!(reason(&status).contains("`init` refused the configuration"), "{status:?}");
    assert_eq!(decision(&fixture).await, Decision::Send(None));
}

fn sample(expect: &str) -> String {
    format!(
        "[[samples]]\nname = \"small\"\nevent = {{ topic = \"orders/created\", data = {{ total = 1 }} }}\nexpect = {expect}\n"
    )
}

#[tokio::test]
async fn samples_must_pass_before_a_version_goes_live() {
    let good = sample("\"deliver\"") + &sample("\"unchanged\"");
    let body = sample("{ body = { event = \"orders/created\", data = { total = 1 } } }");
    for (component, manifest, sentence) in [
        (filter(GOOD), good.clone(), ""),
        (dropping(), sample("\"drop\""), ""),
        (
            dropping(),
            good,
            "sample 1 (small) of p.toml expects `deliver`, but the plugin drops the event: seen: correct the plugin or the sample",
        ),
        (filter(GOOD), sample("\"drop\""), "expects `drop`, but the plugin delivers the event as it is"),
        (filter("unreachable"), sample("\"drop\""), "but the plugin fails: it hit `unreachable`"),
        (
            filter(LOOP),
            format!("limits.deadline_ms = 10\n{}", sample("\"drop\"")),
            "but the plugin fails: it ran past its deadline of 10 ms",
        ),
        (filter(GOOD), body, "expects the body `{\"data\":{\"total\":1},\"event\":\"orders/created\"}`"),
        (
            filter_with_init(GOOD),
            sample("\"deliver\"") + "config = '\"bad\"'",
            "but the plugin cannot be asked: `init` refused the configuration: seen",
        ),
    ] {
        let fixture = Fixture::start(&[("p.wasm", &component), ("p.toml", manifest.as_bytes())]).await;
        let status = fixture.plugins.get(&name("p")).unwrap();
        assert_eq!(status.version.is_some(), sentence.is_empty(), "{manifest}: {status:?}");
        assert!(reason(&status).contains(sentence), "{manifest}: {}", reason(&status));
        assert_eq!(status.usage.map_or(0, |usage| usage.calls()), 0, "samples are no calls");
    }
}

#[tokio::test]
async fn an_instance_of_a_sample_serves_no_event() {
    let drops_the_second = format!(
        "(if (i32.gt_u (global.get $calls) (i32.const 1)) (then {} drop)) i32.const 0",
        drop_with("i32.const 64", "i32.const 4")
    );
    let manifest = sample("\"deliver\"");
    let fixture =
        Fixture::start(&[("p.wasm", &filter(&drops_the_second)), ("p.toml", manifest.as_bytes())]).await;
    assert_eq!(decision(&fixture).await, Decision::Send(None));
}
