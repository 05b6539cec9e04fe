#!/usr/bin/env bash
# Runs clients for the server API that stock generators make of its OpenAPI document
# against a Parley. The one for Python is installed in bin/apiclients.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$PWD/bin/apiclients requirements=tests/apiclients/testdata/requirements.txt

if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	echo "the client in Python is skipped: it takes Python 3.11 with venv (Debian: apt-get install python3-venv)"
	[ "${CI:-}" != true ]
elif ! cmp -s "$requirements" "$python/requirements.txt"; then
	echo "installing the generator of clients in Python (once)"
	rm -rf "$python"
	python3 -m venv "$python"
	"$python/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$requirements"
	cp "$requirements" "$python/requirements.txt"
fi
cd tests/apiclients
go vet ./...
go test -count=1 -timeout 20m ./...
