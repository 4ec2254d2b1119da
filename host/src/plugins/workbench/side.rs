//! One engine with the plugin in it.

use std::path::Path;
use std::sync::Arc;

use super::COUNTING_DEADLINE;
use crate::plugins::cache::Cache;
use crate::plugins::compile::Compiler;
use crate::plugins::engine::Runtime;
use crate::plugins::instructions::Instructions;
use crate::plugins::load::Loader;
use crate::plugins::version::Version;
use crate::plugins::workpiece::Workpiece;

/// Slots for instances: one call is made at a time.
pub(super) const INSTANCES: usize = 8;

pub(super) struct Side {
    pub(super) runtime: Arc<Runtime>,
    loader: Loader,
    piece: Workpiece,
    /// Keeps the machine code for the next versions.
    pub(super) first: Version,
}

impl Side {
    /// Loads the plugin into an engine, with machine code from the cache or from this compiler.
    pub(super) async fn open(
        piece: &Workpiece,
        runtime: Runtime,
        compiler: Compiler,
        cache: Option<&Path>,
    ) -> Result<Self, String> {
        let cache_bytes = runtime.options.cache_bytes;
        let cache = cache.and_then(|dir| Cache::open(dir, cache_bytes, &runtime.engine));
        let runtime = Arc::new(runtime);
        let loader = Loader::new(Arc::clone(&runtime), compiler, cache);
        let first = loader.prepare(&piece.name, piece.files.clone(), None, &[]).await;
        let first = first.map_err(|error| error.to_string())?;
        Ok(Self { runtime, loader, piece: piece.clone(), first })
    }

    /// The plugin as if it had just gone live.
    pub(super) async fn version(&self) -> Result<Arc<Version>, String> {
        self.make().await.map(Arc::new)
    }

    /// The same with an instance for each call.
    pub(super) async fn version_for_one_call(&self) -> Result<Arc<Version>, String> {
        let mut version = self.make().await?;
        version.limits.reuse = 1;
        Ok(Arc::new(version))
    }

    async fn make(&self) -> Result<Version, String> {
        let made = self.loader.prepare(&self.piece.name, self.piece.files.clone(), Some(&self.first), &[]);
        let mut version = made.await.map_err(|error| error.to_string())?;
        if self.runtime.instructions.is_some() {
            version.limits.deadline = COUNTING_DEADLINE;
        }
        Ok(version)
    }

    /// Drops its instances.
    pub(super) fn forget(&self, version: &Version) {
        self.runtime.pool.forget(version.id);
    }

    /// Those of the calls since somebody asked.
    pub(super) fn instructions(&self) -> u64 {
        self.runtime.instructions.as_ref().map_or(0, Instructions::take)
    }
}
