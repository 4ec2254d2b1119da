//! The files of `plugins/templates` that make up a project of a language and a kind.
//!
//! A language has files for all projects, files for all that look at events, and files for one kind; a kind has a manifest and a part of the
//! README. A name that a later folder has too is replaced by it.

use std::borrow::Cow;

use super::{Kind, Language};
use crate::plugins::WIT;

/// Where a file goes in a project, and what is in it.
type Template = (&'static str, &'static str);

/// The files of one folder.
macro_rules! folder {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../../plugins/templates/", $folder, "/", $file)))),+]
    };
}

const RUST: &[Template] = folder!("rust": "Cargo.toml", "README.md", "build.sh", "gitignore");
const RUST_FILTER: &[Template] = folder!("rust/filter": "src/lib.rs");
const RUST_TRANSFORM: &[Template] = folder!("rust/transform": "src/lib.rs");
const RUST_MATCHER: &[Template] = folder!("rust/matcher": "src/lib.rs");

const JS: &[Template] = folder!("javascript": "README.md", "build.sh", "gitignore", "hookway.js", "package-lock.json", "package.json");
const JS_EVENT: &[Template] = folder!("javascript/event": "testing.js");
const JS_FILTER: &[Template] = folder!("javascript/filter": "plugin.js", "plugin.test.js");
const JS_TRANSFORM: &[Template] = folder!("javascript/transform": "plugin.js", "plugin.test.js");
const JS_MATCHER: &[Template] = folder!("javascript/matcher": "plugin.js", "plugin.test.js");

const PYTHON: &[Template] = folder!("python": "README.md", "build.sh", "gitignore", "hookway.py", "requirements.txt", "setup.sh", "test.sh");
const PYTHON_EVENT: &[Template] = folder!("python/event": "testing.py");
const PYTHON_FILTER: &[Template] = folder!("python/filter": "plugin.py", "test_plugin.py");
const PYTHON_TRANSFORM: &[Template] = folder!("python/transform": "plugin.py", "test_plugin.py");
const PYTHON_MATCHER: &[Template] =
    folder!("python/matcher": "plugin.py", "test_plugin.py", "topic_matcher.py");

const GO: &[Template] = folder!("go": "README.md", "abi.go", "build.sh", "gitignore", "go.mod", "native.go");
const GO_EVENT: &[Template] = folder!("go/event": "abi_event.go", "contract.go", "testing_test.go");
const GO_FILTER: &[Template] = folder!("go/filter": "abi_filter.go", "plugin.go", "plugin_test.go");
const GO_TRANSFORM: &[Template] =
    folder!("go/transform": "abi_transform.go", "plugin.go", "plugin_test.go", "request.go");
const GO_MATCHER: &[Template] =
    folder!("go/matcher": "abi_matcher.go", "contract.go", "plugin.go", "plugin_test.go");

const C: &[Template] = folder!("c": "README.md", "abi.c", "build.sh", "gitignore", "memory.h", "requirements.txt", "setup.sh", "test.sh");
const C_EVENT: &[Template] = folder!("c/event": "abi.h", "abi_event.c", "testing.h");
const C_FILTER: &[Template] = folder!("c/filter": "abi_filter.c", "plugin.c", "plugin.h", "plugin_test.c");
const C_TRANSFORM: &[Template] =
    folder!("c/transform": "abi_transform.c", "plugin.c", "plugin.h", "plugin_test.c");
const C_MATCHER: &[Template] = folder!("c/matcher": "abi_matcher.c", "plugin.c", "plugin.h", "plugin_test.c");

const FILTER: &[Template] = folder!("kinds": "filter.md", "filter.toml");
const TRANSFORM: &[Template] = folder!("kinds": "transform.md", "transform.toml");
const MATCHER: &[Template] = folder!("kinds": "matcher.md", "matcher.toml");

/// The files of a project.
pub(super) fn files(language: Language, kind: Kind) -> Vec<(&'static str, Cow<'static, str>)> {
    let (all, event, [filter, transform, matcher]) = of_language(language);
    let (own, looks_at_events, kind) = match kind {
        Kind::Filter => (filter, true, FILTER),
        Kind::Transform => (transform, true, TRANSFORM),
        Kind::Matcher => (matcher, false, MATCHER),
    };
    let event = if looks_at_events { event } else { &[] };
    let [(_, readme), (_, manifest)] = kind else { return Vec::new() };
    let mut files: Vec<_> =
        [all, event, own].concat().into_iter().map(|(path, text)| (path, Cow::Borrowed(text))).collect();
    for (path, text) in &mut files {
        if *path == "README.md" {
            text.to_mut().push_str(readme);
        }
    }
    files.push(("my-plugin.toml", Cow::Borrowed(manifest)));
    // The SDK for Rust has the contract in it.
    if language != Language::Rust {
        files.push(("wit/hookway.wit", Cow::Borrowed(WIT)));
    }
    files
}

/// The files of all its projects, of those that look at events, and of each kind.
const fn of_language(
    language: Language,
) -> (&'static [Template], &'static [Template], [&'static [Template]; 3]) {
    match language {
        Language::Rust => (RUST, &[], [RUST_FILTER, RUST_TRANSFORM, RUST_MATCHER]),
        Language::Js => (JS, JS_EVENT, [JS_FILTER, JS_TRANSFORM, JS_MATCHER]),
        Language::Python => (PYTHON, PYTHON_EVENT, [PYTHON_FILTER, PYTHON_TRANSFORM, PYTHON_MATCHER]),
        Language::Go => (GO, GO_EVENT, [GO_FILTER, GO_TRANSFORM, GO_MATCHER]),
        Language::C => (C, C_EVENT, [C_FILTER, C_TRANSFORM, C_MATCHER]),
    }
}
