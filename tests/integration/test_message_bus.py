#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The message bus as a stream (OpenBus): order, filters, readers that do not read, and pm2ctl bus."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time

import harness

LOST = 'lost'


class Stream:
    """The reader of a stream of lines."""

    def __init__(self, fd):
        self.fd, self.text, self.ended = fd, b'', False

    def close(self):
        os.close(self.fd)

    def read(self, timeout=0):
        """Take in what comes within the time. False if nothing does."""
        if self.ended or not select.select([self.fd], [], [], max(0, timeout))[0]:
            return False
        data = os.read(self.fd, 1 << 16)
        self.ended = not data
        self.text += data
        return True

    def next(self, timeout=harness.TIMEOUT):
        """The next event; None at the end."""
        deadline = time.monotonic() + timeout
        while b'\n' not in self.text:
            if self.ended:
                return None
            if not self.read(deadline - time.monotonic()) and not self.ended:
                raise AssertionError(f'no event in {timeout} s')
        line, _, self.text = self.text.partition(b'\n')
        return json.loads(line)

    def ready(self):
        """Everything that is there already."""
        while self.read():
            pass
        lines = self.text.split(b'\n')
        self.text = lines.pop()
        return [json.loads(line) for line in lines]

    def wait_event(self, kind, name=None):
        """Until this has happened: everything up to it."""
        seen = []
        while True:
            event = self.next()
            assert event, f'the stream ended before {kind}: {seen}'
            seen.append(event)
            if kinds([event]) == [kind] and (name is None or event['process']['name'] == name):
                return seen


def kinds(events):
    return [event['data']['event'] if event['event'] == 'process:event' else event['event'] for event in events]


