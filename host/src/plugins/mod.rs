//! Plugins: WebAssembly components from a directory, loaded, swapped and called.
//!
//! ```text
//! directory -> scan -> inspect -> compile or cache -> link -> try out -> registry ==swap==> PluginSet
//!   watch      stable   bytes     child process              load                        judge, topic_matches
//!                                                                                      pool -> instance -> guest
//! ```
//!
//! - A bad file never replaces a good one: the plugin is `degraded`, with the reason in a sentence.
//! - One event is judged by one [`PluginSet`]; calls in flight finish on the version they started with.
//! - A guest gets nothing but its event, its endpoint, a log, and what it was granted. Time, memory, stack, output and log lines are bounded,
//!   and whatever it does ends in a [`Decision`], never in a panic or a blocked worker.
//! - What went live is kept with its manifest, so there is a way back ([`history`]); what may follow can be tried beside what is live
//!   ([`candidate`]).
//! - Instances are reused within one version, tenant and configuration, and dropped after any error.

mod beneath;
mod bindings;
mod breaker;
mod breakers;
mod cache;
mod candidate;
mod check;
mod comparison;
mod compile;
mod draft;
mod engine;
mod error;
mod exposition;
mod folder;
mod global;
mod grants;
mod history;
mod inspect;
mod install;
mod instance;
mod instructions;
mod judge;
mod keeper;
mod limits;
mod load;
mod log_ring;
mod logs;
pub mod manifest;
mod matcher;
mod options;
mod output;
mod pair;
mod placing;
mod pool;
mod registry;
mod rollback;
mod samples;
mod scan;
mod settle;
mod state;
mod stats;
mod status;
mod text;
mod ticker;
mod trap;
mod upload;
mod version;
mod wasi;
mod watch;
mod workbench;
mod workpiece;

#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, broadcast};
use tokio::time::timeout;
use tracing::info;

pub use self::breakers::OpenBreaker;
use self::cache::Cache;
pub use self::candidate::{CandidateStatus, Counts as CandidateCounts, Example as CandidateExample};
pub use self::check::{Import, Report, Summary, check};
pub use self::comparison::{
    Answered, BodyDifference, Comparison, HeaderDifference, HeaderEffect, JsonChange, Sameness,
};
pub use self::compile::{
    CHILD_COMMAND, CompileLimits, Compiler, ComponentizeError, compile_as_child, componentize,
};

use self::engine::Runtime;
pub use self::error::{BindingError, CallError, Error, LoadError};
use self::exposition::Exposition;
pub use self::grants::{
    Consent, ConsentError, EnvSetting, EnvValue, GrantError, GrantStatus, HttpConsent, HttpStatus,
    InEnvironment, InFile, KeyValues, KvConsent, KvFailure, KvFuture, KvStatus, Means, Outbound,
    OutboundError, OutboundFuture, OutboundRequest,
};
use self::history::History;
pub use self::history::{HistoryError, PluginRecords, RecordFailure, RecordFuture, Unrecorded};
pub use self::install::{Asked, InstallError, Installed, NewFiles, NewManifest};
pub use self::judge::{Blame, Decision, Judgement};
use self::keeper::Keeper;
pub use self::load::InUse;
use self::load::Loader;
pub use self::log_ring::{KEPT as LOG_LINES_KEPT, LogFilter, LogLevel, LogLine, LogPage};
pub use self::manifest::{Manifest, ManifestError};
pub use self::options::Options;
pub use self::output::IllegalOutput;
pub use self::pair::{BothAnswers, Candidate, Timed, VersionPair};
pub use self::registry::PluginSet;
use self::registry::Registry;
pub use self::samples::{SampleError, SampleOutcome};
pub use self::stats::{CallOutcome, LastError, Usage};
pub use self::status::{About, PluginState, PluginStatus, Rejected};
pub use self::upload::Upload;
pub use self::version::Capability;
use self::watch::FirstPass;
pub use self::workbench::{Cost, Effort, Spread, Tools, Tried, Workbench};
pub use self::workpiece::Workpiece;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Binding, PluginName, TenantId};
use crate::shutdown::Shutdown;

/// The contract between gateway and plugins, as text.
pub const WIT: &str = include_str!("../../../wit/hookway.wit");

/// How long a start waits for the plugins that are in the directory: for those that are compiled in a moment, and then for the
/// large ones, which may have been compiled before. Deliveries wait for the others, in the store.
const START_SMALL: Duration = Duration::from_mins(1);
const START_LARGE: Duration = Duration::from_secs(5);

/// Where plugins come from and go to.
#[derive(Clone)]
pub struct Places {
    /// The watched directory with the files of plugins.
    pub plugins: PathBuf,
    /// Where machine code is kept for the next start. Not below the directory of plugins.
    pub cache: Option<PathBuf>,
    /// Where the files of versions that went live are kept. Not below the directory of plugins.
    pub versions: PathBuf,
    /// Who makes machine code.
    pub compiler: Compiler,
    /// What grants are made of.
    pub means: Means,
    /// What is kept of plugins beside their files.
    pub records: Arc<dyn PluginRecords>,
}

/// The plugins of the gateway. Cheap to clone.
#[derive(Clone)]
pub struct Plugins {
    runtime: Arc<Runtime>,
    registry: Arc<Registry>,
    loader: Arc<Loader>,
    history: Arc<History>,
    keeper: Arc<Mutex<Keeper>>,
}

