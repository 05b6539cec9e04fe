#!/usr/bin/env bash
# Makes what a release consists of, in bin/release: an archive a platform with
# the program and the ClickHouse engine beside it, the npm package, a list of
# all that is in them (CycloneDX), and the checksums of these files. The same
# source and VERSION make the same archives, byte for byte.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${VERSION:?} platforms=${PLATFORMS:-linux-amd64 linux-arm64 darwin-arm64}
out=bin/release
epoch=$(git log -1 --format=%ct 2>/dev/null || date +%s)
# Lists the modules that a Go program was made of.
cyclonedx=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0

work=$(mktemp -d -t parley-release-XXXXXX)
trap 'rm -rf "$work"' EXIT

# pack FILE FOLDER puts a folder of $work into an archive that depends on its
# contents alone.
pack() {
	tar -C "$work" --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode='u+w,go-w,a+rX' -cf - "$2" | gzip -n >"$1"
}

# engine PLATFORM FOLDER fetches the engine in the version of the lock file.
engine() {
	local goos=${1%-*} goarch=${1#*-} folder=$work/$1/engine libc=()
	mkdir -p "$folder"
	cp deploy/engine/package.json deploy/engine/package-lock.json "$folder/"
	[ "$goos" != linux ] || libc=(--libc=glibc)
	npm ci --prefix "$folder" --os="$goos" --cpu="${goarch/amd64/x64}" "${libc[@]}" --ignore-scripts --no-audit --no-fund --silent
	# npm leaves out what it cannot get of packages that are for one platform.
	cp "$folder"/node_modules/@chdb/lib-*/libchdb.* "$2/" 2>/dev/null ||
		{ echo "the registry has no engine for $1: leave it out of PLATFORMS, or name it in WITHOUT_ENGINE" >&2; exit 1; }
	(cd "$folder" && npm sbom --sbom-format cyclonedx --omit dev) >"$work/$1-engine.cdx.json"
}

# program PLATFORM makes the archive.
program() {
	local goos=${1%-*} goarch=${1#*-} folder=$work/$1/parley
	mkdir -p "$folder"
	CGO_ENABLED=0 GOOS=$goos GOARCH=$goarch go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X github.com/parley-chat/parley/internal/roles.Release=$version" -o "$folder/parley" .
	case " ${WITHOUT_ENGINE:-} " in
	*" $1 "*) echo "parley-$1.tar.gz is without the engine: \`parley up\` takes a clickhouse program there" ;;
	*) engine "$1" "$folder" ;;
	esac
	cp LICENSE CHANGELOG.md scripts/release/README.md "$folder/"
	go run "$cyclonedx" bin -json -output "$work/$1.cdx.json" -version "$version" "$folder/parley" 2>"$work/cyclonedx.log" ||
		{ cat "$work/cyclonedx.log" >&2; exit 1; }
	mv "$folder" "$work/parley"
	pack "$out/parley-$1.tar.gz" parley
	mv "$work/parley" "$folder"
}

# sdk packs the npm package under the version of the release.
sdk() {
	local number=${version#v}
	[[ $number =~ ^[0-9]+\.[0-9]+\.[0-9]+ ]] || number=0.0.0-g$number # of a commit without a tag
	cp -R web/sdk "$work/sdk"
	rm -rf "$work/sdk/node_modules"
	(cd "$work/sdk" && npm pkg set "version=$number" && npm pkg delete scripts.prepack && npm pack --silent --pack-destination "$OLDPWD/$out") >/dev/null
	(cd web && npm sbom --sbom-format cyclonedx --omit dev) >"$work/web.cdx.json"
}

rm -rf "$out"
mkdir -p "$out"
for platform in $platforms; do
	echo "making parley-$platform.tar.gz"
	program "$platform"
done
echo "making the npm package"
sdk
node scripts/release/sbom.mjs "$version" "$work"/*.cdx.json >"$out/parley.cdx.json"
(cd "$out" && sha256sum -- * >SHA256SUMS)
ls -lh "$out"
