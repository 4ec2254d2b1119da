//! One engine with the plugin in it.

use std::sync::Arc;

use super::COUNTING_DEADLINE;
use crate::clock::Clock;
use crate::plugins::compile::Compiler;
use crate::plugins::engine::Runtime;
use crate::plugins::grants::Means;
use crate::plugins::instructions::Instructions;
use crate::plugins::load::Loader;
use crate::plugins::options::Options;
use crate::plugins::version::Version;
use crate::plugins::workpiece::Workpiece;
use crate::shutdown::Shutdown;

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
    /// The engine as a gateway has it.
    pub(super) async fn open(
        piece: &Workpiece,
        compiler: Compiler,
        options: Options,
        means: Means,
        clock: Clock,
    ) -> Result<Self, String> {
        let runtime = Runtime::start(options, means, clock, &Shutdown::new());
        Self::load(piece, compiler, runtime.map_err(|error| error.to_string())?).await
    }

    /// One that counts instructions. The machine code is another one, which only its own compiler makes.
    pub(super) async fn counting(
        piece: &Workpiece,
        options: Options,
        means: Means,
        clock: Clock,
    ) -> Result<Self, String> {
        let runtime = Runtime::counting(options, means, clock).map_err(|error| error.to_string())?;
        Self::load(piece, Compiler::InProcess, runtime).await
    }

    async fn load(piece: &Workpiece, compiler: Compiler, runtime: Runtime) -> Result<Self, String> {
        let runtime = Arc::new(runtime);
        let loader = Loader::new(Arc::clone(&runtime), compiler, None);
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
