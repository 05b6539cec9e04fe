#!/usr/bin/env bash
# Checks the shell scripts. Without shellcheck it says so, and CI fails.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v shellcheck >/dev/null; then
	how="shellcheck is not installed (Debian: apt-get install shellcheck; macOS: brew install shellcheck)"
	[ "${CI:-}" != true ] || { echo "$how" >&2; exit 1; }
	echo "shell scripts are not checked: $how"
	exit
fi
git ls-files -co --exclude-standard '*.sh' .ci/run | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | xargs shellcheck -x
