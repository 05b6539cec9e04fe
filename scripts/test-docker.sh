#!/usr/bin/env bash
# Runs the docker stack for real: an engine of its own starts `make up
# STACK=docker` on images that are made here, and web/tests/docker chats on it
# and harms it. The engine, its containers, mounts and networks live in
# namespaces of their own and end with them; one that runs already is not touched.
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
	for program in docker dockerd debootstrap ip iptables unshare; do
		command -v "$program" >/dev/null || missing+=" $program"
	done
	[ -z "$missing" ] || skip "these are missing:$missing (Debian: apt-get install docker.io debootstrap iproute2 iptables)"
}

# base makes a small Debian with what the servers need, once.
base() {
	[ ! -e bin/docker/debian.tar ] || return 0
	echo "making a Debian for the images (once, minutes)"
	mkdir -p bin/docker
	debootstrap --variant=minbase --include=openjdk-17-jre-headless,nginx-light,wget,gettext-base,ca-certificates \
		bookworm "$work/debian" >bin/docker/debootstrap.log 2>&1 || { tail -n 5 bin/docker/debootstrap.log >&2; exit 1; }
	tar -C "$work/debian" --exclude=./var/cache --exclude=./var/lib/apt --exclude=./usr/share/doc --exclude=./usr/share/locale \
		--exclude=./dev -cf "$work/debian.tar" .
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
}

# engine starts dockerd and waits until it answers.
engine() {
	ip link set lo up
	dockerd --data-root "$work/data" --exec-root "$work/exec" --host "$DOCKER_HOST" --pidfile "$work/dockerd.pid" >"$work/dockerd.log" 2>&1 &
	dockerd=$!
	for _ in {1..300}; do
		if docker info >/dev/null 2>&1; then return; fi
		kill -0 "$dockerd" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 20 "$work/dockerd.log" >&2
	skip "dockerd does not start here"
}

# inside is what happens in the namespaces.
inside() {
	local failed=0
	export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/config
	mkdir -p "$DOCKER_CONFIG/cli-plugins"
	cp "$PWD/bin/docker-compose" "$DOCKER_CONFIG/cli-plugins/docker-compose"
	engine
	echo "making the images"
	images
	# No more than this machine allows, which may be less than the stack asks for.
	NOFILE=$(ulimit -Hn)
	export NOFILE
	(cd web && PARLEY_TEST_DOCKER=yes npx vitest run --project docker) || failed=$?
	kill "$dockerd"
	wait "$dockerd" || true
	return "$failed"
}

if [ "${1:-}" = inside ]; then
	work=$2
	inside
	exit
fi

need
"${MAKE:-make}" --no-print-directory build kafka jaeger bin/docker-compose
work=$(mktemp -d -t parley-docker-XXXXXX)
# A container's folders are mounts, which the namespace takes with it.
trap 'rm -rf "$work"' EXIT
base
context
unshare --net --mount --pid --fork --kill-child --mount-proc "$0" inside "$work"
