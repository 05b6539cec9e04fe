#!/usr/bin/env bash
# Runs clients of pomelo that others wrote, from npm and PyPI in pinned versions,
# against two connectors, with each other and with the page in a browser. What it
# installs is in tests/testdata/pomelo/node_modules and bin/pypomelo.
set -euo pipefail
cd "$(dirname "$0")/.."
pypomelo=$PWD/bin/pypomelo

(cd tests/testdata/pomelo && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
if ! cmp -s tests/testdata/pomelo/requirements.txt "$pypomelo/requirements.txt"; then
	rm -rf "$pypomelo"
	python3 -m pip install --quiet --disable-pip-version-check --require-hashes --target "$pypomelo" -r tests/testdata/pomelo/requirements.txt
	cp tests/testdata/pomelo/requirements.txt "$pypomelo/"
fi
export PARLEY_TEST_POMELO=$pypomelo
go test -count=1 -v -run '^TestPomeloClients$' ./tests
cd web && npx vitest run --project pomelo
