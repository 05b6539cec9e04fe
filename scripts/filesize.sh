#!/usr/bin/env bash
# Fails when a hand-written source file is longer than a reader likes, and
# names every one that is.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=400
long=$(git ls-files -co --exclude-standard '*.go' '*.ts' | grep -v '\.pb\.go$' |
	while read -r file; do [ -e "$file" ] && wc -l "$file"; done |
	awk -v limit="$limit" '$1 > limit { print $2 " (" $1 ")" }')
if [ -n "$long" ]; then
	printf 'longer than %s lines, split:\n%s\n' "$limit" "$long" >&2
	exit 1
fi
