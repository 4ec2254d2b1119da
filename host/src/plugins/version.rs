//! One loaded version of a plugin.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use wasmtime::AsContextMut;
use wasmtime::component::{Instance as ComponentInstance, InstancePre};

use super::bindings::{filter, lifecycle, topic_matcher, transform};
use super::breakers::Breakers;
use super::engine::Runtime;
use super::error::CallError;
use super::grants::Granted;
use super::inspect::Interfaces;
use super::instance::Instance;
use super::limits::CallLimits;
use super::logs::PluginLog;
use super::manifest::{JsonText, Manifest};
use super::pool::{Key, MAX_WAIT};
use super::state::State;
use super::stats::Stats;
use crate::model::{PluginName, TenantId, Topic, UnixMs};

/// When an instance has to be made while an event waits: enough for an interpreter, not enough for a stall.
const INIT_ON_EVENT: Duration = Duration::from_millis(500);
/// What `init` gets where nobody says anything: neither the binding, which a matcher has not, nor the manifest.
const NO_CONFIG: &str = "{}";

/// What a plugin can do: an interface that its component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// `filter`: decides whether an event goes to an endpoint.
    Filter,
    /// `transform`: changes what is sent.
    Transform,
    /// `topic-matcher`: a topic pattern language of its own.
    TopicMatcher,
}

/// A compiled and linked component, and where its exports are.
#[derive(Clone)]
pub(super) struct Blueprint {
    pub(super) pre: InstancePre<State>,
    lifecycle: Option<lifecycle::GuestIndices>,
    filter: Option<filter::GuestIndices>,
    transform: Option<transform::GuestIndices>,
    topic_matcher: Option<topic_matcher::GuestIndices>,
}

/// The exports of one instance.
pub(super) struct Exports {
    pub(super) lifecycle: Option<lifecycle::Guest>,
    pub(super) filter: Option<filter::Guest>,
    pub(super) transform: Option<transform::Guest>,
    pub(super) topic_matcher: Option<topic_matcher::Guest>,
}

/// The files that a version was made of.
pub(super) struct Content {
    pub(super) plugin: PluginName,
    /// [`super::load::Files::version`].
    pub(super) hash: Arc<str>,
    /// Of the component, in bytes.
    pub(super) size: u64,
    pub(super) manifest: Manifest,
    /// How long it took to compile; none if its machine code was in the cache.
    pub(super) compiled_in: Option<Duration>,
}

/// A version that is or was live. Calls in flight keep theirs alive.
pub(super) struct Version {
    /// Never used twice in a process.
    pub(super) id: u64,
    pub(super) plugin: PluginName,
    /// What it is called: [`super::load::Files::version`].
    pub(super) hash: Arc<str>,
    pub(super) size: u64,
    pub(super) manifest: Manifest,
    pub(super) limits: CallLimits,
    /// The configuration of bindings that have none.
    default_config: Arc<str>,
    pub(super) loaded_at: UnixMs,
    pub(super) blueprint: Blueprint,
    pub(super) granted: Arc<Granted>,
    pub(super) log: Arc<PluginLog>,
    pub(super) compiled_in: Option<Duration>,
    pub(super) stats: Arc<Stats>,
    pub(super) breakers: Breakers,
    permits: Semaphore,
}

/// An instance for one call. Dropping it drops the instance; [`Lease::give_back`] keeps it for the next call.
pub(super) struct Lease<'a> {
    pub(super) instance: Instance,
    key: Key,
    _permit: SemaphorePermit<'a>,
}

impl Capability {
    /// The name of the interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Transform => "transform",
            Self::TopicMatcher => "topic-matcher",
        }
    }
}

impl Blueprint {
    /// # Errors
    /// When an exported interface lacks a function.
    pub(super) fn new(pre: InstancePre<State>, exported: &Interfaces) -> wasmtime::Result<Self> {
        let lifecycle = exported.lifecycle.then(|| lifecycle::GuestIndices::new(&pre)).transpose()?;
        let filter = exported.filter.then(|| filter::GuestIndices::new(&pre)).transpose()?;
        let transform = exported.transform.then(|| transform::GuestIndices::new(&pre)).transpose()?;
        let topic_matcher =
            exported.topic_matcher.then(|| topic_matcher::GuestIndices::new(&pre)).transpose()?;
        Ok(Self { pre, lifecycle, filter, transform, topic_matcher })
    }

