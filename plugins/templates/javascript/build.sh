#!/bin/sh
# Builds my-plugin.wasm beside this file. Needs node and npm.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --silent --ignore-scripts --no-audit --no-fund
npm run --silent build
