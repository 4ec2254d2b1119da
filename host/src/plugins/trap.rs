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

/// Where it happened and the way there; the whole backtrace helps nobody who reads a log.
const MAX_SHOWN: usize = 4;
/// Characters of one name.
const MAX_NAME: usize = 100;

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

/// The innermost function that is the author's own, otherwise the innermost with a name, and those that called it.
fn culprit(backtrace: &WasmBacktrace) -> Option<String> {
    // Without the hash that Rust adds to each name.
    let readable = |name: &str| clean(&format!("{:#}", rustc_demangle::demangle(name)));
    chain(backtrace.frames().iter().filter_map(|frame| frame.func_name()).map(readable).collect())
}

/// Functions from the innermost out, each once in a row, as one text for between two backticks.
fn chain(mut names: Vec<String>) -> Option<String> {
    names.dedup();
    let is_own = |name: &String| !PANIC_MACHINERY.iter().any(|machinery| name.starts_with(machinery));
    let start = names.iter().position(is_own).unwrap_or_default();
    let shown: Vec<String> = names.into_iter().skip(start).take(MAX_SHOWN).map(shortened).collect();
    (!shown.is_empty()).then(|| shown.join("` <- `"))
}

/// Names of generic functions are as long as their types.
fn shortened(name: String) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_begins_with_the_authors_own_function_and_is_bounded() {
        let of = |names: &[&str]| chain(names.iter().map(|&name| name.to_owned()).collect());
        let rust = [
            "__rustc::rust_begin_unwind",
            "core::panicking::panic_fmt",
            "mine::check",
            "mine::check",
            "mine::run",
        ];
        assert_eq!(of(&rust).as_deref(), Some("mine::check` <- `mine::run"));
        assert_eq!(of(&["abort"]).as_deref(), Some("abort"), "better than none");
        assert_eq!(of(&[]), None);
        let long = "x".repeat(1_000);
        let many: Vec<String> = (0..20).map(|number| format!("{number}{long}")).collect();
        assert!(chain(many).unwrap().len() <= MAX_SHOWN * (MAX_NAME + 10));
    }
}
