#!/usr/bin/env bash
# The start of the nginx image, as far as deploy/compose.yaml relies on it: the
# templates become the configuration, with the variables that the filter names.
set -euo pipefail
names=$(env | sed -n 's/=.*//p' | grep -E "$NGINX_ENVSUBST_FILTER" | sed 's/.*/${&}/')
for template in /etc/nginx/templates/*.template; do
	# shellcheck disable=SC2094 # the folder is another one
	envsubst "$names" <"$template" >"$NGINX_ENVSUBST_OUTPUT_DIR/$(basename "$template" .template)"
done
exec nginx -g 'daemon off;'
