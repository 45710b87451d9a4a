# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Sourced by the scripts of this folder: where the tree is, and the tools of the system before any other
# Python or compiler that may be in PATH.
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export PATH top

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Run a command as root: as it is, or by sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "root is needed for: $*"
    fi
}
