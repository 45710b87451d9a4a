#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages of one Node child to one Node subscriber, by PM2's daemon and its bus, and by pm2d and a stream of OpenBus:
the same child and the same subscriber. Rate, and processor time of the daemon for each message, as ratios; beside them
what the child can send to somebody who does nothing but read. Needs tools/install-npm."""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'integration'))
import harness  # noqa: E402
from harness import read_file, wait_until  # noqa: E402

COUNT = int(os.environ.get('PM2D_TEST_BENCH_COUNT', '200000'))
ROUNDS = 3
CHILD = os.path.join(HERE, 'message-child.js')
SUBSCRIBER = os.path.join(HERE, 'message-subscriber.js')
MODULES = os.path.join(harness.TOP, 'build', 'npm', 'node_modules')
BUDGET = {'rate_ratio': 3.0, 'cpu_ratio': 5.0}


def cpu_usec(pid):
    fields = read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000000 // os.sysconf('SC_CLK_TCK')


class Subscriber:
    def __init__(self, *arguments, fd=None, env=None):
        def in_child():
            if fd is not None:
                os.dup2(fd, 3)
        self.process = subprocess.Popen(['node', SUBSCRIBER, str(COUNT), *arguments], stdout=subprocess.PIPE, text=True,
                                        close_fds=False, preexec_fn=in_child, env=env)
        line = self.process.stdout.readline()
        assert line == 'ready\n', line

    def result(self):
        found = json.loads(self.process.stdout.readline())
        self.process.wait()
        assert found['wrong'] == 0, found
        return found['usec']


def measured(daemon_pid, child_pid, subscriber):
    """Messages a second, and the daemon's µs for each."""
    before = cpu_usec(daemon_pid)
    os.kill(child_pid, signal.SIGUSR2)
    usec = subscriber.result()
    return COUNT * 1000000 / usec, (cpu_usec(daemon_pid) - before) / COUNT


class Pm2:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix='pm2-bench-')
        self.env = dict(os.environ, PM2_HOME=self.home, PM2_DISCRETE_MODE='1')
        self.run('ping')
        self.pid = int(read_file(os.path.join(self.home, 'pm2.pid')))

    def run(self, *arguments):
        return subprocess.run(['node', os.path.join(MODULES, 'pm2', 'bin', 'pm2'), *arguments], env=self.env, check=True,
                              capture_output=True, text=True).stdout

    def round(self):
        self.run('start', CHILD, '--name', 'child', '--', str(COUNT))
        child_pid = int(self.run('pid', 'child'))
        subscriber = Subscriber('pm2', MODULES, env=self.env)
        result = measured(self.pid, child_pid, subscriber)
        self.run('delete', 'child')
        return result

    def close(self):
        self.run('kill')
        shutil.rmtree(self.home)


class Pm2d:
    def __init__(self):
        self.daemon = harness.Daemon()
        self.daemon.start()
        self.client = self.daemon.connect()
        self.pid = self.daemon.process.pid

    def round(self):
        path = self.client.start_one(CHILD, name='child', args=[str(COUNT)])
        child_pid = self.client.property(path, 'Pid')
        # the signal would end it before it listens
        wait_until(lambda: caught(child_pid, signal.SIGUSR2), 'the child listens')
        self.client.manager_call('OpenBus', 'a{sv}', harness.options(events=['n', 'lost']))
        fd = self.client.fds.pop()
        subscriber = Subscriber('stream', fd=fd)
        os.close(fd)
        result = measured(self.pid, child_pid, subscriber)
        self.client.delete('child')
        return result

    def close(self):
        self.daemon.end()


def caught(pid, number):
    for line in read_file(f'/proc/{pid}/status').splitlines():
        if line.startswith('SigCgt:'):
            return int(line.split()[1], 16) >> (number - 1) & 1
    return False


def alone():
    """The child, and a parent that reads and throws away: messages a second."""
    ours, theirs = socket.socketpair()
    env = dict(os.environ, NODE_CHANNEL_FD='3', NODE_CHANNEL_SERIALIZATION_MODE='json')
    with subprocess.Popen(['node', CHILD, str(COUNT)], env=env, close_fds=False,
                          preexec_fn=lambda: os.dup2(theirs.fileno(), 3)) as child:
        theirs.close()
        wait_until(lambda: caught(child.pid, signal.SIGUSR2), 'the child listens')
        child.send_signal(signal.SIGUSR2)
        left, started = COUNT, None
        while left:
            left -= ours.recv(1 << 16).count(b'\n')
            started = started or harness.time.monotonic()
        seconds = harness.time.monotonic() - started
        ours.close()
    return COUNT / seconds


def main():
    if not os.path.isdir(os.path.join(MODULES, 'pm2')):
        print('# skipped bench-messages: tools/install-npm was not run')
        return 77
    peers = {'pm2': Pm2(), 'pm2d': Pm2d()}
    found = {name: [] for name in peers}
    child = []
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            found[name].append(peer.round())
        child.append(alone())
    for peer in peers.values():
        peer.close()
    rate = {name: statistics.median(rate for rate, _ in rounds) for name, rounds in found.items()}
    cpu = {name: statistics.median(cpu for _, cpu in rounds) for name, rounds in found.items()}
    rate_ratio, cpu_ratio = rate['pm2d'] / rate['pm2'], cpu['pm2'] / cpu['pm2d']
    of_child = rate['pm2d'] / statistics.median(child)
    print(json.dumps({
        'bench': 'messages', 'count': COUNT, 'rounds': ROUNDS, 'budget': BUDGET,
        'messages_per_second': {**{name: round(value) for name, value in rate.items()},
                                'child_alone': round(statistics.median(child))},
        'daemon_cpu_usec_per_message': {name: round(value, 2) for name, value in cpu.items()},
        'rate_ratio': round(rate_ratio, 2), 'rate_of_child_alone': round(of_child, 2), 'cpu_ratio': round(cpu_ratio, 2),
        # the rate, or the child shown to be the limit
        'within_budget': (rate_ratio >= BUDGET['rate_ratio'] or of_child >= 0.9) and cpu_ratio >= BUDGET['cpu_ratio'],
    }, indent=2))
    return 0


if __name__ == '__main__':
    sys.exit(main())
