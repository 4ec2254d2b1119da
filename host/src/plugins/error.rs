//! What can go wrong with plugins, in sentences for the person who can change it.

use std::path::PathBuf;
use std::time::Duration;

use super::grants::{ConsentError, GrantError};
use super::history::HistoryError;
use super::manifest::ManifestError;
use super::output::IllegalOutput;
use super::samples::SampleError;
use super::status::About;
use crate::model::{PluginName, TenantId};

/// Why plugins could not be started at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory cannot be made or read.
    #[error("`plugins_dir` ({dir}) cannot be used: make it a directory that the gateway may read")]
    Directory {
        /// Which directory.
        dir: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The WebAssembly engine does not start on this machine.
    #[error("the WebAssembly engine does not start on this machine")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the operator allows a plugin cannot be read.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// The versions that went live cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// No thread for the engine's heartbeat.
    #[error("the thread that keeps the deadlines of plugins does not start")]
    Ticker(#[source] std::io::Error),
}

/// Why a call has no answer. The sentence stands in the delivery log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No file of this name was ever loaded, or it was deleted.
    #[error("there is no plugin `{0}`: put `{0}.wasm` into the plugin directory")]
    Unknown(PluginName),
    /// There is a file, but no version of it could be loaded.
    #[error("no version of the plugin could be loaded: {0}")]
    NotLoaded(String),
    /// The component does not export the interface.
    #[error("the plugin does not export `{0}`")]
    NotExported(&'static str),
    /// Its functions have other types than the contract says.
    #[error("it does not fit `hookway:plugin@1.0.0`: {0}")]
    WrongTypes(String),
    /// It took too long.
    #[error("it ran past its deadline of {}", millis(.0))]
    Deadline(Duration),
    /// It used too much memory.
    #[error("it used more than {} of memory", bytes(.0))]
    Memory(usize),
    /// It called itself too deeply.
    #[error("it overflowed its stack{}", in_function(.0))]
    Stack(Option<String>),
    /// It hit an instruction that ends it; in Rust and C usually a panic or abort.
    #[error("it hit `unreachable` (a panic or abort){}", in_function(.0))]
    Unreachable(Option<String>),
    /// Another trap.
    #[error("it trapped: {what}{}", in_function(.function))]
    Trap {
        /// What the engine calls it.
        what: String,
        /// Where.
        function: Option<String>,
    },
    /// It handed over too much.
    #[error("its output is over the limit of {}", bytes(.0))]
    OutputTooBig(usize),
    /// It handed over something that is not what the contract says.
    #[error("its output is malformed: {0}")]
    Malformed(String),
    /// It set something that a plugin may not set.
    #[error("its output is not allowed: {0}")]
    Illegal(#[from] IllegalOutput),
    /// `init` returned an error.
    #[error("`init` refused the configuration: {0}")]
    Init(String),
    /// `compile` returned an error.
    #[error("it refused the patterns: {0}")]
    Patterns(String),
    /// It says that it can never handle this event.
    #[error("it says that it can never handle this event: {0}")]
    Invalid(String),
    /// It asks to be called again later.
    #[error("it asks to be called again later: {0}")]
    Retry(String),
    /// It failed too often for the same tenant and configuration, so it is left alone for a while.
    #[error(
        "it is not asked for {}, because it failed on several events, the last time like this: {last}", millis(.pause)
    )]
    BreakerOpen {
        /// How the last call failed.
        last: String,
        /// When it may be asked again.
        pause: Duration,
    },
    /// All instances that may exist were busy for too long.
    #[error("no instance of it became free within {}", millis(.0))]
    Busy(Duration),
}

/// Why a binding or a list of patterns is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// There is no such plugin.
    #[error("there is no plugin `{0}`: put `{0}.wasm` into the plugin directory, or correct the name")]
    Unknown(PluginName),
    /// It exports neither `filter` nor `transform`.
    #[error(
        "the plugin `{0}` exports neither `filter` nor `transform`, so it cannot be bound to an endpoint"
    )]
    NotBindable(PluginName),
    /// It does not export `topic-matcher`.
    #[error("the plugin `{0}` does not export `topic-matcher`, so it cannot be an endpoint's matcher")]
    NotAMatcher(PluginName),
    /// It refused, or could not be asked.
    #[error("the plugin `{plugin}` does not accept this: {error}")]
    Refused {
        /// Which plugin.
        plugin: PluginName,
        /// Why.
        error: CallError,
    },
}

