#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's sockets under load, and with all that a client can do wrong: an honest client and the apps notice nothing.

    PM2D_TEST_SECONDS=60      how long the clients of the first case watch (default: 60 in the full tier, else 10)
    PM2D_TEST_PEER=pm2        what PM2's own daemon makes of the attacks
"""

import contextlib
import fcntl
import json
import os
import pty
import random
import resource
import select
import signal
import socket
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
import unittest

import harness
import pm2_home
from harness import wait_until
from pm2_home import HOMES, Closed, RpcError, cpu_usec, frame, memory_bytes

FULL = bool(os.environ.get('PM2D_TEST_FULL'))
SECONDS = int(os.environ.get('PM2D_TEST_SECONDS', '60' if FULL else '10'))
PEER = os.environ.get('PM2D_TEST_PEER', 'pm2d')
WATCHED = 100
CPU_SHARE = 1 / 3
# Of a new connection each: a second, and for how long
CONNECTS, ATTACK_SECONDS = 1000, 20
STALLED_MAX = 400
CONNECTIONS = 10000
# A heap does not give back every page.
MEMORY_TOLERANCE = 4 << 20
# What a client that reads nothing may have pending.
BACKLOG_TOLERANCE = 16 << 20
HEADER = bytes([0x12])
ECHO = "process.on('message', (p) => process.send({type: 'echo', data: {n: p.data.n}}))\n"


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def monit(home):
    """The real one in a terminal of its own; (pid, terminal)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.apps)
        os.execvpe('node', ['node', home.command(), 'monit'], {**home.environment(), 'TERM': 'xterm'})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
    return pid, terminal


def drain(terminal, counted):
    """Read what is drawn, until it ends."""
    with contextlib.suppress(OSError):
        while True:
            data = os.read(terminal, 1 << 16)
            if not data:
                return
            counted.append(len(data))


class Watching(unittest.TestCase):
    """pm2 monit and pm2 jlist, as users leave them running, cost pm2d at most a third of what they cost PM2's daemon."""

    def watch(self, kind):
        """Processor time of who serves, in µs."""
        with HOMES[kind]() as home:
            home.script('sleeper.sh', '#!/bin/sh\nexec sleep 1000\n')
            home.script('apps.json', json.dumps({'apps': [
                {'name': 'app', 'script': 'sleeper.sh', 'instances': WATCHED, 'exec_mode': 'fork'}]}))
            home.pm2('start', 'apps.json', timeout=120)
            with home.rpc() as rpc:
                self.assertEqual([one['pm2_env']['status'] for one in rpc.list()], ['online'] * WATCHED)
            pid = home.pid
            before, started = cpu_usec(pid), time.monotonic()
            viewer, terminal = monit(home)
            drawn = []
            reader = threading.Thread(target=drain, args=(terminal, drawn))
            reader.start()
            try:
                for second in range(SECONDS):
                    self.assertEqual(len(home.jlist()), WATCHED)
                    left = started + second + 1 - time.monotonic()
                    if left > 0:
                        time.sleep(left)  # one a second: the same for both
            finally:
                os.kill(viewer, signal.SIGKILL)
                os.waitpid(viewer, 0)
                reader.join()
                os.close(terminal)
            self.assertGreater(sum(drawn), 1000, 'monit drew nothing')
            usec = cpu_usec(pid) - before
            print(f'# {kind}: {usec / 1000:.0f} ms in {time.monotonic() - started:.1f} s', flush=True)
            return usec

    def test_monit_and_jlist(self):
        theirs, ours = self.watch('pm2'), self.watch(PEER)
        print(f'# {SECONDS} s of pm2 monit and jlist, {WATCHED} processes: pm2d {ours / 1000:.0f} ms, '
              f'PM2 {theirs / 1000:.0f} ms, {ours / theirs:.2f}', flush=True)
        self.assertLessEqual(ours, theirs * CPU_SHARE)


