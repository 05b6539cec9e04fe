#!/usr/bin/env bash
# Starts, stops and shows the Parley of this checkout: chooses the stack that
# STACK names, else the one that runs, else docker where an engine answers and
# embedded where not. Each stack has a script and a data folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
stacks="docker processes embedded"

fail() { echo "$1" >&2; exit 1; }

action=${1:-} asked=${STACK:-} running=
case " $stacks " in *" ${asked:-embedded} "*) ;; *) fail "STACK=$asked: there are ${stacks// /, }." ;; esac
[[ ${LISTEN:-:0} =~ :[0-9]+$ ]] || fail "LISTEN=$LISTEN is not of the form host:port, with a number as the port."

for stack in $stacks; do
	if "scripts/$stack.sh" running; then running=$stack; fi
done

here=''
[ "${DATA:-data}" = data ] || here=" DATA=$(printf %q "$DATA")"
stack=${asked:-$running}
if [ "$action" = up ] && [ -n "$running" ] && [ "$stack" != "$running" ]; then
	fail "The $running stack is already running: \`make down$here\` stops it, then \`make up$here STACK=$asked\` starts the other."
elif { [ "$action" = down ] || [ "$action" = ps ]; } && [ "$running" != "${stack:-none}" ]; then
	echo "Parley is not running${asked:+ in the $asked stack}."
	exit
elif [ -n "$stack" ]; then
	:
elif scripts/docker.sh usable; then
	stack=docker
else
	stack=embedded
fi

if [ "$action" = up ]; then
	if [ -n "$running$asked" ]; then
		echo "stack: $stack"
	elif [ "$stack" = docker ]; then
		echo "stack: docker (an engine answers; STACK=embedded or STACK=processes does without)"
	else
		echo "stack: embedded (no Docker engine answers; STACK=processes starts the parts apart)"
	fi
fi
exec "scripts/$stack.sh" "$action"
