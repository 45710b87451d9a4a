#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What processes and the supervisor say to each other, while the supervisor is killed again and again.

    PM2D_TEST_CHAOS_SEED      of the random numbers, default 7
    PM2D_TEST_MESSAGE_KILLS   default 30
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import select
import signal
import threading
import time

import booted
from booted import DBusError, wait_until
from test_survival import SurvivalCase

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
KILLS = int(os.environ.get('PM2D_TEST_MESSAGE_KILLS', '30'))
CUT = (OSError, TimeoutError, booted.dbus_wire.Disconnected)
LIMIT = 'org.pm2.Error.LimitExceeded'
# Those of the children are numbered and have a text that follows from the number: most are short, some go out in parts.
# What a child gets it notes in its file, one word for the number and one for the text.
NODE = '''
const fs = require('fs');
const file = fs.openSync(process.argv[2], 'a');
const note = (...words) => fs.writeSync(file, words.join(' ') + '\\n');
const text = (n) => `${n},`.repeat(n % 47 ? n % 50 : 12000);
let n = 0;
const timer = setInterval(() => {
    for (let i = 0; i < 2; i++, n++) process.send({type: 't', data: {n, text: text(n)}});
}, 20);
process.on('message', (message) => {
    if (message.end) {
        clearInterval(timer);
        process.send({type: 't', data: {n, end: true}});
        note('told', n, 0, 0);
    } else {
        note(message.n, message.text === text(message.n) ? 'whole' : 'torn');
    }
});
process.on('disconnect', () => note('disconnected'));
process.send('ready');
'''
# In between it hands over what it has to offer, which is kept, and handles, of which each has an answer.
PYTHON = '''#!/usr/bin/python3
import json, os, sys, threading, time
channel = int(os.environ['NODE_CHANNEL_FD'])
file = open(sys.argv[1], 'a', buffering=1)
pause = float(sys.argv[2])
ended = threading.Event()

def text(n):
    return f'{n},' * (n % 50 if n % 47 else 12000)

def say(value):
    data = memoryview(json.dumps(value).encode() + b'\\n')
    while data:
        data = data[os.write(channel, data):]

def talk():
    n = actions = handles = 0
    while not ended.wait(0.01):
        say({'type': 't', 'data': {'n': n, 'text': text(n)}})
        n += 1
        if n % 10 == 0 and actions < 250:
            say({'type': 'axm:action', 'data': {'action_name': f'a{actions}'}})
            actions += 1
        if n % 7 == 0:
            say({'cmd': 'NODE_HANDLE', 'type': 'net.Socket', 'msg': n})
            handles += 1
    say({'type': 't', 'data': {'n': n, 'end': True}})
    print('told', n, actions, handles, file=file)

say('ready')
threading.Thread(target=talk, daemon=True).start()
for line in os.fdopen(channel, 'rb', closefd=False):
    try:
        message = json.loads(line)
    except ValueError:
        print('torn', line[:50], file=file)
        continue
    if message.get('end'):
        ended.set()
    elif message.get('cmd') == 'NODE_HANDLE_ACK':
        print('ack', file=file)
    else:
        print(message['n'], 'whole' if message['text'] == text(message['n']) else 'torn', file=file)
        if not os.path.exists(sys.argv[1] + '.hurry'):
            time.sleep(pause)
print('disconnected', file=file)
'''
# Hands over handles: it waits for an answer to each, and one too many would end it.
HANDLES = '''
const fs = require('fs');
const server = require('net').createServer().listen('\\0' + process.argv[2], () => setInterval(send, 5));
let n = 0, ended = false;
function send() {
    if (ended) return;
    ended = fs.existsSync(process.argv[2] + '.peace');
    process.send({type: 't', data: {n: n++}}, ended ? undefined : server);
    process.send({type: 't', data: {n: n++, end: ended}});
}
process.on('message', () => {});
process.on('disconnect', () => process.exit(3));
process.send('ready');
'''
# Ready when a file is there, in the one or in the other way.
READY_NODE = '''
const fs = require('fs');
const timer = setInterval(() => {
    if (!fs.existsSync(process.argv[2])) return;
    clearInterval(timer);
    process.send('ready', () => fs.writeFileSync(process.argv[3], 'said\\n'));
}, 20);
process.on('message', () => {});
'''
READY_NOTIFY = '''#!/usr/bin/python3
import os, socket, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])
with open(sys.argv[2], 'w') as file:
    file.write('said\\n')
time.sleep(100000)
'''
# What fails it sends again.
STATUS = '''#!/usr/bin/python3
import os, socket, sys, time
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
n = failed = 0
while not os.path.exists(sys.argv[1] + '.peace'):
    try:
        out.sendto(b'STATUS=%d' % (n + 1), os.environ['NOTIFY_SOCKET'])
        n += 1
    except OSError:
        failed += 1
    time.sleep(0.002)
with open(sys.argv[1], 'w') as file:
    file.write(f'{n} {failed}\\n')
time.sleep(100000)
'''
WATCHED = '''#!/usr/bin/python3
import os, socket, sys, time
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while not os.path.exists(sys.argv[1] + '.silence'):
    out.sendto(b'WATCHDOG=1', os.environ['NOTIFY_SOCKET'])
    time.sleep(int(os.environ['WATCHDOG_USEC']) / 5e6)
time.sleep(100000)
'''


