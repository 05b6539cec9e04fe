# shellcheck shell=bash
# What the stacks share; sourced. A part is a process that runs in the
# background: $run/NAME.pid has its id, $data/NAME.log what it says.

: "${data:?whoever sources this sets it}" "${run:?whoever sources this sets it}"

stop_seconds=40

fail() { echo "$1" >&2; exit 1; }

# owned PID PATTERN: does the process run, and does its command say so? One that
# has ended and that nobody has looked after yet is still listed.
owned() {
	case $(ps -o stat= -o command= -p "${1:-0}" 2>/dev/null) in
	Z*) return 1 ;;
	*"$2"*) return 0 ;;
	*) return 1 ;;
	esac
}

# alive NAME prints the part's process id, or fails when it does not run. The
# second line of its file is what its command contains, so that another process
# with the same id is not mistaken for it.
alive() {
	local pid pattern
	{ read -r pid && read -r pattern; } 2>/dev/null <"$run/$1.pid" || return 1
	owned "$pid" "$pattern" && echo "$pid"
}

# start NAME PATTERN COMMAND... starts a part, unless it runs.
start() {
	local name=$1 pattern=$2 pid
	shift 2
	if alive "$name" >/dev/null; then return; fi
	orphans "$name"
	mkdir -p "$run"
	if [ -e "$data/$name.log" ]; then mv "$data/$name.log" "$data/$name.log.1"; fi
	# Job control gives it a process group of its own: Ctrl-C here is not for it.
	set -m
	nohup "$@" >"$run/$name.out" 2>"$data/$name.log" </dev/null &
	pid=$!
	set +m
	printf '%s\n%s\n' "$pid" "$pattern" >"$run/$name.pid"
}

# orphans NAME ends what a part left behind that was killed, such as the
# workers of nginx, which would keep its port.
orphans() {
	local group pattern left
	{ read -r group && read -r pattern; } 2>/dev/null <"$run/$1.pid" || return 0
	left=$(ps -A -o pid= -o pgid= -o command= | awk -v g="$group" -v p="${pattern%% *}" '$2 == g && index($0, p) { print $1 }')
	# shellcheck disable=SC2086 # one word each
	[ -z "$left" ] || kill -KILL $left 2>/dev/null || true
}

# stop NAME ends a part in order, or at once when that takes too long.
stop() {
	local pid tenths=0
	if pid=$(alive "$1"); then
		kill -TERM "$pid" 2>/dev/null || true
		while alive "$1" >/dev/null; do
			if [ "$tenths" -ge $((stop_seconds * 10)) ]; then
				echo "$1 did not stop within $stop_seconds s and is killed; nothing that was acknowledged is lost." >&2
				kill -KILL "$pid" 2>/dev/null || true
				break
			fi
			tenths=$((tenths + 1))
			sleep 0.1
		done
	fi
	orphans "$1"
	rm -f "$run/$1.pid"
}

# await SECONDS NAME CONDITION... waits until the condition holds. A part that
# ends meanwhile ends the start, with the last that it said.
await() {
	local tenths=$(($1 * 10)) name=$2
	shift 2
	until "$@"; do
		if ! alive "$name" >/dev/null; then
			printf '\n'
			tail -n 20 "$data/$name.log" >&2
			fail "$name ended while it started; the last lines of $data/$name.log are above."
		fi
		if [ "$tenths" -le 0 ]; then
			printf '\n'
			tail -n 20 "$data/$name.log" >&2
			fail "$name is not ready in time, and still starting; the last lines of $data/$name.log are above."
		fi
		tenths=$((tenths - 1))
		[ $((tenths % 10)) -ne 0 ] || printf '.'
		sleep 0.1
	done
}

# listening HOST:PORT: does anybody?
listening() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# owner PORT describes who listens there.
owner() {
	local pid=
	if command -v ss >/dev/null; then
		pid=$(ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -n 1)
	elif command -v lsof >/dev/null; then
		pid=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN -t 2>/dev/null | head -n 1)
	fi
	if [ -n "$pid" ]; then
		echo "process $pid ($(ps -o comm= -p "$pid" 2>/dev/null))"
	else
		echo "another process"
	fi
}

# free PORT prints the first port from there on at which nobody listens and
# which was not given out before.
given=' '
free() {
	local port=$1
	while listening "127.0.0.1:$port" || [[ $given == *" $port "* ]]; do port=$((port + 1)); done
	echo "$port"
}

# no_jaeger says why traces go nowhere.
no_jaeger() { echo "none: traces are off (\`make jaeger\` builds it, once, in minutes; then \`make down\` and \`make up\`)"; }

# start_jaeger starts Jaeger where it is there and nothing else was asked for,
# and tells the parts that follow where their traces go.
start_jaeger() {
	[ -z "${OTEL_EXPORTER_OTLP_ENDPOINT:-}${OTEL_TRACES_EXPORTER:-}" ] || return 0
	[ -x bin/jaeger ] || return 0
	if ! alive jaeger >/dev/null; then
		jaeger_port=$(free 16686)
		given="$given$jaeger_port "
		otlp_port=$(free 4318)
		given="$given$otlp_port "
		JAEGER_QUERY_GRPC_PORT=$(free 16685)
		given="$given$JAEGER_QUERY_GRPC_PORT "
		JAEGER_OTLP_GRPC_PORT=$(free 4317)
		export JAEGER_QUERY_GRPC_PORT JAEGER_OTLP_GRPC_PORT
		export JAEGER_QUERY_PORT=$jaeger_port JAEGER_OTLP_HTTP_PORT=$otlp_port
		start jaeger bin/jaeger bin/jaeger --config deploy/jaeger/config.yaml
		printf 'jaeger_port=%s otlp_port=%s\n' "$jaeger_port" "$otlp_port" >"$run/jaeger.ports"
		await 60 jaeger listening "127.0.0.1:$jaeger_port"
		await 60 jaeger listening "127.0.0.1:$otlp_port"
	fi
	# shellcheck source=/dev/null
	. "$run/jaeger.ports"
	export OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
	export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$otlp_port
	# bin/jaeger has no pages, but answers with the trace as JSON.
	export PARLEY_TRACES="http://127.0.0.1:$jaeger_port/api/traces/{trace}?prettyPrint=true"
}

# where_jaeger says where traces are.
where_jaeger() {
	if alive jaeger >/dev/null; then
		# shellcheck source=/dev/null
		. "$run/jaeger.ports"
		echo "http://127.0.0.1:$jaeger_port (parley trace ID --jaeger http://127.0.0.1:$jaeger_port)"
	elif [ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}${OTEL_TRACES_EXPORTER:-}" ]; then
		echo "none: traces go where the OTEL_… variables say"
	else
		no_jaeger
	fi
}

# row PART PID ADDRESS READY prints a line of `make ps`.
row() { printf '%-12s %-8s %-24s %s\n' "$@"; }

# confirm_delete asks before everything in $data is deleted.
confirm_delete() {
	local answer=
	[ "${CONFIRM:-}" != yes ] || return 0
	printf 'Delete every channel, message and log in %s? Type yes: ' "$1"
	read -r answer || answer=
	[ "$answer" = yes ] || fail "Nothing was deleted."
}
