#!/bin/sh
# Runs the tests natively, without a gateway.
set -eu
cd "$(dirname "$0")"
./setup.sh
.venv/bin/python -m ziglang cc -std=c17 -Wall -Wextra -Werror plugin.c plugin_test.c -o plugin-test
./plugin-test
