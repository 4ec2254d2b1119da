//! The one WebAssembly engine of the process: what all plugins share.

use std::sync::Arc;

use tracing::warn;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline,
    WasmBacktraceDetails,
};

use super::error::Error;
use super::grants::{Granted, HttpGuest, Means, Operator};
use super::instructions::Instructions;
use super::limits::{
    CallLimits, MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES, MemoryLimiter,
};
use super::log_ring::LogRings;
use super::logs::{LogSink, PluginLog};
use super::options::Options;
use super::pool::Pool;
use super::state::{State, add_to_linker};
use super::ticker::Ticker;
use super::wasi;
use crate::clock::Clock;
use crate::model::TenantId;
use crate::shutdown::Shutdown;

/// The engine's default; deep recursion in a filter is a bug.
const MAX_WASM_STACK: usize = 512 << 10;
/// What the engine keeps about an instance, not its memory. Interpreters have large tables of globals.
const MAX_INSTANCE_BYTES: usize = 10 << 20;
/// Slots that keep the memory of an instance that is gone, for the next one of the same version. Instances are reused, so
/// few are made; the default of 100 keeps 100 MiB of versions that were replaced.
const WARM_SLOTS: u32 = 16;
/// More than the whole memory of a small Rust guest: zeroing it is cheaper than giving it back to the kernel. A value
/// below the guest's memory would pay for both.
const KEEP_RESIDENT_MEMORY: usize = 2 << 20;
const KEEP_RESIDENT_TABLE: usize = 64 << 10;
/// Headers and reasons beside the body of an output.
const OUTPUT_SLACK: usize = 64 << 10;
/// Handles that the guest's own resources may use; a matcher needs one.
const MAX_HANDLES: usize = 1_000;

/// The engine, what may be imported, and the instances.
pub(super) struct Runtime {
    pub(super) engine: Engine,
    /// Where instructions are counted, which makes everything slower: for authors, never for events.
    pub(super) instructions: Option<Instructions>,
    pub(super) linker: Linker<State>,
    pub(super) pool: Pool,
    pub(super) logs: LogRings,
    pub(super) options: Options,
    pub(super) clock: Clock,
    pub(super) operator: Operator,
    pub(super) ticker: Ticker,
}

impl Runtime {
    /// One whose plugins have no way out, whatever they are granted: without a gateway around it.
    pub(super) fn alone(options: Options, clock: Clock) -> Result<Self, Error> {
        Self::start(options, Means::default(), clock, &Shutdown::new())
    }

    /// The same with other machine code, which counts the instructions of calls.
    pub(super) fn counting(options: Options, means: Means, clock: Clock) -> Result<Self, Error> {
        Self::with(options, means, clock, &Shutdown::new(), Some(Instructions::default()))
    }

    /// `tasks`: what waits at a stop for what plugins keep to be written.
    pub(super) fn start(
        options: Options,
        means: Means,
        clock: Clock,
        tasks: &Shutdown,
    ) -> Result<Self, Error> {
        Self::with(options, means, clock, tasks, None)
    }

    fn with(
        options: Options,
        means: Means,
        clock: Clock,
        tasks: &Shutdown,
        instructions: Option<Instructions>,
    ) -> Result<Self, Error> {
        let operator = Operator::new(&options.grants, means, clock, tasks.clone())?;
        let config = || {
            let mut config = config();
            config.consume_fuel(instructions.is_some());
            config
        };
        let engine = engine(&options, config).map_err(|error| Error::Engine(error.into()))?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker).map_err(|error| Error::Engine(error.into()))?;
        let ticker = Ticker::start(&engine).map_err(Error::Ticker)?;
        let pool = Pool::new(options.instances);
        Ok(Self {
            engine,
            instructions,
            linker,
            pool,
            logs: LogRings::default(),
            options,
            clock,
            operator,
            ticker,
        })
    }

    /// A store with every limit set, for the calls of a tenant. Its first call must set a deadline.
    pub(super) fn store(
        &self,
        log: &Arc<PluginLog>,
        tenant: Option<&TenantId>,
        limits: CallLimits,
        granted: &Granted,
    ) -> Store<State> {
        let log = LogSink::new(Arc::clone(log), tenant.cloned());
        let state = State {
            current: None,
            deadline: self.clock.deadline(limits.deadline),
            limiter: MemoryLimiter::new(limits.memory_bytes),
            wasi: wasi::context(self.clock, &log, granted.env()),
            table: wasi::resources(),
            http: HttpGuest::new(granted.http(), log.clone()),
            kv: granted.kv(),
            log,
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(limits.output_bytes.saturating_add(OUTPUT_SLACK));
        store.set_max_component_handles(MAX_HANDLES);
        store.epoch_deadline_callback(|store| {
            // Yielding leaves the worker to other tasks, so a guest that loops costs time but blocks nobody.
            if store.data().is_past_deadline() {
                Ok(UpdateDeadline::Interrupt)
            } else {
                Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
            }
        });
        store
    }
}

/// With the pooling allocator if the machine has the address space for it; otherwise slower, and said loudly.
fn engine(options: &Options, config: impl Fn() -> Config) -> wasmtime::Result<Engine> {
    let mut pooled = config();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(options)));
    Engine::new(&pooled).or_else(|error| {
        let instances = options.instances;
        warn!(
            %error,
            instances,
            "no address space for the pool of plugin instances: each new instance costs about twice as much; lower \
             `plugins.instances` or raise the limit on virtual memory (`ulimit -v`)"
        );
        Engine::new(&config())
    })
}

/// What machine code depends on. The same for every engine of this program, whatever it is for.
pub(super) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Without component-model async a call costs a third.
        .concurrency_support(false)
        .wasm_memory64(false)
        .max_wasm_stack(MAX_WASM_STACK)
        // Registration is quadratic on some platforms with many loads, and guests' backtraces do not need it.
        .native_unwind_info(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config
}

/// Totals are slots times the most that one component may have, so that the pool never runs out before the slots do.
fn pooling(options: &Options) -> PoolingAllocationConfig {
    let slots = u32::try_from(options.instances).unwrap_or(u32::MAX);
    let per_component = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let total = |count: usize| slots.saturating_mul(per_component(count));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(total(MAX_CORE_INSTANCES))
        .total_memories(total(MAX_MEMORIES))
        .total_tables(total(MAX_TABLES))
        .max_core_instances_per_component(per_component(MAX_CORE_INSTANCES))
        .max_memories_per_component(per_component(MAX_MEMORIES))
        .max_tables_per_component(per_component(MAX_TABLES))
        .max_tables_per_module(per_component(MAX_TABLES))
        .max_memories_per_module(per_component(MAX_MEMORIES))
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_component_instance_size(MAX_INSTANCE_BYTES)
        .max_core_instance_size(MAX_INSTANCE_BYTES)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(KEEP_RESIDENT_MEMORY)
        .table_keep_resident(KEEP_RESIDENT_TABLE);
    pool
}
