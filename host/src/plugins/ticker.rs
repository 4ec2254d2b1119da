//! The heartbeat that lets a call notice its deadline.
//!
//! It beats while guests run and sleeps when none did for a while, so a gateway that has nothing to do wakes nobody.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How exactly deadlines are kept, and how long a busy guest may keep a worker before it yields.
const TICK: Duration = Duration::from_millis(4);
/// Ticks without a call before it sleeps. To wake it costs the call a system call, so it does not sleep between calls that
/// follow each other.
const IDLE_TICKS: u32 = 25;

/// A thread of its own that advances the engine's epoch: a timer on the async workers would stop exactly when guests
/// keep all of them busy. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    beat: Arc<Beat>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and the calls tell each other.
#[derive(Debug, Default)]
struct Beat {
    /// Calls under way.
    running: AtomicUsize,
    is_asleep: AtomicBool,
    is_over: AtomicBool,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Running(Arc<Beat>);

impl Ticker {
    pub(super) fn start(engine: &Engine) -> io::Result<Self> {
        let (beat, engine) = (Arc::new(Beat::default()), engine.weak());
        let of_thread = Arc::clone(&beat);
        let thread = thread::Builder::new().name("plugin-ticker".to_owned());
        let thread = thread.spawn(move || of_thread.keep(&engine))?;
        Ok(Self { beat, thread: Some(thread) })
    }

    /// A call begins; it ends when this is dropped.
    pub(super) fn begin(&self) -> Running {
        self.beat.running.fetch_add(1, Ordering::SeqCst);
        if self.beat.is_asleep.load(Ordering::SeqCst) {
            self.wake();
        }
        Running(Arc::clone(&self.beat))
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Beat {
    fn keep(&self, engine: &EngineWeak) {
        let mut idle = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            if idle >= IDLE_TICKS {
                self.sleep();
                idle = 0;
            } else {
                thread::park_timeout(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
                idle = if self.is_idle() { idle + 1 } else { 0 };
            }
        }
    }

    /// Sleeps until a call begins. Either the call sees that this sleeps, or this sees the call.
    fn sleep(&self) {
        self.is_asleep.store(true, Ordering::SeqCst);
        while self.is_idle() && !self.is_over.load(Ordering::SeqCst) {
            thread::park();
        }
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    fn is_idle(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.beat.is_over.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Config, Instance, Module, Store, Trap};

    use super::*;

    #[test]
    fn it_sleeps_while_nothing_runs_and_ends_a_loop_of_the_next_call() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
        let ticker = Ticker::start(&engine).unwrap();
        for _ in 0..3 {
            while !ticker.beat.is_asleep.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let _running = ticker.begin();
            let endless = wat::parse_str(r#"(module (func (export "run") (loop br 0)))"#).unwrap();
            let mut store = Store::new(&engine, ());
            store.set_epoch_deadline(1);
            let instance = Instance::new(&mut store, &Module::new(&engine, endless).unwrap(), &[]).unwrap();
            let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
            let error = run.call(&mut store, ()).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
        }
    }

    #[test]
    fn it_beats_for_as_long_as_one_of_several_calls_runs() {
        let engine = Engine::default();
        let ticker = Ticker::start(&engine).unwrap();
        let (one, other) = (ticker.begin(), ticker.begin());
        drop(one);
        assert!(!ticker.beat.is_idle());
        drop(other);
        assert!(ticker.beat.is_idle());
    }
}
