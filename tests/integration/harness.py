# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a real pm2d with folders of its own and talks to it on its private socket.

A case is independent of all others: it has its own daemon (self.daemon), made on first use and ended with the
case; after which no process that it started, no cgroup and no finding of a sanitizer may be left. Tests wait
for events with a deadline; nothing sleeps and hopes.

    PM2D_PATH, PM2CTL_PATH   the programs; default: below PM2D_BUILD_DIR, default: the newest build folder
"""

import contextlib
import functools
import glob
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dbus_wire  # noqa: E402
from dbus_wire import DBusError, V  # noqa: E402

# A shell has what it runs in the background ignore these, and whoever that starts.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    signal.signal(_number, _handler)

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPS = os.path.join(TOP, 'tests', 'apps')
PRELOADS = os.path.join(TOP, 'data', 'node')
SANITIZED = bool(os.environ.get('PM2D_TEST_SANITIZED'))
# Of everything that should happen at once; two busy cores under a sanitizer are slow.
TIMEOUT = 60
MANAGER_PATH, MANAGER = '/org/pm2/Manager', 'org.pm2.Manager'
PROCESS = 'org.pm2.Process'
PROPERTIES = 'org.freedesktop.DBus.Properties'
OBJECT_MANAGER = 'org.freedesktop.DBus.ObjectManager'
PM2_ERROR = 'org.pm2.Error.'
DBUS_ERROR = 'org.freedesktop.DBus.Error.'
MARK = 'PM2D_TEST_MARK'
SANITIZER_FINDINGS = ('AddressSanitizer', 'LeakSanitizer', 'UndefinedBehaviorSanitizer', 'runtime error:')
EXIT_RUNS_ALREADY, EXIT_KILLED = 78, 79


def program(variable, relative):
    """An executable of the tree: from the environment, else from the newest build folder."""
    path = os.environ.get(variable)
    if path:
        return path
    build = os.environ.get('PM2D_BUILD_DIR')
    folders = [build] if build else [TOP + '/build', *glob.glob(TOP + '/build*'), *glob.glob(TOP + '/build/*')]
    found = [os.path.join(folder, relative) for folder in folders if os.path.exists(os.path.join(folder, relative))]
    if not found:
        raise unittest.SkipTest(f'{relative} is not built')
    return max(found, key=os.path.getmtime)


def pm2d_path():
    return program('PM2D_PATH', 'src/daemon/pm2d')


def pm2ctl_path():
    return program('PM2CTL_PATH', 'src/ctl/pm2ctl')


def npm_packages():
    """The folder with what tools/install-npm installs. Where they cannot be had a case is left out, but in the quick tier alone."""
    folder = os.path.join(TOP, 'build', 'npm')
    if not os.path.exists(os.path.join(folder, 'installed')):
        text = 'packages of npm are not installed (tools/install-npm)'
        if os.environ.get('PM2D_TEST_FULL'):
            raise AssertionError(text)
        raise unittest.SkipTest(text)
    return os.path.join(folder, 'node_modules')


def wait_until(condition, what, timeout=TIMEOUT):
    """Poll until the condition gives something true, which is returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f'not within {timeout} s: {what}')
        time.sleep(0.02)


