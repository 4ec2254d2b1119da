//! From the bytes of a file to a version that may go live.
//!
//! Everything that can be wrong with a component shows here, away from the path of events: it is inspected, compiled or
//! taken from the cache, linked, instantiated once (wrong function types show only then), asked whether it accepts the configurations in use, and held
//! against the samples of its manifest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::{info, warn};
use wasmtime::component::Component;

use super::cache::Cache;
use super::compile::Compiler;
use super::engine::Runtime;
use super::error::LoadError;
use super::grants::Granted;
use super::inspect::{Interfaces, inspect, needed};
use super::manifest::{JsonText, Manifest};
use super::samples;
use super::text::clean;
use super::version::{Blueprint, Capability, Content, Version};
use crate::model::{PluginName, TenantId};

/// Trying each takes time while the old version serves; beyond this, the calls themselves tell.
const MAX_TRIED: usize = 100;

/// A use of a plugin that a new version must be able to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// A binding.
    Binding {
        /// The tenant whose it is, and in whose name it is tried; `None`: the operator's.
        tenant: Option<TenantId>,
        /// Whose, for the sentence: `tenant acme`.
        whose: String,
        /// The binding's own configuration, if it has one.
        config: Option<Arc<str>>,
    },
    /// A matcher with these patterns.
    Patterns(Vec<String>),
}

/// Loads files, one after the other: a compilation takes all the processors it may have.
pub(super) struct Loader {
    runtime: Arc<Runtime>,
    compiler: Compiler,
    cache: Option<Arc<Cache>>,
    /// Whether the gateway serves meanwhile.
    gives_way: AtomicBool,
    ids: AtomicU64,
}

/// What stands in the directory under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// The content of `NAME.wasm`.
    pub(super) component: Vec<u8>,
    /// The content of `NAME.toml`, if there is one.
    pub(super) manifest: Option<Vec<u8>>,
}

impl Files {
    /// What the version is called.
    pub(super) fn version(&self) -> Arc<str> {
        let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
        version_name(&digest(&self.component), self.manifest.as_deref().map(digest).as_deref()).into()
    }
}

