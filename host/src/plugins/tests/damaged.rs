//! Damaged files and files that are none: each ends in a sentence, and the good version serves on.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::guests::filter;
use super::{Fixture, binding, endpoint, name, subject};
use crate::clock::Clock;
use crate::model::OnFailure;
use crate::plugins::engine::Runtime;
use crate::plugins::load::{Files, Loader};
use crate::plugins::{Compiler, Decision, LoadError, Options, PluginState};

const GOOD: &str = "i32.const 0";
const FLIPS: usize = 1_000;

fn loader() -> Loader {
    let options = Options { instances: 4, ..Options::default() };
    Loader::new(Arc::new(Runtime::alone(options, Clock::system()).unwrap()), Compiler::InProcess, None)
}

/// What loading says, which is a sentence for one line and tells of no panic.
async fn refusal(loader: &Loader, bytes: Vec<u8>) -> Option<LoadError> {
    let error = loader.load(&name("p"), Files { component: bytes, manifest: None }, None, &[]).await.err()?;
    let sentence = error.to_string();
    assert!(sentence.contains(' ') && !sentence.contains("panic"), "{sentence:?}");
    assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
    Some(error)
}

#[tokio::test]
async fn a_file_that_breaks_off_is_refused_wherever_it_ends() {
    let (loader, whole) = (loader(), filter(GOOD));
    let mut whole_without_names = Vec::new();
    for end in 0..whole.len() {
        if refusal(&loader, whole[..end].to_vec()).await.is_none() {
            whole_without_names.push(end);
        }
    }
    // Between the last export and the names of things for readers of backtraces.
    assert!(whole_without_names.len() <= 1, "{whole_without_names:?}");
}

#[tokio::test]
async fn a_thousand_flipped_bits_end_in_sentences_or_in_plugins() {
    let (loader, whole) = (loader(), filter(GOOD));
    let mut refused = 0;
    for flip in 0..FLIPS {
        let mut changed = whole.clone();
        // All over the file, each bit of a byte in turn.
        let byte = flip * whole.len() / FLIPS;
        changed[byte] ^= 1 << (flip % 8);
        refused += usize::from(refusal(&loader, changed).await.is_some());
    }
    assert!(refused > FLIPS / 2, "{refused}");
}

#[tokio::test]
async fn what_is_no_regular_file_or_too_large_is_not_read_nor_waited_for() {
    let fixture = Fixture::with(&[("p.wasm", &filter(GOOD))], |dir, _| {
        mkfifoat(CWD, dir.join("pipe.wasm"), Mode::RUSR | Mode::WUSR).unwrap();
        fs::create_dir(dir.join("folder.wasm")).unwrap();
        let sparse = File::create(dir.join("sparse.wasm")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        let outside = dir.parent().unwrap().join("outside.wasm");
        symlink(outside, dir.join("link.wasm")).unwrap();
        UnixListener::bind(dir.join("socket.wasm")).unwrap();
        fs::write(dir.join("code.wasm"), b"\x7fELF\x02\x01\x01").unwrap();
        fs::write(dir.join("code.cwasm"), b"\x7fELF\x02\x01\x01").unwrap();
    })
    .await;
    let reason = |plugin: &str| {
        let status = fixture.plugins.get(&name(plugin)).unwrap();
        assert_eq!(status.state(), PluginState::Degraded, "{plugin}");
        status.rejected.unwrap().reason
    };
    for not_regular in ["pipe", "folder"] {
        assert!(reason(not_regular).contains("not a regular file"), "{}", reason(not_regular));
    }
    assert!(reason("socket").contains("cannot be read"));
    assert!(reason("link").contains("a link that leads out of the plugin directory"));
    assert!(reason("sparse").contains("larger than 64 MiB"));
    assert!(reason("code").contains("native code"));
    assert_eq!(fixture.plugins.list().len(), 7, "{:?}", fixture.plugins.list());
    let judged = endpoint(vec![binding("p", OnFailure::Hold)]);
    let decision = fixture.plugins.snapshot().judge(&subject("{}"), &judged, &[]).await.decision;
    assert_eq!(decision, Decision::Send(None));
}

#[tokio::test]
async fn a_file_that_may_not_be_read_says_so() {
    let fixture = Fixture::with(&[("p.wasm", &filter(GOOD))], |dir, _| {
        fs::set_permissions(dir.join("p.wasm"), fs::Permissions::from_mode(0o000)).unwrap();
    })
    .await;
    let status = fixture.plugins.get(&name("p")).unwrap();
    // Root may read everything.
    if rustix::process::geteuid().is_root() {
        assert_eq!(status.state(), PluginState::Active);
    } else {
        assert!(status.rejected.unwrap().reason.contains("cannot be read"));
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_no_names() {
    let long = format!("{}.wasm", "x".repeat(240));
    let names = ["..wasm", "A.wasm", "a b.wasm", "a\n.wasm", "é.wasm", "a.b.wasm", "-a.wasm", &long];
    let files = names.map(|name| (name, &b"x"[..]));
    let fixture = Fixture::with(&files, |_, _| {}).await;
    assert_eq!(fixture.plugins.list(), []);
    for name in ["../p", "a/b", "a\0", "", ".", "..", &"x".repeat(300), "%2e%2e", "ﬁ"] {
        assert!(name.parse::<crate::model::PluginName>().is_err(), "{name:?}");
    }
}
