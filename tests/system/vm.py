#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what a container cannot show, in a virtual machine with every cgroup controller (tools/vm).

    tests/system/vm.py memory    the cases of vm_memory.py: limits and figures of the memory controller
    tests/system/vm.py reboot    apps of a user and of the system when the machine reboots

The build is installed into the machine as run.py installs it into the container. Needs root; some minutes where
the machine is emulated.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import booted
import run

APPS_WAIT_SECONDS = 120


def install(build):
    """In the machine, as root."""
    tester = booted.User(booted.TESTER)
    subprocess.run(['meson', 'install', '--no-rebuild', '--quiet', '-C', build], check=True)
    subprocess.run([run.PYTHON, os.path.join(run.HERE, 'prepare.py')], check=True)
    tester.run('systemctl', '--user', 'daemon-reload')
    tester.run('busctl', '--user', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
               'ReloadConfig')


def inside_memory(build, _folder):
    install(build)
    return subprocess.run([run.PYTHON, os.path.join(run.HERE, 'vm_memory.py')]).returncode


def inside_reboot(build, folder):
    """Start apps that note what they are told in a folder that outlives the machine, and reboot."""
    install(build)
    program = os.path.join(folder, 'notebook')
    with open(program, 'w', encoding='utf-8') as file:
        file.write(booted.NOTEBOOK)
    os.chmod(program, 0o755)
    tester, second = booted.User(booted.TESTER), booted.User(booted.SECOND_USER)
    expected = []
    for user, bus, count in ((tester, 'user', 3), (tester, 'system', 1), (second, 'system', 2)):
        for number in range(count):
            name = f'{bus}-{user.name}-{number}'
            user.call(bus, 'Start', 'sa{sv}', program, '2', 'name', 's', name, 'args', 'as', '1',
                      os.path.join(folder, name))
            expected.append(name)
    for name in expected:
        booted.wait_file(os.path.join(folder, name), timeout=APPS_WAIT_SECONDS)
    with open(os.path.join(folder, 'expected'), 'w', encoding='utf-8') as file:
        file.write('\n'.join(expected))
    os.sync()
    subprocess.run(['systemctl', '--no-block', 'reboot'], check=True)
    # this service is not stopped by that: it goes with the last processes
    while True:
        signal.pause()


def check_reboot(folder):
    """What the apps have noted: their one start, and their kill signal once."""
    try:
        with open(os.path.join(folder, 'expected'), encoding='utf-8') as file:
            names = file.read().split()
    except FileNotFoundError:
        print('the machine did not get as far as its reboot')
        return 1
    status = 0
    for name in names:
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            notes = file.read().split()
        good = notes == ['start', 'SIGINT']
        print(f'{"ok" if good else "not ok"}: {name}: {" ".join(notes)}')
        status |= not good
    return int(status)


def outside(case, build):
    folder = tempfile.mkdtemp(prefix='vm-', dir=build)
    os.chmod(folder, 0o777)
    try:
        command = [os.path.join(run.TOP, 'tools', 'vm'), 'run', '--root', run.PYTHON, os.path.abspath(__file__),
                   '--inside', folder, '--build', build, case]
        status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
        return check_reboot(folder) if case == 'reboot' else status
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('case', choices=['memory', 'reboot'])
    parser.add_argument('--build', metavar='DIR', help='the build to install (prefix /usr)')
    parser.add_argument('--inside', metavar='FOLDER', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        inside = {'memory': inside_memory, 'reboot': inside_reboot}[arguments.case]
        return inside(arguments.build, arguments.inside)
    if os.geteuid() != 0:
        print('# skipped tests/system/vm.py: booting a machine needs root')
        return run.ALL_SKIPPED
    build = run.build_directory(arguments.build)
    if run.option(build, 'prefix') != '/usr':
        print('# skipped tests/system/vm.py: a build with prefix /usr is needed')
        return run.ALL_SKIPPED
    return outside(arguments.case, build)


if __name__ == '__main__':
    sys.exit(main())
