#!/usr/bin/env bash
# Shows what Parley promises: plays each guarantee, or the one whose number is
# given, on real processes, and prints what it does and sees.
set -euo pipefail
cd "$(dirname "$0")/.."
promises=$(sed -n 's/^| \*\*G\([0-9]*\) \([^*]*\)\*\* | \([^|]*\) |.*/G\1\t\2: \3/p' README.md)
mkdir -p bin/test
go test -c -o bin/test/show.test ./tests
cd tests
failed=
for g in ${1:-1 2 3 4 5 6 7 8 9 10}; do
	promise=$(awk -F'\t' -v g="G$g" '$1 == g { print g " " $2 }' <<<"$promises")
	if [ -z "$promise" ]; then
		echo "there is no guarantee G$g: they are G1 to G10" >&2
		exit 1
	fi
	printf '\n%s\n' "$promise"
	began=$SECONDS
	# What Go says of the test itself is of interest only when it failed.
	if PARLEY_SHOW=1 ../bin/test/show.test -test.run "^TestShow\$/^G$g\$" -test.timeout 3m >../bin/test/show.out 2>&1; then
		grep -E '^  [·✓✗]' ../bin/test/show.out || { cat ../bin/test/show.out; failed="$failed G$g"; }
	else
		cat ../bin/test/show.out
		failed="$failed G$g"
	fi
	echo "  ($((SECONDS - began)) s)"
done
if [ -n "$failed" ]; then
	echo "not shown:$failed" >&2
	exit 1
fi
