//! From the engine's errors to sentences that the author of a plugin understands.

use wasmtime::{Trap, WasmBacktrace};

use super::error::CallError;
use super::limits::{CallLimits, OverMemory};
use super::text::clean;

/// The engine has no type for this one.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";
/// Where a panic goes through before it ends in `unreachable`: not the place the author looks for.
const PANIC_MACHINERY: [&str; 10] = [
    "abort",
    "core::panicking",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "std::",
    "__rust",
    "rust_",
    "alloc::",
    "dlmalloc",
];

/// Says what an error of the engine means, of a call under these limits.
pub(super) fn classify(error: &wasmtime::Error, limits: CallLimits) -> CallError {
    if error.downcast_ref::<OverMemory>().is_some() {
        return CallError::Memory(limits.memory_bytes);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        let function = error.downcast_ref::<WasmBacktrace>().and_then(culprit);
        return of_trap(*trap, function, limits);
    }
    let cause = error.root_cause().to_string();
    if cause.contains(HOSTCALL_FUEL) {
        return CallError::OutputTooBig(limits.output_bytes);
    }
    CallError::Malformed(clean(&cause))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the engine adds traps; its own words are the sentence for the rest"
)]
fn of_trap(trap: Trap, function: Option<String>, limits: CallLimits) -> CallError {
    match trap {
        Trap::Interrupt => CallError::Deadline(limits.deadline),
        Trap::StackOverflow => CallError::Stack(function),
        Trap::UnreachableCodeReached => CallError::Unreachable(function),
        Trap::IntegerDivisionByZero => CallError::Trap { what: "division by zero".to_owned(), function },
        other => {
            let text = other.to_string();
            let what = text.strip_prefix("wasm trap: ").unwrap_or(&text).to_owned();
            CallError::Trap { what, function }
        }
    }
}

/// The innermost function that is the author's own; otherwise the innermost with a name.
fn culprit(backtrace: &WasmBacktrace) -> Option<String> {
    // Without the hash that Rust adds to each name.
    let readable = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
    let names = || backtrace.frames().iter().filter_map(|frame| frame.func_name()).map(readable);
    let own = names().find(|name| !PANIC_MACHINERY.iter().any(|machinery| name.starts_with(machinery)));
    own.or_else(|| names().next()).map(|name| clean(&name))
}
