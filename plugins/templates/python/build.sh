#!/bin/sh
# Builds my-plugin.wasm beside this file. Needs python3 with venv.
set -eu
cd "$(dirname "$0")"
./setup.sh
.venv/bin/componentize-py -q -d wit -w my-kind-plugin componentize plugin -o my-plugin.wasm
