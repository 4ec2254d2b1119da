//! Feeds `retry_after` of `hookway::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hookway::fuzzing::feed("retry_after", bytes));
