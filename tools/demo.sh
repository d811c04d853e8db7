#!/usr/bin/env bash
# Every shipped pattern on the queries, keys and values of a real model: what it keeps, what it costs, how exact it is.
# Exit status 1 if a result misses its bound. usage: tools/demo.sh [--quick]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/setup.sh
exec build/venv/bin/python3 tools/demo/demo.py "$@"
