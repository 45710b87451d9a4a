#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what a container cannot show, in a virtual machine with every cgroup controller (tools/vm).

    tests/system/vm.py memory [CASE...]
                                 the cases of vm_memory.py, or some: limits and figures of the memory controller
    tests/system/vm.py clock [CASE...]
                                 the cases of vm_clock.py, or some: the clock of the machine is set
    tests/system/vm.py reboot    the machine reboots: each app of a user and of the system is told once, and the saved
                                 lists come back once, in order

The build is installed into the machine as run.py installs it into the container. Needs root; some minutes where
the machine is emulated.
"""

import argparse
import glob
import json
import os
import re
import signal
import subprocess
import sys

import booted
import run

APPS_WAIT_SECONDS = 60
PACKAGES = os.path.join(run.TOP, 'build', 'vm', 'packages')
COREDUMP_PACKAGE = os.path.join(PACKAGES, 'systemd-coredump_*.deb')
# In the machine; what is there outlives a boot.
NOTEBOOKS = '/var/lib/pm2d-vm'
PROGRAM = os.path.join(NOTEBOOKS, 'program')
# An order that no sorting makes. One is stopped when the list is saved, one is started after that.
NAMES = ('zebra', 'mango', 'apple', 'quince')
STOPPED, UNSAVED = 'mango', 'banana'
BOOT_ID = '/proc/sys/kernel/random/boot_id'
# Notes "NAME BOOT WORD" in the notebook. It takes a moment to end: who is told twice notes it twice.
NOTING_PROGRAM = '''#!/usr/bin/python3
import os, signal, sys

with open('/proc/sys/kernel/random/boot_id') as file:
    boot = file.read().strip()

def note(word):
    with open(sys.argv[1], 'a') as file:
        file.write(f'{sys.argv[2]} {boot} {word}\\n')
        file.flush()
        os.fsync(file.fileno())

def on_signal(number, frame):
    note(signal.Signals(number).name)
    signal.setitimer(signal.ITIMER_REAL, 0.3)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, on_signal)
signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
note('start')
while True:
    signal.pause()
'''


def install(build):
    """In the machine, as root."""
    tester = booted.User(booted.TESTER)
    subprocess.run(['meson', 'install', '--no-rebuild', '--quiet', '-C', build], check=True)
    subprocess.run([run.PYTHON, os.path.join(run.HERE, 'prepare.py')], check=True)
    tester.run('systemctl', '--user', 'daemon-reload')
    tester.run('busctl', '--user', 'call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus',
               'ReloadConfig')


def fetch_coredump():
    """The package of systemd-coredump, not installed: that would hand all cores of this machine to it."""
    os.makedirs(PACKAGES, exist_ok=True)
    if not glob.glob(COREDUMP_PACKAGE):
        subprocess.run(['apt-get', '-q', 'download', 'systemd-coredump'], cwd=PACKAGES, check=True)


def inside_cases(name, build, cases):
    install(build)
    if name == 'memory':
        # a journal in memory is one for all users, and for root alone; on a disk each has one of their own
        subprocess.run(['chmod', '-R', 'a+rX', '/run/log/journal'], check=True)
        subprocess.run(['dpkg', '--no-triggers', '-i', *glob.glob(COREDUMP_PACKAGE)], stdout=subprocess.DEVNULL, check=True)
    return subprocess.run([run.PYTHON, os.path.join(run.HERE, f'vm_{name}.py'), *cases]).returncode


def check(good, what, found=''):
    """Print it, and what there was. Returns how many have failed."""
    print(f'{"ok" if good else "not ok"}: {what}{f": {found}" if found else ""}', flush=True)
    return int(not good)


class SavedList:
    """The apps of a user in an instance: they are saved, and after the reboot looked at."""

    def __init__(self, instance, user):
        self.instance, self.user = instance, user
        self.title = f'{instance.bus} instance, {user.name}'
        self.notebook = os.path.join(NOTEBOOKS, f'{instance.bus}-{user.name}')
        self.failed = 0

    def pm2ctl(self, *words):
        return self.user.run('pm2ctl', f'--{self.instance.bus}', *words, timeout=APPS_WAIT_SECONDS).stdout

    def notes(self):
        """{boot: {name: words}}, in the order of the notebook."""
        found = {}
        if os.path.exists(self.notebook):
            for line in booted.read_file(self.notebook).splitlines():
                name, boot, word = line.split()
                found.setdefault(boot, {}).setdefault(name, []).append(word)
        return found

    def wait_notes(self, count, what):
        """So many notes of this boot; what there is when the time is over is for the checks."""
        boot = booted.read_file(BOOT_ID).strip()

        def enough():
            return sum(len(words) for words in self.notes().get(boot, {}).values()) >= count

        booted.wait_until(enough, f'{self.title}: {what}', APPS_WAIT_SECONDS)

    def start(self, name):
        self.pm2ctl('start', PROGRAM, '--name', name, '--', self.notebook, name)

    def save(self):
        for name in NAMES:
            self.start(name)
        self.wait_notes(len(NAMES), 'all have noted their start')
        self.pm2ctl('stop', STOPPED)
        print(f'{self.title}: {self.pm2ctl("save").strip()}', flush=True)
        self.start(UNSAVED)
        self.wait_notes(len(NAMES) + 2, 'the last one has noted its start')

    def check(self, good, what, found=''):
        self.failed += check(good, f'{self.title}: {what}', found)

    def check_first_boot(self, notes):
        for name in (*NAMES, UNSAVED):
            words = notes.get(name, [])
            self.check(words == ['start', 'SIGINT'], f'{name} had one start and one stop signal before the reboot',
                       ' '.join(words) or 'nothing')

    def check_list(self):
        """What the supervisor says."""
        entries = sorted(json.loads(self.pm2ctl('describe', 'all', '--json')), key=lambda entry: entry['pm_id'])
        facts = [(entry['name'], entry['pm2_env']['status']) for entry in entries]
        expected = [(name, 'stopped' if name == STOPPED else 'online') for name in NAMES]
        self.check(facts == expected, 'the list has its apps once, in order',
                   ' '.join(f'{name}={status}' for name, status in facts))
        started = [entry['pm2_env'] for entry in entries if entry['name'] != STOPPED]
        # the name of a group ends in a number, which grows with each launch; when each is online is up to the machine
        numbers = [int(re.search(r'(\d+)(\.scope)?$', entry['control_group'])[1]) for entry in started]
        self.check(len(started) == len(NAMES) - 1 and numbers == sorted(set(numbers)),
                   'they were launched in the order of the list',
                   f'groups {numbers}, online at {[entry["pm_uptime"] for entry in started]} ms')
        self.check([entry['restart_time'] for entry in started] == [0] * len(started), 'none was restarted')

    def check_second_boot(self):
        boot = booted.read_file(BOOT_ID).strip()
        notes = self.notes()
        before = [notes[other] for other in notes if other != boot]
        self.check(len(before) == 1, 'there was one boot before this one', f'{len(before)}')
        self.check_first_boot(before[0] if before else {})
        try:
            self.wait_notes(len(NAMES) - 1, 'all that were online when the list was saved have noted their start')
        except AssertionError as error:
            self.check(False, 'all were started', str(error))
        self.check_list()
        after = self.notes().get(boot, {})
        self.check(after == {name: ['start'] for name in NAMES if name != STOPPED},
                   f'each was started once after the reboot, {STOPPED} and {UNSAVED} were not',
                   ', '.join(f'{name}: {" ".join(words)}' for name, words in after.items()) or 'nothing')


def saved_lists():
    tester, second, root = (booted.User(name) for name in (booted.TESTER, booted.SECOND_USER, 'root'))
    user, system = booted.Instance(tester), booted.Instance(root, True)
    return (user, system), [SavedList(user, tester), SavedList(system, tester), SavedList(system, second)]


def before_reboot(build):
    install(build)
    os.mkdir(NOTEBOOKS)
    os.chmod(NOTEBOOKS, 0o777)
    with open(PROGRAM, 'w', encoding='utf-8') as file:
        file.write(NOTING_PROGRAM)
    os.chmod(PROGRAM, 0o755)
    instances, lists = saved_lists()
    for saved in lists:
        saved.save()
    for instance in instances:
        print(f'{instance.bus} instance: {instance.systemctl("enable", "pm2").stderr.strip()}; isolation: '
              f'{isolation(instance)}')
    print('rebooting', flush=True)
    subprocess.run(['systemctl', '--no-block', 'reboot'], check=True)
    # this service is not stopped by that: it goes with the last processes
    while True:
        signal.pause()


def isolation(instance):
    return json.loads(instance.user.run('pm2ctl', f'--{instance.bus}', 'status', '--json').stdout)['isolation']


def check_service(instance):
    """That it runs before anybody has called it, as one does that is started later. Returns how many have failed."""
    try:
        instance.wait_state('active', APPS_WAIT_SECONDS)
        state = 'active'
    except AssertionError:
        state = instance.show('pm2.service', 'ActiveState')
    facts = f'{state}, {instance.show("pm2.service", "NRestarts")} restarts'
    title = f'{instance.bus} instance'
    failed = check(facts == 'active, 0 restarts', f'{title}: pm2.service was started by the boot', facts)
    return failed or check(isolation(instance) == 'scope', f'{title}: apps are in scopes', isolation(instance))


def tell_all(lists):
    for saved in lists:
        print(f'# the notebook of {saved.title}:\n{booted.read_file(saved.notebook)}')
    print('# the journal:', flush=True)
    subprocess.run(['journalctl', '--no-pager', '--output=short-monotonic', '_COMM=pm2d', '+', 'UNIT=pm2.service', '+',
                    'USER_UNIT=pm2.service'])


def after_reboot():
    instances, lists = saved_lists()
    failed = sum(check_service(instance) for instance in instances)
    for saved in lists:
        if saved.instance.show('pm2.service', 'ActiveState') == 'active':
            saved.check_second_boot()
    failed += sum(saved.failed for saved in lists)
    if failed:
        tell_all(lists)
    print(f'# {failed} failed', flush=True)
    return 1 if failed else 0


def inside_reboot(build, _cases):
    return after_reboot() if os.environ['PM2D_VM_BOOT'] == '2' else before_reboot(build)


def outside(case, build, cases):
    if case == 'memory':
        fetch_coredump()
    command = [os.path.join(run.TOP, 'tools', 'vm'), 'run', '--root', '--boots', '2' if case == 'reboot' else '1',
               run.PYTHON, os.path.abspath(__file__), '--inside', '--build', build, case, *cases]
    status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    print(f'{"ok" if status == 0 else "not ok"}: vm.py {case}: status {status} from the machine')
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('case', choices=['memory', 'clock', 'reboot'])
    parser.add_argument('cases', nargs='*', metavar='CASE', help='of vm_memory.py or vm_clock.py')
    parser.add_argument('--build', metavar='DIR', help='the build to install (prefix /usr)')
    parser.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_intermixed_args()
    if arguments.inside:
        if arguments.case == 'reboot':
            return inside_reboot(arguments.build, arguments.cases)
        return inside_cases(arguments.case, arguments.build, arguments.cases)
    if os.geteuid() != 0:
        print('# skipped tests/system/vm.py: booting a machine needs root')
        return run.ALL_SKIPPED
    build = run.build_directory(arguments.build)
    if run.option(build, 'prefix') != '/usr':
        print('# skipped tests/system/vm.py: a build with prefix /usr is needed')
        return run.ALL_SKIPPED
    return outside(arguments.case, build, arguments.cases)


if __name__ == '__main__':
    sys.exit(main())
