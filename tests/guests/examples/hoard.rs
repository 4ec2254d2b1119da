//! A transform that hoards one tenant's secret and looks for it in another tenant's call.
//!
//! An event `{"plant": TEXT}` has it write the text all over memory of its own that it never gives back. An event
//! `{"look_for": TEXT}` has it look through all memory that it has, and some that it asks for, and send
//! `{"found": N, "looked_through": BYTES}`. The text to look for comes with each byte in another form, so that it does not find what it
//! was told.
#![cfg_attr(target_arch = "wasm32", expect(unsafe_code, reason = "it looks where it has not written"))]

use hookway_plugin::{Endpoint, Error, Event, NoConfig, Outcome, Transform, Value, json};

const MORE: usize = 2 << 20;
#[cfg(target_arch = "wasm32")]
const PAGE: usize = 64 << 10;
/// What the bytes to look for are XORed with.
const FORM: u8 = 0x20;

struct Hoard;

impl Transform for Hoard {
    type Config = NoConfig;

    fn new(_config: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
        if let Some(Value::Text(secret)) = event.get("/plant") {
            std::mem::forget(secret.repeat(MORE / secret.len()));
        }
        let Some(Value::Text(wanted)) = event.get("/look_for") else { return Ok(Outcome::Unchanged) };
        let memory = all_memory();
        let is_here =
            |at: &&[u8]| at.iter().zip(wanted.as_bytes()).all(|(here, wanted)| here ^ FORM == *wanted);
        let found = memory.windows(wanted.len()).filter(is_here).count();
        Ok(Outcome::body(json!({ "found": found, "looked_through": memory.len() }).to_string()))
    }
}

/// All memory of this instance, with [`MORE`] that nobody of it has used.
#[cfg(target_arch = "wasm32")]
fn all_memory() -> &'static [u8] {
    if core::arch::wasm32::memory_size(0) * PAGE < 2 * MORE {
        core::arch::wasm32::memory_grow(0, MORE / PAGE);
    }
    let bytes = core::arch::wasm32::memory_size(0) * PAGE;
    // SAFETY: nothing else runs while it is looked at; all of it is there, and zero where nobody wrote.
    unsafe { std::slice::from_raw_parts(std::ptr::without_provenance(8), bytes - 8) }
}

#[cfg(not(target_arch = "wasm32"))]
fn all_memory() -> &'static [u8] {
    &[0; MORE]
}

hookway_plugin::export!(transform: Hoard);
