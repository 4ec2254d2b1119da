//! Feeds `target_url` of `hookway::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hookway::fuzzing::feed("target_url", bytes));
