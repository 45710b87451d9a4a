#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The life of an app by busctl: start, look, restart, stop, delete. The bus starts pm2d if need be.
#
#   busctl.sh             in the calling user's pm2d
#   busctl.sh --system    in the system's; the app still runs as the calling user
set -eu

bus=${1:---user}
app=example-busctl
manager='org.pm2.Manager /org/pm2/Manager org.pm2.Manager'

# Run what is given, and show it first.
show() {
    echo "\$ $*"
    "$@"
}

# Options are pairs of a name and a value with its type; Start replies when the program runs.
# shellcheck disable=SC2086
show busctl "$bus" call $manager Start 'sa{sv}' sleep 3 name s "$app" args as 1 infinity kill_timeout u 2000

# The object of the first process of that name.
# shellcheck disable=SC2086
path=$(busctl "$bus" call $manager GetProcessesByName s "$app" | sed -E 's/^ao [0-9]+ "([^"]*)".*/\1/')

for property in Status Pid Unit; do
    show busctl "$bus" get-property org.pm2.Manager "$path" org.pm2.Process "$property"
done
# shellcheck disable=SC2086
show busctl "$bus" --json=short call $manager List
# shellcheck disable=SC2086
show busctl "$bus" call $manager Restart 'sa{sv}' "$app" 0
show busctl "$bus" get-property org.pm2.Manager "$path" org.pm2.Process RestartCount
# shellcheck disable=SC2086
show busctl "$bus" call $manager Stop 'sa{sv}' "$app" 0
show busctl "$bus" get-property org.pm2.Manager "$path" org.pm2.Process Status
# shellcheck disable=SC2086
show busctl "$bus" call $manager Delete 'sa{sv}' "$app" 0
