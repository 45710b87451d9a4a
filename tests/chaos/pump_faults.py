#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fault points of the logs that the supervisor writes itself, with a service manager and a journal played here:
it dies before and after each change at several passages, and every line is in both files once. (In the journal the
line that was being sent may be twice.)
"""

import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fault_file import SIDES, VARIABLE, FaultFile  # noqa: E402
from faults import CUT, harness  # noqa: E402
import test_takeover  # noqa: E402

INSIDE = 'PM2D_TEST_APART'
# Of each point which passages are died at: the first, and some in the midst of it.
PASSAGES = {'window-grow': (1,), 'window-header': (1,), 'pump-use': (1,), 'pump-release': (1,), 'pump-trim': (1,),
            'pump-splice': (1, 2, 7), 'pump-block': (1, 2, 7), 'pump-block-end': (1, 2, 7), 'pump-write': (1, 2, 3, 8),
            'pump-write-begin': (1, 2), 'pump-write-end': (1, 2), 'journal-progress': (1, 50),
            'journal-send': (1, 50), 'journal-send-large': (1,)}
# Where the line has been sent, and that is not known
TWICE = (('journal-send', 'after'), ('journal-send-large', 'after'), ('journal-progress', 'before'))
LINES = [b'%d ' % number + b'x' * (50000 if number % 150 == 7 else number * 7919 % 97) for number in range(400)]
WRITER = '#!/bin/sh\nexec cat "$1"\n'
JOURNAL = '/run/systemd/journal/socket'


def go_apart():
    """Where /run is another one, for the journal."""
    if not os.environ.get(INSIDE):
        os.environ[INSIDE] = '1'
        os.execvp('unshare', ['unshare', '--mount', '--propagation', 'private', sys.executable, *sys.argv])
    if os.system('mount -t tmpfs tmpfs /run') != 0:
        raise OSError('/run cannot be another one')
    os.makedirs(os.path.dirname(JOURNAL))


class Journal:
    def __init__(self):
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(JOURNAL)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
            for fd in fds:
                with os.fdopen(fd, 'rb') as file:
                    file.seek(0)
                    data = file.read()
            start = len(b'MESSAGE\n')
            length, = struct.unpack_from('<Q', data, start)
            self.lines.append(data[start + 8:start + 8 + length])


class Run:
    """One supervisor that dies, and its successors."""

    def __init__(self, journal, point, side, passage):
        self.journal, self.point, self.side, self.passage = journal, point, side, passage
        self.daemon = test_takeover.KeptDaemon()
        self.faults = FaultFile(os.path.join(self.daemon.root, 'faults'))
        self.daemon.extra_environment[VARIABLE] = self.faults.path

    def path(self, name):
        return os.path.join(self.daemon.apps, name)

    def answering(self):
        if self.daemon.process.poll() is not None:
            self.daemon.start()
        return self.daemon.try_connect()

    def client(self):
        if self.daemon.process.poll() is not None or not self.daemon.clients:
            for client in self.daemon.clients:
                client.close()
            self.daemon.clients.clear()
            harness.wait_until(self.answering, 'a supervisor answers')
        return self.daemon.clients[-1]

    def start_app(self):
        client = self.client()
        if client.list():
            return
        try:
            client.start(self.path('app.sh'), name='app', cwd=self.daemon.apps, args=[self.path('source')], autorestart=False,
                         out_file='out.log', error_file='NULL', log_file='all.log', log_date_format='[D]', log_target='both')
        except CUT:
            self.daemon.process.wait(harness.TIMEOUT)
            self.start_app()

    def has_ended(self):
        """All is written and given back."""
        try:
            client = self.client()
            listed = client.list()
            kept = [name for name, _ in self.daemon.store.kept if name.startswith('w')]
            return listed and listed[0]['pm2_env']['status'] == 'stopped' and not kept
        except CUT:
            self.daemon.process.wait(harness.TIMEOUT)
            return False

    def has_all(self, name):
        with open(self.path(name), 'rb') as file:
            return file.read() == b''.join(b'D: ' + line + b'\n' for line in LINES)

    def check(self):
        for name in ('out.log', 'all.log'):
            harness.wait_until(lambda file=name: self.has_all(file), f'{name} has every line once')
        harness.wait_until(lambda: set(self.journal.lines) == set(LINES), 'the journal has every line')
        twice = len(self.journal.lines) - len(LINES)
        if twice not in (0, 1) or (twice and (self.point, self.side) not in TWICE):
            raise AssertionError(f'the journal has {twice} lines twice')

    def run(self):
        started = time.monotonic()
        with open(self.path('app.sh'), 'w', encoding='utf-8') as file:
            file.write(WRITER)
        os.chmod(self.path('app.sh'), 0o755)
        with open(self.path('source'), 'wb') as file:
            file.write(b'\n'.join(LINES))
        self.journal.lines.clear()
        self.daemon.start()
        self.faults.arm(self.point, self.side, self.passage)
        try:
            self.start_app()
            harness.wait_until(self.has_ended, f'it dies {self.side} {self.point} ({self.passage}), and all comes to its end')
            self.check()
        finally:
            self.daemon.end(expected_status=None)
        if self.faults.is_armed():
            if self.passage == 1:
                raise AssertionError('it was not passed')
            return
        print(f'# fault pump {self.point} {self.side} write {self.passage} {time.monotonic() - started:.1f}', flush=True)


def main():
    go_apart()
    journal, problems = Journal(), 0
    for point, passages in PASSAGES.items():
        if len(sys.argv) > 1 and point not in sys.argv[1:]:
            continue
        for side in SIDES:
            for passage in passages:
                try:
                    Run(journal, point, side, passage).run()
                except AssertionError as error:
                    problems += 1
                    print(f'{side} {point} ({passage}): {error}', flush=True)
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
