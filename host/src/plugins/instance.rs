//! One instance of a component and the calls into it.
//!
//! After any error of the engine the instance is not used again: a trap leaves it in an unknown state, and after a
//! value that could not be read its clean-up did not run. Errors that the guest returns are answers and leave it alone.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::Store;
use wasmtime::component::{Resource, ResourceAny};

use super::bindings::filter::Verdict;
use super::bindings::transform::Outcome;
use super::bindings::types::Error as GuestError;
use super::engine::Runtime;
use super::error::CallError;
use super::grants::Meter;
use super::limits::CallLimits;
use super::pool::Slot;
use super::state::{Current, State};
use super::stats::CountedInstance;
use super::text::clean;
use super::ticker::Running;
use super::trap::classify;
use super::version::{Exports, Version};
use crate::model::TenantId;

/// The engine interrupts guests at the deadline; what waits inside the host is cancelled this much later.
const GRACE: Duration = Duration::from_millis(10);
/// Handles are without content; see [`super::state`].
const THE_ONE: u32 = 0;

pub(super) struct Instance {
    store: Store<State>,
    exports: Exports,
    matcher: Option<ResourceAny>,
    calls_left: u32,
    limits: CallLimits,
    counted: CountedInstance,
    // Last, so that the slot is free only once the memory is.
    _slot: Slot,
}

impl Instance {
    /// Instantiates for the calls of a tenant and calls `init`, if there is a configuration, all within `limit`.
    pub(super) async fn new(
        runtime: &Runtime,
        version: &Version,
        (tenant, config): (Option<&TenantId>, Option<&str>),
        limit: Duration,
        slot: Slot,
    ) -> Result<Self, CallError> {
        let limits = version.limits;
        let counted = CountedInstance::new(&version.stats);
        let mut store = runtime.store(&version.log, tenant, limits, &version.granted);
        let deadline = begin(runtime, &mut store, limit);
        let start = async {
            let instance = version.blueprint.pre.instantiate_async(&mut store).await?;
            let exports = version.blueprint.load(&mut store, &instance);
            let exports = match exports {
                Ok(exports) => exports,
                Err(error) => return Ok(Err(CallError::WrongTypes(clean(&format!("{error:#}"))))),
            };
            if let (Some(lifecycle), Some(config)) = (&exports.lifecycle, config)
                && let Err(message) = lifecycle.call_init(&mut store, config).await?
            {
                return Ok(Err(CallError::Init(clean(&message))));
            }
            Ok(Ok(exports))
        };
        let started = within(limits.within(limit), deadline, start).await;
        counted.stats().note_memory(store.data().limiter.used());
        let exports = started??;
        let calls_left = calls(limits.reuse);
        Ok(Self { store, exports, matcher: None, calls_left, limits, counted, _slot: slot })
    }

    /// Whether the instance may serve another call.
    pub(super) fn is_fresh_enough(&self) -> bool {
        self.calls_left > 0 && !self.store.data().limiter.is_bloated()
    }

    /// The deadline of its last call: near enough to when it was used, without another look at the clock.
    pub(super) fn last_deadline(&self) -> Instant {
        self.store.data().deadline
    }

