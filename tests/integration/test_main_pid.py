#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""MAINPID= of sd_notify(3): a program that puts itself into the background says which process is the main one."""

import glob
import os
import signal

import harness
from harness import wait_until

# A grandchild in a session of its own says that it is the main process, and who was started ends (--stay: does not).
# What is then written to the FIFO "NAME.do" it sends to NOTIFY_SOCKET; "\\n" stands for a newline.
DAEMON = '''#!/usr/bin/python3
import os, signal, socket, sys
name = sys.argv[1]
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect(os.environ['NOTIFY_SOCKET'])
said, saying = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    out.send(b'MAINPID=%d\\nREADY=1\\nSTATUS=in the background' % os.getpid())
    os.path.exists(name + '.do') or os.mkfifo(name + '.do')
    with open(name + '.new', 'w') as file:
        file.write('%d\\n' % os.getpid())
    os.rename(name + '.new', name)
    os.close(saying)
    for line in os.fdopen(os.open(name + '.do', os.O_RDWR)):
        if line.startswith('exit '):
            os._exit(int(line[5:]))
        out.send(line.strip().replace('\\\\n', '\\n').encode())
os.close(saying)
os.read(said, 1)
if '--stay' in sys.argv:
    signal.pause()
os._exit(3)
'''


class MainPid(harness.Case):
    def start_daemon(self, *args, **attributes):
        attributes = {'wait_ready': True, 'listen_timeout': 60000, 'notify': 'systemd'} | attributes
        path = self.client.start(self.script('daemon.py', DAEMON), name='app', args=[self.path('main'), *args],
                                 cwd=self.daemon.apps, **attributes)[0]
        return path, self.main_pid()

    def main_pid(self):
        return int(harness.wait_file(self.path('main')))

    def do(self, line):
        with open(self.path('main.do'), 'w', encoding='ascii') as file:
            file.write(line + '\n')

    def children(self):
        """Of the supervisor, zombies included."""
        pid = self.daemon.process.pid
        return harness.read_file(f'/proc/{pid}/task/{pid}/children').split()

    def started(self, pid):
        """The one that was started, which stays."""
        return next(int(child) for child in self.children()
                    if 'daemon.py' in harness.command_line(child) and int(child) != pid)

    def events(self):
        return [event for event, _ in self.client.events('app')]

    def test_it_is_followed(self):
        path, pid = self.start_daemon()
        self.client.wait_property(path, 'Pid', pid)
        self.assertEqual(self.client.property(path, 'StatusText'), 'in the background')
        # who was started has ended, was reaped, and its end was none of the app
        wait_until(lambda: self.client.property(path, 'Status') == 'online' and
                   not any(harness.process_state(child) == 'Z' for child in self.children()), 'nothing waits to be reaped')
        wait_until(lambda: len(harness.marked_processes(self.daemon.mark)) <= 2, 'one process is left')  # and pm2d
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))
        self.assertNotIn('exit', self.events())
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)
        described = self.client.describe('app')[0]
        self.assertEqual(described['pid'], pid)

    def test_its_end_counts(self):
        path, pid = self.start_daemon(autorestart=False)
        self.client.wait_property(path, 'Pid', pid)
        self.do('exit 7')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitCode'), 7)
        self.assertEqual(self.events().count('exit'), 1)

    def test_it_is_restarted(self):
        path, pid = self.start_daemon()
        self.client.wait_property(path, 'Pid', pid)
        os.remove(self.path('main'))
        os.kill(pid, signal.SIGKILL)
        self.client.wait_property(path, 'RestartCount', 1)
        second = self.main_pid()
        self.client.wait_property(path, 'Pid', second)
        self.assertNotEqual(second, pid)
        event, details = next((e, d) for e, d in self.client.events('app') if e == 'exit')
        self.assertEqual((event, details['signal']), ('exit', 'SIGKILL'))
        self.client.stop('app')
        self.assert_gone([pid, second])

    def test_who_was_before_may_stay(self):
        path, pid = self.start_daemon('--stay')
        self.client.wait_property(path, 'Pid', pid)
        first = self.started(pid)
        start = len(self.client.received)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: harness.process_state(first) is None, 'it is reaped')
        self.do('STATUS=still here')
        self.client.wait_property(path, 'StatusText', 'still here')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.client.events('app', start), [])

    def test_there_and_back(self):
        path, pid = self.start_daemon('--stay', autorestart=False)
        self.client.wait_property(path, 'Pid', pid)
        first = self.started(pid)
        self.do(f'MAINPID={first}')
        self.client.wait_property(path, 'Pid', first)
        os.kill(first, signal.SIGTERM)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGTERM')
        self.assert_gone([pid])

    def test_foreign_ones_are_refused(self):
        path, pid = self.start_daemon()
        self.client.wait_property(path, 'Pid', pid)
        other = self.client.property(self.client.start(self.sleeper(), name='other')[0], 'Pid')
        for wrong, why in ((os.getpid(), 'not one of this app'), (self.daemon.process.pid, 'not one of this app'),
                           (other, 'not one of this app'), (2 ** 22 - 1, 'no such process')):
            with self.subTest(wrong):
                self.do(f'MAINPID={wrong}')
                self.client.wait_property(path, 'StatusText', f'sd_notify: MAINPID={wrong} was refused: '
                                          + ('it is ' if 'one' in why else 'there is ') + why)
        self.do('MAINPID=1')
        self.client.wait_property(path, 'StatusText', 'sd_notify: MAINPID has a wrong value')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_the_number_of_a_pidfd(self):
        path, pid = self.start_daemon('--stay')
        self.client.wait_property(path, 'Pid', pid)
        first = self.started(pid)
        fd = os.pidfd_open(first)
        self.addCleanup(os.close, fd)
        number = os.fstat(fd).st_ino
        if os.fstat(fd).st_dev == os.stat('/proc').st_dev or number < 2:
            self.skipTest('pidfds have no numbers')
        self.do(f'MAINPID={first}\\nMAINPIDFDID={number + 1}')
        self.client.wait_property(path, 'StatusText', f'sd_notify: MAINPID={first} was refused: there is no such process')
        self.do(f'MAINPID={first}\\nMAINPIDFDID={number}')
        self.client.wait_property(path, 'Pid', first)

    def test_too_often(self):
        path, pid = self.start_daemon()
        self.client.wait_property(path, 'Pid', pid)
        for _ in range(20):
            self.do('MAINPID=4194303')
        self.client.wait_property(path, 'StatusText', 'sd_notify: MAINPID=4194303 was refused: it changes too often')

    def test_the_pid_file(self):
        pid_file = self.path('app.pid')
        path, pid = self.start_daemon(pid_file=pid_file)
        self.client.wait_property(path, 'Pid', pid)
        found = glob.glob(self.path('app*.pid'))
        wait_until(lambda: harness.read_file(found[0]).strip() == str(pid), 'it has the new pid')
        self.client.stop('app')
        self.assertEqual(glob.glob(self.path('app*.pid')), [])

    def test_after_a_crash(self):
        path, pid = self.start_daemon()
        self.client.wait_property(path, 'Pid', pid)
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Status')), (pid, 'online'))
        os.remove(self.path('main'))
        self.do('exit 5')
        self.client.wait_property(path, 'RestartCount', 1)
        self.client.wait_property(path, 'Pid', self.main_pid())
        self.client.stop('app')
        self.assert_gone([pid])

    def test_after_a_renewal(self):
        path, pid = self.start_daemon('--stay', autorestart=False)
        self.client.wait_property(path, 'Pid', pid)
        first = self.started(pid)
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: harness.process_state(first) is None, 'it is reaped')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.do('exit 9')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitCode'), 9)


class MainPidCgroup(MainPid):
    isolation = 'cgroup'


if __name__ == '__main__':
    harness.main()
