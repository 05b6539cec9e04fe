#!/usr/bin/env bash
# Fails when a Go file is not formatted, and says which.
set -euo pipefail
cd "$(dirname "$0")/.."
wrong=$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)
if [ -n "$wrong" ]; then
	echo "not formatted, run gofmt -w on: $wrong" >&2
	exit 1
fi
