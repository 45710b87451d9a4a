#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The life of an app by gdbus, with the signals that it makes: nobody has to subscribe to them. The bus starts pm2d if
# need be.
#
#   gdbus.sh             in the calling user's pm2d
#   gdbus.sh --system    in the system's; the app still runs as the calling user
set -eu

case ${1:-} in
    --system) bus=--system ;;
    *) bus=--session ;;
esac
app=example-gdbus
signals=$(mktemp)

call() {
    method=$1
    shift
    echo "\$ $method $*"
    gdbus call "$bus" --dest org.pm2.Manager --object-path /org/pm2/Manager --method "org.pm2.Manager.$method" "$@"
}

monitor=
trap 'kill $monitor 2>/dev/null || true; rm -f "$signals"' EXIT

call GetProcessesByName "$app"
gdbus monitor "$bus" --dest org.pm2.Manager >"$signals" &
monitor=$!
# its second line is the owner of the name: from there on it listens
while [ "$(wc -l <"$signals")" -lt 2 ]; do
    sleep 0.1
done

call Start sleep "{'name': <'$app'>, 'args': <['infinity']>, 'kill_timeout': <uint32 2000>}"
call SendSignal "$app" SIGKILL '{}'
while ! grep -q "'restart'\|\"restart\"" "$signals"; do
    sleep 0.1
done
call Stop "$app" '{}'
call Delete "$app" '{}'
while ! grep -q "'delete'" "$signals"; do
    sleep 0.1
done
echo
echo "What was told of it:"
cat "$signals"
