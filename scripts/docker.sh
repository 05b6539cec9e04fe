#!/usr/bin/env bash
# The docker stack: deploy/compose.yaml, every part in a container of its own.
# Takes LISTEN and DATA from the environment; the data is in Docker's volumes,
# DATA names them, and holds what the stack was started with.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh -docker

# What the compose file takes from the environment. What runs keeps what it was
# started with: another value would replace its containers, another project
# would be another stack.
settings="PORT NOFILE PARLEY_SECRETS PARLEY_SECRETS_USER API_PORT KAFKA_PORT CLICKHOUSE_PORT JAEGER_PORT CLICKHOUSE_PASSWORD TRACE_RATIO PARLEY_PROJECT PARLEY_VERSION SOURCE_DATE_EPOCH"
# The roles that are not always there, and what hooks are told: not kept for the
# next start, as the other settings are.
optional="COMPOSE_PROFILES PARLEY_URL PARLEY_KINDS PARLEY_CHANNELS PARLEY_PRIVATE PARLEY_FROM"
settings+=" $optional"

compose() { docker compose -f deploy/compose.yaml "$@"; }

need() {
	command -v docker >/dev/null || fail "There is no docker on the PATH (https://docs.docker.com/engine/install). Without it: make up$here STACK=embedded"
	docker info >/dev/null 2>&1 || fail "Docker is installed, but no engine answers (\`docker info\` says why). Without it: make up$here STACK=embedded"
	docker compose version >/dev/null 2>&1 || fail "Docker has no compose (https://docs.docker.com/compose/install). Without it: make up$here STACK=embedded"
}

started() { [ -e "$data/running" ]; }

# Without an engine nothing runs, whatever was started.
running() { started && docker info >/dev/null 2>&1; }

# password makes one, of letters and digits: it is put into a URL and into XML.
password() { od -An -N 16 -tx1 /dev/urandom | tr -d ' \n'; }

# choose settles the settings: those of the stack that was started, else those
# of the environment. Data, and so a checkout, has a project of its own.
choose() {
	PORT=${listen##*:}
	if started; then
		# shellcheck disable=SC2086 # names, one word each
		unset $optional
		# shellcheck source=/dev/null
		. "$data/settings"
	elif [ -e "$data/settings" ]; then
		recall
	fi
	[ "$PORT" != 0 ] || PORT=$(any_free)
	: "${API_PORT:=$(free 8444)}" "${KAFKA_PORT:=$(free 9094)}" "${CLICKHOUSE_PORT:=$(free 8123)}" "${JAEGER_PORT:=$(free 16686)}"
	: "${CLICKHOUSE_PASSWORD:=$(password)}"
	: "${PARLEY_SECRETS:=$data/secrets}" "${PARLEY_SECRETS_USER:=$(id -u):$(id -g)}"
	: "${PARLEY_PROJECT:=parley-$(cksum <<<"$data" | cut -d ' ' -f 1)}"
	: "${PARLEY_VERSION:=$(git describe --tags --always --dirty 2>/dev/null || echo dev)}"
	: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
	# shellcheck disable=SC2086,SC2163 # names, one word each
	export $settings
}

# chosen prints the settings that have a value.
chosen() {
	local name
	for name in $settings; do
		[ -z "${!name:-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
	done
}

# recall takes from the last start what is not given now: where the data is, the
# password, the ports. What is built is that of now.
recall() {
	local now name
	now=$(chosen)
	# shellcheck source=/dev/null
	. "$data/settings"
	# shellcheck disable=SC2086 # names, one word each
	unset PARLEY_VERSION SOURCE_DATE_EPOCH $optional
	for name in API_PORT KAFKA_PORT CLICKHOUSE_PORT JAEGER_PORT; do printf -v "$name" %s "$(free "${!name}")"; done
	eval "$now"
}

# remember keeps the settings, which may hold a password.
remember() {
	mkdir -p "$data"
	chosen | (umask 077 && cat >"$data/settings")
	remember_listen "127.0.0.1:$PORT"
	touch "$data/running"
}

# need_profiles refuses what would start, and end again and again.
need_profiles() {
	local name
	while read -r name; do # one a line
		case $name in
		'' | ingest) ;;
		hooks) [ -n "${PARLEY_URL:-}" ] || fail "COMPOSE_PROFILES=$COMPOSE_PROFILES: hooks need to know where to send events: set PARLEY_URL, such as http://host.docker.internal:9000/ for a receiver on this machine." ;;
		*) fail "COMPOSE_PROFILES=$COMPOSE_PROFILES: there are hooks and ingest." ;;
		esac
	done < <(tr ',' '\n' <<<"${COMPOSE_PROFILES:-}")
}

