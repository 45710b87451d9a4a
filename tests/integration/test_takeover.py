#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What outlives the supervisor, with a service manager played by the test: it keeps the file descriptors that
it is given, and gives them to the next pm2d."""

import array
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import threading
import time

import harness
import test_main_pid

HOUR = 60 * 60 * 1000


class FdStore:
    """The notify socket of a service manager."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'notify')
        self.kept = []  # of (name, fd)
        self.removes = True  # or it does not come to it
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.closer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.closer.connect(self.path)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
            fds = array.array('i')
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(content)
            if data == b'END':
                return
            self.take(dict(line.split('=', 1) for line in data.decode().splitlines()), list(fds))

    def take(self, said, fds):
        if 'FDSTORE' in said:
            self.kept += [(said['FDNAME'], fd) for fd in fds]
            return
        for fd in fds:  # of a barrier: what came before it has been taken
            os.close(fd)
        if 'FDSTOREREMOVE' in said and self.removes:
            for entry in [entry for entry in self.kept if entry[0] == said['FDNAME']]:
                self.kept.remove(entry)
                os.close(entry[1])

    def end(self):
        self.closer.send(b'END')
        self.thread.join()
        for _, fd in self.kept:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.socket.close()
        self.closer.close()


class KeptDaemon(harness.Daemon):
    def __init__(self, **values):
        super().__init__(**values)
        self.store = FdStore(self.root)
        self.extra_environment = {**self.extra_environment, 'NOTIFY_SOCKET': self.store.path}

    def start(self, arguments=(), wait=True):
        """As a service manager does it: what is kept from descriptor 3 on."""
        self.enter_cgroup()
        kept = list(self.store.kept)
        ready_read, ready_write = os.pipe()
        cgroup = self.cgroup
        first = 100  # out of the way, then down to their places
        moved = [duplicate(fd, first) for _, fd in kept]
        ready = duplicate(ready_write, first)

        def in_child():
            if cgroup:
                with open(os.path.join(cgroup, 'cgroup.procs'), 'w', encoding='ascii') as file:
                    file.write('0')
            for number, fd in enumerate(moved):
                os.dup2(fd, 3 + number)

        names = ':'.join(name for name, _ in kept)
        command = (f'export LISTEN_PID=$$ LISTEN_FDS={len(kept)} LISTEN_FDNAMES={names}; exec "$@"' if kept
                   else 'exec "$@"')
        with open(self.stderr_path, 'ab') as stderr:
            self.process = subprocess.Popen(
                ['/bin/sh', '-c', command, 'sh', harness.pm2d_path(), '--private', f'--ready-fd={ready}', *arguments],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, cwd=self.root, env=self.environment(),
                pass_fds=[ready, *moved, *range(3, 3 + len(kept))], preexec_fn=in_child)
        for fd in (*moved, ready, ready_write):
            os.close(fd)
        with os.fdopen(ready_read, 'rb', buffering=0) as report:
            if wait and not report.read(64):
                self.wait_exit()
                raise AssertionError(f'pm2d was not ready: status {self.status}\n{self.log_text()}')
        return self

    def end(self, expected_status=0):
        found = super().end(expected_status)
        self.store.end()
        return found


def duplicate(fd, minimum):
    return fcntl.fcntl(fd, fcntl.F_DUPFD, minimum)


