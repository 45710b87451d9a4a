# SPDX-License-Identifier: LGPL-2.1-or-later
"""A PM2_HOME in a folder of its own and who serves it: PM2's own daemon, or pm2d. The same clients for both: npm's pm2
by its API and its command, and the wire itself.

    with Pm2dHome() as home: home.pm2('start', 'app.js')
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time
import uuid

import harness
from harness import TIMEOUT, read_file, wait_until

ANSI = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
NEWEST = '7.0.4'
ENDED_BY_CLIENT = (0, harness.EXIT_KILLED)
TICK_USEC = 1000000 // os.sysconf('SC_CLK_TCK')


def modules_of(version):
    """The folder of npm's pm2 of a version: the one of tests/npm, or what tests/pm2-versions.py installed."""
    if version == NEWEST:
        return harness.npm_packages()
    folder = os.path.join(harness.TOP, 'build', 'npm-pm2', version, 'node_modules')
    if not os.path.isdir(folder):
        raise AssertionError(f'pm2 {version} is not installed (tests/pm2-versions.py)')
    return folder


# The wire

class Closed(Exception):
    """The other end is gone."""


class RpcError(Exception):
    """An error reply."""


def encode(value):
    """One argument: bytes as they are, a string as s:, all else as JSON."""
    if isinstance(value, bytes):
        return value
    return b's:' + value.encode() if isinstance(value, str) else b'j:' + json.dumps(value).encode()


def frame(*values):
    bodies = [encode(value) for value in values]
    return bytes([0x10 | len(bodies)]) + b''.join(struct.pack('>I', len(body)) + body for body in bodies)


def decode(body):
    if body[:2] == b'j:':
        return json.loads(body[2:])
    return body[2:].decode() if body[:2] == b's:' else body


class Wire:
    """A connection to one of the two sockets."""

    def __init__(self, path, timeout=TIMEOUT):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = bytearray()

    def send(self, data):
        self.socket.sendall(data)

    def take(self):
        """The values of the next frame if it is there."""
        at = 1
        values = []
        for _ in range(self.buffer[0] & 15 if self.buffer else 1):
            if len(self.buffer) < at + 4:
                return None
            end = at + 4 + struct.unpack_from('>I', self.buffer, at)[0]
            if len(self.buffer) < end:
                return None
            values.append(bytes(self.buffer[at + 4:end]))
            at = end
        del self.buffer[:at]
        return [decode(value) for value in values]

    def receive(self, timeout=TIMEOUT):
        """The values of the next frame."""
        deadline = time.monotonic() + timeout
        while True:
            values = self.take()
            if values is not None:
                return values
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('no frame')
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b''
            if not data:
                raise Closed()
            self.buffer += data

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Rpc(Wire):
    """Calls, one after the other or many in flight."""

    def __init__(self, path, timeout=TIMEOUT):
        super().__init__(path, timeout)
        self.count = 0

    def request(self, method, *args):
        """Send a call; its id."""
        identity = f'{os.getpid()}:{self.count}'
        self.count += 1
        self.send(frame({'type': 'call', 'method': method, 'args': list(args) or [{}]}, identity))
        return identity

    def reply_to(self, identity, timeout=TIMEOUT):
        while True:
            reply, found = self.receive(timeout)
            if found == identity:
                return reply

    def call(self, method, *args, timeout=TIMEOUT):
        """The first value of the reply."""
        reply = self.reply_to(self.request(method, *args), timeout)
        if 'error' in reply:
            raise RpcError(reply['error'])
        return reply['args'][0] if reply['args'] else None

    def list(self):
        return self.call('getMonitorData')


# Processes

def cpu_usec(pid):
    """Processor time of a process so far."""
    fields = read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_USEC


def memory_bytes(pid):
    for line in read_file(f'/proc/{pid}/smaps_rollup').splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) << 10
    raise AssertionError('no Pss')


