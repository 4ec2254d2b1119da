#!/bin/sh
# Builds plugin.wasm beside this file. Needs node and npm.
set -eu
cd "$(dirname "$0")"
npm ci --silent --ignore-scripts --no-audit --no-fund
npm run --silent build
