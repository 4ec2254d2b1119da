//! How many instructions calls execute: for authors, as a number that does not depend on the machine or on what it does.
//!
//! Machine code that counts is compiled otherwise and runs slower, so only an engine of its own has it, which judges no events
//! ([`Runtime::counting`](super::engine::Runtime::counting)). The engine calls what is counted fuel: most instructions of
//! WebAssembly are one, those that do nothing of their own (`block`, `drop`, `nop`) are none.

use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::Store;

/// More than any call executes before its deadline.
const PLENTY: u64 = u64::MAX;

/// Those of the calls since somebody asked.
#[derive(Debug, Default)]
pub(super) struct Instructions(AtomicU64);

impl Instructions {
    pub(super) fn begin_call<T>(&self, store: &mut Store<T>) {
        // It fails only where nothing is counted, and then there is nothing to count.
        let _ = store.set_fuel(PLENTY);
    }

    pub(super) fn end_call<T>(&self, store: &Store<T>) {
        let executed = store.get_fuel().map_or(0, |left| PLENTY - left);
        self.0.fetch_add(executed, Ordering::Relaxed);
    }

    /// How many they are, and begins anew.
    pub(super) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}