class BusCase(harness.Case):
    def open_bus(self, client=None, **values):
        client = client or self.client
        client.manager_call('OpenBus', 'a{sv}', harness.options(**values))
        stream = Stream(os.dup(client.fds[-1]))
        os.close(client.fds.pop())
        self.addCleanup(stream.close)
        return stream

    def happen(self, count):
        """So many events, quickly: processes that are registered and deleted."""
        apps = [{'name': f'app-{number}', 'script': self.sleeper(), 'autostart': False} for number in range(100)]
        for _ in range(count // 100):
            self.client.start_json(apps)
            self.client.delete('all')


class MessageBus(BusCase):
    def test_life_of_a_process(self):
        stream = self.open_bus()
        before = time.time() * 1000
        path = self.client.start_one(self.sleeper(), name='api', namespace='web', env={'SECRET': 'canary'})
        pid = self.client.property(path, 'Pid')
        # who has the reply can read what came before it
        started = stream.ready()
        self.assertEqual(kinds(started), ['online', 'start'])
        self.client.restart('api')
        restarted = stream.ready()
        self.assertEqual(kinds(restarted), ['exit', 'online', 'restart'])
        self.client.stop('api')
        stopped = stream.ready()
        self.assertEqual(kinds(stopped), ['exit', 'stop'])
        self.client.delete('api')
        deleted = stream.ready()
        self.assertEqual(kinds(deleted), ['delete'])
        events = started + restarted + stopped + deleted
        for event in events:
            self.assertEqual(list(event), ['event', 'at', 'process', 'data'])
            self.assertEqual((event['process']['pm_id'], event['process']['name'], event['process']['namespace']),
                             (0, 'api', 'web'))
            self.assertTrue(before - 1 <= event['at'] <= time.time() * 1000, event)
        self.assertEqual([event['at'] for event in events], sorted(event['at'] for event in events))
        self.assertEqual(started[0]['process']['pid'], pid)
        self.assertEqual(restarted[0]['process']['pid'], pid)
        self.assertEqual(restarted[0]['data'], {'event': 'exit', 'manually': False, 'restart_time': 0, 'exit_code': -1,
                                                'signal': 'SIGINT'})
        self.assertEqual(restarted[2]['data'], {'event': 'restart', 'manually': True, 'restart_time': 1,
                                                'reason': 'restarted by command'})
        self.assertEqual(stopped[1]['process']['pid'], 0)
        self.assertNotIn('canary', json.dumps(events))

    def test_crash(self):
        path = self.client.start_one(self.sleeper(), name='api')
        stream = self.open_bus()
        pid = self.client.property(path, 'Pid')
        os.kill(pid, signal.SIGKILL)
        events = stream.wait_event('online')
        self.assertEqual(kinds(events), ['exit', 'crash', 'restart', 'online'])
        self.assertEqual((events[0]['data']['signal'], events[0]['process']['pid']), ('SIGKILL', pid))
        self.assertIn('SIGKILL', events[2]['data']['reason'])
        self.assertNotEqual(events[3]['process']['pid'], pid)

    def test_names_as_json(self):
        stream = self.open_bus()
        name = 'ä "quoted" \\ 日本 \u2028'
        self.client.start(self.sleeper(), name=name, start=False)
        self.client.delete('all')
        (event,) = stream.ready()
        self.assertEqual(event['process']['name'], name)

    def test_target_of_processes_that_come_later(self):
        streams = {target: self.open_bus(target=target) for target in ('web', 'name:api-1', '/^api/', 'id:2', 'all')}
        for number, namespace in enumerate(('default', 'default', 'web')):
            self.client.start(self.sleeper(), name=f'api-{number}', namespace=namespace)
        expected = {'web': [2], 'name:api-1': [1], '/^api/': [0, 1, 2], 'id:2': [2], 'all': [0, 1, 2]}
        for target, stream in streams.items():
            self.assertEqual(sorted({event['process']['pm_id'] for event in stream.ready()}), expected[target], target)

    def test_events(self):
        nothing, events, some = (self.open_bus(events=names) for names in (['x'], ['process:event'], ['y', 'proc*']))
        self.client.start(self.sleeper(), name='api')
        self.assertEqual(nothing.ready(), [])
        self.assertEqual(kinds(events.ready()), ['online', 'start'])
        self.assertEqual(kinds(some.ready()), ['online', 'start'])

    def test_bad_filters(self):
        for values, words in (({'events': 'x'}, 'events'), ({'event': ['x']}, "'event'"), ({'target': ''}, 'target'),
                              ({'target': 5}, 'target'), ({'events': ['']}, 'events'), ({'wait': True}, "'wait'")):
            with self.subTest(values):
                self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.open_bus, mentions=words, **values)
        self.assert_dbus_error('InvalidData', self.open_bus, target='/[/', mentions='expression')

    def test_kill_ends_it(self):
        self.expected_status = harness.EXIT_KILLED
        stream = self.open_bus()
        self.client.start(self.sleeper(), name='api')
        self.client.manager_call('Kill', 'a{sv}', {})
        events = stream.wait_event('pm2:kill')
        self.assertEqual(kinds(events), ['online', 'start', 'exit', 'pm2:kill'])
        self.assertEqual(events[-1]['data'], {'reason': 'kill'})
        self.assertNotIn('process', events[-1])
        self.assertIsNone(stream.next())
        self.assertEqual(stream.text, b'')

    def test_reexecution_ends_it(self):
        stream = self.open_bus()
        self.client.start(self.sleeper(), name='api')
        with contextlib.suppress(harness.dbus_wire.Disconnected, OSError):
            self.client.manager_call('Reexecute')
        self.assertEqual(kinds(stream.wait_event('start')), ['online', 'start'])
        self.assertIsNone(stream.next())
        client = harness.wait_until(self.daemon.try_connect, 'it is back')
        again = self.open_bus(client)
        client.stop('api')
        self.assertEqual(kinds(again.ready()), ['exit', 'stop'])

    def test_crash_of_the_supervisor_ends_it(self):
        self.expected_status = -signal.SIGKILL
        stream = self.open_bus()
        self.assertTrue(self.client.list() == [])
        self.daemon.process.kill()
        self.assertIsNone(stream.next())
        self.daemon.wait_exit()


