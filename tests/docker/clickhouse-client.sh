#!/usr/bin/env bash
# clickhouse-client, as far as the health check of deploy/compose.yaml uses it.
set -euo pipefail
while [ $# -gt 0 ]; do
	case $1 in
	--user) user=$2 ;;
	--password) password=$2 ;;
	--query) query=$2 ;;
	*) echo "unknown option $1" >&2; exit 2 ;;
	esac
	shift 2
done
exec wget -q -O - --header "X-ClickHouse-User: $user" --header "X-ClickHouse-Key: $password" --post-data "$query" http://127.0.0.1:8123/
