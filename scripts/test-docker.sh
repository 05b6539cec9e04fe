#!/usr/bin/env bash
# Runs the docker stack for real: an engine of its own starts `make up
# STACK=docker` on images that are made here, and web/tests/docker chats on it
# and harms it. The engine, its containers, mounts and networks are in
# namespaces of their own, which end with this script, however it ends; an
# engine that runs already is not touched.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

skip() {
	[ "${CI:-}" != true ] || { echo "the docker stack cannot be tested: $1" >&2; exit 1; }
	echo "the test of the docker stack is skipped: $1"
	exit
}

need() {
	local program missing=
	[ "$(uname -s)" = Linux ] || skip "it needs Linux"
	[ "$(id -u)" = 0 ] || skip "dockerd is started by root"
	for program in docker dockerd debootstrap ip iptables setpriv unshare; do
		command -v "$program" >/dev/null || missing+=" $program"
	done
	[ -z "$missing" ] || skip "these are missing:$missing (Debian: apt-get install docker.io debootstrap iproute2 iptables)"
}

# phase NAME COMMAND... says how long the command took.
phase() {
	local name=$1 began=$SECONDS
	shift
	echo "$name"
	"$@"
	echo "$name: $((SECONDS - began)) s"
}

# isolated FUNCTION [FLAG] carries out a function of this script in namespaces
# of its own. A process there may mount and leave behind what it likes.
isolated() {
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc ${2:+"$2"} "$0" "$1" "$work" &
	namespaces=$!
	wait "$namespaces"
}

# finish ends what runs, and removes what it wrote.
finish() {
	# When the first process there dies, the kernel kills the others and waits for them.
	while [ -n "$namespaces" ] && kill -0 "$namespaces" 2>/dev/null; do
		pkill -KILL -P "$namespaces" || sleep 0.1
	done
	rm -rf "$work"
	find /sys/fs/cgroup -depth -type d -path "*/${work##*/}*" -exec rmdir {} + 2>/dev/null || true
}

# debian makes a small Debian with what the servers need.
debian() {
	debootstrap --variant=minbase --include=openjdk-17-jre-headless,nginx-light,wget,gettext-base,ca-certificates \
		bookworm "$work/debian" >"$work/debootstrap.log" 2>&1 || { tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
	tar -C "$work/debian" --exclude=./var/cache --exclude=./var/lib/apt --exclude=./usr/share/doc --exclude=./usr/share/locale \
		--exclude=./dev -cf "$work/debian.tar" .
	mkdir -p bin/docker
	mv "$work/debian.tar" bin/docker/debian.tar
}

# context puts what the images are made of into one folder.
context() {
	local npm modules
	npm=$(dirname "$(readlink -f "$(command -v npm)")")/..
	put kafka-libs deploy/kafka/libs/*.jar
	put engine bin/parley bin/libchdb.so
	put jaeger bin/jaeger
	put . tests/docker/Dockerfile
	put start tests/docker/*.sh
	put go "$(go env GOROOT)/."
	put node/bin "$(readlink -f "$(command -v node)")"
	put node/lib/npm "$npm/."
	ln -s ../lib/npm/bin/npm-cli.js "$work/context/node/bin/npm"
	put npm "$(npm config get cache)/_cacache/."
	go mod download # what a build of this machine does not need too
	modules=$(go env GOMODCACHE)/cache/download
	GOMODCACHE=$work/modules GOPROXY=file://$modules GOSUMDB=off GOFLAGS=-modcacherw go mod download
	go -C examples/token-endpoint mod download
	GOMODCACHE=$work/modules GOPROXY=file://$modules GOSUMDB=off GOFLAGS=-modcacherw go -C examples/token-endpoint mod download
	put modules "$work/modules/cache/download/."
}

# put FOLDER SOURCE... as second names of the same files, where the file system
# can.
put() {
	local folder=$work/context/$1
	shift
	mkdir -p "$folder"
	cp -rlL "$@" "$folder/" 2>/dev/null || cp -rLf "$@" "$folder/"
}

# image PATTERN FILE prints the name of the image that a line of the file has.
image() { sed -nE "s#^ *(image:|FROM [^ ]*) ($1:[^ ]*).*#\2#p" "$2"; }

images() {
	docker import bin/docker/debian.tar parley-test/debian >/dev/null
	KAFKA_IMAGE=$(image apache/kafka deploy/compose.yaml)
	CLICKHOUSE_IMAGE=$(image clickhouse/clickhouse-server deploy/compose.yaml)
	JAEGER_IMAGE=$(image jaegertracing/jaeger deploy/compose.yaml)
	NGINX_IMAGE=$(image nginx deploy/compose.yaml)
	NODE_IMAGE=$(image node deploy/Dockerfile)
	GOLANG_IMAGE=$(image golang deploy/Dockerfile)
	export CONTEXT=$work/context KAFKA_IMAGE CLICKHOUSE_IMAGE JAEGER_IMAGE NGINX_IMAGE NODE_IMAGE GOLANG_IMAGE
	docker compose --progress plain -f tests/docker/images.yaml build >"$work/images.log" 2>&1 || { tail -n 30 "$work/images.log" >&2; exit 1; }
	docker tag parley-test/debian "$(sed -n 's/^FROM //p' deploy/Dockerfile.up)"
	VERSION='test' scripts/release-image.sh >"$work/images.log" 2>&1 || { tail -n 30 "$work/images.log" >&2; exit 1; }
}

# engine starts dockerd and waits until it answers.
engine() {
	mount -t tmpfs tmpfs /run # the sockets of an engine that runs already are there
	ip link set lo up
	export DOCKER_HOST=unix:///run/docker.sock
	dockerd --data-root "$work/data" --host "$DOCKER_HOST" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${work##*/}" \
		>"$work/dockerd.log" 2>&1 &
	for _ in {1..300}; do
		if docker info >/dev/null 2>&1; then return; fi
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$work/dockerd.log" >&2
	return 1
}

# stack is the test, once there are images.
stack() {
	export DOCKER_CONFIG=$work/config TMPDIR=$work/tmp # what the tests leave there when they are killed
	mkdir -p "$TMPDIR" "$DOCKER_CONFIG/cli-plugins"
	cp bin/docker-compose "$DOCKER_CONFIG/cli-plugins/docker-compose"
	engine
	phase "making the images" images
	# No more than this machine allows, which may be less than the stack asks for.
	NOFILE=$(ulimit -Hn)
	export NOFILE
	cd web
	PARLEY_TEST_DOCKER=yes npx vitest run --project docker
}

case ${1:-} in
debian | engine | stack)
	work=$2
	"$1"
	exit
	;;
esac

need
work=$(mktemp -d -t parley-docker-XXXXXX) namespaces=
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
isolated engine --net || skip "dockerd does not start here"
"${MAKE:-make}" --no-print-directory build kafka jaeger bin/docker-compose
VERSION='test' PLATFORMS=linux-$(go env GOARCH) phase "making the release for this platform" scripts/release.sh
[ -e bin/docker/debian.tar ] || phase "making a Debian for the images (once)" isolated debian
phase "gathering what the images are made of" context
phase "the test" isolated stack --net
