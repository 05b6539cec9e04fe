#!/usr/bin/env bash
# Fails when a hand-written source file is longer than a reader likes.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=400
git ls-files -co --exclude-standard '*.go' '*.ts' | grep -v '\.pb\.go$' | while read -r file; do
	lines=$(wc -l <"$file")
	if [ "$lines" -gt "$limit" ]; then
		echo "$file has $lines lines, more than $limit: split it" >&2
		exit 1
	fi
done
