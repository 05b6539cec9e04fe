#!/usr/bin/env bash
# Starts, stops and shows the Parley of this checkout: chooses the stack that
# runs, else the one that STACK names, else docker where an engine answers and
# embedded where not. Each stack has a script and a data folder of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
stacks="docker processes embedded"

fail() { echo "$1" >&2; exit 1; }

action=${1:-} asked=${STACK:-} running=
case " $stacks " in *" ${asked:-embedded} "*) ;; *) fail "STACK=$asked: there are ${stacks// /, }." ;; esac

for stack in $stacks; do
	if "scripts/$stack.sh" running; then running=$stack; fi
done

if [ -n "$running" ]; then
	if [ "$action" = up ] && [ -n "$asked" ] && [ "$asked" != "$running" ]; then
		fail "The $running stack runs already: \`make down\` stops it, then \`make up STACK=$asked\` starts the other."
	fi
	stack=$running
elif [ -n "$asked" ]; then
	stack=$asked
elif [ "$action" = down ] || [ "$action" = ps ]; then
	echo "Parley does not run."
	exit
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
