#!/usr/bin/env bash
# The processes stack: what production is made of, side by side on this machine
# and in the background. Apache Kafka, ClickHouse, Jaeger where it is there, two
# connectors behind nginx, two chatworkers, a projector. Takes LISTEN and DATA
# from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh -processes
ready_seconds=120
remedy="Parts that did start go on: \`make ps$this\` shows them, \`make up$this\` tries again, \`make down$this\` stops them."
PATH=$PATH:/usr/sbin:/usr/local/sbin # where nginx is on many systems

servers="kafka clickhouse"
roles="chatworker-1 chatworker-2 projector connector-1 connector-2"
parts="$servers $roles nginx"
password=$data/clickhouse/clickhouse.password # ClickHouse's; its first start creates it

# need names everything that is missing, with the way to get it.
need() {
	local missing=
	command -v java >/dev/null || missing+="Java 17 or newer is needed for Apache Kafka (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk)."$'\n'
	if [ ! -d deploy/kafka/libs ]; then
		command -v mvn >/dev/null || missing+="Maven is needed to get Apache Kafka (Debian: apt-get install maven; macOS: brew install maven)."$'\n'
	fi
	command -v nginx >/dev/null || missing+="nginx is needed as the load balancer (Debian: apt-get install nginx-light; macOS: brew install nginx)."$'\n'
	[ -z "$missing" ] || fail "${missing}Without them: make up$here STACK=embedded"
}

# need_access refuses to serve other machines unless that was decided: to the
# connectors, which listen on loopback, everybody comes from nginx.
need_access() {
	case ${listen%:*} in 127.* | localhost | '[::1]') return 0 ;; esac
	case ${PARLEY_OPEN:-} in true | 1 | yes) return 0 ;; esac
	[ -n "${PARLEY_AUTH_KEY:-}${PARLEY_AUTH_SECRET:-}${PARLEY_AUTH_JWKS:-}" ] ||
		fail "$listen is beyond this machine, and without authentication anybody could be any user: set PARLEY_AUTH_KEY, PARLEY_AUTH_SECRET or PARLEY_AUTH_JWKS, or PARLEY_OPEN=true to serve everybody."
}

# need_plain refuses what connectors would do and nginx, whom clients connect to,
# would not.
need_plain() {
	[ -z "${PARLEY_TLS_CERT:-}${PARLEY_TLS_KEY:-}" ] ||
		fail "PARLEY_TLS_CERT and PARLEY_TLS_KEY are for connectors, and here clients connect to nginx: unset them, or use make up$here STACK=embedded, which serves TLS itself."
}

# choose gives every part a port, near the usual one, and keeps it for restarts
# of single parts.
choose() {
	local name port
	if [[ $listen == *:0 ]]; then listen=${listen%:*}:$(any_free); fi
	given=" ${listen##*:} "
	: >"$run/addresses"
	for name in kafka=9092 controller=9093 clickhouse=9000 connector_1=8081 connector_2=8082 \
		clickhouse_admin=9464 chatworker_1_admin=9465 chatworker_2_admin=9466 \
		projector_admin=9467 connector_1_admin=9468 connector_2_admin=9469; do
		port=$(free "${name#*=}")
		given+="$port "
		echo "${name%=*}=127.0.0.1:$port" >>"$run/addresses"
	done
	echo "lb=$listen" >>"$run/addresses"
}

# address NAME prints where a part is reached.
address() { sed -n "s/^${1//-/_}=//p" "$run/addresses"; }

# balance writes the configuration of nginx, the one that compose.yaml ships.
balance() {
	local folder
	mkdir -p "$run/nginx"
	# shellcheck disable=SC2001 # the shells differ in what they make of & in ${//}
	folder=$(sed 's/[\&|]/\\&/g' <<<"$run/nginx") # as sed takes it
	sed -e "s|\${PARLEY_LB_LISTEN}|$(address lb)|g" -e "s|\${PARLEY_LB_RUN}|$folder|g" \
		-e "s|\${PARLEY_LB_CONNECTOR_1}|$(address connector-1)|g" \
		-e "s|\${PARLEY_LB_CONNECTOR_2}|$(address connector-2)|g" \
		deploy/nginx/nginx.conf.template >"$run/nginx/nginx.conf"
}