class Honest:
    """A client that does nothing wrong, and an app that works: how long each round takes is written down."""

    def __init__(self, home):
        self.home = home
        self.rpc = home.rpc()
        self.bus = home.bus()
        self.count = 0

    def round(self):
        """Milliseconds of a ping, of a list, and of a message to the app and back."""
        times = []
        started = time.monotonic()
        assert self.rpc.call('ping', {}) == {'msg': 'pong'}
        times.append(time.monotonic() - started)
        started = time.monotonic()
        assert [one['pm2_env']['status'] for one in self.rpc.list()] == ['online', 'online']
        times.append(time.monotonic() - started)
        self.count += 1
        started = time.monotonic()
        self.rpc.call('sendDataToProcessId', {'id': 1, 'type': 'process:msg', 'topic': True, 'data': {'n': self.count}})
        while True:
            name, payload = self.bus.receive()
            if name == 'echo' and payload['data']['n'] == self.count:
                break
        times.append(time.monotonic() - started)
        return [value * 1000 for value in times]

    def drain(self):
        """Take what the bus told."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.bus.receive(0.001)

    def rounds(self, seconds, new_connections=False):
        """Of each kind: the times."""
        found = ([], [], [])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for times, value in zip(found, self.round()):
                times.append(value)
            if new_connections:  # as each command does
                with self.home.rpc() as rpc:
                    assert rpc.call('getVersion', {})
            time.sleep(0.05)
        return found

    def close(self):
        self.rpc.close()
        self.bus.close()


class LoadCase(unittest.TestCase):
    def setUp(self):
        self.home = HOMES[PEER]()
        self.addCleanup(self.end_home)
        self.home.start()
        self.pid = self.home.pid
        self.home.script('sleeper.sh', '#!/bin/sh\nexec sleep 1000\n')
        self.home.script('echo.js', ECHO)
        self.home.pm2('start', 'sleeper.sh', '--name', 'still')
        self.home.pm2('start', 'echo.js', '--name', 'echo', '--no-pmx')
        self.apps = self.app_pids()
        self.honest = Honest(self.home)
        self.addCleanup(self.honest.close)
        self.honest.round()

    def end_home(self):
        found = self.home.end()
        if found:
            self.fail('\n'.join(found))

    def app_pids(self):
        return {one['name']: (one['pid'], one['pm2_env']['status'], one['pm2_env']['restart_time'])
                for one in self.home.rpc_list()}

    def assert_nothing_noticed(self):
        self.assertTrue(harness.is_alive(self.pid), 'who serves it is there')
        self.honest.round()
        self.assertEqual(self.app_pids(), self.apps)
        self.assertEqual(self.home.pid, self.pid)


# In a process of its own, so that the honest client is not slowed by what it has to do itself.
ATTACKER = '''
import collections, random, socket, struct, sys, time
rpc, pub, rate, seconds, stalled_max = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:6])
ping = b'j:{"type":"call","method":"ping","args":[{}]}'
whole = bytes([0x12]) + struct.pack('>I', len(ping)) + ping + struct.pack('>I', 3) + b's:1'
stalled = collections.deque()
done = refused = 0
generator = random.Random(1)
started = time.monotonic()
while time.monotonic() < started + seconds:
    due = int((time.monotonic() - started) * rate)
    while done + refused < due:
        kind = (done + refused) % 7
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(1)
        try:
            one.connect(pub if kind == 6 else rpc)
            if kind == 1:
                one.sendall(whole[:generator.randrange(1, len(whole))])
            elif kind == 2:
                one.sendall(whole)
            elif kind == 3:
                one.sendall(whole * 3 + whole[:7])
            elif kind == 4:
                one.sendall(generator.randbytes(200))
            elif kind == 5:
                one.sendall(bytes([0x12, 0x7f, 0xff, 0xff, 0xff]) + b'j:')
            done += 1
        except OSError:
            refused += 1
        if kind in (0, 2):
            one.close()
        else:
            stalled.append(one)
            while len(stalled) > stalled_max:
                stalled.popleft().close()
    time.sleep(0.002)
print(done, refused)
'''


class Connects(LoadCase):
    def test_a_thousand_a_second(self):
        """With stalls, half frames and disconnects."""
        idle = self.honest.rounds(3)
        memory, fds = memory_bytes(self.pid), descriptors(self.pid)
        used = cpu_usec(self.pid)
        attacker = subprocess.Popen([sys.executable, '-c', ATTACKER, self.home.rpc_path, self.home.pub_path, str(CONNECTS),
                                     str(ATTACK_SECONDS), str(STALLED_MAX)], stdout=subprocess.PIPE, text=True)
        loaded = self.honest.rounds(ATTACK_SECONDS, new_connections=True)
        done, refused = map(int, attacker.communicate(timeout=harness.TIMEOUT)[0].split())
        print(f'# {done} connections, {refused} refused, {(cpu_usec(self.pid) - used) / 1000:.0f} ms of processor time',
              flush=True)
        for name, before, after in zip(('ping', 'list', 'message'), idle, loaded):
            middle = statistics.median(before), statistics.median(after)
            worst = sorted(after)[int(len(after) * 0.99)]
            print(f'# {name}: {middle[0]:.2f} ms idle, {middle[1]:.2f} ms under load, p99 {worst:.1f} ms', flush=True)
            self.assertLess(middle[1], middle[0] * 5 + 10, name)
            self.assertLess(worst, 500, name)
        self.assertGreater(done, CONNECTS * ATTACK_SECONDS * 0.8)
        self.assert_nothing_noticed()
        wait_until(lambda: descriptors(self.pid) <= fds + 2, 'their descriptors are closed')
        self.assertLess(memory_bytes(self.pid), memory + MEMORY_TOLERANCE)


# Says how it went, and holds them.
CROWD = '''
import socket, sys
held, refused = [], 0
for number in range(int(sys.argv[3])):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(1)
    held.append(one)
    try:
        one.connect(sys.argv[1 + number % 2])
        if number % 3 == 0:
            one.send(bytes([0x12, 0, 0]))
    except OSError:
        refused += 1
print(refused, 'refused', flush=True)
sys.stdin.read()
'''


def call(*values, **members):
    return frame({'type': 'call', **members}, *values)


def raw(body, identity=b's:id'):
    return HEADER + struct.pack('>I', len(body)) + body + struct.pack('>I', len(identity)) + identity


METHODS = ('prepare', 'getMonitorData', 'getSystemData', 'startProcessId', 'stopProcessId', 'restartProcessId',
           'reloadProcessId', 'softReloadProcessId', 'deleteProcessId', 'duplicateProcessId', 'resetMetaProcessId',
           'sendSignalToProcessId', 'sendSignalToProcessName', 'sendLineToStdin', 'sendDataToProcessId', 'msgProcess',
           'stopWatch', 'startWatch', 'toggleWatch', 'notifyByProcessId', 'monitor', 'unmonitor', 'ping', 'getVersion',
           'getReport', 'reloadLogs', 'profileCPU', 'profileMEM')
# What no method takes.
ARGUMENTS = ([], [None], [[]], [-1], [1e300], ['\0'], ['x' * 100000], [{'id': None}], [{'id': {}}], [{'id': '../..'}],
             [{'env': 5}], [None, None, None, None], [{'process_id': -1, 'signal': 'SIGKILL'}], [{'process_id': 99, 'signal': 9}],
             [{'name': 5, 'msg': {}}], [{'pm_exec_path': 5}], [{'name': [], 'env': [], 'instances': {}}],
             [{'pm_exec_path': '/bin/true', 'pm_out_log_path': 5, 'instances': 1e9, 'name': 'x'}],
             [{'pm_exec_path': '/bin/true', 'cron_restart': 'not a pattern', 'name': 'x'}])
FRAMES = {
    'no arguments in ping': call('id', method='ping', args=[]),
    'args that are no list': call('id', method='ping', args={'a': 1}),
    'args that are a number': call('id', method='ping', args=5),
    'null': frame(None, 'id'),
    'a list': frame([1, 2], 'id'),
    'a string': frame('ping', 'id'),
    'a number': raw(b'j:5'),
    'invalid JSON': raw(b'j:{"type":'),
    'empty JSON': raw(b'j:'),
    'JSON and more': raw(b'j:{} {}'),
    'deep JSON': raw(b'j:' + b'[' * 200000),
    'deep JSON that is whole': raw(b'j:' + b'[' * 50000 + b']' * 50000),
    'not UTF-8': raw(b'j:{"type":"call","method":"\xff\xfe","args":[{}]}'),
    'NUL in it': raw(b'j:{"type":"call","method":"pi\0ng","args":[{}]}'),
    'NUL escaped': raw(b'j:{"type":"call","method":"pi\\u0000ng","args":[{}]}'),
    'half a surrogate': raw(b'j:{"type":"call","method":"\\ud800","args":["\\ud800"]}'),
    'keys twice': raw(b'j:{"type":"call","method":"ping","method":"list","args":[{}],"args":[]}'),
    'a number out of range': raw(b'j:{"type":"call","method":"stopProcessId","args":[99999999999999999999999]}'),
    'a number that is infinite': raw(b'j:{"type":"call","method":"stopProcessId","args":[1e999]}'),
    'raw bytes as call': raw(b'\1\2\3\4'),
    'method that is a number': call('id', method=5, args=[{}]),
    'method of Object': call('id', method='__proto__', args=[{}]),
    'method constructor': call('id', method='constructor', args=[{}]),
    'three arguments': frame({'type': 'call', 'method': 'ping', 'args': [{}]}, 'id', 'more'),
    'fifteen arguments': frame(*[{'type': 'call', 'method': 'ping', 'args': [{}]}] * 15),
    'one argument': frame({'type': 'call', 'method': 'ping', 'args': [{}]}),
    'no argument': bytes([0x10]),
    'many of no argument': bytes([0x10]) * 10000,
    'empty arguments': HEADER + bytes(8),
    'an empty id': raw(b'j:{"type":"call","method":"ping","args":[{}]}', b''),
    'a long id': raw(b'j:{"type":"call","method":"nope","args":[{}]}', b's:' + b'x' * 100000),
    'an id that is JSON': raw(b'j:{"type":"call","method":"nope","args":[{}]}', b'j:{"a":[1,2,3]}'),
    'zeros': bytes(4096),
    'text': b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'ones': b'\xff' * 4096,
    'stop of null': call('id', method='stopProcessId', args=[None]),
}
# Some of these change what is there, were they believed.
HARMLESS = {'a long id': 'error', 'an id that is JSON': 'error'}


def outcome(home, data, wait=0.3):
    """What a connection of its own gets for it: 'error', 'reply', 'closed' or 'nothing'."""
    with contextlib.closing(home.rpc()) as wire:
        try:
            wire.send(data)
            values = wire.receive(wait)
        except TimeoutError:
            return 'nothing'
        except (Closed, ConnectionResetError, BrokenPipeError):
            return 'closed'
        return 'error' if isinstance(values[0], dict) and 'error' in values[0] else 'reply'


class BadInput(LoadCase):
    def test_frames(self):
        found = {}
        for name, data in FRAMES.items():
            with self.subTest(name):
                found[name] = outcome(self.home, data)
                self.assert_nothing_noticed()
                self.assertEqual(found[name], HARMLESS.get(name, found[name]))
        print('# ' + json.dumps(found), flush=True)

    def test_calls_of_a_wrong_shape(self):
        """An error, or an answer that says that nothing was done."""
        for method in METHODS:
            for args in ARGUMENTS:
                with self.subTest(method=method, args=str(args)[:60]):
                    got = outcome(self.home, call('id', method=method, args=args), wait=5)
                    self.assertIn(got, ('error', 'reply'))
            self.assertTrue(harness.is_alive(self.pid), method)
            self.assertEqual({name: self.app_pids().get(name) for name in self.apps}, self.apps, method)
        # what was started by an argument that happens to be right
        with self.home.rpc() as rpc:
            for one in rpc.list():
                if one['name'] not in self.apps:
                    rpc.call('deleteProcessId', one['pm_id'])
        self.assert_nothing_noticed()

    def test_random_bytes(self):
        generator = random.Random(7)
        valid = call('id', method='getMonitorData', args=[{}])
        for number in range(400):
            data = bytearray(generator.randbytes(generator.randrange(1, 2000)))
            if number % 2:
                data = bytearray(valid)
                for _ in range(generator.randrange(1, 6)):
                    data[generator.randrange(len(data))] = generator.randrange(256)
            with contextlib.suppress(OSError), contextlib.closing(self.home.rpc()) as wire:
                wire.send(bytes(data))
                if number % 3 == 0:
                    wire.socket.shutdown(socket.SHUT_WR)
                if number % 5 == 0:
                    with contextlib.suppress(TimeoutError, Closed, ValueError):
                        wire.receive(0.05)
        self.assert_nothing_noticed()

    def test_split_anywhere(self):
        data = call('id', method='ping', args=[{}]) * 2
        for at in range(1, len(data)):
            with contextlib.closing(self.home.rpc()) as wire:
                wire.send(data[:at])
                wire.send(data[at:])
                self.assertEqual([wire.receive(), wire.receive()], [[{'args': [{'msg': 'pong'}]}, 'id']] * 2)

    def test_ids_of_any_type(self):
        for body in (b's:text', b's:', b'j:{"a":1}', b'j:5', b'\0\1\2', b'plain'):
            with self.subTest(body), contextlib.closing(self.home.rpc()) as wire:
                wire.send(raw(b'j:{"type":"call","method":"ping","args":[{}]}', body))
                self.assertEqual(wire.receive(), [{'args': [{'msg': 'pong'}]}, pm2_home.decode(body)])

    def test_giant_frames(self):
        """Nobody waits for two gigabytes of a stranger."""
        memory = memory_bytes(self.pid)
        block = b'x' * (1 << 20)
        for header in (HEADER + b'\x7f\xff\xff\xff', HEADER + b'\xff\xff\xff\xff', HEADER + b'\x10\x00\x00\x00j:["'):
            with self.subTest(header), contextlib.closing(self.home.rpc()) as wire:
                wire.socket.settimeout(5)
                with self.assertRaises(OSError, msg='it took all'):
                    wire.send(header)
                    for _ in range(256):
                        wire.send(block)
                self.assert_nothing_noticed()
        self.assertLess(memory_bytes(self.pid), memory + MEMORY_TOLERANCE)

    def test_ten_thousand_connections(self):
        """Of another process: it may be told to go, and nobody else."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < CONNECTIONS + 1000:
            self.skipTest(f'RLIMIT_NOFILE is {hard}')
        memory, fds = memory_bytes(self.pid), descriptors(self.pid)
        crowd = subprocess.Popen([sys.executable, '-c', CROWD, self.home.rpc_path, self.home.pub_path, str(CONNECTIONS)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard)))
        try:
            while not select.select([crowd.stdout], [], [], 0)[0]:
                self.honest.round()
            line = crowd.stdout.readline().strip()
            self.honest.rounds(1, new_connections=True)
            print(f'# {CONNECTIONS} connections, {line}; {descriptors(self.pid)} descriptors, '
                  f'{(memory_bytes(self.pid) - memory) >> 10} kB more', flush=True)
        finally:
            crowd.kill()
            crowd.communicate()
        wait_until(lambda: descriptors(self.pid) <= fds + 2, 'their descriptors are closed')
        self.assert_nothing_noticed()
        self.assertLess(memory_bytes(self.pid), memory + 2 * MEMORY_TOLERANCE)

    def test_a_client_that_never_reads(self):
        """Neither answers nor events are kept for it without bound."""
        memory = memory_bytes(self.pid)
        request = call('id', method='getMonitorData', args=[{}])
        with contextlib.closing(self.home.rpc()) as deaf, contextlib.closing(self.home.bus()) as subscriber:
            deaf.socket.settimeout(0.5)
            with contextlib.suppress(OSError):
                for _ in range(50):
                    deaf.send(request * 1000)
            # each tells of a whole process
            for _ in range(100):
                pending = [self.honest.rpc.request('notifyByProcessId', {'id': 0, 'action_name': 'noise', 'manually': True})
                           for _ in range(50)]
                for identity in pending:
                    self.honest.rpc.reply_to(identity)
                self.honest.drain()
            self.honest.round()
            grown = memory_bytes(self.pid) - memory
            print(f'# with two that never read: {grown >> 10} kB more', flush=True)
            self.assertLess(grown, BACKLOG_TOLERANCE)
            subscriber.close()
        self.assert_nothing_noticed()
        wait_until(lambda: memory_bytes(self.pid) < memory + BACKLOG_TOLERANCE / 2, 'what was kept for them is given back')

    def test_kill_of_others(self):
        """A pid in a message is not believed."""
        victim = subprocess.Popen(['sleep', '1000'])
        try:
            for method, args in (('sendSignalToProcessId', {'process_id': victim.pid, 'signal': 'SIGKILL'}),
                                 ('stopProcessId', victim.pid)):
                with self.home.rpc() as rpc, self.assertRaises(RpcError):
                    rpc.call(method, args)
            self.assertIsNone(victim.poll())
        finally:
            victim.kill()
            victim.wait()
        self.assert_nothing_noticed()

    def test_kill_me_ends_nobody_else(self):
        """It tells the client that asks, and no process that it names."""
        victim = subprocess.Popen(['sleep', '1000'])
        try:
            with self.home.rpc() as rpc:
                rpc.request('killMe', {'pid': victim.pid})
                with contextlib.suppress(Closed, RpcError):
                    rpc.receive(5)
            wait_until(lambda: not harness.is_alive(self.pid), 'who serves it ended')
            self.assertIsNone(victim.poll())
        finally:
            victim.kill()
            victim.wait()

    def test_an_app_that_says_null(self):
        self.home.script('null.js', 'process.send(null); process.send(0); process.send([]); process.send({type: 1, data: {}});'
                                    "process.send({type: 'last', data: {x: 1}}); setInterval(() => {}, 1000)\n")
        with contextlib.closing(self.home.bus()) as bus:
            self.home.pm2('start', 'null.js', '--no-pmx')
            while bus.receive()[0] != 'last':
                pass
        self.home.pm2('delete', 'null')
        self.assert_nothing_noticed()


if __name__ == '__main__':
    harness.main()
