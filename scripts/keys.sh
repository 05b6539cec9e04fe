#!/usr/bin/env bash
# Makes what logins need, in a folder: a key pair for tokens, a certificate for
# HTTPS on this machine, a password for the demo users, a key for backends, and the
# secret that signs hooks.
# Usage:
#
#   scripts/keys.sh FOLDER
#
# What is there already is kept. token.key signs tokens and belongs to whoever
# issues them; connectors get token.pub. api.key is what a backend sends, as
# `parley api-key` makes one; connectors get api-keys, which has its sum. Hooks and
# their receiver have hooks.secret. A site that others reach needs a certificate of
# its own in tls.crt and tls.key.
set -euo pipefail

[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is needed, to make keys (Debian: apt-get install openssl)" >&2; exit 1; }

umask 077
mkdir -p "$1"
cd "$1"
if [ ! -e token.key ]; then
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out token.key
	rm -f token.pub
fi
if [ ! -e token.pub ]; then
	openssl pkey -in token.key -pubout -out token.pub
	chmod 644 token.pub
fi
if [ ! -e tls.crt ]; then
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 -keyout tls.key -out tls.crt 2>/dev/null
fi
[ -e hooks.secret ] || printf 'whsec_%s\n' "$(openssl rand -base64 32)" >hooks.secret
[ -e password ] || openssl rand -hex 16 >password
if [ ! -e api.key ]; then
	printf 'parley_%s\n' "$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n')" >api.key
	rm -f api-keys
fi
if [ ! -e api-keys ]; then
	printf 'demo %s [{"channels": ["*"], "allow": ["api", "moderate", "audit", "admin"]}]\n' \
		"$(tr -d '\n' <api.key | openssl dgst -sha256 -r | cut -d ' ' -f 1)" >api-keys
	chmod 644 api-keys
fi
