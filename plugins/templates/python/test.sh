#!/bin/sh
# Runs the tests natively, without a gateway.
set -eu
cd "$(dirname "$0")"
./setup.sh
PYTHONPATH=generated .venv/bin/python -m unittest
