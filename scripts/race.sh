#!/usr/bin/env bash
# Says whether the tests run with the race detector, and insists on it in CI.
set -euo pipefail
if [ -n "$1" ]; then
	echo "testing with the race detector"
elif [ "${CI:-}" = true ]; then
	echo "CI needs a C compiler for the race detector: install gcc or clang" >&2
	exit 1
else
	echo "testing without the race detector: there is no C compiler"
fi