def node_daemons(home):
    """Pids of PM2's own daemons that serve a folder."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            line = harness.command_line(entry)
            if f'God Daemon ({home})' in line and harness.is_alive(entry):
                found.append(int(entry))
    return found


class Home:
    """The folder and the clients. Subclasses start who serves it."""

    kind = None

    def __init__(self, version=NEWEST, environment=None):
        self.version = version
        self.modules = modules_of(version)
        self.mark = uuid.uuid4().hex
        self.extra_environment = environment or {}
        self.root = tempfile.mkdtemp(prefix='pm2h-')
        self.home, self.apps = self.make_folder('pm2'), self.make_folder('apps')
        os.symlink(self.modules, os.path.join(self.apps, 'node_modules'))
        self.children = []

    def make_folder(self, name):
        path = os.path.join(self.root, name)
        os.mkdir(path, 0o700)
        return path

    @property
    def rpc_path(self):
        return os.path.join(self.home, 'rpc.sock')

    @property
    def pub_path(self):
        return os.path.join(self.home, 'pub.sock')

    @property
    def pid(self):
        return int(read_file(os.path.join(self.home, 'pm2.pid')))

    def environment(self):
        """Of the clients, and so of the apps."""
        return {'PATH': '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', 'LANG': 'C.UTF-8', 'HOME': self.root,
                'PM2_HOME': self.home, 'PM2_DISCRETE_MODE': '1', 'PM2_DISABLE_VERSION_CHECK': '1', 'USER': 'tester',
                harness.MARK: self.mark, **self.extra_environment}

    # Clients

    def rpc(self):
        return Rpc(self.rpc_path)

    def rpc_list(self):
        with self.rpc() as rpc:
            return rpc.list()

    def bus(self):
        return Wire(self.pub_path)

    def node(self, *arguments, timeout=TIMEOUT, env=None, stdin=subprocess.DEVNULL):
        """A Node program of the folder of apps, to its end."""
        return subprocess.run(['node', *arguments], cwd=self.apps, env={**self.environment(), **(env or {})},
                              stdin=stdin, capture_output=True, text=True, timeout=timeout)

    def open_node(self, *arguments):
        """One that stays; ended with the folder."""
        child = subprocess.Popen(['node', *arguments], cwd=self.apps, env=self.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.children.append(child)
        return child

    def command(self):
        return os.path.join(self.modules, 'pm2', 'bin', 'pm2')

    def pm2(self, *arguments, status=0, **values):
        """The command; its standard output without colours."""
        result = self.node(self.command(), *arguments, **values)
        if status is not None and result.returncode != status:
            raise AssertionError(f'pm2 {arguments}: status {result.returncode}\n{result.stdout}\n{result.stderr}')
        return ANSI.sub('', result.stdout)

    def jlist(self):
        """What the command tells."""
        return json.loads(self.pm2('jlist').strip().splitlines()[-1])

    # Files

    def path(self, name):
        return os.path.join(self.apps, name)

    def script(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        pathlib.Path(path).write_text(text, encoding='utf-8')
        os.chmod(path, stat.S_IRWXU)
        return path

    # The end

    def end_server(self):
        """End who serves; texts of what was wrong."""
        raise NotImplementedError

    def end(self):
        found = []
        for child in self.children:
            child.kill()
            child.wait()
            child.stdout.close()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += self.end_server()
        # a client may have started a daemon of its own, and PM2's leaves orphans; pm2d's are a finding already
        for pid in harness.marked_processes(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)
        return found

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        found = self.end()
        if found and kind is None:
            raise AssertionError('\n'.join(found))


class Pm2Home(Home):
    """Served by PM2's own daemon."""

    kind = 'pm2'

    def start(self):
        self.pm2('ping')
        return self

    def log_text(self):
        with contextlib.suppress(FileNotFoundError):
            return read_file(os.path.join(self.home, 'pm2.log'))
        return ''

    def end_server(self):
        for pid in node_daemons(self.home):
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda number=pid: not harness.is_alive(number), f'PM2\'s daemon {pid} is gone')
        return []


class CompatDaemon(harness.Daemon):
    """pm2d that serves a PM2_HOME, beside its own private socket."""

    def __init__(self, home, **values):
        self.pm2_home = home
        super().__init__(**values)

    def environment(self):
        return {**super().environment(), 'PM2_HOME': self.pm2_home}


class Pm2dHome(Home):
    """Served by pm2d."""

    kind = 'pm2d'

    def __init__(self, version=NEWEST, environment=None, settings=''):
        super().__init__(version, environment)
        self.daemon = CompatDaemon(self.home, settings=f'{settings}\npm2_version={version}')
        self.daemon.mark = self.mark

    def start(self):
        self.daemon.start([f'--compat={self.home}'])
        wait_until(lambda: os.path.exists(self.rpc_path) and os.path.exists(self.pub_path), 'both sockets are there')
        return self

    def log_text(self):
        return self.daemon.log_text()

    def end_server(self):
        ended = self.daemon.process.poll()
        return self.daemon.end(ended if ended in ENDED_BY_CLIENT else 0)


HOMES = {'pm2': Pm2Home, 'pm2d': Pm2dHome}