/// What a version is called of which these are the SHA-256 of component and manifest, in hex: the first 16 digits of the one;
/// with a manifest, which can make another plugin of the same code, then `+` and the first 8 of the other.
pub(super) fn version_name(component: &str, manifest: Option<&str>) -> String {
    let code = component.get(..16).unwrap_or(component);
    match manifest {
        Some(manifest) => format!("{code}+{}", manifest.get(..8).unwrap_or(manifest)),
        None => code.to_owned(),
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Loader {
    pub(super) fn new(runtime: Arc<Runtime>, compiler: Compiler, cache: Option<Cache>) -> Self {
        Self {
            runtime,
            compiler,
            cache: cache.map(Arc::new),
            gives_way: AtomicBool::new(false),
            ids: AtomicU64::new(0),
        }
    }

    /// From now on there is something that goes before compiling.
    pub(super) fn give_way(&self) {
        self.gives_way.store(true, Ordering::Relaxed);
    }

    /// A version of these files, if all is well with it and its samples come out as they say. `live` is the one before it:
    /// with the same component there is nothing to compile.
    pub(super) async fn load(
        &self,
        plugin: &PluginName,
        files: Files,
        live: Option<&Version>,
        in_use: &[InUse],
    ) -> Result<Version, LoadError> {
        let version = self.prepare(plugin, files, live, in_use).await?;
        samples::run(&self.runtime, version).await
    }

    /// The same before its samples.
    pub(super) async fn prepare(
        &self,
        plugin: &PluginName,
        files: Files,
        live: Option<&Version>,
        in_use: &[InUse],
    ) -> Result<Version, LoadError> {
        let (hash, size) = (files.version(), files.component.len() as u64);
        let manifest = self.manifest(plugin, files.manifest.as_deref())?;
        let granted = Arc::new(self.runtime.operator.grant(plugin, &manifest.grants)?);
        let same_code = live.filter(|live| hash.split('+').next() == Some(live.code()));
        let (component, compiled_in) = match same_code {
            Some(live) => (live.blueprint.pre.component().clone(), None),
            None => self.component(plugin, files.component.into(), Arc::clone(&granted)).await?,
        };
        check_imports(&component, &granted, &self.runtime)?;
        let exported = Interfaces::of(&component, &self.runtime.engine)?;
        let pre = self.runtime.linker.instantiate_pre(&component).map_err(|error| wrong_types(&error))?;
        let blueprint = Blueprint::new(pre, &exported).map_err(|error| wrong_types(&error))?;
        let id = self.next_id();
        let file = Content { plugin: plugin.clone(), hash, size, manifest, compiled_in };
        let version = Version::new(id, file, blueprint, granted, &self.runtime);
        let tried = self.try_out(&version, in_use).await;
        if tried.is_err() {
            self.runtime.pool.forget(id);
        }
        tried?;
        Ok(version)
    }

    /// A number that no version had.
    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn manifest(&self, plugin: &PluginName, content: Option<&[u8]>) -> Result<Manifest, LoadError> {
        let Some(content) = content else { return Ok(Manifest::default()) };
        Ok(Manifest::parse(&format!("{plugin}.toml"), content, &self.runtime.options)?)
    }

    /// The component of a file: from the cache, or compiled, and how long that took.
    async fn component(
        &self,
        plugin: &PluginName,
        file: Arc<[u8]>,
        granted: Arc<Granted>,
    ) -> Result<(Component, Option<Duration>), LoadError> {
        let (runtime, cache, bytes) = (Arc::clone(&self.runtime), self.cache.clone(), Arc::clone(&file));
        let known = blocking(move || {
            for needed in inspect(&bytes)? {
                granted.check_import(&needed.import, needed.grant)?;
            }
            Ok(cache.and_then(|cache| from_cache(&cache, &runtime, &bytes)))
        });
        if let Some(component) = known.await? {
            return Ok((component, None));
        }
        let started = self.runtime.clock.now();
        let gives_way = self.gives_way.load(Ordering::Relaxed);
        let code = self.compiler.compile(&self.runtime, Arc::clone(&file), gives_way).await?;
        let took = self.runtime.clock.now().since(started);
        info!(%plugin, took_ms = took.as_millis(), "plugin is compiled");
        let (runtime, cache) = (Arc::clone(&self.runtime), self.cache.clone());
        let loaded = blocking(move || {
            let component =
                code.load(&runtime.engine).and_then(ready).map_err(|error| compile_error(&error))?;
            if let Some(cache) = cache {
                cache.put(&file, &code);
            }
            Ok(component)
        });
        Ok((loaded.await?, Some(took)))
    }

    async fn try_out(&self, version: &Version, in_use: &[InUse]) -> Result<(), LoadError> {
        let limit = self.runtime.options.init_deadline;
        let config = version.manifest.config.as_ref().map(JsonText::text);
        let first = version.instance(&self.runtime, None, config.as_deref(), limit).await;
        drop(first.map_err(LoadError::from)?);
        for used in in_use.iter().take(MAX_TRIED) {
            self.try_use(version, used).await?;
        }
        Ok(())
    }

    async fn try_use(&self, version: &Version, used: &InUse) -> Result<(), LoadError> {
        let limit = self.runtime.options.init_deadline;
        match used {
            InUse::Binding { tenant, whose, config } => {
                if !version.has(Capability::Filter) && !version.has(Capability::Transform) {
                    return Err(LoadError::CapabilityInUse("`filter` or `transform`"));
                }
                let config = version.config(config.as_ref());
                let instance = version.instance(&self.runtime, tenant.as_ref(), Some(&config), limit).await;
                let (tenant, whose) = (tenant.clone(), whose.clone());
                instance.map(drop).map_err(|error| LoadError::InUse { tenant, whose, error })
            }
            InUse::Patterns(patterns) => {
                let lease = version.lease_matcher(&self.runtime, patterns, limit).await;
                lease.map(drop).map_err(LoadError::PatternsInUse)
            }
        }
    }
}

/// Reading, hashing and mapping tens of megabytes would keep a worker from its events.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(LoadError::Compile(error.to_string())))
}

/// What a core module imports is known once it is a component.
fn check_imports(component: &Component, granted: &Granted, runtime: &Runtime) -> Result<(), LoadError> {
    let imports = component.component_type();
    for needed in needed(imports.imports(&runtime.engine).map(|(name, _)| name))? {
        granted.check_import(&needed.import, needed.grant)?;
    }
    Ok(())
}

fn from_cache(cache: &Cache, runtime: &Runtime, file: &[u8]) -> Option<Component> {
    let loaded = cache.get(file)?.load(&runtime.engine).and_then(ready);
    loaded
        .inspect_err(|error| {
            warn!(%error, "compiled plugin in the cache is not for this engine and is compiled again");
            cache.remove(file);
        })
        .ok()
}

/// Otherwise the first call pays for it.
fn ready(component: Component) -> wasmtime::Result<Component> {
    component.initialize_copy_on_write_image()?;
    Ok(component)
}

fn compile_error(error: &wasmtime::Error) -> LoadError {
    LoadError::Compile(clean(&format!("{error:#}")))
}

fn wrong_types(error: &wasmtime::Error) -> LoadError {
    LoadError::WrongTypes(clean(&format!("{error:#}")))
}