def read_file(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def wait_file(path, complete=lambda text: text.endswith('\n'), timeout=TIMEOUT):
    """The text of a file once it is there and complete."""
    def text():
        with contextlib.suppress(FileNotFoundError):
            content = read_file(path)
            if complete(content):
                return content
        return None

    return wait_until(text, f'{path} is complete', timeout)


def process_state(pid):
    """"R", "S", "Z"..., or None if there is no such process."""
    try:
        return read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(pid):
    return process_state(pid) not in (None, 'Z', 'X')


def raw_environment(pid):
    """As it is in /proc. In the midst of execve(2) it is empty there for a moment; for good with threads of the kernel and zombies."""
    path, patience = f'/proc/{pid}/exe', 50
    while True:
        with open(f'/proc/{pid}/environ', 'rb') as file:
            environment = file.read()
        patience -= 1
        if environment or patience == 0 or not os.readlink(path):
            return environment
        time.sleep(0.001)


def marked_processes(mark):
    """Pids of the processes that have a mark in their environment, zombies apart."""
    found = []
    needle = f'{MARK}={mark}'.encode()
    for entry in os.listdir('/proc'):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if needle in raw_environment(entry).split(b'\0') and is_alive(entry):
                    found.append(int(entry))
            except OSError:
                pass
    return found


def is_killed(pid):
    """Whether SIGKILL has been sent to it, which it has not ended of yet."""
    pending = 0
    with contextlib.suppress(OSError):
        for line in read_file(f'/proc/{pid}/status').splitlines():
            name, _, value = line.partition(':')
            pending |= int(value, 16) if name in ('SigPnd', 'ShdPnd') else 0
    return bool(pending >> (signal.SIGKILL - 1) & 1)


def command_line(pid):
    with contextlib.suppress(OSError):
        return read_file(f'/proc/{pid}/cmdline').replace('\0', ' ').strip()
    return '(gone)'


# cgroups

@functools.lru_cache(maxsize=None)
def cgroup2_mount():
    """Where the unified hierarchy is mounted, or None."""
    for line in read_file('/proc/self/mountinfo').splitlines():
        fields = line.split(' ')
        if fields[fields.index('-') + 1] == 'cgroup2':
            return fields[4]
    return None


def own_cgroup():
    mount = cgroup2_mount()
    if not mount:
        return None
    for line in read_file('/proc/self/cgroup').splitlines():
        if line.startswith('0::'):
            return os.path.normpath(mount + line[3:])
    return None


@functools.lru_cache(maxsize=None)
def cgroup_unavailable():
    """Why there is no cgroup v2 directory that we may write; None if there is one."""
    folder = own_cgroup()
    if not folder:
        return 'no cgroup v2 hierarchy is mounted'
    probe = os.path.join(folder, f'pm2t-probe-{os.getpid()}')
    try:
        os.mkdir(probe)
    except OSError as error:
        return f'{folder}: {error.strerror}'
    try:
        process = subprocess.Popen(['sleep', '60'])
        try:
            pathlib.Path(probe, 'cgroup.procs').write_text(str(process.pid), encoding='ascii')
        finally:
            process.kill()
            process.wait()
    except OSError as error:
        return f'{probe}: {error.strerror}'
    finally:
        remove_cgroup(probe)
    return None


def remove_cgroup(folder, timeout=TIMEOUT):
    """Kill what is in a cgroup and remove it with all below."""
    def removed():
        for inner, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(inner)
        return not os.path.exists(folder)

    if os.path.exists(folder) and not removed():
        with contextlib.suppress(OSError):
            pathlib.Path(folder, 'cgroup.kill').write_text('1', encoding='ascii')
        wait_until(removed, f'{folder} is removed', timeout)


def variant(value):
    """The natural D-Bus type of a Python value."""
    if isinstance(value, V):
        return value
    if isinstance(value, bool):
        return V('b', value)
    if isinstance(value, int):
        return V('i' if -2**31 <= value < 2**31 else 'x', value)
    if isinstance(value, float):
        return V('d', value)
    if isinstance(value, dict):
        return V('a{ss}', value)
    if isinstance(value, (list, tuple)):
        return V('as', list(value))
    return V('s', value)


def options(**values):
    return {key: variant(value) for key, value in values.items()}


class Client(dbus_wire.Connection):
    """A connection with the calls of the Manager by name."""

    def manager_call(self, member, signature='', *body, timeout=TIMEOUT):
        return self.call(MANAGER_PATH, MANAGER, member, signature, *body, timeout=timeout)

    def start(self, script, **attributes):
        """Start, and return the object paths."""
        return self.manager_call('Start', 'sa{sv}', script, options(**attributes))

    def start_one(self, script, **attributes):
        paths = self.start(script, **attributes)
        assert len(paths) == 1, paths
        return paths[0]

    def start_json(self, document, **values):
        text = document if isinstance(document, str) else json.dumps(document)
        return self.manager_call('StartJson', 'sa{sv}', text, options(**values))

    def stop(self, target, **values):
        return self.manager_call('Stop', 'sa{sv}', str(target), options(**values))

    def restart(self, target, **values):
        return self.manager_call('Restart', 'sa{sv}', str(target), options(**values))

    def delete(self, target, **values):
        return self.manager_call('Delete', 'sa{sv}', str(target), options(**values))

    def send_signal(self, target, number, **values):
        return self.manager_call('SendSignal', 'ssa{sv}', str(target), str(number), options(**values))

    def list(self):
        return self.manager_call('List')

    def describe(self, target):
        return self.manager_call('Describe', 's', str(target))

    def property(self, path, name):
        return self.get(path, PROCESS, name)

    def properties(self, path):
        return self.get_all(path, PROCESS)

    def managed_objects(self):
        return self.call('/org/pm2', OBJECT_MANAGER, 'GetManagedObjects')

    # What comes by itself

    def signals(self, member, start=0):
        return [message for message in self.received[start:]
                if message.kind == dbus_wire.SIGNAL and message.member == member]

    def events(self, name=None, start=0):
        """The ProcessEvents received, as (event, details)."""
        return [(message.body[3], message.body[5]) for message in self.signals('ProcessEvent', start)
                if name is None or message.body[2] == name]

    def wait_event(self, event, name=None, start=0, timeout=TIMEOUT):
        """The body of the first such ProcessEvent from a position on."""
        return self.wait_message(
            lambda m: m.kind == dbus_wire.SIGNAL and m.member == 'ProcessEvent' and m.body[3] == event and
            (name is None or m.body[2] == name), timeout, start).body

    def wait_property(self, path, name, condition, timeout=TIMEOUT):
        """The value of a property once the condition holds: read now, then at each PropertiesChanged."""
        if not callable(condition):
            wanted = condition
            condition = functools.partial(lambda expected, value: value == expected, wanted)
        deadline = time.monotonic() + timeout
        while True:
            seen = len(self.received)
            value = self.property(path, name)
            if condition(value):
                return value
            try:
                self.wait_message(lambda m: m.member == 'PropertiesChanged' and m.path == path,
                                  deadline - time.monotonic(), seen)
            except TimeoutError as error:
                raise AssertionError(f'{path}: {name} is {value!r} after {timeout} s') from error

    def wait_status(self, path, status, timeout=TIMEOUT):
        return self.wait_property(path, 'Status', status, timeout)


class Daemon:
    """A pm2d with its own folders, and, where a cgroup can be had, in a cgroup of its own."""

    def __init__(self, isolation='none', settings='', environment=None, preexec=None, program=None):
        self.isolation, self.settings = isolation, settings
        self.program = program or pm2d_path()
        self.preexec = preexec
        self.extra_environment = environment or {}
        self.mark = uuid.uuid4().hex
        self.root = tempfile.mkdtemp(prefix='pm2-')
        self.runtime, self.state, self.config, self.home, self.apps = (
            self.make_folder(name) for name in ('run', 'state', 'conf', 'home', 'apps'))
        self.socket_path = os.path.join(self.runtime, 'pm2', 'bus')
        self.address = f'unix:path={self.socket_path}'
        self.logs = os.path.join(self.state, 'pm2', 'logs')
        self.stderr_path = os.path.join(self.root, 'stderr')
        self.cgroup, self.cgroup_suffix = None, ''
        self.process = None
        self.status = None
        self.clients = []
        self.write_settings()

    def make_folder(self, name):
        path = os.path.join(self.root, name)
        os.mkdir(path, 0o700)
        return path

    def write_settings(self):
        os.makedirs(os.path.join(self.config, 'pm2'), exist_ok=True)
        lines = ['[daemon]', f'isolation={self.isolation}', 'log_level=debug', self.settings, '']
        path = os.path.join(self.config, 'pm2', 'pm2d.conf')
        pathlib.Path(path).write_text('\n'.join(lines), encoding='utf-8')

    def environment(self):
        """Of the daemon and of the commands that talk to it: nothing of the caller's but how to test."""
        kept = {key: value for key, value in os.environ.items() if key.endswith('SAN_OPTIONS')}
        node = os.environ.get('PM2D_TEST_NODE_FOLDER')  # of another version than the machine's
        path = (node + ':' if node else '') + '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
        return {**kept, 'PATH': path, 'LANG': 'C.UTF-8',
                'HOME': self.home, 'XDG_RUNTIME_DIR': self.runtime, 'XDG_STATE_HOME': self.state,
                'XDG_CONFIG_HOME': self.config, 'PM2D_PATH': pm2d_path(), 'PM2D_PRELOAD_FOLDER': PRELOADS,
                MARK: self.mark, **self.extra_environment}

    def enter_cgroup(self):
        if self.isolation != 'none' and not cgroup_unavailable():
            self.cgroup = os.path.join(own_cgroup(), f'pm2t-{self.mark[:12]}{self.cgroup_suffix}')
            os.makedirs(self.cgroup, exist_ok=True)

    def start(self, arguments=(), wait=True, pass_fds=()):
        """Start it and, unless told otherwise, wait until it is ready."""
        self.enter_cgroup()
        ready_read, ready_write = os.pipe()
        cgroup, preexec = self.cgroup, self.preexec

        def in_child():
            if cgroup:
                with open(os.path.join(cgroup, 'cgroup.procs'), 'w', encoding='ascii') as file:
                    file.write('0')
            if preexec:
                preexec()

        with open(self.stderr_path, 'ab') as stderr:
            self.process = subprocess.Popen(
                [self.program, '--private', f'--ready-fd={ready_write}', *arguments],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, cwd=self.root, env=self.environment(),
                pass_fds=[ready_write, *pass_fds], preexec_fn=in_child)
        os.close(ready_write)
        with os.fdopen(ready_read, 'rb', buffering=0) as ready:
            if wait and not ready.read(64):
                self.wait_exit()
                raise AssertionError(f'pm2d was not ready: status {self.status}\n{self.log_text()}')
        return self

    def connect(self):
        client = Client(self.socket_path)
        self.clients.append(client)
        return client

    def try_connect(self):
        """A connection, or None if nobody serves it yet or any more."""
        with contextlib.suppress(OSError, dbus_wire.Disconnected, TimeoutError):
            client = self.connect()
            client.list()
            return client
        return None

    def log_text(self):
        return read_file(self.stderr_path) if os.path.exists(self.stderr_path) else ''

    def wait_exit(self, timeout=TIMEOUT):
        self.status = self.process.wait(timeout)
        return self.status

    def terminate(self):
        """Ask it to end; -9 and an error if it does not."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.wait_exit()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait_exit()
                raise AssertionError(f'pm2d did not end at SIGTERM\n{self.log_text()[-4000:]}') from None
        elif self.process:
            self.status = self.process.returncode

    def problems(self, expected_status):
        """What is wrong after its end, as texts."""
        found = []
        if self.process and self.status != expected_status:
            found.append(f'pm2d ended with status {self.status}, not {expected_status}')
        log = self.log_text()
        found += [f'sanitizer: {word}' for word in SANITIZER_FINDINGS if word in log]
        # its own children are killed with it, and are gone as soon as the disk lets go of them
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not any(is_killed(pid) for pid in marked_processes(self.mark)), 'what is killed is gone', 20)
        for pid in marked_processes(self.mark):
            found.append(f'process {pid} is left: {command_line(pid)}')
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.cgroup:
            found += [f'cgroup {inner} is left' for inner in self.inner_cgroups()]
        return found

    def inner_cgroups(self):
        return [os.path.join(folder, name) for folder, names, _ in os.walk(self.cgroup) for name in names]

    def end(self, expected_status=0):
        """End it, throw away what it has, and return what was wrong."""
        found = []
        for client in self.clients:
            client.close()
        try:
            self.terminate()
        except AssertionError as error:
            found.append(str(error))
        found += self.problems(expected_status)
        log = self.log_text()
        if self.cgroup:
            remove_cgroup(self.cgroup)
        shutil.rmtree(self.root, ignore_errors=True)
        if found:
            found.append(f'the log of pm2d:\n{log[-8000:]}')
        return found


class Case(unittest.TestCase):
    """A test with a daemon. Subclasses say which isolation they want ("none" where it is all the same)."""

    isolation = 'none'
    settings = ''
    expected_status = 0
    maxDiff = None

    def setUp(self):
        if self.isolation == 'cgroup' and cgroup_unavailable():
            self.skipTest(f'cgroup: {cgroup_unavailable()}')
        self._daemon = self._client = None

    def new_daemon(self, **values):
        """A daemon that is not started yet; ended with the case."""
        daemon = Daemon(**{'isolation': self.isolation, 'settings': self.settings, **values})
        self.addCleanup(self._end_daemon, daemon)
        return daemon

    def _end_daemon(self, daemon):
        found = daemon.end(self.expected_status)
        if found:
            self.fail('\n'.join(found))

    @property
    def daemon(self):
        if self._daemon is None:
            self._daemon = self.new_daemon()
            self._daemon.start()
        return self._daemon

    @property
    def client(self):
        if self._client is None:
            self._client = self.daemon.connect()
        return self._client

    # Files of the case

    def path(self, name):
        return os.path.join(self.daemon.apps, name)

    def script(self, name, text, executable=True):
        """Write a program into the folder of apps and return its path."""
        path = self.path(name)
        # one that is written again may be read by a shell at this moment
        pathlib.Path(path + '.new').write_text(text, encoding='utf-8')
        if executable:
            os.chmod(path + '.new', stat.S_IRWXU)
        os.replace(path + '.new', path)
        return path

    def sleeper(self, name='sleeper.sh'):
        """A program that stays."""
        return self.script(name, '#!/bin/sh\nexec sleep 1000\n')

    # Programs of the tree

    def run_command(self, *command, env=None, cwd=None, timeout=TIMEOUT, stdin=subprocess.DEVNULL):
        return subprocess.run(command, stdin=stdin, capture_output=True, text=True, cwd=cwd or self.daemon.apps,
                              env={**self.daemon.environment(), **(env or {})}, timeout=timeout)

    def pm2ctl(self, *arguments, status=0, **options_of_run):
        """Run pm2ctl and check its exit status; the result has stdout and stderr."""
        result = self.run_command(pm2ctl_path(), *arguments, **options_of_run)
        for word in SANITIZER_FINDINGS:
            self.assertNotIn(word, result.stderr)
        if status is not None:
            self.assertEqual(result.returncode, status, f'pm2ctl {arguments}\n{result.stdout}\n{result.stderr}')
        return result

    # Assertions

    def assert_dbus_error(self, names, function, *arguments, mentions=(), **values):
        """The call fails with one of the names (org.pm2.Error. may be left out) and its text has the words."""
        names = [names] if isinstance(names, str) else names
        full = [name if '.' in name else PM2_ERROR + name for name in names]
        with self.assertRaises(DBusError) as caught:
            function(*arguments, **values)
        error = caught.exception
        self.assertIn(error.name, full, str(error))
        self.assertTrue(error.message.strip(), f'{error.name} without a text')
        for word in [mentions] if isinstance(mentions, str) else mentions:
            self.assertIn(word, error.message, error.name)
        return error

    def assert_gone(self, pids):
        left = [f'{pid}: {command_line(pid)}' for pid in pids if is_alive(pid)]
        self.assertEqual(left, [], 'processes are left')


def limits_of(pid):
    return read_file(f'/proc/{pid}/limits')


def soft_limit(kind=resource.RLIMIT_NOFILE):
    return resource.getrlimit(kind)[0]


class Result(unittest.TextTestResult):
    """Says what was left out and why, in a form that tools/test collects."""

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f'# skipped {test.id()}: {reason}', flush=True)


def main():
    """Run the cases of the calling file. Exit status 77 if all of them were skipped."""
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=2)
    result = unittest.main(testRunner=runner, exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) == result.testsRun else 0)
