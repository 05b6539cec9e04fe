#!/usr/bin/env bash
# Runs one node of Apache Kafka in the foreground, until SIGTERM:
#
#   deploy/kafka/node.sh DIR [NAME=VALUE ...]
#
# DIR holds its log, formatted at the first start. The settings are those of
# server.properties, and those given here; port=N and controller.port=N are
# short for listeners on 127.0.0.1.
#
#   KAFKA_CLUSTER  id of the cluster, the same for all its nodes
#   KAFKA_JVM      flags of Java in place of those below
#   KAFKA_SCRAM    a SCRAM user to create at the first start, one a line:
#                  SCRAM-SHA-512=[name=ada,password=secret]
set -euo pipefail
home=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: node.sh DIR [NAME=VALUE ...]}
shift
# Messages are in here, which other users of the machine must not read.
umask 077
mkdir -p "$dir"
chmod 700 "$dir"
dir=$(cd "$dir" && pwd)

[ -e "$home/libs/kafka-clients-4.3.1.jar" ] || { echo "Apache Kafka is not there yet: make kafka" >&2; exit 1; }
classpath=$(printf '%s:' "$home"/libs/*.jar)
classpath=${classpath%:}

port=9092 controller=9093 settings=()
for setting in "$@"; do
	case $setting in
	port=*) port=${setting#*=} ;;
	controller.port=*) controller=${setting#*=} ;;
	*=*) settings+=("$setting") ;;
	*) echo "$setting is not of the form NAME=VALUE" >&2; exit 2 ;;
	esac
done
# Of settings given twice Kafka takes the last.
{
	cat "$home/server.properties"
	printf '\n# of this node\n'
	printf '%s\n' "log.dirs=$dir/log" \
		"listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller" \
		"advertised.listeners=PLAINTEXT://127.0.0.1:$port" \
		"controller.quorum.voters=1@127.0.0.1:$controller"
	[ ${#settings[@]} -eq 0 ] || printf '%s\n' "${settings[@]}"
} >"$dir/server.properties"

# shellcheck disable=SC2206 # the flags are words
flags=(${KAFKA_JVM:-})
[ ${#flags[@]} -gt 0 ] || flags=(-Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-XX:SharedArchiveFile=$home/libs/classes.jsa")
run=(java "${flags[@]}" -Xshare:auto -Xlog:disable -Xlog:all=error:stderr -Dorg.slf4j.simpleLogger.showDateTime=true
	"-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS" -cp "$classpath")

if [ ! -e "$dir/log/meta.properties" ]; then
	scram=()
	while IFS= read -r user; do
		[ -z "$user" ] || scram+=(--add-scram "$user")
	done <<<"${KAFKA_SCRAM:-}"
	"${run[@]}" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn kafka.tools.StorageTool format \
		-t "${KAFKA_CLUSTER:-cGFybGV5LWthZmthLWRldg}" -c "$dir/server.properties" "${scram[@]+"${scram[@]}"}" >&2
fi
exec "${run[@]}" kafka.Kafka "$dir/server.properties"
