#!/bin/sh
# Runs a command that downloads; tries again when it fails.
for wait in 2 10 30; do
	"$@" && exit 0
	echo "failed: $*; trying again in $wait s" >&2
	sleep $wait
done
exec "$@"
