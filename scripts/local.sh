#!/usr/bin/env bash
# Starts, stops and shows the Parley of this checkout, in the background.
# Takes LISTEN and DATA from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data} listen=${LISTEN:-127.0.0.1:8080}
case $data in /*) ;; *) data=$PWD/$data ;; esac
pid_file=$data/parley.pid log=$data/parley.log said=$data/parley.out
ready_seconds=120 stop_seconds=30

fail() { echo "$1" >&2; exit 1; }

# running prints the process id, or fails when none runs.
running() {
	local pid
	pid=$(cat "$pid_file" 2>/dev/null) || return 1
	case $(ps -o command= -p "$pid" 2>/dev/null) in
	*"parley up"*) echo "$pid" ;;
	*) return 1 ;;
	esac
}

# in_use prints the process id of whoever has the data folder, however it was
# started, or fails when nobody has.
in_use() {
	local pid
	pid=$(cat "$data/LOCK" 2>/dev/null) || return 1
	case $(ps -o command= -p "$pid" 2>/dev/null) in
	*"parley "*) echo "$pid" ;;
	*) return 1 ;;
	esac
}

# describe says where everything is.
describe() {
	cat "$said"
	echo "  log         $log"
	echo "Stop it with \`make down\`, follow its log with \`make logs\`, start over with \`make clean-data\`."
}

up() {
	local pid
	if pid=$(running); then
		echo "Parley runs already, as process $pid."
		describe
		return
	fi
	mkdir -p "$data"
	if [ -e "$log" ]; then mv "$log" "$log.1"; fi
	: >"$said"
	# Job control gives it a process group of its own: Ctrl-C here is not for it.
	set -m
	nohup bin/parley up --listen "$listen" --data "$data" >"$said" 2>"$log" </dev/null &
	pid=$!
	set +m
	echo "$pid" >"$pid_file"
	printf 'starting'
	await_ready "$pid"
	describe
}

await_ready() {
	local pid=$1 tenths=0
	until grep -q '^Parley is ready' "$said"; do
		if ! kill -0 "$pid" 2>/dev/null; then
			rm -f "$pid_file"
			printf '\n'
			tail -n 20 "$log" >&2
			fail "Parley did not start; the last lines of $log are above. Another port: make up PORT=8081. Other data: make up DATA=folder."
		fi
		if [ "$tenths" -ge $((ready_seconds * 10)) ]; then
			printf '\n'
			tail -n 20 "$log" >&2
			fail "Parley is not ready after $ready_seconds s, and still starting; the last lines of $log are above."
		fi
		tenths=$((tenths + 1))
		if [ $((tenths % 10)) -eq 0 ]; then printf '.'; fi
		sleep 0.1
	done
	printf '\n'
}

down() {
	local pid tenths=0
	if ! pid=$(running); then
		echo "Parley does not run."
		return
	fi
	kill -TERM "$pid"
	while kill -0 "$pid" 2>/dev/null; do
		if [ "$tenths" -ge $((stop_seconds * 10)) ]; then
			echo "Parley did not stop within $stop_seconds s and is killed; nothing that was acknowledged is lost." >&2
			kill -KILL "$pid"
			break
		fi
		tenths=$((tenths + 1))
		sleep 0.1
	done
	rm -f "$pid_file"
	echo "Parley has stopped; its data is in $data."
}

logs() {
	[ -e "$log" ] || fail "There is no log yet at $log: start Parley with \`make up\`."
	exec tail -n 100 -f "$log"
}

clean_data() {
	local again='' answer pid
	if [ ! -e "$data" ]; then
		echo "There is no data in $data."
		return
	fi
	# Never anything that Parley did not make.
	[ -e "$data/VERSION" ] && [ -e "$data/LOCK" ] || fail "$data is not a data folder of Parley: delete it yourself if you mean it."
	if [ "${CONFIRM:-}" != yes ]; then
		printf 'Delete every channel, message and log in %s? Type yes: ' "$data"
		read -r answer || answer=
		[ "$answer" = yes ] || fail "Nothing was deleted."
	fi
	if running >/dev/null; then
		again=yes
		down
	fi
	if pid=$(in_use); then fail "Process $pid uses $data: stop it first. Nothing was deleted."; fi
	rm -rf "$data"
	echo "The data in $data is deleted."
	if [ -n "$again" ]; then up; fi
}

case ${1:-} in
up) up ;;
down) down ;;
logs) logs ;;
clean-data) clean_data ;;
*) fail "usage: $0 up|down|logs|clean-data" ;;
esac
