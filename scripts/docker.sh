#!/usr/bin/env bash
# The docker stack: deploy/compose.yaml, every part in a container of its own.
# Takes LISTEN and DATA from the environment; the data is in Docker's volumes,
# DATA only keeps in mind that the stack runs.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data} listen=${LISTEN:-127.0.0.1:8080}
case $data in /*) ;; *) data=$PWD/$data ;; esac
data=$data-docker run=$data/run
. scripts/parts.sh

# What the compose file asks for: the version to stamp and the time to say.
PARLEY_VERSION=${PARLEY_VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
PORT=${listen##*:}
export PARLEY_VERSION SOURCE_DATE_EPOCH PORT

compose() { docker compose -f deploy/compose.yaml "$@"; }

need() {
	command -v docker >/dev/null || fail "There is no docker on the PATH (https://docs.docker.com/engine/install). Without it: make up STACK=embedded"
	docker info >/dev/null 2>&1 || fail "Docker is installed, and no engine answers (\`docker info\` says why). Without it: make up STACK=embedded"
	docker compose version >/dev/null 2>&1 || fail "Docker runs, and has no compose (https://docs.docker.com/compose/install). Without it: make up STACK=embedded"
}

running() { [ -e "$data/running" ]; }

describe() {
	cat <<-END
		Parley is ready.
		  chat        http://127.0.0.1:$PORT (nginx, before two connectors)
		  data        volumes of Docker (docker volume ls)
		  Kafka       127.0.0.1:${KAFKA_PORT:-9094} (Apache Kafka)
		  ClickHouse  SQL by HTTP: http://127.0.0.1:${CLICKHOUSE_PORT:-8123} (user and password parley)
		  Jaeger      http://127.0.0.1:${JAEGER_PORT:-16686}
		Stop it with \`make down\`, see its parts with \`make ps\`, follow their logs with \`make logs\`, start over with \`make clean-data\`.
	END
}

up() {
	need
	if [ "${listen%:*}" != 127.0.0.1 ] || [ "$PORT" = 0 ]; then
		fail "The docker stack is published at 127.0.0.1 and needs a port of its own: make up STACK=docker PORT=8081."
	fi
	if running; then
		echo "Parley runs already, in Docker."
		# shellcheck source=/dev/null
		. "$data/running"
	else
		if listening "$listen"; then
			fail "Address $listen is in use by $(owner "$PORT"): stop it, or choose another port with make up PORT=8081."
		fi
		compose build connector-1
	fi
	mkdir -p "$data"
	echo "export PORT=$PORT" >"$data/running"
	# Containers that stopped are started again, those that run are left alone.
	compose up --detach --no-build --wait --wait-timeout 300 ||
		fail "Not every part is ready; \`make ps\` says which, \`make logs\` what they said."
	describe
}

down() {
	running || { echo "Parley does not run."; return; }
	need
	compose down
	rm -f "$data/running"
	echo "All containers are gone; the data stays in Docker's volumes."
}

clean_data() {
	local again=
	need
	confirm_delete "Docker's volumes of this stack"
	if running; then again=yes; fi
	compose down --volumes
	rm -rf "$data"
	echo "The data in Docker's volumes is deleted."
	if [ -n "$again" ]; then up; fi
}

case ${1:-} in
running) running ;;
usable) (need) 2>/dev/null ;;
up) up ;;
down) down ;;
ps) need; compose ps --all ;;
logs) need; compose logs --follow --tail 100 ;;
clean-data) clean_data ;;
*) fail "usage: $0 up|down|ps|logs|clean-data|running|usable" ;;
esac
