//! From the bytes of a file to a version that may go live.
//!
//! Everything that can be wrong with a component shows here, away from the path of events: it is inspected, compiled,
//! linked, instantiated once (wrong function types show only then) and asked whether it accepts the configurations in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, InstancePre};

use super::engine::Runtime;
use super::error::LoadError;
use super::inspect::{Interfaces, inspect};
use super::state::State;
use super::text::clean;
use super::version::{Blueprint, Capability, Content, Version};
use crate::model::{PluginName, TenantId};

/// Trying each takes time while the old version serves; beyond this, the calls themselves tell.
const MAX_TRIED: usize = 100;

/// A use of a plugin that a new version must be able to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InUse {
    /// A binding of an endpoint.
    Binding {
        /// Whose endpoint.
        tenant: TenantId,
        /// The binding's configuration.
        config: Arc<str>,
    },
    /// A matcher with these patterns.
    Patterns(Vec<String>),
}

/// Loads files, one after the other.
pub(super) struct Loader {
    runtime: Arc<Runtime>,
    ids: AtomicU64,
}

/// The first 16 hex digits of the SHA-256 of a file: what a version is called.
pub(super) fn version_hash(bytes: &[u8]) -> Arc<str> {
    let digest = Sha256::digest(bytes);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

impl Loader {
    pub(super) fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, ids: AtomicU64::new(0) }
    }

    pub(super) async fn load(
        &self,
        plugin: &PluginName,
        hash: Arc<str>,
        bytes: Vec<u8>,
        in_use: &[InUse],
    ) -> Result<Version, LoadError> {
        let size = bytes.len() as u64;
        let runtime = Arc::clone(&self.runtime);
        // A panic of the compiler ends the blocking task only.
        let compiled = tokio::task::spawn_blocking(move || compile(&runtime, &bytes)).await;
        let (pre, exported) = compiled.map_err(|error| LoadError::Compile(error.to_string()))??;
        let blueprint = Blueprint::new(pre, &exported).map_err(|error| wrong_types(&error))?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let file = Content { plugin: plugin.clone(), hash, size };
        let version = Version::new(id, file, blueprint, &self.runtime);
        let tried = self.try_out(&version, in_use).await;
        if tried.is_err() {
            self.runtime.pool.forget(id);
        }
        tried.map(|()| version)
    }

    async fn try_out(&self, version: &Version, in_use: &[InUse]) -> Result<(), LoadError> {
        let limit = self.runtime.options.init_deadline;
        let first = version.instance(&self.runtime, None, limit).await;
        drop(first.map_err(LoadError::from)?);
        for used in in_use.iter().take(MAX_TRIED) {
            self.try_use(version, used).await?;
        }
        Ok(())
    }

    async fn try_use(&self, version: &Version, used: &InUse) -> Result<(), LoadError> {
        let limit = self.runtime.options.init_deadline;
        match used {
            InUse::Binding { tenant, config } => {
                if !version.has(Capability::Filter) && !version.has(Capability::Transform) {
                    return Err(LoadError::CapabilityInUse("`filter` or `transform`"));
                }
                let instance = version.instance(&self.runtime, Some(config), limit).await;
                let tenant = tenant.as_str().to_owned();
                instance.map(drop).map_err(|error| LoadError::InUse { tenant, error })
            }
            InUse::Patterns(patterns) => {
                let lease = version.lease_matcher(&self.runtime, patterns, limit).await;
                lease.map(drop).map_err(LoadError::PatternsInUse)
            }
        }
    }
}

fn compile(runtime: &Runtime, bytes: &[u8]) -> Result<(InstancePre<State>, Interfaces), LoadError> {
    let exported = inspect(bytes)?;
    let compile_error = |error: wasmtime::Error| LoadError::Compile(clean(&format!("{error:#}")));
    let component = Component::from_binary(&runtime.engine, bytes).map_err(compile_error)?;
    // Otherwise the first call pays for it.
    component.initialize_copy_on_write_image().map_err(compile_error)?;
    let pre = runtime.linker.instantiate_pre(&component).map_err(|error| wrong_types(&error))?;
    Ok((pre, exported))
}

fn wrong_types(error: &wasmtime::Error) -> LoadError {
    LoadError::WrongTypes(clean(&format!("{error:#}")))
}