impl Plugins {
    /// Starts the engine, loads every `NAME.wasm` that is in the directory, then follows the directory until shutdown. The
    /// directory is created if it is missing. A file that cannot be loaded is a `degraded` plugin, not an error; one that
    /// takes long to compile is `loading` when this returns.
    ///
    /// # Errors
    /// When a directory cannot be used, the engine does not start, or what is kept of plugins cannot be read.
    pub async fn start(
        places: Places,
        options: Options,
        clock: Clock,
        shutdown: &Shutdown,
    ) -> Result<Self, Error> {
        let Places { plugins, cache, versions, compiler, means, records } = places;
        use_directory(&plugins)?;
        let max_file_bytes = options.max_file_bytes;
        let history = Arc::new(History::open(&versions, records, clock).await?);
        let runtime = Arc::new(Runtime::start(options, means, clock, shutdown)?);
        let (registry, work) = Registry::new(Arc::clone(&runtime));
        let registry = Arc::new(registry);
        let cache_bytes = runtime.options.cache_bytes;
        let cache = cache
            .filter(|_| cache_bytes > 0)
            .and_then(|cache| Cache::open(&cache, cache_bytes, &runtime.engine));
        let loader = Arc::new(Loader::new(Arc::clone(&runtime), compiler, cache));
        let of = (plugins.clone(), max_file_bytes);
        let live = (Arc::clone(&registry), Arc::clone(&loader));
        let mut keeper = Keeper::new(of, live, Arc::clone(&history), clock);
        keeper.finish_what_was_begun().await;
        let keeper = Arc::new(Mutex::new(keeper));
        let (first_pass, small, all) = FirstPass::new();
        shutdown.spawn(watch::run(Arc::clone(&keeper), plugins, first_pass, shutdown.clone()));
        shutdown.spawn(rollback::run(Arc::clone(&registry), Arc::clone(&history), shutdown.clone()));
        shutdown.spawn(candidate::run(Arc::clone(&registry), Arc::clone(&history), work, shutdown.clone()));
        if timeout(START_SMALL, small).await.is_err() || timeout(START_LARGE, all).await.is_err() {
            info!("serving begins while plugins are still compiled; deliveries that need them wait");
        }
        Ok(Self { runtime, registry, loader, history, keeper })
    }

    /// The plugins as they are now: one consistent set for one event.
    #[must_use]
    pub fn snapshot(&self) -> Arc<PluginSet> {
        self.registry.snapshot()
    }

    /// The names of plugins that may judge otherwise than before, from now on: another version went live, it was unloaded, or
    /// one of its breakers closed. A receiver that is too far behind gets `Lagged`, and must take it as news about every plugin.
    #[must_use]
    pub fn swaps(&self) -> broadcast::Receiver<PluginName> {
        self.registry.swaps()
    }

    /// Tells that the status of some plugin changed, rejections and breakers included. What to look at is [`Plugins::list`].
    #[must_use]
    pub fn changes(&self) -> tokio::sync::watch::Receiver<()> {
        self.registry.changes()
    }

    /// Tells how plugins are used, so that a new version is tried with the configurations and patterns in use before it
    /// replaces the old one. Called while a plugin is loaded; must not block.
    pub fn set_in_use(&self, look_up: impl Fn(&PluginName) -> Vec<InUse> + Send + Sync + 'static) {
        self.registry.set_in_use(Arc::new(look_up));
    }

    /// Shows the plugins among these metrics from now on.
    pub fn count_in(&self, metrics: &Metrics) {
        metrics.collect(Exposition(Arc::clone(&self.registry)));
    }

    /// The largest component that is taken.
    #[must_use]
    pub fn max_file_bytes(&self) -> u64 {
        self.runtime.options.max_file_bytes
    }

    /// The status of all plugins, by name.
    #[must_use]
    pub fn list(&self) -> Vec<PluginStatus> {
        self.snapshot().list()
    }

    /// The status of one plugin.
    #[must_use]
    pub fn get(&self, plugin: &PluginName) -> Option<PluginStatus> {
        self.snapshot().get(plugin)
    }

    /// What a plugin logged lately; `None` if there is no such plugin.
    #[must_use]
    pub fn logs(&self, plugin: &PluginName, filter: &LogFilter) -> Option<LogPage> {
        self.get(plugin)?;
        Some(self.runtime.logs.of(plugin).read(filter))
    }

    /// Whether a binding would work: the plugin is there, can judge or change events, and its `init` accepts the configuration.
    ///
    /// # Errors
    /// In a sentence for the person who makes the binding.
    pub async fn check_binding(&self, tenant: &TenantId, binding: &Binding) -> Result<(), BindingError> {
        let plugin = &binding.plugin;
        let set = self.snapshot();
        let version = set.version(plugin).map_err(|error| error.in_binding(plugin))?;
        if !version.has(Capability::Filter) && !version.has(Capability::Transform) {
            return Err(BindingError::NotBindable(plugin.clone()));
        }
        let limit = self.runtime.options.init_deadline;
        let config = version.config(binding.config.as_ref());
        let checked = version.check(&self.runtime, tenant, &config, limit).await;
        checked.map_err(|error| error.in_binding(plugin))
    }

    /// Whether a plugin is a matcher that accepts the patterns.
    ///
    /// # Errors
    /// In a sentence for the person who sets the patterns.
    pub async fn check_patterns(&self, plugin: &PluginName, patterns: &[String]) -> Result<(), BindingError> {
        let set = self.snapshot();
        let version = set.version(plugin).map_err(|error| error.in_binding(plugin))?;
        if !version.has(Capability::TopicMatcher) {
            return Err(BindingError::NotAMatcher(plugin.clone()));
        }
        let limit = self.runtime.options.init_deadline;
        let lease = version.lease_matcher(&self.runtime, patterns, limit).await;
        lease.map_err(|error| error.in_binding(plugin))?.give_back(&self.runtime);
        Ok(())
    }
}

fn use_directory(dir: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::read_dir(dir))
        .map(drop)
        .map_err(|source| Error::Directory { dir: dir.to_owned(), source })
}