describe() {
	cat <<-END
		Parley is ready.
		  chat        https://localhost:$PORT (nginx, before two connectors; its certificate is made here, so browsers warn)
		  users       ada, bob and cyd (password in $PARLEY_SECRETS/password)
		  API         https://localhost:$API_PORT (key in $PARLEY_SECRETS/api.key, certificate in $PARLEY_SECRETS/tls.crt)
		  data        volumes of Docker (docker volume ls --filter name=$PARLEY_PROJECT)
		  Kafka       127.0.0.1:$KAFKA_PORT (Apache Kafka)
		  ClickHouse  SQL by HTTP: http://127.0.0.1:$CLICKHOUSE_PORT (user parley, password in $data/settings)
		  Jaeger      http://127.0.0.1:$JAEGER_PORT
		Stop it with \`make down$this\`, see its parts with \`make ps$this\`, follow their logs with \`make logs$this\`, start over with \`make clean-data$this\`.
	END
}

up() {
	need
	if started; then
		echo "Parley is already running, in Docker."
	else
		[ "${listen%:*}" = 127.0.0.1 ] || fail "The docker stack is published at 127.0.0.1 alone: make up$here STACK=docker PORT=8081."
		if listening "127.0.0.1:$PORT"; then
			fail "Address 127.0.0.1:$PORT is in use by $(owner "$PORT"): stop it, or choose another port with make up$this PORT=8081."
		fi
		need_profiles
		compose build connector-1 token-endpoint
		remember
	fi
	scripts/keys.sh "$PARLEY_SECRETS" # what a later version needs, too
	# Containers that stopped are started again, those that run are left alone.
	compose up --detach --no-build --wait --wait-timeout 300 ||
		fail "Not every part is ready; \`make ps$this\` says which, \`make logs$this\` shows why."
	describe
}

down() {
	local chosen more=${COMPOSE_PROFILES:+ ${COMPOSE_PROFILES//,/ }}
	started || { echo "Parley is not running."; return; }
	need
	if [ -n "${PARTS:-}" ]; then
		chosen=$(only "connector-1 connector-2 chatworker projector$more" "kafka clickhouse jaeger chatworker projector connector-1 connector-2 token-endpoint lb$more")
		# shellcheck disable=SC2086 # names, one word each
		compose stop $chosen
		echo "Stopped: ${chosen//$'\n'/ }. The others keep running; \`make up$this\` starts these again."
		return
	fi
	compose down
	rm -f "$data/running"
	echo "All containers are gone; the data stays in Docker's volumes. Start them again with \`make up$here STACK=docker\`."
}

clean_data() {
	local again=
	need
	confirm_delete "Docker's volumes of the project $PARLEY_PROJECT"
	if started; then
		again=yes
		listen=127.0.0.1:$PORT
	fi
	compose down --volumes
	rm -rf "$data"
	echo "The data in Docker's volumes is deleted."
	[ -z "$again" ] || up
}

ps_() { need; compose ps --all; }
logs() { need; compose logs --follow --tail 100; }

choose
case ${1:-} in
usable) (need) 2>/dev/null ;;
*) carry_out "$@" ;;
esac
