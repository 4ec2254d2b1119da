#!/bin/sh
# Builds my-plugin.wasm beside this file. Needs python3 with venv, for the compiler, and hookway (or its path in HOOKWAY).
set -eu
cd "$(dirname "$0")"
./setup.sh
.venv/bin/python -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -std=c17 -Wall -Wextra -Werror -O2 -s \
    plugin.c abi*.c -o core.wasm
"${HOOKWAY:-hookway}" plugin componentize --world my-kind-plugin core.wasm -o my-plugin.wasm
rm core.wasm
