#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A supervisor of one caller alone, which ends with it however the caller ends: --lifeline of pm2d, and
PM2_CONNECT_NO_DAEMON of libpm2."""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess

import harness
from harness import wait_until

NO_SPAWN, SYSTEM, NO_DAEMON = 1, 2, 4
SLEEPER = '#!/bin/sh\nexec sleep 1000\n'
# Says when it was told to end, and goes when it may.
SLOW = "#!/bin/sh\ntrap 'echo told >{0}/told; while [ ! -e {0}/go ]; do sleep 0.02; done; exit 0' INT\n" \
       'echo ready >{0}/ready\nwhile :; do sleep 0.02; done\n'

BUS_CONFIG = '''<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
'''


class Caller:
    """A program on libpm2 with its own supervisor."""

    def __init__(self, daemon):
        path = harness.program('PM2D_TEST_CLIENT_PATH', 'tests/integration/libpm2-client')
        self.process = subprocess.Popen([path], env=daemon.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)

    def send(self, *words):
        self.process.stdin.write(' '.join(map(str, words)) + '\n')

    def receive(self):
        """(what the call returned, the error's text)"""
        result, _, text = self.process.stdout.readline().partition(' ')
        return int(result), text.strip()

    def call(self, *words):
        self.send(*words)
        return self.receive()

    def order(self, *words):
        """A call that succeeds."""
        result, text = self.call(*words)
        assert result >= 0, (words, result, text)
        return result

    def end(self):
        if not self.process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            errors = self.process.stderr.read()
            self.process.wait(harness.TIMEOUT)
            self.process.stdout.close()
            self.process.stderr.close()
            assert not any(word in errors for word in harness.SANITIZER_FINDINGS), errors
        return self.process.returncode


class Lives:
    """Pidfds of processes, taken while they live, to wait for the end of each."""

    def __init__(self, pids):
        self.fds = {pid: os.pidfd_open(pid) for pid in pids}

    def wait_end(self):
        for pid, fd in self.fds.items():
            ended, _, _ = select.select([fd], [], [], harness.TIMEOUT)
            os.close(fd)
            assert ended, f'{pid} lives: {harness.command_line(pid)}'


def server_pid(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize('3i'))
        return struct.unpack('3i', credentials)[0]


def descriptors(pid):
    """What each of its descriptors is; it may close one meanwhile."""
    found = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
    return found


def sockets(pid):
    return sum(name.startswith('socket:') for name in descriptors(pid))


def end_process(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def supervised(daemon):
    """All processes but those who call."""
    return [pid for pid in harness.marked_processes(daemon.mark) if 'libpm2-client' not in harness.command_line(pid)]


class LifelineCase(harness.Case):
    def app(self, daemon, name, text=SLEEPER):
        path = os.path.join(daemon.apps, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, 0o755)
        return path

    def assert_nothing_is_left(self, daemon):
        """Of a supervisor that has ended: no process, and in the runtime folder nothing but folders."""
        wait_until(lambda: not supervised(daemon), 'all processes are gone')
        left = [os.path.join(folder, name) for folder, _, names in os.walk(daemon.runtime) for name in names]
        self.assertEqual(left, [])
        log = os.path.join(daemon.state, 'pm2', 'pm2d.log')
        text = harness.read_file(log) if os.path.exists(log) else ''
        for word in harness.SANITIZER_FINDINGS:
            self.assertNotIn(word, text)
        return text


class OwnDaemon(LifelineCase):
    """libpm2 with PM2_CONNECT_NO_DAEMON, where nobody has started a supervisor."""

    def setUp(self):
        super().setUp()
        self.own = self.new_daemon()
        self.addCleanup(lambda: wait_until(lambda: not supervised(self.own), 'it ends with its caller'))

    def caller(self):
        caller = Caller(self.own)
        self.addCleanup(caller.end)
        return caller

    def connected(self):
        caller = self.caller()
        caller.order('connect', NO_DAEMON)
        return caller

    def lives(self):
        """The daemon and its apps."""
        with self.own.connect() as client:
            pids = [entry['pid'] for entry in client.list()]
        return Lives([server_pid(self.own.socket_path), *pids])

    def two_apps(self, caller):
        for name in ('first.sh', 'second.sh'):
            caller.order('start', self.app(self.own, name))
        return self.lives()

    def assert_all_ends(self, lives):
        lives.wait_end()
        log = self.assert_nothing_is_left(self.own)
        self.assertIn('ending (lifeline)', log)

    def test_caller_is_killed(self):
        caller = self.connected()
        lives = self.two_apps(caller)
        self.assertEqual(len(lives.fds), 3)
        caller.process.kill()
        self.assert_all_ends(lives)

    def test_caller_ends(self):
        caller = self.connected()
        lives = self.two_apps(caller)
        self.assertEqual(caller.end(), 0)
        self.assert_all_ends(lives)

    def test_caller_disconnects(self):
        caller = self.connected()
        lives = self.two_apps(caller)
        caller.order('disconnect')
        self.assert_all_ends(lives)
        self.assertEqual(caller.call('count')[1], 'the client is not connected')
        caller.order('connect', NO_DAEMON)  # another one
        self.assertEqual(caller.order('count'), 0)
        self.lives()

    def test_caller_kills_the_daemon(self):
        caller = self.connected()
        lives = self.two_apps(caller)
        caller.order('kill')
        lives.wait_end()
        self.assert_nothing_is_left(self.own)
        caller.order('connect', NO_DAEMON)

    def test_child_of_the_caller_does_not_hold_it(self):
        caller = self.connected()
        lives = self.two_apps(caller)
        pid = caller.order('execute')
        self.addCleanup(end_process, pid)
        wait_until(lambda: harness.command_line(pid).startswith('sleep'), 'the child has its program')
        child = Lives([pid])
        caller.process.kill()
        lives.wait_end()
        self.assertTrue(harness.is_alive(pid))
        end_process(pid)
        child.wait_end()
        self.assert_nothing_is_left(self.own)

    def test_apps_do_not_hold_it(self):
        caller = self.connected()
        self.app(self.own, 'fds.sh')
        caller.order('start', self.app(self.own, 'look.sh', f'#!/bin/sh\nls -l /proc/$$/fd >{self.own.apps}/fds\n'
                                       f'echo >>{self.own.apps}/fds\nexec sleep 1000\n'))
        daemon = server_pid(self.own.socket_path)
        pipe = os.readlink(f'/proc/{daemon}/fd/4')
        self.assertIn('pipe:', pipe)
        self.assertNotIn(pipe, harness.wait_file(f'{self.own.apps}/fds', lambda text: text.endswith('\n\n')))
        # the daemon has not got the other end, nor anybody but the caller
        ends = {pid: descriptors(pid) for pid in harness.marked_processes(self.own.mark)}
        self.assertEqual({pid: fds.count(pipe) for pid, fds in ends.items() if pipe in fds},
                         {daemon: 1, caller.process.pid: 1})

    def test_second_caller_meanwhile(self):
        caller, other, plain = self.connected(), self.connected(), self.caller()
        plain.order('connect', 0)
        lives = self.two_apps(caller)
        self.assertEqual(len(supervised(self.own)), 3)  # one daemon, two apps
        self.assertEqual((other.order('count'), plain.order('count')), (2, 2))
        for guest in (other, plain):
            guest.order('disconnect')
        self.assertEqual(caller.order('count'), 2)  # only its owner ends it
        other.order('connect', NO_DAEMON)
        other.order('start', self.app(self.own, 'third.sh'))
        lives = self.lives()
        self.assertEqual(len(lives.fds), 4)
        caller.process.kill()
        lives.wait_end()
        self.assertEqual(other.order('count'), 0)  # by one of its own
        lives = self.lives()
        other.order('disconnect')
        self.assert_all_ends(lives)

    def test_reexecute_in_between(self):
        for end in ('disconnect', 'kill -9'):
            with self.subTest(end):
                caller = self.connected()
                lives = self.two_apps(caller)
                for _ in range(3):
                    caller.order('reexecute')
                    caller.order('connect', NO_DAEMON)
                    self.assertEqual(caller.order('count'), 2)
                self.assertIn(server_pid(self.own.socket_path), lives.fds)
                caller.order('disconnect') if end == 'disconnect' else caller.process.kill()
                self.assert_all_ends(lives)

    def test_caller_ends_right_behind_reexecute(self):
        for _ in range(5):
            caller = self.connected()
            lives = self.two_apps(caller)
            caller.send('reexecute')
            caller.process.kill()
            self.assert_all_ends(lives)

    def test_dead_daemon_is_replaced_with_its_apps(self):
        caller = self.connected()
        self.two_apps(caller)
        daemon = server_pid(self.own.socket_path)
        dead = Lives([daemon])
        os.kill(daemon, signal.SIGKILL)
        dead.wait_end()
        caller.order('connect', NO_DAEMON)
        self.assertEqual(caller.order('count'), 2)
        lives = self.lives()
        self.assertNotIn(daemon, lives.fds)
        caller.process.kill()
        self.assert_all_ends(lives)

    def test_stop_is_in_order_and_the_next_caller_waits(self):
        caller, following = self.connected(), self.caller()
        caller.order('start', self.app(self.own, 'slow.sh', SLOW.format(self.own.apps)))
        harness.wait_file(f'{self.own.apps}/ready')
        with self.own.connect() as client:
            client.manager_call('SetProperties', 'sa{sv}', 'all', harness.options(kill_timeout=harness.TIMEOUT * 1000))
            lives = self.lives()
            first = server_pid(self.own.socket_path)
            caller.process.kill()
            harness.wait_file(f'{self.own.apps}/told')
            self.assertTrue(client.get(harness.MANAGER_PATH, harness.MANAGER, 'ShuttingDown'))
            connections = sockets(first)
            self.assertEqual(following.call('connect', NO_DAEMON | NO_SPAWN)[0], 0)  # as it is, since none may be started
            following.order('disconnect')
            wait_until(lambda: sockets(first) == connections, 'it has gone')
            following.send('connect', NO_DAEMON)
            wait_until(lambda: sockets(first) > connections, 'it has come')
            with open(f'{self.own.apps}/go', 'w', encoding='ascii'):
                pass
            killed = client.wait_message(lambda message: message.member == 'Killed', harness.TIMEOUT)
            self.assertEqual(killed.body, ['lifeline'])
        lives.wait_end()
        self.assertEqual(following.receive()[0], 0)
        self.assertNotEqual(server_pid(self.own.socket_path), first)
        self.assertEqual(following.order('count'), 0)
        lives = self.lives()
        self.assertEqual(following.end(), 0)
        self.assert_all_ends(lives)

    def test_flags(self):
        caller = self.caller()
        self.assertLess(caller.call('connect', NO_DAEMON | NO_SPAWN)[0], 0)
        result, text = caller.call('connect', NO_DAEMON | SYSTEM)
        self.assertLess(result, 0)
        self.assertIn('system', text)
        self.assertEqual(supervised(self.own), [])


class RunningDaemon(LifelineCase):
    def test_it_is_linked_to_and_stays(self):
        path = self.client.start_one(self.sleeper(), name='sleeper')
        for end in ('disconnect', 'end', 'kill -9'):
            with self.subTest(end):
                caller = Caller(self.daemon)
                self.addCleanup(caller.end)
                caller.order('connect', NO_DAEMON)
                self.assertEqual(caller.order('count'), 1)
                if end == 'disconnect':
                    caller.order('disconnect')
                elif end == 'end':
                    self.assertEqual(caller.end(), 0)
                else:
                    caller.process.kill()
                    caller.process.wait()
                self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertFalse(self.client.get(harness.MANAGER_PATH, harness.MANAGER, 'ShuttingDown'))


class OnBus(LifelineCase):
    """Where there is a user bus that could start the service."""

    def setUp(self):
        super().setUp()
        if not shutil.which('dbus-daemon'):
            self.skipTest('there is no dbus-daemon')
        self.own = self.new_daemon()
        self.marker = os.path.join(self.own.root, 'activated')
        self.own.extra_environment['DBUS_SESSION_BUS_ADDRESS'] = self.start_bus()

    def start_bus(self):
        services = os.path.join(self.own.root, 'services')
        os.mkdir(services)
        activated = self.app(self.own, 'activated.sh', f'#!/bin/sh\necho activated >{self.marker}\nexit 1\n')
        with open(os.path.join(services, 'org.pm2.Manager.service'), 'w', encoding='ascii') as file:
            file.write(f'[D-BUS Service]\nName=org.pm2.Manager\nExec={activated}\n')
        config = os.path.join(self.own.root, 'bus.conf')
        with open(config, 'w', encoding='ascii') as file:
            file.write(BUS_CONFIG.format(folder=self.own.root, services=services))
        bus = subprocess.Popen(['dbus-daemon', '--nofork', '--nosyslog', '--print-address', f'--config-file={config}'],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(bus.wait, harness.TIMEOUT)
        self.addCleanup(bus.terminate)
        self.addCleanup(bus.stdout.close)
        return bus.stdout.readline().strip()

    def caller(self):
        caller = Caller(self.own)
        self.addCleanup(caller.end)
        return caller

    def test_it_starts_nothing(self):
        caller = self.caller()
        caller.order('connect', NO_DAEMON)
        self.assertIn('--lifeline', harness.command_line(server_pid(self.own.socket_path)))
        daemon = Lives(supervised(self.own))
        caller.end()
        daemon.wait_end()
        self.assertFalse(os.path.exists(self.marker))
        self.assert_nothing_is_left(self.own)
        # as opposed to
        other = self.caller()
        other.send('connect', 0)
        harness.wait_file(self.marker)
        self.assertEqual(other.receive()[0], 0)  # by a private one, since that was none
        other.order('kill')

    def test_owner_of_the_name_is_used(self):
        reading, writing = os.pipe()
        with subprocess.Popen([harness.pm2d_path(), f'--ready-fd={writing}'], env=self.own.environment(),
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[writing]) as service:
            os.close(writing)
            with os.fdopen(reading) as ready:
                self.assertEqual(ready.read(), 'READY\n')
            os.unlink(self.own.socket_path)
            for end in ('disconnect', 'end'):
                caller = self.caller()
                caller.order('connect', NO_DAEMON)
                self.assertEqual(caller.order('count'), 0)
                caller.order('disconnect') if end == 'disconnect' else caller.end()
            caller = self.caller()
            caller.order('connect', NO_DAEMON)
            self.assertEqual(supervised(self.own), [service.pid])
            caller.order('kill')
            self.assertEqual(service.wait(harness.TIMEOUT), harness.EXIT_KILLED)  # by that alone
        self.assertFalse(os.path.exists(self.marker))


class Option(LifelineCase):
    """pm2d itself."""

    def start_on(self, daemon, fd):
        daemon.start([f'--lifeline={fd}'], pass_fds=[fd])

    def refused(self, *arguments, fds=()):
        daemon = self.new_daemon()
        result = subprocess.run([harness.pm2d_path(), *arguments], env=daemon.environment(), pass_fds=fds,
                                capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=harness.TIMEOUT)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn('--lifeline', result.stderr)
        return result.stderr

    def test_socket(self):
        daemon = self.new_daemon()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self.start_on(daemon, theirs.fileno())
            client = daemon.connect()
            client.start_one(self.app(daemon, 'sleeper.sh'))
            ours.send(b'whatever')  # is not read
            self.assertEqual(len(client.list()), 1)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assert_nothing_is_left(daemon)

    def test_caller_that_is_gone_before(self):
        daemon = self.new_daemon()
        reading, writing = os.pipe()
        os.close(writing)
        self.start_on(daemon, reading)
        os.close(reading)
        self.assertEqual(daemon.wait_exit(), 0)
        self.assert_nothing_is_left(daemon)

    def test_end_ordered_while_a_successor_is_tried(self):
        """It is not lost, neither that by the lifeline nor by a signal."""
        for end in ('lifeline', 'signal'):
            with self.subTest(end):
                self.end_while_tried(end, accepted=True)

    def test_end_before_the_successor_has_said_anything(self):
        for end in ('lifeline', 'signal'):
            with self.subTest(end):
                self.end_while_tried(end, accepted=False)

    def end_while_tried(self, end, accepted):
        daemon = self.new_daemon()
        tried, answer = os.path.join(daemon.root, 'tried'), os.path.join(daemon.root, 'answer')
        for fifo in (tried, answer):
            os.mkfifo(fifo)
        program = os.path.join(daemon.root, 'pm2d')
        with open(daemon.program, 'rb') as file, open(program, 'wb') as copy:
            copy.write(file.read())
        os.chmod(program, 0o755)
        daemon.program = program
        reading, writing = os.pipe()
        self.start_on(daemon, reading)
        os.close(reading)
        client = daemon.connect()
        client.start_one(self.app(daemon, 'slow.sh', SLOW.format(daemon.apps)), kill_timeout=harness.TIMEOUT * 1000)
        harness.wait_file(f'{daemon.apps}/ready')
        with open(program + '.new', 'w', encoding='ascii') as file:
            file.write(f'#!/bin/sh\necho "$*" >{tried}\nread word <{answer}\necho OK\n')
        os.chmod(program + '.new', 0o755)
        os.rename(program + '.new', program)
        call = client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Reexecute', '')
        self.assertNotIn('lifeline', harness.read_file(tried))
        if end == 'signal':
            daemon.process.send_signal(signal.SIGTERM)
        else:
            os.close(writing)
        harness.wait_file(f'{daemon.apps}/told')
        if accepted:
            with open(answer, 'w', encoding='ascii') as file:
                file.write('go\n')
            self.assertEqual(client.wait_reply(call).error_name, 'org.pm2.Error.ShuttingDown')
        with open(f'{daemon.apps}/go', 'w', encoding='ascii'):
            pass
        self.assertEqual(client.wait_reply(call).error_name, 'org.pm2.Error.ShuttingDown')
        self.assertEqual(daemon.wait_exit(), 0)
        if end == 'signal':
            os.close(writing)
        self.assert_nothing_is_left(daemon)

    def test_unfit_descriptors(self):
        reading, writing = os.pipe()
        self.refused('--private', '--lifeline=99')
        self.refused('--private', '--lifeline=x')
        self.refused('--private', '--lifeline=-1')
        self.assertIn('reading end', self.refused('--private', f'--lifeline={writing}', fds=[writing]))
        self.assertIn('reading end', self.refused('--private', '--lifeline=0'))  # /dev/null
        self.assertIn('--private', self.refused(f'--lifeline={reading}', fds=[reading]))
        self.assertIn('of its own', self.refused('--private', f'--lifeline={reading}', f'--ready-fd={reading}',
                                                 fds=[reading]))
        os.close(reading)
        os.close(writing)


if __name__ == '__main__':
    harness.main()
