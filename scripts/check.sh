#!/usr/bin/env bash
# Says what is missing before anything is installed or built: the versions of
# the tools and the free disk.
set -euo pipefail
cd "$(dirname "$0")/.."

need_go=1.26 need_node=20.19 need_disk_mb=3072

fail() { echo "$1" >&2; exit 1; }

# at_least HAVE NEED compares versions number by number.
at_least() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]
}

command -v ps >/dev/null || fail "ps is needed (Debian: apt-get install procps)"
command -v go >/dev/null || fail "Go $need_go or newer is needed: https://go.dev/dl"
go=$(go env GOVERSION); go=${go#go}
at_least "${go%%[a-z-]*}" "$need_go" || fail "Go $need_go or newer is needed, this is $go: https://go.dev/dl"

command -v node >/dev/null || fail "Node $need_node or newer is needed, with npm: https://nodejs.org"
node=$(node --version); node=${node#v}
at_least "$node" "$need_node" || fail "Node $need_node or newer is needed, this is $node: https://nodejs.org"
command -v npm >/dev/null || fail "npm is needed, it comes with Node: https://nodejs.org"

# What is installed already needs no room any more.
if [ ! -e bin/parley ] || [ ! -e deploy/engine/node_modules/.package-lock.json ]; then
	free=$(df -Pm . | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$need_disk_mb" ] || fail "$need_disk_mb MB of free disk are needed here, there are $free MB"
fi