/// Why a file is not loaded. The sentence stands in the plugin's status.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Its manifest cannot be taken.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is a manifest and nothing that it is about.
    #[error(
        "`{0}.toml` is there, but no `{0}.wasm` that it is about: put that beside it, or remove the manifest"
    )]
    ManifestAlone(PluginName),
    /// A sample of its manifest has another outcome.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// It cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It is too big.
    #[error("the file is larger than {}: make it smaller or raise `plugins.max_file_bytes`", bytes(.0))]
    TooBig(usize),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is a core module that does not say what it exports.
    #[error(
        "the file is a core WebAssembly module that does not say which interfaces it has: build for `wasm32-wasip2`, or run \
         `hookway plugin componentize --world filter-plugin IN.wasm -o OUT.wasm`"
    )]
    CoreModule,
    /// It is a core module that is not what it says.
    #[error("the core WebAssembly module cannot be made a component: {0}")]
    Componentize(String),
    /// It is native code.
    #[error("the file is compiled native code ({0}), which is never loaded: put the `.wasm` component here")]
    Native(&'static str),
    /// It is something else.
    #[error("the file is not WebAssembly: it does not start with `\\0asm`")]
    NotWasm,
    /// It breaks off or is broken.
    #[error("the file is not a valid component: {0}")]
    Invalid(String),
    /// It would take too long or too much memory to compile.
    #[error("the file has {what} (at most {limit} can be compiled safely)")]
    Limit {
        /// What there is too much of.
        what: String,
        /// How much is allowed.
        limit: usize,
    },
    /// It exports none of our interfaces.
    #[error(
        "the component exports none of `hookway:plugin/filter`, `hookway:plugin/transform` and \
         `hookway:plugin/topic-matcher`"
    )]
    NoInterface,
    /// It is built for another version of the contract.
    #[error(
        "the component {verb} `{name}`, this gateway speaks 1.x: build it against `hookway:plugin@1.0.0`"
    )]
    OtherTrack {
        /// `exports` or `imports`.
        verb: &'static str,
        /// The whole name.
        name: String,
    },
    /// It wants something that is not there.
    #[error("the component imports `{0}`, which this gateway does not provide")]
    Import(String),
    /// What it asks for and what it is allowed are not the same, or it imports what it has no grant for.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Its functions have other types than the contract says.
    #[error("the component does not fit `hookway:plugin@1.0.0`: {0}")]
    WrongTypes(String),
    /// The compiler failed on it.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// Compiling it takes too long.
    #[error(
        "compiling the component takes more than {} of processor time: make it smaller or raise `plugins.compile_cpu`",
        millis(.0)
    )]
    CompileCpu(Duration),
    /// Compiling it did not end.
    #[error(
        "compiling the component did not end within {}: make it smaller or raise `plugins.compile_timeout`",
        millis(.0)
    )]
    CompileTimeout(Duration),
    /// Compiling it takes too much memory.
    #[error(
        "compiling the component takes more than {} of memory: make it smaller or raise `plugins.compile_memory_bytes`",
        bytes(&usize::try_from(*.0).unwrap_or(usize::MAX))
    )]
    CompileMemory(u64),
    /// The process that compiles does not start.
    #[error("the compiler cannot be started, so no plugin that is new can be loaded: {0}")]
    NoCompiler(String),
    /// What the process that compiles has against it, in its words.
    #[error("{0}")]
    Sentence(String),
    /// Its first instance failed.
    #[error("the component does not start: {0}")]
    Start(CallError),
    /// It refuses a configuration in use.
    #[error("this version fails with a configuration that is in use ({whose}): {error}")]
    InUse {
        /// The tenant whose configuration it is; `None`: the operator's.
        tenant: Option<TenantId>,
        /// Whose, for the sentence.
        whose: String,
        /// How it fails.
        error: CallError,
    },
    /// It refuses patterns in use.
    #[error("this version fails with patterns that are in use: {0}")]
    PatternsInUse(CallError),
    /// It no longer exports what its bindings need.
    #[error("this version no longer exports {0}, which is in use")]
    CapabilityInUse(&'static str),
}

impl LoadError {
    /// Whom it is about.
    pub(super) fn about(&self) -> About {
        if let Self::InUse { tenant, .. } = self {
            tenant.clone().map_or(About::Patterns, About::Tenant)
        } else if matches!(self, Self::PatternsInUse(_)) {
            About::Patterns
        } else {
            About::File
        }
    }
}

impl From<CallError> for LoadError {
    /// What went wrong with the first instance.
    fn from(error: CallError) -> Self {
        if let CallError::WrongTypes(what) = error { Self::WrongTypes(what) } else { Self::Start(error) }
    }
}

impl CallError {
    /// Nothing but the same can come of the call sooner.
    pub(super) const fn pause(&self) -> Duration {
        if let Self::BreakerOpen { pause, .. } = self { *pause } else { Duration::ZERO }
    }

    /// What it means for a binding of `plugin`.
    pub(super) fn in_binding(self, plugin: &PluginName) -> BindingError {
        if let Self::Unknown(name) = self {
            BindingError::Unknown(name)
        } else {
            BindingError::Refused { plugin: plugin.clone(), error: self }
        }
    }

    /// Whether the guest did something that it must not do, for whatever reason.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        self.is_fault_of_event() || matches!(self, Self::Init(_) | Self::Patterns(_))
    }

    /// Whether it did so with an event, which may therefore be what it cannot stand.
    #[must_use]
    pub const fn is_fault_of_event(&self) -> bool {
        match self {
            Self::Deadline(_)
            | Self::Memory(_)
            | Self::Stack(_)
            | Self::Unreachable(_)
            | Self::Trap { .. }
            | Self::OutputTooBig(_)
            | Self::Malformed(_)
            | Self::Illegal(_) => true,
            Self::Unknown(_)
            | Self::NotLoaded(_)
            | Self::NotExported(_)
            | Self::WrongTypes(_)
            | Self::Init(_)
            | Self::Patterns(_)
            | Self::Invalid(_)
            | Self::Retry(_)
            | Self::BreakerOpen { .. }
            | Self::Busy(_) => false,
        }
    }

    /// Whether it is the guest's own word: then the guest works.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Invalid(_) | Self::Retry(_))
    }

    /// Whether trying again later is pointless by the plugin's own word.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }
}

fn millis(duration: &Duration) -> String {
    if duration.as_secs() > 0 && duration.subsec_nanos() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn bytes(bytes: &usize) -> String {
    match bytes {
        gib if gib.is_multiple_of(1 << 30) => format!("{} GiB", gib >> 30),
        mib if mib.is_multiple_of(1 << 20) => format!("{} MiB", mib >> 20),
        kib if kib.is_multiple_of(1 << 10) => format!("{} KiB", kib >> 10),
        bytes => format!("{bytes} bytes"),
    }
}

fn in_function(function: &Option<String>) -> String {
    function.as_ref().map(|name| format!(" in function `{name}`")).unwrap_or_default()
}
