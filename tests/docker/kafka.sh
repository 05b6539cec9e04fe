#!/usr/bin/env bash
# The start of the apache/kafka image, as far as deploy/compose.yaml relies on
# it: KAFKA_A_B becomes the setting a.b, and the log is formatted once.
set -euo pipefail
properties=/tmp/server.properties
while IFS='=' read -r name value; do
	case $name in
	KAFKA_HEAP_OPTS | KAFKA_OPTS) ;;
	KAFKA_*) echo "$(tr 'A-Z_' 'a-z.' <<<"${name#KAFKA_}")=$value" ;;
	esac
done < <(env) >"$properties"
[ -e "$KAFKA_LOG_DIRS/meta.properties" ] || java -cp '/opt/kafka/libs/*' -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
	kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$properties"
# shellcheck disable=SC2086 # the options are words
exec java ${KAFKA_HEAP_OPTS:-} ${KAFKA_OPTS:-} -cp '/opt/kafka/libs/*' kafka.Kafka "$properties"
