# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2 itself, of npm: its command line, and its own daemon in a home of its own."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess

import harness
from harness import wait_until


def frame(*arguments):
    """One of PM2's frames."""
    return bytes([0x10 | len(arguments)]) + b''.join(struct.pack('>I', len(a)) + a for a in arguments)


def read_exactly(connection, count):
    data = b''
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionError('closed')
        data += piece
    return data


class Rpc:
    """A client of the request socket, one call at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(harness.TIMEOUT)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def call(self, method, *arguments):
        text = json.dumps({'type': 'call', 'method': method, 'args': list(arguments) or [{}]})
        self.socket.sendall(frame(b'j:' + text.encode(), b's:1'))
        count = read_exactly(self.socket, 1)[0] & 15
        parts = [read_exactly(self.socket, struct.unpack('>I', read_exactly(self.socket, 4))[0]) for _ in range(count)]
        reply = json.loads(parts[0][2:])
        if 'error' in reply:
            raise RuntimeError(reply['error'])
        return reply['args'][0] if reply['args'] else None


class Pm2Case(harness.Case):
    """A case with npm's pm2 and a home for it."""

    def setUp(self):
        super().setUp()
        self.modules = harness.npm_packages()
        self.home = os.path.join(self.daemon.home, '.pm2')
        self.rpc_path = os.path.join(self.home, 'rpc.sock')
        self.addCleanup(self.end_pm2)

    def own_pid(self):
        """Of PM2's own daemon; None: there is none."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(pathlib.Path(self.home, 'pm2.pid').read_text(encoding='ascii'))
            if harness.is_alive(pid) and 'God Daemon' in harness.command_line(pid):
                return pid
        return None

    def end_pm2(self):
        pid = self.own_pid()
        if pid:
            with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
                self.pm2('kill')
            if harness.is_alive(pid):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not harness.is_alive(pid), "PM2's daemon has ended")

    def pm2(self, *words, status=0):
        """npm's pm2, unmodified."""
        result = self.run_command('node', os.path.join(self.modules, 'pm2', 'bin', 'pm2'), *words,
                                  env={'PM2_HOME': self.home, 'PM2_DISABLE_VERSION_CHECK': 'true', 'NO_COLOR': '1'})
        if status is not None:
            self.assertEqual(result.returncode, status, f'pm2 {words}\n{result.stdout}\n{result.stderr}')
        return result

    def rpc(self):
        client = Rpc(self.rpc_path)
        self.addCleanup(client.close)
        return client

    def in_pm2(self):
        """Name -> (id, status, pid) of what PM2's daemon has, without its command line."""
        return {item['name']: (item['pm_id'], item['pm2_env']['status'], item['pid'])
                for item in self.rpc().call('getMonitorData')}
