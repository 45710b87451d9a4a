#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""As root in the container, after the files are there: what a package's maintainer script does, a second user, and
for a build with sanitizers a folder for what they find."""

import os
import pathlib
import pwd
import subprocess

FINDINGS = '/var/tmp/pm2d-sanitizer'
SECOND_USER, SECOND_UID = 'second', 1501


def add_user():
    try:
        pwd.getpwnam(SECOND_USER)
    except KeyError:
        subprocess.run(['useradd', '--uid', str(SECOND_UID), '--create-home', '--shell', '/bin/bash', SECOND_USER],
                       check=True)


def tell_sanitizers():
    """The service has no terminal: its findings go to files that the cases look at."""
    os.makedirs(FINDINGS, exist_ok=True)
    os.chmod(FINDINGS, 0o1777)
    for manager in ('user', 'system'):
        folder = pathlib.Path(f'/etc/systemd/{manager}/pm2.service.d')
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / 'sanitizer.conf'
        if os.environ.get('PM2D_TEST_SANITIZED'):
            path.write_text('[Service]\n'
                            f'Environment=ASAN_OPTIONS={os.environ["ASAN_OPTIONS"]}:log_path={FINDINGS}/asan\n'
                            f'Environment=UBSAN_OPTIONS={os.environ["UBSAN_OPTIONS"]}:log_path={FINDINGS}/ubsan\n',
                            encoding='ascii')
        else:
            path.unlink(missing_ok=True)


def main():
    add_user()
    tell_sanitizers()
    subprocess.run(['ldconfig'], check=True)
    subprocess.run(['systemctl', 'daemon-reload'], check=True)
    subprocess.run(['busctl', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
                    'ReloadConfig'], check=True, stdout=subprocess.DEVNULL)


if __name__ == '__main__':
    main()
