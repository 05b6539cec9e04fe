#!/usr/bin/env bash
# The start of the clickhouse/clickhouse-server image, as far as
# deploy/compose.yaml relies on it, with the engine that `make build` installs:
# the user and the database of the environment are created, everybody is listened
# to, and what is in config.d counts.
set -euo pipefail
ln -sfn /etc/clickhouse-server/config.d /tmp/config.d
cat >/tmp/config.xml <<END
<clickhouse>
  <user_directories><users_xml><path>/tmp/users.xml</path></users_xml></user_directories>
</clickhouse>
END
cat >/tmp/users.xml <<END
<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default><password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
    <$CLICKHOUSE_USER>
      <password>$CLICKHOUSE_PASSWORD</password>
      <networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    </$CLICKHOUSE_USER>
  </users>
</clickhouse>
END
# The engine ends when its standard input does.
/opt/parley/parley clickhouse-engine library /opt/parley/libchdb.so --config-file=/tmp/config.xml \
	--path=/var/lib/clickhouse --listen_host=0.0.0.0 --tcp_port=9000 --http_port=8123 --log-level=error --logger.console=1 \
	--query "CREATE DATABASE IF NOT EXISTS $CLICKHOUSE_DB; SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP;
		SELECT sleepEachRow(1) FROM system.numbers SETTINGS max_block_size=1 FORMAT Null" < <(exec sleep infinity) &
engine=$!
trap 'kill $engine' TERM
while kill -0 $engine 2>/dev/null; do wait $engine || true; done
