#!/usr/bin/env bash
# Debian packages that the tests need beside Go, Node, Java, Maven, Python and
# a C compiler, for CI; a line each.
set -euo pipefail
packages=(
	nginx-light # the load balancer of deploy/nginx, and of `make up STACK=processes`
	shellcheck  # `make lint`
)
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}"
