#!/bin/sh
# Builds my-plugin.wasm beside this file. Needs go 1.24 or later, and hookway (or its path in HOOKWAY).
set -eu
cd "$(dirname "$0")"
GOTOOLCHAIN=local GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -ldflags='-s -w' -o core.wasm .
"${HOOKWAY:-hookway}" plugin componentize --world my-kind-plugin core.wasm -o my-plugin.wasm
rm core.wasm