def text_of(number):
    return f'{number},' * (number % 50 if number % 47 else 12000)


class Sender(threading.Thread):
    """Sends numbered messages to all children, a few at once. What becomes of a call that is cut nobody knows."""

    def __init__(self, socket_path, names):
        super().__init__(daemon=True)
        self.socket_path, self.names = socket_path, names
        self.random = random.Random(SEED)
        self.stopping = threading.Event()
        self.accepted = {name: [] for name in names}
        self.batches = {name: [] for name in names}  # of each call that was cut: the numbers, in their order
        self.next = dict.fromkeys(names, 0)
        self.refused, self.problems = 0, []

    def run(self):
        while not self.stopping.is_set():
            with contextlib.suppress(*CUT):
                client = booted.Client(self.socket_path)
                try:
                    self.talk(client)
                finally:
                    client.close()

    def talk(self, client):
        while not self.stopping.wait(0.002):
            for name in self.names:
                self.send(client, name, self.random.randrange(1, 5))
                client.received.clear()

    def send(self, client, name, count):
        unknown = list(range(self.next[name], self.next[name] + count))
        self.next[name] += count
        self.batches[name].append(unknown)
        calls = {}
        for number in unknown:
            message = json.dumps({'n': number, 'text': text_of(number)})
            calls[number] = client.send_call(booted.MANAGER_PATH, booted.MANAGER, 'SendMessage', 'ss', name, message)
        for number, serial in calls.items():
            try:
                client.reply_to(serial, 30)
                self.accepted[name].append(number)
            except DBusError as error:
                self.refused += 1
                if error.name != LIMIT:
                    self.problems.append(str(error))
            unknown.remove(number)
        self.batches[name].remove(unknown)


