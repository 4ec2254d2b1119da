//! Feeds `write_ahead_log` of `hookway::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hookway::fuzzing::feed("write_ahead_log", bytes));
