#!/usr/bin/env bash
# Publishes what bin/release has and the image parley:VERSION: to GitHub, npm and
# the registry of images. Whoever calls it is logged in to each.
set -euo pipefail
cd "$(dirname "$0")/../bin/release"
version=${VERSION:?} image=ghcr.io/parley-chat/parley
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+ ]] || { echo "VERSION=$version is not a version like v1.2.3" >&2; exit 1; }
sha256sum --check --quiet SHA256SUMS
gh release create "$version" --verify-tag --notes "See CHANGELOG.md." -- *
echo "$GH_TOKEN" | docker login ghcr.io --username parley-chat --password-stdin
for tag in "$version" latest; do
	docker tag "parley:$version" "$image:$tag"
	docker push "$image:$tag"
done
npm publish --access public --provenance ./parley-chat-sdk-"${version#v}".tgz
