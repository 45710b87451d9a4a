# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the cases share: a user (or the system) with its service manager, its bus and its pm2.service.

A case starts with the service stopped and without settings and state, and is over when the service is stopped and
neither a unit of pm2, nor a process of the case, nor a finding of a sanitizer is left.
"""

import contextlib
import functools
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, 'tests', 'integration'))
import dbus_wire  # noqa: E402
from dbus_wire import DBusError, V  # noqa: E402, F401
from harness import (APPS, MANAGER, MANAGER_PATH, PROCESS, SANITIZED, SANITIZER_FINDINGS,  # noqa: E402, F401
                     TIMEOUT, Client, Result, command_line, is_alive, options, process_state, read_file, wait_file,
                     wait_until)
from prepare import FINDINGS, SECOND_UID, SECOND_USER  # noqa: E402, F401

TESTER, TESTER_UID = 'tester', 1500
CGROUPS = '/sys/fs/cgroup'
BUS_NAME = 'org.pm2.Manager'
SYSTEM_BUS = '/run/dbus/system_bus_socket'
# Notes its starts and what it is told, one word a line. It takes a moment to end: who is told twice notes it twice.
NOTEBOOK = '''#!/usr/bin/python3
import os, signal, sys

def note(word):
    with open(sys.argv[1], 'a') as file:
        file.write(word + '\\n')

def on_signal(number, frame):
    note(signal.Signals(number).name)
    if number != signal.SIGHUP:
        signal.setitimer(signal.ITIMER_REAL, 0.3)

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, on_signal)
signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
note('start')
while True:
    signal.pause()
'''


@contextlib.contextmanager
def acting_as(uid, gid):
    """What is done meanwhile (connecting to a bus) is done by that user."""
    if os.getuid() == uid:
        yield
        return
    os.setresgid(gid, gid, 0)
    os.setresuid(uid, uid, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


class BusClient(Client):
    """A client of pm2 on a bus, with all its signals."""

    def __init__(self, path, follow=True):
        super().__init__(path)
        self.name = self.driver('Hello')
        if follow:
            self.driver('AddMatch', 's', "type='signal',path_namespace='/org/pm2'")

    def driver(self, member, signature='', *body):
        serial = self.send_call('/org/freedesktop/DBus', 'org.freedesktop.DBus', member, signature, *body,
                                destination='org.freedesktop.DBus')
        values = self.reply_to(serial).body
        return values[0] if len(values) == 1 else values

    def send_call(self, *arguments, destination=BUS_NAME, **values):
        return super().send_call(*arguments, destination=destination, **values)


class User:
    """Somebody who has processes: how to run commands as them, and where their folders are."""

    def __init__(self, name):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid, self.home = name, entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.runtime = f'/run/user/{self.uid}'

    def environment(self):
        kept = {key: value for key, value in os.environ.items() if key.endswith('SAN_OPTIONS')}
        return {**kept, 'PATH': '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', 'LANG': 'C.UTF-8', 'HOME': self.home,
                'USER': self.name, 'LOGNAME': self.name, 'SHELL': '/bin/bash', 'XDG_RUNTIME_DIR': self.runtime,
                'DBUS_SESSION_BUS_ADDRESS': f'unix:path={self.runtime}/bus'}

    def command(self, *words):
        if os.getuid() == self.uid:
            return [*words]
        return ['setpriv', f'--reuid={self.uid}', f'--regid={self.gid}', '--init-groups', *words]

    def run(self, *words, check=True, timeout=TIMEOUT, **values):
        result = subprocess.run(self.command(*words), env=self.environment(), stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=timeout, cwd='/', **values)
        if check and result.returncode != 0:
            raise AssertionError(f'{" ".join(words)}: status {result.returncode}\n{result.stdout}{result.stderr}')
        return result

    def popen(self, *words, **values):
        return subprocess.Popen(self.command(*words), env=self.environment(), stdin=subprocess.DEVNULL, **values)

    def call(self, bus, member, signature='', *words, check=True, interface=MANAGER, path=MANAGER_PATH):
        """A call by busctl: its reply, or with check=False the result of the command."""
        result = self.run('busctl', f'--{bus}', '--json=short', 'call', BUS_NAME, path, interface, member,
                          *([signature] if signature else []), *words, check=check)
        if not check:
            return result
        data = json.loads(result.stdout)['data'] if result.stdout.strip() else []
        return data[0] if len(data) == 1 else data


class Instance:
    """A pm2.service: of a user's manager, or of the system's."""

    def __init__(self, user, system=False):
        self.user, self.system = user, system
        self.bus = 'system' if system else 'user'
        self.private_socket = '/run/pm2/bus' if system else f'{user.runtime}/pm2/bus'
        self.bus_socket = SYSTEM_BUS if system else f'{user.runtime}/bus'
        self.unit_pattern = 'pm2-u*' if system else 'app-pm2*'

    def keep_loaded(self, client):
        """systemd forgets a unit that is inactive; as long as this client is connected it does not."""
        serial = client.send_call('/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager', 'RefUnit', 's',
                                  'pm2.service', destination='org.freedesktop.systemd1')
        client.reply_to(serial)

    def systemctl(self, *words, **values):
        return self.user.run('systemctl', f'--{self.bus}', '--no-pager', *words, **values)

    def show(self, unit, name):
        return self.systemctl('show', '--value', f'--property={name}', unit).stdout.strip()

    def units(self, pattern=None, kind=None):
        """Names of the loaded units of pm2, its service apart."""
        words = ['list-units', '--all', '--plain', '--no-legend', pattern or self.unit_pattern]
        names = [line.split()[0] for line in self.systemctl(*words).stdout.splitlines()]
        return sorted(name for name in names if not kind or name.endswith('.' + kind))

    def main_pid(self):
        return int(self.show('pm2.service', 'MainPID'))

    def start(self):
        self.systemctl('start', 'pm2')

    def stop(self):
        self.systemctl('stop', 'pm2')

    def wait_state(self, state, timeout=TIMEOUT):
        wait_until(lambda: self.show('pm2.service', 'ActiveState') == state, f'pm2.service is {state}', timeout)

    def journal(self, lines=200):
        which = ['--unit=pm2'] if self.system else ['--user-unit=pm2']
        result = self.user.run('journalctl', '--no-pager', f'--lines={lines}', '--output=short-precise', *which,
                               check=False)
        return result.stdout + result.stderr

    def journal_cursor(self):
        text = self.user.run('journalctl', '--no-pager', '--lines=0', '--show-cursor').stdout
        return text.rpartition('-- cursor: ')[2].strip()

    def journal_since(self, cursor):
        which = '--unit=pm2' if self.system else '--user-unit=pm2'
        return self.user.run('journalctl', '--no-pager', '--quiet', f'--after-cursor={cursor}', which).stdout

    def config_folder(self):
        return '/etc/pm2' if self.system else os.path.join(self.user.home, '.config', 'pm2')

    def state_folders(self):
        return ['/var/lib/pm2', '/var/log/pm2'] if self.system else [
            os.path.join(self.user.home, '.local', 'state', 'pm2')]

    def forget(self):
        for folder in (self.config_folder(), *self.state_folders()):
            shutil.rmtree(folder, ignore_errors=True)

    def write_settings(self, **settings):
        folder = self.config_folder()
        with acting_as(self.user.uid, self.user.gid):
            os.makedirs(folder, exist_ok=True)
            text = '\n'.join(['[daemon]', *(f'{key}={value}' for key, value in settings.items()), ''])
            pathlib.Path(folder, 'pm2d.conf').write_text(text, encoding='utf-8')

    def kill_leftovers(self):
        """End what a failed case has left, so that the next one does not fail as well."""
        for unit in self.units():
            self.systemctl('kill', '--signal=KILL', unit, check=False)
            self.systemctl('stop', unit, check=False)


def findings():
    """What sanitizers have written so far, and it is taken away."""
    texts = []
    for folder, _, names in os.walk(FINDINGS):
        for name in names:
            path = os.path.join(folder, name)
            texts.append(f'{name}:\n{read_file(path)[:6000]}')
            with contextlib.suppress(OSError):
                os.unlink(path)
    return texts


class Case(unittest.TestCase):
    """A case of the user instance of the one who runs it. As root: of tester."""

    system = False
    settings = {}
    maxDiff = None

    def setUp(self):
        self.tester = User(TESTER)
        self.root = User('root')
        self.instance = Instance(self.root, True) if self.system else Instance(self.tester)
        self.clients = []
        self.cursor = self.instance.journal_cursor() if SANITIZED else None
        self.instance.stop()
        self.instance.forget()
        if self.settings:
            self.instance.write_settings(**self.settings)
        self.work = tempfile.mkdtemp(prefix='pm2-system-')
        os.chmod(self.work, 0o1777)
        self.addCleanup(self.finish)

    def finish(self):
        problems = []
        for client in self.clients:
            client.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.instance.stop()
        if self.instance.show('pm2.service', 'ActiveState') == 'failed':
            problems.append(f'pm2.service failed: {self.instance.show("pm2.service", "Result")}')
        try:
            wait_until(lambda: not self.instance.units(), 'no unit of pm2 is left', 10)
        except AssertionError:
            problems.append(f'units are left: {self.instance.units()}')
            self.instance.kill_leftovers()
        problems += findings()
        if SANITIZED:
            log = self.instance.journal_since(self.cursor)
            problems += [f'sanitizer: {word}' for word in SANITIZER_FINDINGS if word in log]
        if problems:
            problems.append(f'the journal:\n{self.instance.journal()[-6000:]}')
        self.instance.systemctl('reset-failed', 'pm2', check=False)
        self.instance.forget()
        shutil.rmtree(self.work, ignore_errors=True)
        if problems:
            self.fail('\n'.join(problems))

    # Files

    def path(self, name):
        return os.path.join(self.work, name)

    def script(self, name, text):
        path = self.path(name)
        pathlib.Path(path).write_text(text, encoding='utf-8')
        os.chmod(path, 0o755)
        return path

    def notebook(self, name='notebook'):
        return self.script(name, NOTEBOOK)

    def lines(self, name):
        try:
            return read_file(self.path(name)).splitlines()
        except FileNotFoundError:
            return []

    def wait_lines(self, name, count):
        return wait_until(lambda: self.lines(name) if len(self.lines(name)) >= count else None,
                          f'{name} has {count} lines')

    # Connections

    def bus_client(self, user=None, follow=True):
        """A client on the bus of the instance."""
        user = user or self.instance.user
        with acting_as(user.uid, user.gid):
            client = BusClient(self.instance.bus_socket, follow)
        self.clients.append(client)
        return client

    def private_client(self, user=None):
        user = user or self.instance.user
        with acting_as(user.uid, user.gid):
            client = Client(self.instance.private_socket)
        self.clients.append(client)
        return client

    @functools.cached_property
    def client(self):
        return self.bus_client()

    # What systemd says

    def assert_clean(self, timeout=10):
        wait_until(lambda: not self.instance.units(), f'no unit is left of {self.instance.units()}', timeout)

    def cgroup(self, path):
        """The folder of the cgroup of a process object."""
        return CGROUPS + self.client.property(path, 'ControlGroup')


def main():
    """Run the cases of the calling file; the last line has the totals for run.py."""
    runner = unittest.TextTestRunner(stream=sys.stdout, resultclass=Result, verbosity=2)
    result = unittest.main(testRunner=runner, exit=False).result
    # a case may fail in itself, in its parts and in its end: it counts as one
    failures = [*result.failures, *result.errors]
    failed = len({getattr(test, 'test_case', test).id() for test, _ in failures}) + len(result.unexpectedSuccesses)
    print(f'# totals {result.testsRun} {failed} {len(result.skipped)}', flush=True)
    sys.exit(0 if failed == 0 and result.testsRun else 1)
