#!/usr/bin/env bash
# Runs Autobahn's test suite against the connection layer. It needs a Python 2.7
# with pip; what it installs is in bin/autobahn.
set -euo pipefail
cd "$(dirname "$0")/.."
suite=$PWD/bin/autobahn version=0.8.2

python=
for each in python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
	if "$each" -m pip --version >/dev/null 2>&1; then python=$each; fi
done
if [ -z "$python" ]; then
	echo "Autobahn's test suite is skipped: there is no Python 2.7 with pip. \`make test\` has its cases as a table (TestAutobahnCases)."
	exit
fi
if [ "$(cat "$suite/VERSION" 2>/dev/null)" != "$version" ]; then
	echo "installing Autobahn's test suite (once, minutes)"
	rm -rf "$suite"
	"$python" -m pip install --quiet --disable-pip-version-check --target "$suite" "autobahntestsuite==$version"
	touch "$suite/zope/__init__.py" # pip leaves it to a .pth file, which a folder of one's own does not have
	echo "$version" >"$suite/VERSION"
fi
PYTHONPATH=$suite PARLEY_TEST_AUTOBAHN=$suite/bin/wstest go test -count=1 -v -run '^TestAutobahnSuite$' ./connector/ws
