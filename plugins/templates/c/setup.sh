#!/bin/sh
# The compiler of requirements.txt, clang of the Zig tool chain, in a virtual environment. Needs python3 with venv.
set -eu
cd "$(dirname "$0")"
[ -d .venv/lib ] && exit
python3 -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
