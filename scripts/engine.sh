#!/usr/bin/env bash
# Puts the ClickHouse engine's library beside the program: as a second name of
# the same file where the file system can, else as a copy.
set -euo pipefail
target=$1
cd "$(dirname "$0")/.."
found=
for library in deploy/engine/node_modules/@chdb/lib-*/libchdb.{so,dylib}; do
	[ -e "$library" ] || continue
	found=$library
	name=$target/$(basename "$library")
	if [ "$library" -ef "$name" ]; then continue; fi
	ln -f "$library" "$name" 2>/dev/null || cp "$library" "$name"
done
if [ -z "$found" ] && ! command -v clickhouse >/dev/null; then
	echo "there is no ClickHouse engine for $(uname -sm): install ClickHouse 26.7 or newer, so that clickhouse is on the PATH" >&2
	exit 1
fi
