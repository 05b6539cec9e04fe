#!/usr/bin/env bash
# Fuzzes every target that there is for FUZZTIME (10s), two at a time. A target is
# a function FuzzX in a test; a new one is found by itself. One that ends with its
# time and without a failing input has found nothing, though Go may call that a
# failure (golang/go issue 56238).
set -euo pipefail
cd "$(dirname "$0")/.."
export FUZZTIME=${FUZZTIME:-10s}

targets=$(git grep --untracked -hoE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | wc -l)
# shellcheck disable=SC2016 # they are for the inner shell
git grep --untracked -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' |
	sed -E 's|^(.*/)?([^/]*_test.go):func (Fuzz.*)|./\1 \3|' | sort |
	xargs -P 2 -n 2 bash -c '
		if ! out=$(go test -run "^\$" -fuzz "^$1\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 5s -parallel 2 "$0" 2>&1) &&
			{ grep -q "Failing input" <<<"$out" || ! grep -q "context deadline exceeded" <<<"$out"; }; then
			printf "%s %s:\n%s\n" "$0" "$1" "$out" >&2
			exit 1
		fi
		echo "$1: $(grep -oE "execs: [0-9]+" <<<"$out" | tail -1)"'
echo "$targets fuzz targets, each for $FUZZTIME"
