#!/bin/sh
# Builds plugin.wasm beside this file. Needs python3 with venv, for the compiler, and hookway (or its path in HOOKWAY).
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
.venv/bin/python -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -std=c17 -Wall -Wextra -Wno-unused-parameter \
    -O2 -s plugin.c abi.c -o core.wasm
"${HOOKWAY:-hookway}" plugin componentize --world filter-and-transform-plugin core.wasm -o plugin.wasm