# begin NAME starts one part.
begin() {
	local common=(--kafka "$(address kafka)" --admin "$(address "$1-admin")")
	local history=(--clickhouse "clickhouse://parley@$(address clickhouse)/default" --clickhouse-password-file "$password")
	case $1 in
	kafka) start kafka kafka deploy/kafka/node.sh "$data/kafka" "port=$(port kafka)" "controller.port=$(port controller)" ;;
	clickhouse) start clickhouse "parley clickhouse" bin/parley clickhouse --listen "$(address clickhouse)" \
		--admin "$(address clickhouse-admin)" --data "$data/clickhouse" ;;
	chatworker-*) start "$1" "parley chatworker" bin/parley chatworker "${common[@]}" ;;
	projector) start "$1" "parley projector" bin/parley projector "${common[@]}" "${history[@]}" ;;
	connector-*) start "$1" "parley connector" bin/parley connector "${common[@]}" "${history[@]}" --listen "$(address "$1")" --proxies 127.0.0.1/32 --drain 2s ;;
	nginx) start nginx "nginx" nginx -p "$run/nginx" -e stderr -c "$run/nginx/nginx.conf" -g 'daemon off;' ;;
	esac
}

port() { local at; at=$(address "$1"); echo "${at##*:}"; }

# ready NAME: can the part be used?
ready() {
	case $1 in
	kafka) listening "$(address kafka)" ;;
	nginx) listening "$(address lb)" ;;
	*) bin/parley health --admin "$(address "$1-admin")" >/dev/null 2>&1 ;;
	esac
}

running() {
	local name
	for name in $parts jaeger; do
		if alive "$name" >/dev/null; then return 0; fi
	done
	return 1
}

describe() {
	cat <<-END
		Parley is ready.
		  chat        http://$(address lb) (nginx, before two connectors)
		  data        $data
		  Kafka       $(address kafka) (Apache Kafka)
		  ClickHouse  clickhouse://parley@$(address clickhouse)/default (password in $password)
		  Jaeger      $(where_jaeger)
		  logs        $data/*.log
		Stop it with \`make down$this\`, see its parts with \`make ps$this\`, follow their logs with \`make logs$this\`, start over with \`make clean-data$this\`.
	END
}

up() {
	local name dead='' again=''
	if running; then
		again=again
		for name in $parts; do alive "$name" >/dev/null || dead+=" $name"; done
		if died jaeger; then dead+=" jaeger"; fi
		if [ -z "$dead" ]; then
			echo "Parley is already running, as processes."
			for name in $parts; do await "$ready_seconds" "$name" ready "$name"; done
			describe
			return
		fi
		echo "Parley is running, except for these parts, which are started again:$dead"
	else
		prepare
	fi
	printf 'starting'
	start_jaeger "$again"
	for name in $servers; do begin "$name"; done
	for name in $servers; do await "$ready_seconds" "$name" ready "$name"; done
	for name in $roles; do begin "$name"; done
	for name in $roles; do await "$ready_seconds" "$name" ready "$name"; done
	begin nginx
	await 10 nginx ready nginx
	printf '\n'
	describe
}

# prepare does what comes before a start of all parts.
prepare() {
	need_access
	need_plain
	need
	# A load balancer that was killed leaves workers behind.
	orphans nginx
	[[ $listen != :* ]] || listen=0.0.0.0$listen # as everybody else takes it
	if [[ $listen != *:0 ]] && listening "$listen"; then
		fail "Address $listen is in use by $(owner "${listen##*:}"): stop it, or choose another port with make up$this PORT=8081."
	fi
	"${MAKE:-make}" --no-print-directory build kafka
	mkdir -p "$run"
	echo processes >"$data/STACK"
	choose
	remember_listen "$listen"
	balance
}

# down stops the parts, those first that use others, or those that PARTS names.
down() {
	local name chosen
	running || { echo "Parley is not running."; return; }
	if [ -n "${PARTS:-}" ]; then
		chosen=$(only "$roles" "$parts jaeger")
		for name in $chosen; do stop "$name"; done
		echo "Stopped: ${chosen//$'\n'/ }. The others keep running; \`make up$this\` starts these again."
		return
	fi
	for name in connector-1 connector-2 nginx projector chatworker-1 chatworker-2 clickhouse kafka jaeger; do
		stop "$name"
	done
	echo "All parts have stopped; the data is in $data. Start them again with \`make up$here STACK=processes\`."
}

ps_() {
	local name at
	columns PART PID ADDRESS READY
	for name in $parts; do
		case $name in
		nginx) at=$(address lb) ;;
		chatworker-* | projector) at=$(address "$name-admin") ;;
		*) at=$(address "$name") ;;
		esac
		row "$name" "$at" ready "$name"
	done
	jaeger_row
}

logs() {
	[ -e "$data/kafka.log" ] || fail "There are no logs yet in $data: start Parley with \`make up$here STACK=processes\`."
	exec tail -n 20 -F "$data"/*.log
}

# For clean_data: whose folder it is, who uses it beside the parts, where it is.
ours() { [ "$(cat "$data/STACK" 2>/dev/null)" = processes ]; }
in_use() { return 1; }
chat() { address lb; }

carry_out "$@"
