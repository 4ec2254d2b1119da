#!/bin/sh
# The tools of requirements.txt in a virtual environment, and the types of the contract for tests and editors.
set -eu
cd "$(dirname "$0")"
if [ ! -x .venv/bin/componentize-py ]; then
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
fi
[ -d generated ] || .venv/bin/componentize-py -q -d wit -w my-kind-plugin bindings generated
