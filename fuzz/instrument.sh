#!/bin/sh
# Compiles the crates of this workspace so that libFuzzer sees which way they go: what cargo-fuzz passes to rustc, but for the
# sanitizers, which need nightly Rust. Dependencies stay as they are, so they are not built again.
exec "$@" --cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
