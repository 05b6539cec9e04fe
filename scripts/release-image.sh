#!/usr/bin/env bash
# Makes the image of `parley up` from the archive of this platform in bin/release.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:?}
archive=bin/release/parley-linux-$(go env GOARCH).tar.gz
[ -e "$archive" ] || { echo "$archive is missing: \`make release\` makes it" >&2; exit 1; }
work=$(mktemp -d -t parley-image-XXXXXX)
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xzf "$archive"
docker build -f deploy/Dockerfile.up --label "org.opencontainers.image.version=$version" -t "parley:$version" -t parley:latest "$work/parley"