class Watcher(threading.Thread):
    """Reads what children say, from one stream after the other: each ends with its supervisor."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.stopping = connect, threading.Event()
        self.streams = []  # of each: {name: its numbers}
        self.ends, self.problems = {}, []

    def run(self):
        while not self.stopping.is_set():
            try:
                client = self.connect()
            except (*CUT, DBusError):
                self.stopping.wait(0.005)
                continue
            with contextlib.suppress(*CUT, DBusError):
                client.manager_call('OpenBus', 'a{sv}', booted.options(events=['t']), timeout=10)
                self.streams.append(collections.defaultdict(list))
                self.read(client.fds[-1])
            client.close()

    def read(self, fd):
        rest = b''
        while not self.stopping.is_set():
            if not select.select([fd], [], [], 0.1)[0]:
                continue
            data = os.read(fd, 1 << 18)
            if not data:
                return
            *lines, rest = (rest + data).split(b'\n')
            for line in lines:
                self.take(line)

    def take(self, line):
        event = json.loads(line)
        if event['event'] != 't':
            self.problems.append(line[:200])
            return
        name, data = event['process']['name'], event['data']
        self.streams[-1][name].append(data['n'])
        if data.get('end'):
            self.ends[name] = data['n']
        elif data.get('text', text_of(data['n'])) != text_of(data['n']):
            self.problems.append(f'{name}: {data["n"]} is not whole')


class MessageCase(SurvivalCase):
    def quiet_client(self):
        """Who hears no signals."""
        return booted.BusClient(self.instance.bus_socket, follow=False)

    def watcher(self):
        watcher = Watcher(self.quiet_client)
        watcher.start()
        self.addCleanup(watcher.stopping.set)
        wait_until(lambda: watcher.streams, 'a stream is open')
        return watcher

    def node(self, name, program, *args, **attributes):
        pathlib.Path(self.path(f'{name}.js')).write_text(program, encoding='utf-8')
        return self.start(self.path(f'{name}.js'), name, *args, **attributes)

    def python(self, name, program, *args, **attributes):
        return self.start(self.script(f'{name}.py', program), name, *args, **attributes)

    def start(self, script, name, *args, **attributes):
        attributes = {'listen_timeout': 60000} | attributes
        return self.client.start_one(script, name=name, args=[str(word) for word in args], **attributes)

    def touch(self, name):
        pathlib.Path(self.path(name)).touch()

    def assert_lives(self, before):
        for path, after in self.state().items():
            for key in ('Status', 'Pid', 'RestartCount'):
                self.assertEqual(after[key], before[path][key], f'{after["Name"]}: {key}, {after["LastReason"]}')

    def kills(self, count, before, seconds=0.3):
        rng = random.Random(SEED)
        for _ in range(count):
            time.sleep(rng.random() * seconds)  # at any time
            self.end_daemon()
            self.assert_lives(before)

    def while_away(self, condition, what, seconds=0.0):
        """The supervisor stands still until that has happened, and then it is another."""
        daemon = self.instance.main_pid()
        os.kill(daemon, signal.SIGSTOP)
        started = time.monotonic()
        wait_until(lambda: time.monotonic() > started + seconds and condition(), what)
        self.end_daemon()


class Numbers(MessageCase):
    settings = {'stream_backlog_max': 64 * 1024 * 1024}

    def start_children(self):
        for number in range(5):
            self.node(f'node{number}', NODE, self.path(f'node{number}'), wait_ready=True)
            self.python(f'python{number}', PYTHON, self.path(f'python{number}'), '0.008' if number == 0 else '0',
                        wait_ready=True, notify='node')
        return sorted(entry['Name'] for entry in self.state().values())

    def test_kills(self):
        names = self.start_children()
        watcher, sender = self.watcher(), Sender(self.instance.private_socket, names)
        sender.start()
        self.addCleanup(sender.stopping.set)
        before = self.state()
        self.kills(KILLS, before)
        sender.stopping.set()
        sender.join()
        self.touch('python0.hurry')
        for name in names:
            wait_until(lambda name=name: self.takes_end(name), f'{name} has room for a message')
        told = {name: self.wait_told(name) for name in names}
        wait_until(lambda: set(watcher.ends) == set(names), 'all have said their last word')
        self.assert_lives(before)
        self.assertEqual((sender.problems, watcher.problems), ([], []))
        arrived = sum(self.check_received(name, sender) for name in names)
        repeated, unseen = zip(*(self.check_said(name, told[name][0], watcher) for name in names))
        for name in names:
            self.check_answers(name, *told[name])
        unknown = sum(len(batch) for batches in sender.batches.values() for batch in batches)
        print(f'# {KILLS} kills, seed {SEED}: {sum(map(len, sender.accepted.values()))} messages to the children, all there; '
              f'{sender.refused} refused; {unknown} of cut calls, {arrived} of them there')
        print(f'# {sum(numbers[0] for numbers in told.values())} messages of the children, {sum(repeated)} seen twice, '
              f'{sum(unseen)} while no stream was open')

    def takes_end(self, name):
        try:
            return self.client.manager_call('SendMessage', 'ss', name, '{"end":true}')
        except DBusError as error:
            if error.name != LIMIT:
                raise
            return None

    def wait_told(self, name):
        """What a child says that it has sent: messages, actions, handles; all answers are there."""
        def complete():
            words = [line.split() for line in self.lines(name)]
            told = [[int(word) for word in line[1:]] for line in words if line[0] == 'told']
            return told[0] if told and sum(line == ['ack'] for line in words) >= told[0][2] else None

        return wait_until(complete, f'{name} has ended')

    def check_received(self, name, sender):
        """Each that was accepted once, in order; of a cut call some, from the first on. Returns how many of those."""
        lines = [line for line in self.lines(name) if line != 'ack' and not line.startswith('told')]
        self.assertEqual([line for line in lines if not line.endswith(' whole')], [], name)
        numbers = [int(line.split()[0]) for line in lines]
        self.assertEqual(numbers, sorted(set(numbers)), f'{name}: in order, none twice')
        there = set(numbers)
        accepted = set(sender.accepted[name])
        self.assertEqual(accepted - there, set(), f'{name}: lost')
        for batch in sender.batches[name]:
            found = [number in there for number in batch]
            self.assertEqual(found, sorted(found, reverse=True), f'{name}: {batch}')
            accepted.update(batch)
        self.assertEqual(there - accepted, set(), f'{name}: nobody sent that')
        return len(there) - len(sender.accepted[name])

    def check_said(self, name, total, watcher):
        """No gap and no repetition in a stream; between two of them at most the last is repeated."""
        repeated = unseen = 0
        last = None
        for numbers in (stream[name] for stream in watcher.streams if stream[name]):
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))), name)
            if last is not None:
                self.assertGreaterEqual(numbers[0], last, name)
                repeated += numbers[0] == last
                unseen += max(numbers[0] - last - 1, 0)
            last = numbers[-1]
        self.assertEqual((last, watcher.ends[name]), (total, total), name)
        return repeated, unseen

    def check_answers(self, name, _, actions, handles):
        """None is lost and none is out of order, whoever looked: what was offered is kept, handles are answered."""
        offered = self.client.describe(name)[0]['pm2_env']['axm_actions']
        self.assertEqual([action['action_name'] for action in offered], [f'a{n}' for n in range(actions)], name)
        self.assertEqual(self.lines(name).count('ack'), handles, name)


class Handles(MessageCase):
    def test_each_has_one_answer(self):
        """Node ends itself when there is one too many, and sends no more when there is one too few."""
        for number in range(5):
            self.node(f'handles{number}', HANDLES, self.path(f'handles{number}'), wait_ready=True)
        watcher, before = self.watcher(), self.state()
        self.kills(max(KILLS // 3, 1), before)
        for number in range(5):
            self.touch(f'handles{number}.peace')
        wait_until(lambda: len(watcher.ends) == 5, 'all have said their last word')
        self.assert_lives(before)


class Readiness(MessageCase):
    def test_it_is_waited_for(self):
        programs = {'node': (self.node, READY_NODE, {}), 'notify': (self.python, READY_NOTIFY, {'notify': 'systemd'})}
        paths = [start(name, text, self.path('go'), self.path(f'{name}.said'), wait_ready=True, wait=False, **attributes)
                 for name, (start, text, attributes) in programs.items()]
        for path in paths:
            self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
        before = self.state()
        self.assertEqual({entry['Status'] for entry in before.values()}, {'launching'})
        self.kills(5, before)
        self.touch('go')
        wait_until(lambda: {entry['Status'] for entry in self.state().values()} == {'online'}, 'both are online')
        self.assert_lives({path: {**entry, 'Status': 'online'} for path, entry in before.items()})

    def test_what_is_said_to_nobody(self):
        for name, start, text, attributes in (('node', self.node, READY_NODE, {}),
                                              ('notify', self.python, READY_NOTIFY, {'notify': 'systemd'})):
            with self.subTest(name):
                path = start(name, text, self.path(f'{name}.go'), self.path(f'{name}.said'), wait_ready=True, wait=False,
                             **attributes)
                self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
                pid = self.state()[path]['Pid']
                self.touch(f'{name}.go')
                self.while_away(lambda said=f'{name}.said': self.lines(said), 'it has said so')
                self.client.wait_status(path, 'online')
                self.assertEqual((self.state()[path]['Pid'], self.state()[path]['RestartCount']), (pid, 0))

    def test_its_time_goes_on(self):
        path = self.node('never', 'setInterval(() => {}, 1000);', wait_ready=True, wait=False, listen_timeout=3000,
                         ready_timeout_action='online')
        self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
        started = time.monotonic()
        self.kills(3, self.state(), 0.1)
        self.client.wait_status(path, 'online')
        self.assertLess(time.monotonic() - started, 3 + 2)
        self.assertEqual(self.state()[path]['RestartCount'], 0)
        self.assertIn('ready-timeout', [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', 'never', 0)])


class Notify(MessageCase):
    def test_the_last_status_is_the_last_said(self):
        path = self.python('status', STATUS, self.path('status'), notify='systemd')
        self.client.wait_property(path, 'StatusText', lambda text: text.isdigit())
        before, last = self.state(), 0
        for _ in range(max(KILLS // 3, 1)):
            self.kills(1, before)
            number = int(self.state()[path]['StatusText'])
            self.assertGreaterEqual(number, last)
            last = number
        self.touch('status.peace')
        number, failed = self.wait_lines('status', 1)[0].split()
        self.client.wait_property(path, 'StatusText', number)
        self.assert_lives(before)
        print(f'# STATUS= {number} times, {failed} failed and were sent again')

    def test_the_watchdog_knows_that_nobody_listened(self):
        path = self.python('watched', WATCHED, self.path('watched'), watchdog=1000, notify='systemd')
        before = self.state()
        self.kills(3, before)
        self.while_away(lambda: True, 'more than its time is over', 3)
        started = time.monotonic()
        wait_until(lambda: time.monotonic() > started + 2, 'its time is over again')
        self.assert_lives(before)
        self.touch('watched.silence')
        self.client.wait_property(path, 'RestartCount', lambda count: count > 0)
        self.assertIn('watchdog', [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', 'watched', 0)])


if __name__ == '__main__':
    booted.main()