    /// Finds the exports in an instance. This is where wrong function types show.
    pub(super) fn load(
        &self,
        mut store: impl AsContextMut<Data = State>,
        instance: &ComponentInstance,
    ) -> wasmtime::Result<Exports> {
        let lifecycle = self.lifecycle.as_ref().map(|indices| indices.load(&mut store, instance));
        let filter = self.filter.as_ref().map(|indices| indices.load(&mut store, instance));
        let transform = self.transform.as_ref().map(|indices| indices.load(&mut store, instance));
        let topic_matcher = self.topic_matcher.as_ref().map(|indices| indices.load(&mut store, instance));
        Ok(Exports {
            lifecycle: lifecycle.transpose()?,
            filter: filter.transpose()?,
            transform: transform.transpose()?,
            topic_matcher: topic_matcher.transpose()?,
        })
    }
}

impl Version {
    pub(super) fn new(
        id: u64,
        file: Content,
        blueprint: Blueprint,
        granted: Arc<Granted>,
        runtime: &Runtime,
    ) -> Self {
        let Content { plugin, hash, size, manifest, compiled_in } = file;
        let limits = CallLimits::of(&manifest, &runtime.options);
        let default_config = manifest.config.as_ref().map_or_else(|| NO_CONFIG.into(), JsonText::text);
        let ring = runtime.logs.of(&plugin);
        let log = Arc::new(PluginLog::new(plugin.clone(), Arc::clone(&hash), runtime.clock, ring));
        Self {
            id,
            plugin,
            hash,
            size,
            manifest,
            limits,
            default_config,
            loaded_at: runtime.clock.now(),
            blueprint,
            granted,
            log,
            compiled_in,
            stats: Arc::default(),
            breakers: Breakers::new(runtime.clock),
            permits: Semaphore::new(runtime.options.concurrency),
        }
    }

    /// The same version for calls of which nothing follows. It shares its code and nothing else: it has instances, counts and
    /// breakers of its own, says nothing and asks nobody.
    pub(super) fn apart(&self, id: u64, runtime: &Runtime) -> Self {
        let (plugin, hash) = (self.plugin.clone(), Arc::clone(&self.hash));
        let log = PluginLog::mute(plugin.clone(), Arc::clone(&hash), runtime.clock);
        let (size, manifest) = (self.size, self.manifest.clone());
        let file = Content { plugin, hash, size, manifest, compiled_in: None };
        let granted = Arc::new(self.granted.without_http());
        Self { log: Arc::new(log), ..Self::new(id, file, self.blueprint.clone(), granted, runtime) }
    }

    /// The configuration of a binding that has this one of its own, or none.
    pub(super) fn config(&self, own: Option<&Arc<str>>) -> Arc<str> {
        Arc::clone(own.unwrap_or(&self.default_config))
    }

    /// The part of its name that stands for the component alone.
    pub(super) fn code(&self) -> &str {
        self.hash.split('+').next().unwrap_or_default()
    }

    /// The size of its machine code in bytes.
    pub(super) fn machine_code_size(&self) -> usize {
        let code = self.blueprint.pre.component().image_range();
        code.end.addr() - code.start.addr()
    }

    /// What it was called for so far does not count: nobody used it yet.
    pub(super) fn forget_calls(&self) {
        self.stats.forget_calls();
        self.breakers.forget_calls();
    }

    pub(super) const fn has(&self, capability: Capability) -> bool {
        match capability {
            Capability::Filter => self.blueprint.filter.is_some(),
            Capability::Transform => self.blueprint.transform.is_some(),
            Capability::TopicMatcher => self.blueprint.topic_matcher.is_some(),
        }
    }

    pub(super) fn capabilities(&self) -> Vec<Capability> {
        let all = [Capability::Filter, Capability::Transform, Capability::TopicMatcher];
        all.into_iter().filter(|&capability| self.has(capability)).collect()
    }