class Takeover(harness.Case):
    isolation = 'none'

    def new_daemon(self, **values):
        daemon = KeptDaemon(isolation=self.isolation, settings=self.settings, **values)
        self.addCleanup(self._end_daemon, daemon)
        return daemon

    def replace(self):
        """kill -9, and the next one. Its client."""
        self.client.close()
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        return self._client

    def start_app(self, text, wait=True, **attributes):
        script = self.script('app.sh', text)
        return self.client.start(script, name='app', cwd=self.daemon.apps, wait=wait, **attributes)[0]

    def events(self):
        return [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', 'app', 0)]

    def test_history_is_kept(self):
        path = self.start_app('#!/bin/sh\nexec sleep 1000\n')
        before = self.client.manager_call('RecentEvents', 'su', 'app', 0)
        pid = self.client.property(path, 'Pid')
        self.replace()
        after = self.client.manager_call('RecentEvents', 'su', 'app', 0)
        self.assertEqual(after[:-1], before)
        self.assertEqual(after[-1]['event'], 'taken-over')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.replace()
        self.assertEqual(self.events(), ['command', 'online', 'taken-over', 'taken-over'])

    def test_closed_before_the_service_manager_comes_to_it(self):
        server = self.script('server.py', '#!/usr/bin/python3\nimport socket\nserver = socket.socket(fileno=3)\n'
                                          'while True:\n    server.accept()[0].sendall(b"here\\n")\n')
        with socket.create_server(('127.0.0.1', 0)) as chosen:
            address = chosen.getsockname()
        unix = self.path('a.sock')
        self.client.start_one(server, name='app', interpreter='none',
                              listen=[f'tcp:{address[0]}:{address[1]}', f'unix:{unix}'])
        held = os.open(unix, os.O_PATH)
        self.addCleanup(os.close, held)
        self.daemon.store.removes = False
        for verb in ('Stop', 'Delete'):
            with socket.create_connection(address, harness.TIMEOUT) as client:
                self.assertEqual(client.makefile().readline(), 'here\n')
            self.client.manager_call(verb, 'sa{sv}', 'app', {})
            self.assertRaises(ConnectionRefusedError, socket.create_connection, address, harness.TIMEOUT)
            with socket.socket(socket.AF_UNIX) as client:
                self.assertRaises(ConnectionRefusedError, client.connect, f'/proc/self/fd/{held}')
            if verb == 'Stop':  # at the same place, while the one before is yet kept
                self.client.manager_call('Start', 'sa{sv}', 'app', {})
        self.replace()
        self.assertEqual(self.client.list(), [])

    def test_rest_of_a_delay_is_kept(self):
        path = self.start_app('#!/bin/sh\nexit 1\n', wait=False, restart_delay=HOUR)
        self.client.wait_status(path, 'waiting-restart')
        due = self.client.property(path, 'NextRestart')
        self.replace()
        self.assertEqual(self.client.property(path, 'Status'), 'waiting-restart')
        self.assertEqual(self.client.property(path, 'NextRestart'), due)
        self.assertIn('restarted after 3600 s', self.client.property(path, 'LastReason'))

    def test_delay_that_passed_meanwhile_is_over(self):
        path = self.start_app('#!/bin/sh\necho run >>runs\ntest -e good || exit 1\nexec sleep 1000\n', wait=False,
                              restart_delay=3000)
        self.client.wait_status(path, 'waiting-restart')
        due = self.client.property(path, 'NextRestart') / 1e6
        self.script('good', '')
        self.replace()
        self.client.wait_status(path, 'online')
        self.assertGreaterEqual(time.time() + 0.01, due)
        self.assertEqual(self.client.property(path, 'NextRestart'), 0)

    def test_row_of_delays_goes_on(self):
        path = self.start_app('#!/bin/sh\nexit 1\n', wait=False, exp_backoff_restart_delay=1500)
        self.client.wait_status(path, 'waiting-restart')
        self.replace()
        self.client.wait_property(path, 'UnstableRestarts', 2)
        delays = [entry['delay'] for entry in self.client.manager_call('RecentEvents', 'su', 'app', 0)
                  if entry['event'] == 'restart']
        self.assertEqual(delays[:2], [1500000, 2250000])

    def test_pre_start_goes_on(self):
        os.mkfifo(self.path('pipe'))
        path = self.start_app('#!/bin/sh\necho main >>order\nexec sleep 1000\n', wait=False,
                              pre_start='echo pre >>order; echo $$ >hook; read line <pipe')
        hook = int(harness.wait_file(self.path('hook')))
        self.replace()
        self.assertTrue(harness.is_alive(hook))
        self.assertEqual(self.client.property(path, 'Status'), 'launching')

        def goes_on():
            with contextlib.suppress(OSError):  # nobody reads at the moment
                fd = os.open(self.path('pipe'), os.O_WRONLY | os.O_NONBLOCK)
                os.write(fd, b'on\n')
                os.close(fd)
            return self.client.property(path, 'Status') == 'online'

        harness.wait_until(goes_on, 'it is online')
        order = harness.wait_file(self.path('order'), lambda text: 'main' in text).split()
        # A kernel that does not tell how a foreign child ended has the hook run once more.
        self.assertIn(order, (['pre', 'main'], ['pre', 'pre', 'main']))

    def test_main_process_that_was_named_is_kept(self):
        path = self.client.start(self.script('daemon.py', test_main_pid.DAEMON), name='app', args=[self.path('main')],
                                 notify='systemd', wait_ready=True, listen_timeout=HOUR)[0]
        pid = int(harness.wait_file(self.path('main')))
        self.client.wait_property(path, 'Pid', pid)
        for _ in range(2):
            client = self.replace()
            kept = [fd for name, fd in self.daemon.store.kept if name.startswith('p')]
            self.assertEqual([self.pid_of(fd) for fd in kept], [pid])
            self.assertEqual((client.property(path, 'Pid'), client.property(path, 'Status')), (pid, 'online'))
        os.kill(pid, signal.SIGKILL)
        client.wait_property(path, 'RestartCount', 1)
        client.wait_property(path, 'Pid', lambda new: new not in (0, pid))

    def pid_of(self, pidfd):
        lines = harness.read_file(f'/proc/self/fdinfo/{pidfd}').splitlines()
        return int(next(line for line in lines if line.startswith('Pid:')).split()[1])

    def test_post_stop_of_what_was_taken_over(self):
        path = self.start_app('#!/bin/sh\necho main >>order\nexec sleep 1000\n', post_stop='echo post >>order')
        harness.wait_file(self.path('order'))
        self.replace()
        self.client.stop('app')
        self.assertEqual(harness.read_file(self.path('order')), 'main\npost\n')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')


if __name__ == '__main__':
    harness.main()
