#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The message bus under load: a million messages, readers that come, stall and die, and nobody at all."""

import json
import os
import random
import select
import subprocess
import threading
import time

import harness
from harness import read_file
from test_message_bus import BusCase

MESSAGES = int(os.environ.get('PM2D_TEST_MESSAGES', '1000000'))
SECONDS = int(os.environ.get('PM2D_TEST_SECONDS', '30'))
QUIET_SECONDS = 10
PADDING = 'x' * 66  # so that a message has 100 bytes
# Sends numbered messages when it is told to; waits for Node to have written them, so that its memory stays small.
COUNTER = '''
const count = Number(process.argv[2]), pause = Number(process.argv[3] || 0);
const padding = 'PADDING';
let number = 0;
const batch = () => {
    let left = 500;
    const sent = () => { if (--left === 0) setTimeout(batch, pause); };
    for (let i = 0; i < 500; i++) {
        if (number === count) return;
        process.send({type: 'n', data: {n: number++, padding}}, sent);
    }
};
process.on('message', () => batch());
process.send('ready');
'''.replace('PADDING', PADDING)


def memory_bytes(pid):
    for line in read_file(f'/proc/{pid}/smaps_rollup').splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1]) << 10
    raise AssertionError('no Pss')


def wake_ups(pid):
    return [int(line.split()[1]) for line in read_file(f'/proc/{pid}/status').splitlines() if 'ctxt_switches' in line]


class Collector(threading.Thread):
    """Reads a stream as fast as it can, and looks at what it has read afterwards."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd, self.chunks, self.lines, self.stopping = fd, [], 0, False
        self.changed = threading.Condition()
        self.start()

    def run(self):
        while not self.stopping:
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            data = os.read(self.fd, 1 << 20)
            if not data:
                return
            self.chunks.append(data)
            with self.changed:
                self.lines += data.count(b'\n')
                self.changed.notify_all()

    def wait(self, lines, timeout):
        with self.changed:
            assert self.changed.wait_for(lambda: self.lines >= lines, timeout), f'{self.lines} of {lines} lines'

    def events(self):
        self.stopping = True
        self.join()
        return [json.loads(line) for line in b''.join(self.chunks).split(b'\n')[:-1]]


class Load(BusCase):
    def counter(self, name, count, pause=0):
        return self.client.start_one(self.script('counter.js', COUNTER, executable=False), name=name, wait_ready=True,
                                     args=[str(count), str(pause)], listen_timeout=60000)

    def begin(self, target):
        self.client.manager_call('SendMessage', 'ss', target, '1')


class Million(Load):
    def test_order_is_kept_and_none_is_lost(self):
        self.counter('counter', MESSAGES)
        stream = self.open_bus(events=['n', 'lost'])
        collector = Collector(stream.fd)
        before = memory_bytes(self.daemon.process.pid)
        start = time.monotonic()
        self.begin('counter')
        most = 0
        while collector.lines < MESSAGES and time.monotonic() < start + 600:
            with collector.changed:
                collector.changed.wait(1)
            most = max(most, memory_bytes(self.daemon.process.pid))
        seconds = time.monotonic() - start
        collector.wait(MESSAGES, 1)
        numbers = [event['data']['n'] if event['event'] == 'n' else 'lost' for event in collector.events()]
        self.assertEqual(len(numbers), MESSAGES)
        self.assertEqual(numbers, list(range(MESSAGES)))
        print(f'# {MESSAGES} messages in {seconds:.1f} s; memory {before >> 10} kB before, {most >> 10} kB at most',
              flush=True)
        self.assertLess(most - before, 8 << 20)


class Readers(Load):
    def test_they_come_stall_and_die(self):
        """Nothing to the children and to the reader that reads; and bounded."""
        names = [f'child-{number}' for number in range(10)]
        for name in names:
            self.counter(name, 10 ** 9, pause=200)
        pids = {name: self.client.describe(name)[0]['pid'] for name in names}
        # Of its own, so that what this test is busy with does not hold it up.
        good_file = self.path('good.json')
        with open(good_file, 'wb') as file:
            good = subprocess.Popen(['cat'], stdin=self.open_bus(events=['n', 'lost']).fd, stdout=file)
        clients = [self.daemon.connect() for _ in range(20)]
        before = memory_bytes(self.daemon.process.pid)
        self.begin('all')
        chance = random.Random(7)
        streams, most, opened = [None] * 20, 0, 0
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            place = chance.randrange(20)
            if streams[place] is None:
                clients[place].manager_call('OpenBus', 'a{sv}', {})
                streams[place] = clients[place].fds.pop()
                opened += 1
            elif chance.random() < 0.5:
                select.select([streams[place]], [], [], 0.05)
                os.read(streams[place], chance.randrange(1, 1 << 16))
            elif chance.random() < 0.1:
                os.close(streams[place])
                streams[place] = None
            most = max(most, memory_bytes(self.daemon.process.pid))
        for fd in filter(None, streams):
            os.close(fd)
        for name in names:
            self.assertEqual(self.client.describe(name)[0]['pid'], pids[name])
            self.assertEqual(self.client.describe(name)[0]['pm2_env']['restart_time'], 0)
        self.client.stop('all')
        self.daemon.terminate()
        good.wait(harness.TIMEOUT)
        expected = dict.fromkeys(names, 0)
        events = [json.loads(line) for line in read_file(good_file).splitlines()]
        for event in events:
            self.assertEqual(event['event'], 'n')
            name = event['process']['name']
            self.assertEqual(event['data']['n'], expected[name])
            expected[name] += 1
        print(f'# {opened} streams opened, {len(events)} messages; memory {before >> 10} kB before, '
              f'{most >> 10} kB at most', flush=True)
        self.assertGreater(min(expected.values()), 100)
        # the backlog of each, and what a line costs beside its text
        self.assertLess(most - before, 20 * (5 << 20))


class Quiet(harness.Case):
    def test_nobody_speaks_and_nobody_listens(self):
        script = self.script('quiet.sh', '#!/bin/sh\necho \'"ready"\' >&3\nexec sleep 100000\n')
        for number in range(0, 200, 20):
            apps = [{'name': f'quiet-{n}', 'script': script, 'wait_ready': True, 'listen_timeout': 60000}
                    for n in range(number, number + 20)]
            self.client.start_json(apps)
        self.assertEqual({process['pm2_env']['status'] for process in self.client.list()}, {'online'})
        pid = self.daemon.process.pid
        select.select([], [], [], 1)  # what the last start left behind
        before = wake_ups(pid)
        select.select([], [], [], QUIET_SECONDS)
        self.assertEqual(wake_ups(pid), before, f'woken in {QUIET_SECONDS} s')


if __name__ == '__main__':
    harness.main()
