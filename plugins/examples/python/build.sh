#!/bin/sh
# Builds plugin.wasm beside this file. Needs python3 with venv.
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
.venv/bin/componentize-py -q -d ../../../wit -w filter-and-transform-plugin componentize --stub-wasi plugin -o plugin.wasm
