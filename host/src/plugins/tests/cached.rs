//! Starts with and without what was compiled before.

use std::path::Path;
use std::sync::Arc;

use super::guests::filter;
use super::name;
use crate::clock::Clock;
use crate::plugins::engine::{Runtime, config};
use crate::plugins::{Compiler, Means, Options, Places, PluginState, PluginStatus, Plugins, Unrecorded};
use crate::shutdown::Shutdown;

/// A compiler that is not there: whatever is loaded with it was not compiled.
fn none() -> Compiler {
    Compiler::ThisProgram("/nonexistent/hookway".into())
}

/// What a start makes of the plugin `p` in `home/plugins`.
async fn start(home: &Path, compiler: Compiler, cache_bytes: u64) -> PluginStatus {
    let places = Places {
        plugins: home.join("plugins"),
        cache: Some(home.join("cache")),
        versions: home.join("versions"),
        compiler,
        means: Means::default(),
        records: Arc::new(Unrecorded),
    };
    let options = Options { instances: 16, cache_bytes, ..Options::default() };
    let shutdown = Shutdown::new();
    let plugins = Plugins::start(places, options, Clock::system(), &shutdown).await.unwrap();
    shutdown.request();
    plugins.get(&name("p")).unwrap()
}

fn is_not_compiled(status: &PluginStatus) -> bool {
    status.rejected.as_ref().is_some_and(|it| it.reason.contains("the compiler cannot be started"))
}

#[tokio::test]
async fn a_second_start_compiles_nothing_and_believes_nothing_that_was_changed() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("plugins")).unwrap();
    std::fs::write(home.path().join("plugins/p.wasm"), filter("i32.const 0")).unwrap();
    let cache_bytes = Options::default().cache_bytes;
    assert!(is_not_compiled(&start(home.path(), none(), cache_bytes).await));
    assert_eq!(start(home.path(), Compiler::InProcess, cache_bytes).await.state(), PluginState::Active);
    assert_eq!(start(home.path(), none(), cache_bytes).await.state(), PluginState::Active);

    let is_code = |path: &Path| path.file_name().is_some_and(|name| name.len() == 64);
    let mut files = std::fs::read_dir(home.path().join("cache")).unwrap();
    let kept = files.find_map(|file| Some(file.unwrap().path()).filter(|path| is_code(path))).unwrap();
    let mut code = std::fs::read(&kept).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 1;
    std::fs::write(&kept, &code).unwrap();
    assert!(is_not_compiled(&start(home.path(), none(), cache_bytes).await), "it was loaded");
    assert_eq!(start(home.path(), Compiler::InProcess, cache_bytes).await.state(), PluginState::Active);
    assert_eq!(start(home.path(), none(), cache_bytes).await.state(), PluginState::Active);
    assert!(is_not_compiled(&start(home.path(), none(), 0).await), "0 is no cache");
}

#[tokio::test]
async fn the_engine_that_compiles_makes_code_for_the_one_that_runs() {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let hash = |engine: &wasmtime::Engine| {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    };
    let runtime = Runtime::alone(Options::default(), Clock::system()).unwrap();
    assert_eq!(hash(&runtime.engine), hash(&wasmtime::Engine::new(&config()).unwrap()));
}
