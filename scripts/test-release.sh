#!/usr/bin/env bash
# Makes the release of this platform and uses it as somebody without Go and Node
# would: checks the sums, unpacks it in an empty folder, starts it, asks it for
# its page. Then installs the npm package, and talks to it with that.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD version=v0.0.0-test platform=$(go env GOOS)-$(go env GOARCH)
VERSION=$version PLATFORMS=$platform scripts/release.sh

work=$(mktemp -d -t parley-release-test-XXXXXX) pid=
finish() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
fail() { echo "$1" >&2; [ ! -e "$work/up.log" ] || tail -n 20 "$work/up.log" >&2; exit 1; }

(cd bin/release && sha256sum --check --quiet SHA256SUMS)
# A module of Go, a package of the page, the engine.
for part in pkg:golang/github.com/segmentio/kafka-go@ pkg:npm/preact@ pkg:npm/%40chdb/lib-; do
	grep -q "\"purl\": \"$part" bin/release/parley.cdx.json || fail "the list of what is in it lacks $part"
done
tar -C "$work" -xzf "bin/release/parley-$platform.tar.gz"
cd "$work"
[ "$(parley/parley version | head -n 1 | cut -d' ' -f2)" = "$version" ] || fail "the program says that it is $(parley/parley version)"

env -i PATH=/usr/bin:/bin HOME="$work" parley/parley up --listen 127.0.0.1:0 >up.log 2>&1 &
pid=$!
for _ in {1..600}; do
	if grep -q '^Parley is ready' up.log; then break; fi
	kill -0 "$pid" 2>/dev/null || fail "the program ended"
	sleep 0.1
done
url=$(grep -o 'http://[^ ]*' up.log | head -n 1)
[ -n "$url" ] || fail "the program is not ready after a minute"

mkdir app
cd app
npm install --silent --no-audit --no-fund "$repository"/bin/release/parley-chat-sdk-*.tgz ws
cat >talk.mjs <<'JS'
import { Client } from "@parley-chat/sdk";
import { WebSocket } from "ws";
const client = new Client({ url: process.argv[2], user: "ada", WebSocket });
const lobby = await client.join("lobby");
const { seq } = await lobby.send("released");
const page = await (await fetch(process.argv[2])).text();
if (!(seq >= 0) || !page.includes("<title>")) throw new Error("the chat does not answer as it should");
await client.close();
JS
node talk.mjs "$url"

kill "$pid"
wait "$pid" || fail "the program did not end in order"
pid=
echo "the release of $platform works"