    /// Whether it proved itself: it has answers, and nobody is without it.
    pub(super) fn is_healthy(&self) -> bool {
        self.stats.answers() > 0 && !self.breakers.is_any_open()
    }

    /// An instance for a binding's events.
    pub(super) async fn lease(
        &self,
        runtime: &Runtime,
        tenant: &TenantId,
        config: &Arc<str>,
    ) -> Result<Lease<'_>, CallError> {
        let (permit, mut waited) = self.permit().await?;
        let key = Key { version: self.id, tenant: Some(tenant.clone()), config: Arc::clone(config) };
        let instance = match runtime.pool.take(&key) {
            Some(instance) => instance,
            None => {
                let slot = timed(runtime.pool.slot(), &mut waited).await?;
                let limit = runtime.init_on_event();
                Instance::new(runtime, self, (Some(tenant), Some(config)), limit, slot).await?
            }
        };
        self.stats.waits.observe_duration(waited);
        Ok(Lease { instance, key, _permit: permit })
    }

    /// Makes an instance for a binding as its first event would, and keeps it for that event.
    pub(super) async fn check(
        &self,
        runtime: &Runtime,
        tenant: &TenantId,
        config: &Arc<str>,
        limit: Duration,
    ) -> Result<(), CallError> {
        let instance = self.instance(runtime, Some(tenant), Some(config), limit).await?;
        let key = Key { version: self.id, tenant: Some(tenant.clone()), config: Arc::clone(config) };
        runtime.pool.put(key, instance);
        Ok(())
    }

    /// An instance that has compiled `patterns`.
    pub(super) async fn lease_matcher(
        &self,
        runtime: &Runtime,
        patterns: &[String],
        limit: Duration,
    ) -> Result<Lease<'_>, CallError> {
        let (permit, waited) = self.permit().await?;
        self.stats.waits.observe_duration(waited);
        let config = serde_json::Value::from(patterns).to_string();
        let key = Key { version: self.id, tenant: None, config: config.into() };
        let instance = match runtime.pool.take(&key) {
            Some(instance) => instance,
            None => {
                let mut instance = self.instance(runtime, None, Some(&self.default_config), limit).await?;
                instance.compile(runtime, patterns, limit).await?;
                instance
            }
        };
        Ok(Lease { instance, key, _permit: permit })
    }

    /// Whether one of the patterns accepts the topic.
    pub(super) async fn matches(
        &self,
        runtime: &Runtime,
        patterns: &[String],
        topic: &Topic,
        limit: Duration,
    ) -> Result<bool, CallError> {
        let mut lease = self.lease_matcher(runtime, patterns, limit).await?;
        let answer = lease.instance.matches(runtime, topic.as_str()).await?;
        lease.give_back(runtime);
        Ok(answer)
    }

    /// A new instance, initialised if there is a configuration.
    pub(super) async fn instance(
        &self,
        runtime: &Runtime,
        tenant: Option<&TenantId>,
        config: Option<&str>,
        limit: Duration,
    ) -> Result<Instance, CallError> {
        let slot = runtime.pool.slot().await?;
        Instance::new(runtime, self, (tenant, config), limit, slot).await
    }

    /// The right to make a call, and how long it took to get it.
    async fn permit(&self) -> Result<(SemaphorePermit<'_>, Duration), CallError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok((permit, Duration::ZERO));
        }
        let mut waited = Duration::ZERO;
        let permit = timed(tokio::time::timeout(MAX_WAIT, self.permits.acquire()), &mut waited).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(CallError::Busy(MAX_WAIT))?;
        Ok((permit, waited))
    }
}

/// Adds how long something takes.
async fn timed<T>(work: impl Future<Output = T>, total: &mut Duration) -> T {
    let began = Instant::now();
    let done = work.await;
    *total += began.elapsed();
    done
}

impl Lease<'_> {
    /// Keeps the instance for the next call of the same kind. Only after a call without an error of the engine.
    pub(super) fn give_back(self, runtime: &Runtime) {
        if self.instance.is_fresh_enough() {
            runtime.pool.put(self.key, self.instance);
        }
    }
}

impl Runtime {
    pub(super) fn init_on_event(&self) -> Duration {
        self.options.init_deadline.min(INIT_ON_EVENT)
    }
}
