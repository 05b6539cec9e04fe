#!/usr/bin/env bash
# The embedded stack: all of Parley in one process, on servers of its own, in
# the background. Takes LISTEN and DATA from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/parts.sh ''
ready_seconds=120
remedy="Another port: make up$this PORT=8081. Other data: make up DATA=folder."

# in_use prints the process id of whoever has the data folder, however it was
# started, or fails when nobody has.
in_use() {
	local pid
	pid=$(cat "$data/LOCK" 2>/dev/null) || return 1
	owned "$pid" "parley " && echo "$pid"
}

# ours: was the data folder made by Parley?
ours() { [ -e "$data/VERSION" ] && [ -e "$data/LOCK" ]; }

# chat prints where the chat is, or where it would be.
chat() {
	local at
	at=$(sed -n 's|^  chat *https\{0,1\}://||p' "$run/parley.out" 2>/dev/null) || true
	echo "${at:-$listen}"
}

# describe says where everything is.
describe() {
	cat "$run/parley.out"
	echo "  Jaeger      $(where_jaeger)"
	echo "  log         $data/parley.log"
	echo "Stop it with \`make down$this\`, follow its log with \`make logs$this\`, start over with \`make clean-data$this\`."
}

ready() { grep -q '^Parley is ready' "$run/parley.out"; }

up() {
	local pid
	if pid=$(alive parley); then
		echo "Parley is already running, as process $pid."
		start_jaeger again
	else
		"${MAKE:-make}" --no-print-directory build
		printf 'starting'
		start_jaeger
		start parley "parley up" bin/parley up --listen "$listen" --data "$data"
	fi
	if ! (await "$ready_seconds" parley ready); then
		alive parley >/dev/null || down >/dev/null
		exit 1
	fi
	if [ -z "$pid" ]; then
		printf '\n'
		case $listen in *:0) remember_listen "$(chat)" ;; *) remember_listen "$listen" ;; esac
	fi
	describe
}

running() { alive parley >/dev/null || alive jaeger >/dev/null; }

down() {
	running || { echo "Parley is not running."; return; }
	[ -z "${PARTS:-}" ] || fail "The embedded stack is one process, whose parts cannot be stopped alone: stop it with make down$this, then give operators' commands --data $(printf %q "$data"), which starts its servers without the roles."
	stop parley
	stop jaeger
	echo "Parley has stopped; its data is in $data. Start it again with \`make up$here STACK=embedded\`."
}

ps_() {
	columns PART PID ADDRESS READY
	row parley "$(chat)" ready
	jaeger_row
}

logs() {
	[ -e "$data/parley.log" ] || fail "There is no log yet at $data/parley.log: start Parley with \`make up$this\`."
	exec tail -n 100 -F "$data/parley.log"
}

carry_out "$@"