    /// Whether it was idle for longer than it may be.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_deadline()) >= self.limits.idle
    }

    pub(super) async fn filter(
        &mut self,
        runtime: &Runtime,
        current: Current,
    ) -> Result<Result<Verdict, GuestError>, CallError> {
        let deadline = self.begin_call(runtime, Some(current));
        let filter = self.exports.filter.as_ref().ok_or(CallError::NotExported("filter"))?;
        let (event, endpoint) = (Resource::new_borrow(THE_ONE), Resource::new_borrow(THE_ONE));
        let call = filter.call_filter(&mut self.store, event, endpoint);
        let answer = within(self.limits, deadline, call).await;
        self.end_call(runtime);
        answer
    }

    pub(super) async fn transform(
        &mut self,
        runtime: &Runtime,
        current: Current,
    ) -> Result<Result<Outcome, GuestError>, CallError> {
        let deadline = self.begin_call(runtime, Some(current));
        let transform = self.exports.transform.as_ref().ok_or(CallError::NotExported("transform"))?;
        let (event, endpoint) = (Resource::new_borrow(THE_ONE), Resource::new_borrow(THE_ONE));
        let call = transform.call_transform(&mut self.store, event, endpoint);
        let answer = within(self.limits, deadline, call).await;
        self.end_call(runtime);
        answer
    }

    /// Makes the instance the matcher for these patterns, within `limit`.
    pub(super) async fn compile(
        &mut self,
        runtime: &Runtime,
        patterns: &[String],
        limit: Duration,
    ) -> Result<(), CallError> {
        let deadline = begin(runtime, &mut self.store, limit);
        let guest = self.exports.topic_matcher.as_ref().ok_or(CallError::NotExported("topic-matcher"))?;
        let matcher = guest.matcher();
        let call = matcher.call_compile(&mut self.store, patterns);
        let compiled = within(self.limits.within(limit), deadline, call).await?;
        self.matcher = Some(compiled.map_err(|message| CallError::Patterns(clean(&message)))?);
        Ok(())
    }

    /// Whether a pattern given to [`Instance::compile`] accepts the topic.
    pub(super) async fn matches(&mut self, runtime: &Runtime, topic: &str) -> Result<bool, CallError> {
        let deadline = self.begin_call(runtime, None);
        let guest = self.exports.topic_matcher.as_ref().ok_or(CallError::NotExported("topic-matcher"))?;
        let compiled = self.matcher.ok_or(CallError::NotExported("topic-matcher"))?;
        let matcher = guest.matcher();
        let call = matcher.call_matches(&mut self.store, compiled, topic);
        let answer = within(self.limits, deadline, call).await;
        self.end_call(runtime);
        answer
    }

    fn begin_call(&mut self, runtime: &Runtime, current: Option<Current>) -> Deadline {
        self.calls_left = self.calls_left.saturating_sub(1);
        self.store.data_mut().current = current;
        begin(runtime, &mut self.store, self.limits.deadline)
    }

    fn end_call(&mut self, runtime: &Runtime) {
        if let Some(instructions) = &runtime.instructions {
            instructions.end_call(&self.store);
        }
        let state = self.store.data_mut();
        state.current = None;
        self.counted.stats().note_memory(state.limiter.used());
    }
}

/// Sets the deadline and the quotas of the next call.
fn begin(runtime: &Runtime, store: &mut Store<State>, limit: Duration) -> Deadline {
    store.set_epoch_deadline(1);
    if let Some(instructions) = &runtime.instructions {
        instructions.begin_call(store);
    }
    let state = store.data_mut();
    state.deadline = runtime.clock.deadline(limit);
    state.log.reset();
    state.kv.begin_call();
    Deadline {
        at: state.deadline,
        waits: state.http.begin_call(state.current.as_ref().map(|current| &current.subject.event().id)),
        _running: runtime.ticker.begin(),
    }
}

async fn within<T>(
    limits: CallLimits,
    deadline: Deadline,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, CallError> {
    let mut call = pin!(call);
    loop {
        let now = deadline.now();
        match tokio::time::timeout_at(now + GRACE, &mut call).await {
            Ok(answer) => return answer.map_err(|error| classify(&error, limits)),
            Err(_) if deadline.now() > now => {}
            Err(_) => return Err(CallError::Deadline(limits.deadline)),
        }
    }
}

/// When a call ends: later by what it waited for others, as far as it may.
struct Deadline {
    at: Instant,
    waits: Option<Meter>,
    _running: Running,
}

impl Deadline {
    fn now(&self) -> Instant {
        self.at + self.waits.as_ref().map_or(Duration::ZERO, Meter::waited)
    }
}

impl Drop for Deadline {
    /// The call is over, however it ended: nothing that it began goes on.
    fn drop(&mut self) {
        if let Some(waits) = &self.waits {
            waits.end();
        }
    }
}

/// 20 % more or less, so that instances made at the same time do not end at the same time.
fn calls(reuse: u32) -> u32 {
    let spread = reuse / 5;
    rand::random_range(reuse - spread..=reuse.saturating_add(spread)).max(1)
}
