#!/bin/sh
# Puts REDIS_PASSWORD where Redis and Sentinel read it, and starts what is asked for:
# neither can read a password from the environment.
set -eu
: "${REDIS_PASSWORD:?is not set}"
case $REDIS_PASSWORD in *[!A-Za-z0-9_-]*) echo "REDIS_PASSWORD: letters, digits, - and _ only" >&2; exit 1 ;; esac
run=${REDIS_RUN:-/tmp}
umask 077
program=$1 config=$2
shift 2
if [ "$program" = redis-sentinel ]; then
  sed "s/REDIS_PASSWORD/$REDIS_PASSWORD/" "$config" >"$run/sentinel.conf"
  exec redis-server "$run/sentinel.conf" --sentinel "$@"
fi
sed "s/REDIS_PASSWORD/$REDIS_PASSWORD/" "${REDIS_ACL:-/etc/redis-users.acl}" >"$run/users.acl"
cat "$config" >"$run/redis.conf" # Sentinel has it written anew when another Redis leads
exec "$program" "$run/redis.conf" --aclfile "$run/users.acl" --masterauth "$REDIS_PASSWORD" "$@"