SPEAKER = '''
process.send('plain');
process.send({type: 'process:msg', data: {success: true}});
process.send({type: 'custom:evt', data: {x: [1, null]}});
process.send({type: 'nothing', data: 0});
process.send([1, 2]);
process.send({type: 'lost', data: {count: 5}});
process.send('ready');
process.on('message', (packet) => process.send({type: 'answer', data: packet}));
'''


class Children(BusCase):
    """What children say."""

    def start_speaker(self, text=SPEAKER, **attributes):
        return self.client.start_one(self.script('speaker.js', text, executable=False), name='speaker', wait_ready=True,
                                     listen_timeout=60000, **attributes)

    def test_what_children_say(self):
        stream = self.open_bus()
        self.start_speaker()
        said = [(event['event'], event['data']) for event in stream.wait_event('start')
                if event['event'] != 'process:event']
        self.assertEqual(said, [
            ('process:msg', 'plain'), ('process:msg', {'success': True}), ('custom:evt', {'x': [1, None]}),
            ('process:msg', {'type': 'nothing', 'data': 0}), ('process:msg', [1, 2]),
            ('process:msg', {'type': 'lost', 'data': {'count': 5}}), ('process:msg', 'ready')])

    def test_an_answer_to_a_message(self):
        stream = self.open_bus(events=['answer'])
        self.start_speaker()
        self.client.manager_call('SendData', 'uss', 0, 'process:msg', '{"some":"data"}')
        event = stream.next()
        self.assertEqual(event['data'], {'id': 0, 'type': 'process:msg', 'topic': True, 'data': {'some': 'data'}})
        self.assertEqual((event['process']['name'], event['process']['pm_id']), ('speaker', 0))

    def test_signals(self):
        self.start_speaker()
        self.client.manager_call('SendMessage', 'ss', 'speaker', '"hello"')
        body = self.client.wait_message(lambda m: m.member == 'ProcessMessage' and m.body[3] == 'answer').body
        self.assertEqual(body, ['/org/pm2/Process/0', 0, 'speaker', 'answer', '"hello"'])

    def test_all_is_said_before_the_exit(self):
        stream = self.open_bus()
        self.start_speaker('process.send("ready"); for (let i = 0; i < 2000; i++) process.send({type: "n", data: {i}}, '
                           '() => { if (i === 1999) process.exit(0); });', autorestart=False)
        events = stream.wait_event('exit')
        self.assertEqual([event['data']['i'] for event in events if event['event'] == 'n'], list(range(2000)))


class SmallBacklog(BusCase):
    settings = 'stream_backlog_max=65536\nstreams_max=3'

    def test_slow_reader_costs_only_itself(self):
        slow, quick = self.open_bus(), self.open_bus()
        total = 0
        while total < 5000:
            self.happen(200)  # no more than a reader may be behind
            total += 200
            self.assertNotIn(LOST, [quick.next()['event'] for _ in range(200)])
        events = []
        while LOST not in kinds(events):
            events.append(slow.next())
        lost = events.pop()
        self.assertEqual(list(lost), ['event', 'at', 'data'])
        self.assertGreater(len(events), 100)
        self.assertEqual(len(events) + lost['data']['count'], total)
        # and then it is as good as any other
        self.client.start(self.sleeper(), name='api')
        self.assertEqual(kinds(slow.ready()), ['online', 'start'])
        self.assertEqual(kinds(quick.ready()), ['online', 'start'])

    def test_readers_come_and_go(self):
        for _ in range(20):
            stream = self.open_bus()
            self.happen(100)
            os.close(os.dup(stream.fd))
            # the case closes it again
            os.dup2(os.open('/dev/null', os.O_RDONLY | os.O_CLOEXEC), stream.fd)
        self.assertEqual(self.client.list(), [])

    def test_so_many_for_a_user(self):
        streams = [self.open_bus() for _ in range(3)]
        self.assert_dbus_error('LimitExceeded', self.open_bus, mentions='streams_max')
        with self.daemon.connect() as other:
            self.assert_dbus_error('LimitExceeded', self.open_bus, other, mentions='streams_max')
        os.dup2(os.open('/dev/null', os.O_RDONLY | os.O_CLOEXEC), streams[0].fd)

        def opened():
            with contextlib.suppress(harness.DBusError):
                return self.open_bus()

        self.assertIsNotNone(harness.wait_until(opened, 'one that was closed counts no more'))


