# shellcheck shell=bash
# What the stacks share; sourced with the suffix of their data folder. A part is
# a process that runs in the background: $run/NAME.pid has its id, $data/NAME.log
# what it says. A stack's script defines running, up, down, ps_ and logs, and for
# clean_data ours, in_use and chat.

data=${DATA:-data}
while [[ $data == ?*/ ]]; do data=${data%/}; done
case $data in /*) ;; *) data=$PWD/$data ;; esac
data=$data$1 run=$data/run
# Without an address, that of the last start with this data.
listen=${LISTEN:-$(cat "$data/listen" 2>/dev/null || echo 127.0.0.1:8080)}

# What the commands that are printed need, to be about this Parley: the data
# and, where it was chosen, the stack.
here='' this=''
[ "${DATA:-data}" = data ] || here=" DATA=$(printf %q "$DATA")"
# shellcheck disable=SC2034 # the stacks' scripts use it
this=$here${STACK:+ STACK=$STACK}

# remember_listen ADDRESS is for the next start.
remember_listen() { echo "$1" >"$data/listen"; }

stop_seconds=40
# What to do when a start fails; the stacks say more.
remedy=

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

# died NAME: was the part started, and has it ended by itself?
died() { [ -e "$run/$1.pid" ] && ! alive "$1" >/dev/null; }

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
	# Until the program has taken its place, the new process looks like this script.
	while kill -0 "$pid" 2>/dev/null && ! owned "$pid" "$pattern"; do sleep 0.02; done
	printf '%s\n%s\n' "$pid" "$pattern" >"$run/$name.pid"
}

# orphans NAME ends what a part left behind that was killed, such as the
# workers of nginx, which would keep its port.
orphans() {
	local group pattern left
	{ read -r group && read -r pattern; } 2>/dev/null <"$run/$1.pid" || return 0
	while left=$(ps -A -o pid= -o pgid= -o stat= -o command= |
		awk -v g="$group" -v p="${pattern%% *}" '$2 == g && $3 !~ /^Z/ && index($0, p) { print $1 }') && [ -n "$left" ]; do
		# shellcheck disable=SC2086 # one word each
		kill -KILL $left 2>/dev/null || return 0
		sleep 0.05
	done
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
# ends meanwhile ends the start, with its last output.
await() {
	local tenths=$(($1 * 10)) name=$2
	shift 2
	until "$@"; do
		if ! alive "$name" >/dev/null; then
			printf '\n'
			tail -n 20 "$data/$name.log" >&2
			fail "$name ended while it started; the last lines of $data/$name.log are above. $remedy"
		fi
		if [ "$tenths" -le 0 ]; then
			printf '\n'
			tail -n 20 "$data/$name.log" >&2
			fail "$name is not ready in time, and still starting; the last lines of $data/$name.log are above. $remedy"
		fi
		tenths=$((tenths - 1))
		[ $((tenths % 10)) -ne 0 ] || printf '.'
		sleep 0.1
	done
}

# listening HOST:PORT: does anybody?
listening() {
	local host=${1%:*}
	host=${host#[}
	(exec 3<>"/dev/tcp/${host%]}/${1##*:}") 2>/dev/null
}

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

# any_free prints a port that is free, for whoever asks for port 0. It is below
# those that systems give to connections.
any_free() { free $((10000 + RANDOM % 20000)); }

# no_jaeger says why traces go nowhere.
no_jaeger() { echo "none: traces are off (\`make jaeger\` builds it, once, in minutes; then \`make down$this\` and \`make up$this\`)"; }

# start_jaeger starts Jaeger where it is there and nothing else was asked for,
# and sets for the parts that follow where their traces go. `start_jaeger again`
# starts one that has died, at the ports that the running parts know.
start_jaeger() {
	[ -z "${OTEL_EXPORTER_OTLP_ENDPOINT:-}${OTEL_TRACES_EXPORTER:-}" ] || return 0
	[ -x bin/jaeger ] || return 0
	if [ "${1:-}" = again ]; then
		[ -e "$run/jaeger.pid" ] || return 0
	elif ! alive jaeger >/dev/null; then
		choose_jaeger
	fi
	# shellcheck source=/dev/null
	. "$run/jaeger.ports"
	if ! alive jaeger >/dev/null; then
		start jaeger bin/jaeger bin/jaeger --config deploy/jaeger/config.yaml
		await 60 jaeger listening "127.0.0.1:$JAEGER_QUERY_PORT"
		await 60 jaeger listening "127.0.0.1:$JAEGER_OTLP_HTTP_PORT"
	fi
	export OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
	export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$JAEGER_OTLP_HTTP_PORT
	export PARLEY_TRACES="http://127.0.0.1:$JAEGER_QUERY_PORT/trace/{trace}"
}

# choose_jaeger gives Jaeger its ports.
choose_jaeger() {
	local name port
	mkdir -p "$run"
	: >"$run/jaeger.ports"
	for name in QUERY=16686 OTLP_HTTP=4318 QUERY_GRPC=16685 OTLP_GRPC=4317; do
		port=$(free "${name#*=}")
		given+="$port "
		echo "export JAEGER_${name%=*}_PORT=$port" >>"$run/jaeger.ports"
	done
}

# jaeger_address prints where Jaeger is asked.
jaeger_address() { sed -n 's/.*JAEGER_QUERY_PORT=/127.0.0.1:/p' "$run/jaeger.ports"; }

# where_jaeger says where traces are.
where_jaeger() {
	if alive jaeger >/dev/null; then
		echo "http://$(jaeger_address) (bin/parley trace ID --jaeger http://$(jaeger_address))"
	elif [ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}${OTEL_TRACES_EXPORTER:-}" ]; then
		echo "none: traces go where the OTEL_… variables say"
	else
		no_jaeger
	fi
}

# row NAME ADDRESS READY... prints a line of `make ps`: whether a part runs, and
# whether it is ready, which the command says.
row() {
	local name=$1 at=$2 pid
	shift 2
	if pid=$(alive "$name"); then
		columns "$name" "$pid" "$at" "$("$@" && echo yes || echo no)"
	else
		columns "$name" - "$at" "no: it is not running; make up$this starts it again"
	fi
}

columns() { printf '%-12s %-8s %-24s %s\n' "$@"; }

# jaeger_row is the row of Jaeger, or says why there is none.
jaeger_row() {
	if [ -e "$run/jaeger.pid" ]; then
		row jaeger "$(jaeger_address)" listening "$(jaeger_address)"
	else
		echo "Jaeger: $(where_jaeger)"
	fi
}

# only prints the parts that PARTS names, of those that there are; "roles" is
# those given as the first argument.
only() {
	local name
	for name in $PARTS; do
		case " $2 " in
		*" $name "*) echo "$name" ;;
		*)
			[ "$name" = roles ] || fail "PARTS=$PARTS: there are roles (for all of $1), $2."
			printf '%s\n' "$1"
			;;
		esac
	done
}

# confirm_delete asks before everything in a place is deleted.
confirm_delete() {
	local answer=
	[ "${CONFIRM:-}" != yes ] || return 0
	printf 'Delete every channel, message and log in %s? Type yes: ' "$1"
	read -r answer || answer=
	[ "$answer" = yes ] || fail "Nothing was deleted."
}

# clean_data asks, deletes the data, and starts again what ran, where it ran.
clean_data() {
	local again='' pid
	if [ ! -e "$data" ]; then
		echo "There is no data in $data."
		return
	fi
	# Never anything that this stack did not make.
	ours || fail "$data is not a data folder of this stack: delete it yourself if you mean it."
	confirm_delete "$data"
	if running; then
		again=yes
		# shellcheck disable=SC2034 # up reads it
		listen=$(chat)
		down
	fi
	if pid=$(in_use); then fail "Process $pid uses $data: stop it first. Nothing was deleted."; fi
	rm -rf "$data"
	echo "The data in $data is deleted."
	[ -z "$again" ] || up
}

# carry_out ACTION is the end of a stack's script.
carry_out() {
	case ${1:-} in
	running | up | down | logs) "$1" ;;
	ps) ps_ ;;
	clean-data) clean_data ;;
	*) fail "usage: $0 up|down|ps|logs|clean-data|running" ;;
	esac
}
