#!/usr/bin/env bash
# Looks for weaknesses in the code (gosec) and for known ones in what it depends on
# (govulncheck, npm audit). Where a database does not answer, its check is skipped
# by name, which does not fail: CI has no network but package registries.
set -euo pipefail
cd "$(dirname "$0")/.."
gosec=github.com/securego/gosec/v2/cmd/gosec@v2.30.0
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0
failed=0

# What gosec reports and is not a weakness here; single places say so themselves
# (#nosec RULE -- why).
left=(
	G104 # errors that are not looked at: staticcheck and reviewers look; these are flags of the log, closes and hashes
	G115 # conversions of integers: partitions, sizes and codes are bounded where they are read, and every decoder is fuzzed
	G304 # files whose names are variables: they are the operator's settings
)
go run "$gosec" -quiet -fmt golint -exclude-generated -exclude-dir tests -exclude-dir internal/testing -exclude-dir examples \
	-exclude "$(IFS=,; echo "${left[*]}")" ./... || failed=1

# skips NAME OUTPUT: reports a failed check, unless it is for want of its database.
skips() {
	if grep -qiE 'no such host|dial tcp|connection refused|i/o timeout|audit endpoint returned an error|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|405 Method Not Allowed' <<<"$2"; then
		echo "$1 is skipped: its database does not answer"
	else
		printf '%s:\n%s\n' "$1" "$2" >&2
		failed=1
	fi
}

out=$(go run "$govulncheck" ./... 2>&1) || skips govulncheck "$out"
for folder in web deploy/engine scripts/docs; do
	out=$(cd "$folder" && npm audit --package-lock-only 2>&1) || skips "npm audit of $folder" "$out"
done
exit "$failed"