class Ctl(BusCase):
    def follow(self, *arguments):
        """pm2ctl bus, when it listens."""
        self.assertTrue(self.client)
        process = subprocess.Popen([harness.pm2ctl_path(), 'bus', *arguments], env=self.daemon.environment(),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        def end():
            process.kill()
            process.communicate()

        self.addCleanup(end)
        stream = Stream(process.stdout.fileno())

        def listens():
            self.client.start(self.sleeper('probe.sh'), name='probe', start=False)
            self.client.delete('probe')
            return stream.read(0.05)

        harness.wait_until(listens, 'pm2ctl prints something')
        return process, stream

    def lines(self, stream, count):
        found = []
        while len(found) < count:
            while b'\n' not in stream.text:
                self.assertTrue(stream.read(harness.TIMEOUT))
                self.assertFalse(stream.ended)
            line, _, stream.text = stream.text.partition(b'\n')
            if b'probe' not in line:
                found.append(line.decode())
        return found

    def test_for_a_person(self):
        process, stream = self.follow()
        self.client.start(self.sleeper(), name='api')
        self.client.send_signal('all', 'KILL')
        lines = self.lines(stream, 6)
        for line, words in zip(lines, ('online', 'start', 'exit (SIGKILL)', 'crash', 'restart: ', 'online')):
            self.assertRegex(line, r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+  \d\|api  \w+')
            self.assertIn(words, line)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(harness.TIMEOUT), -signal.SIGINT)

    def test_json(self):
        process, stream = self.follow('--json')
        self.client.start(self.sleeper(), name='api')
        events = [json.loads(line) for line in self.lines(stream, 2)]
        self.assertEqual(kinds(events), ['online', 'start'])
        self.assertEqual(list(events[0]), ['event', 'at', 'process', 'data'])
        self.assertEqual(process.poll(), None)

    def test_filters(self):
        _, stream = self.follow('--event', 'process:event', '--event=x*', '--json', '/^(api|probe)$/')
        self.client.start(self.sleeper(), name='other')
        self.client.start(self.sleeper(), name='api')
        events = [json.loads(line) for line in self.lines(stream, 2)]
        self.assertEqual([event['process']['name'] for event in events], ['api', 'api'])

    def test_bad_filter(self):
        self.assertTrue(self.client)
        result = self.pm2ctl('bus', '/[/', status=1)
        self.assertIn('expression', result.stderr)
        self.pm2ctl('bus', '--event', '', status=1)
        self.pm2ctl('bus', 'one', 'two', status=2)

    def test_end_of_the_supervisor(self):
        self.expected_status = harness.EXIT_KILLED
        process, stream = self.follow()
        self.client.manager_call('Kill', 'a{sv}', {})
        out, err = process.communicate(timeout=harness.TIMEOUT)
        self.assertEqual(process.returncode, 1)
        self.assertIn('pm2:kill', (stream.text + out).decode())
        self.assertIn('pm2d has ended', err.decode())
        self.daemon.wait_exit()

    def test_nobody_reads_it(self):
        process, _ = self.follow()
        process.stdout.close()
        self.assertEqual(process.wait(harness.TIMEOUT), 0)
        process.stdout = None


if __name__ == '__main__':
    harness.main()
