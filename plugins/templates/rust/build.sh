#!/bin/sh
# Builds my-plugin.wasm beside this file. Needs Rust with the target wasm32-wasip2: rustup target add wasm32-wasip2
set -eu
cd "$(dirname "$0")"
cargo build --release --target wasm32-wasip2
cp "${CARGO_TARGET_DIR:-target}/wasm32-wasip2/release/my_plugin.wasm" my-plugin.wasm
