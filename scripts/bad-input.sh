#!/usr/bin/env bash
# Plays all bad input, and counts it: the subtests of tests named TestBad…, each
# of which has a name of its own and the outcome that the docs give. Fails when
# one fails, when two of a test have the same name, or when they are fewer than
# there have to be.
set -euo pipefail
cd "$(dirname "$0")/.."
least=1000
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0
packages=$(comm -12 <(git grep --untracked -l '^func TestBad' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's|^|./|') \
	<(go list -f '{{.Dir}}' ./... | sed "s|^$PWD|.|" | sort)) # those of other modules have runs of their own
# shellcheck disable=SC2086
go test "$@" -count=1 -timeout 10m -run '^TestBad' -json $packages >"$log" || failed=1

# ended ACTION: package and name of every case that ended so, a test that has
# others under it not among them.
ended() {
	sed -nE 's~.*"Action":"'"$1"'","Package":"github.com/parley-chat/parley/([^"]*)","Test":"(TestBad([^"\\]|\\.)*)".*~\1 \2~p' "$log" |
		awk '/ [^ ]*\// { all[$0]; name = $0; while (match(name, "/[^/]*$")) { name = substr(name, 1, RSTART - 1); parent[name] } }
			END { for (name in all) if (!(name in parent)) print name }' | sort
}

ended pass >"$log.passed"
trap 'rm -f "$log" "$log.passed"' EXIT
awk '{ split($2, t, "/"); n[$1 " " t[1]]++ } END { for (k in n) printf "%6d  %s\n", n[k], k }' "$log.passed" | sort -k2
passed=$(wc -l <"$log.passed")
echo "$passed bad inputs, each with its documented outcome"
if [ "$failed" = 1 ]; then
	ended fail >&2
	grep -oE '"Output":"[^"]*(_test\.go|FAIL)[^}]*' "$log" | head -40 >&2
	exit 1
fi
if ended skip | grep . >&2; then echo "these were skipped" >&2; fi
if grep -E '#[0-9][0-9]+$' "$log.passed" >&2; then
	echo "these have the name of another case" >&2
	exit 1
fi
if [ "$passed" -lt "$least" ]; then
	echo "there have to be $least" >&2
	exit 1
fi
