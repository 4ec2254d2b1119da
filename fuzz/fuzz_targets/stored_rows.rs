//! Feeds `stored_rows` of `hookway::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hookway::fuzzing::feed("stored_rows", bytes));
