#!/usr/bin/env bash
# Puts the jars of Apache Kafka into libs/, checked against libs.sha256, and an
# archive of their classes beside them, which halves the time of a start.
set -euo pipefail
cd "$(dirname "$0")"

fail() { echo "$1" >&2; exit 1; }

sums() {
	if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

# complete DIR: every jar is there, as locked, and no other.
complete() {
	[ -d "$1" ] && (cd "$1" && sums --quiet -c ../libs.sha256) >/dev/null 2>&1 &&
		[ "$(find "$1" -name '*.jar' | wc -l)" -eq "$(wc -l <libs.sha256)" ]
}

java=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p') || true
[ "${java:-0}" -ge 17 ] || fail "Apache Kafka needs Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk)"

if ! complete libs; then
	command -v mvn >/dev/null || fail "Maven is needed to get Apache Kafka (Debian: apt-get install maven; macOS: brew install maven)"
	echo "getting Apache Kafka (once, 37 MB)"
	rm -rf libs.new
	trap 'rm -rf libs.new' EXIT
	mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=libs.new
	complete libs.new || fail "The jars that came are not those that deploy/kafka/libs.sha256 locks: nothing was installed."
	rm -rf libs
	mv libs.new libs
fi

# Made by a broker that starts and stops. It fits this Java and this folder
# only; where it does not fit, Java goes on without it.
if [ ! -e libs/classes.jsa ]; then
	trial=$(mktemp -d)
	trap 'rm -rf libs.new "$trial"' EXIT
	log=$trial/log.txt
	port() { echo $((20000 + RANDOM % 12000)); }
	KAFKA_JVM="-Xmx256m -XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit=libs/classes.jsa.new" \
		./node.sh "$trial" port="$(port)" controller.port="$(port)" >"$log" 2>&1 &
	node=$!
	for _ in $(seq 600); do
		if grep -qs 'Kafka Server started' "$log"; then break; fi
		kill -0 "$node" 2>/dev/null || break
		sleep 0.1
	done
	kill "$node" 2>/dev/null || true
	wait "$node" || true
	if [ -e libs/classes.jsa.new ]; then
		mv libs/classes.jsa.new libs/classes.jsa
	else
		tail -n 5 "$log" >&2
		echo "no archive of classes was made: brokers start without it, more slowly" >&2
	fi
fi
