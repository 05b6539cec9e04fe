#!/usr/bin/env bash
# Debian packages that the tests need beside Go, Node, Java, Maven, Python and
# a C compiler, for CI; a line each.
set -euo pipefail
packages=(
	kcat        # a client of Kafka that is not ours
	nginx-light # the load balancer of deploy/nginx, and of `make up STACK=processes`
	openssl     # keys and certificates, as scripts/keys.sh makes them
	shellcheck  # `make lint`
	zsh fish    # which `parley completion` is for
	prometheus  # promtool, for the alerts of deploy/prometheus
)
# The programs are for the tests alone: no service of theirs is to start.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
trap 'rm -f /usr/sbin/policy-rc.d' EXIT
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
