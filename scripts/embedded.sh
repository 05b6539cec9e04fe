#!/usr/bin/env bash
# The embedded stack: all of Parley in one process, on servers of its own, in
# the background. Takes LISTEN and DATA from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data} listen=${LISTEN:-127.0.0.1:8080}
case $data in /*) ;; *) data=$PWD/$data ;; esac
run=$data/run
. scripts/parts.sh
ready_seconds=120

# in_use prints the process id of whoever has the data folder, however it was
# started, or fails when nobody has.
in_use() {
	local pid
	pid=$(cat "$data/LOCK" 2>/dev/null) || return 1
	owned "$pid" "parley " && echo "$pid"
}

# describe says where everything is.
describe() {
	cat "$run/parley.out"
	echo "  Jaeger      $(where_jaeger)"
	echo "  log         $data/parley.log"
	echo "Stop it with \`make down\`, follow its log with \`make logs\`, start over with \`make clean-data\`."
}

ready() { grep -q '^Parley is ready' "$run/parley.out"; }

up() {
	local pid
	if pid=$(alive parley); then
		echo "Parley runs already, as process $pid."
		describe
		return
	fi
	"${MAKE:-make}" --no-print-directory build
	printf 'starting'
	start_jaeger
	start parley "parley up" bin/parley up --listen "$listen" --data "$data"
	if ! (await "$ready_seconds" parley ready); then
		alive parley >/dev/null || down >/dev/null
		fail "Another port: make up PORT=8081. Other data: make up DATA=folder."
	fi
	printf '\n'
	describe
}

running() { alive parley >/dev/null || alive jaeger >/dev/null; }

down() {
	running || { echo "Parley does not run."; return; }
	stop parley
	stop jaeger
	echo "Parley has stopped; its data is in $data."
}

ps_() {
	local pid
	row PART PID ADDRESS READY
	if pid=$(alive parley); then
		row parley "$pid" "$(sed -n 's|^  chat *http://||p' "$run/parley.out")" "$(ready && echo yes || echo no)"
	else
		row parley - - "no: it does not run; make up starts it again"
	fi
	if pid=$(alive jaeger); then row jaeger "$pid" "127.0.0.1:$(sed 's/jaeger_port=\([0-9]*\).*/\1/' "$run/jaeger.ports")" yes; fi
	alive jaeger >/dev/null || echo "Jaeger: $(where_jaeger)"
}

logs() {
	[ -e "$data/parley.log" ] || fail "There is no log yet at $data/parley.log: start Parley with \`make up\`."
	exec tail -n 100 -f "$data/parley.log"
}

clean_data() {
	local again='' pid
	if [ ! -e "$data" ]; then
		echo "There is no data in $data."
		return
	fi
	# Never anything that Parley did not make.
	if [ ! -e "$data/VERSION" ] || [ ! -e "$data/LOCK" ]; then
		fail "$data is not a data folder of Parley: delete it yourself if you mean it."
	fi
	confirm_delete "$data"
	if running; then
		again=yes
		down
	fi
	if pid=$(in_use); then fail "Process $pid uses $data: stop it first. Nothing was deleted."; fi
	rm -rf "$data"
	echo "The data in $data is deleted."
	if [ -n "$again" ]; then up; fi
}

case ${1:-} in
running) running ;;
up) up ;;
down) down ;;
ps) ps_ ;;
logs) logs ;;
clean-data) clean_data ;;
*) fail "usage: $0 up|down|ps|logs|clean-data|running" ;;
esac
