#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is logged, to whoever listens: OpenLogs, OpenBus, the signal Log; each line once, whole."""

import contextlib
import errno
import json
import os
import re
import subprocess

import harness
import test_lifeline
import test_message_bus
from harness import V

# Says what its standard input says; "!" first: on standard error; "." at the end: without a newline.
ECHO = '''#!/usr/bin/python3
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.write(1, b'begun\\n')
for line in sys.stdin:
    text = line.rstrip('\\n')
    fd = 2 if text.startswith('!') else 1
    if text == 'end':
        os.write(1, b'last words')
        sys.exit(3)
    os.write(fd, text[:-1].encode() if text.endswith('.') else text.encode() + b'\\n')
'''


class Case(test_message_bus.BusCase):
    def setUp(self):
        super().setUp()
        self.echo_script = self.script('echo.py', ECHO)

    def echo(self, name='api', **attributes):
        """A process that has begun."""
        path = self.client.start_one(self.echo_script, name=name, interpreter='/usr/bin/python3', **attributes)
        if attributes.get('out_file') != '/dev/null':
            harness.wait_file(self.client.property(path, 'OutLogPath'))
        return path

    def say(self, *lines, process=0):
        for line in lines:
            self.client.manager_call('SendLine', 'us', process, line)

    def open_logs(self, target='all', client=None, **options):
        client = client or self.client
        values = harness.options(**options)
        if 'lines' in options:
            values['lines'] = V('u', options['lines'])
        client.manager_call('OpenLogs', 'sa{sv}', target, values)
        stream = test_message_bus.Stream(os.dup(client.fds[-1]))
        os.close(client.fds.pop())
        self.addCleanup(stream.close)
        return stream

    def read_until(self, stream, end):
        """All that comes up to some bytes."""
        while end not in stream.text:
            self.assertFalse(stream.ended, stream.text)
            stream.read(1)
        text, _, stream.text = stream.text.partition(end)
        return text + end

    def read_all(self, stream):
        while not stream.ended:
            stream.read(1)
        return stream.text

    def inotify_watches(self):
        """How many files pm2d watches, and how many it has open to be read."""
        folder = f'/proc/{self.daemon.process.pid}'
        watches = 0
        for fd in os.listdir(folder + '/fdinfo'):
            with contextlib.suppress(OSError), open(f'{folder}/fdinfo/{fd}', encoding='ascii') as file:
                watches += sum(line.startswith('inotify ') for line in file)
        return watches

    def read_logs(self):
        folder, found = f'/proc/{self.daemon.process.pid}', []
        for fd in os.listdir(folder + '/fd'):
            with contextlib.suppress(OSError), open(f'{folder}/fdinfo/{fd}', encoding='ascii') as file:
                flags = int(re.search(r'flags:\s*(\d+)', file.read())[1], 8)
                path = os.readlink(f'{folder}/fd/{fd}')
                if path.endswith('.log') and not flags & os.O_PATH:
                    found.append(path)
        return found


class Open(Case):
    def test_raw(self):
        self.echo()
        stream = self.open_logs('api', lines=1)
        self.say('one', '!two', 'three')
        lines = [self.read_until(stream, b'\n') for _ in range(4)]
        self.assertEqual(sorted(lines), [b'!two\n', b'begun\n', b'one\n', b'three\n'])

    def test_what_pm2d_writes(self):
        """Lines with their date, which go to a file for both streams too: each once, and the last before the exit."""
        path = self.echo(log_date_format='[at]', log_file=self.path('all.log'), autorestart=False)
        stream = self.open_logs('api')
        self.client.manager_call('OpenBus', 'a{sv}', harness.options(events=['log:out', 'process:event'], target='api'))
        bus = test_message_bus.Stream(self.client.fds.pop())
        self.addCleanup(bus.close)
        self.say('one', '!two')
        self.assertEqual(sorted(self.read_until(stream, b'\n') for _ in range(2)), [b'at: !two\n', b'at: one\n'])
        self.say('end')
        self.assertEqual(self.read_until(stream, b'\n'), b'at: last words\n')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(stream.text, b'')
        told = [bus.next() for _ in range(3)]
        self.assertEqual([(line['event'], line['data'] if line['event'] == 'log:out' else line['data']['event'])
                          for line in told],
                         [('log:out', 'at: one\n'), ('log:out', 'at: last words\n'), ('process:event', 'exit')])

    def test_json(self):
        self.echo(namespace='web')
        stream = self.open_logs('api', lines=5, format='json')
        first = stream.next()
        self.assertEqual(list(first), ['process', 'stream', 'data'])  # nobody knows when that was
        self.assertEqual((first['process']['pm_id'], first['process']['name'], first['process']['namespace'], first['stream'],
                          first['data']), (0, 'api', 'web', 'out', 'begun\n'))
        self.say('!wrong')
        line = stream.next()
        self.assertEqual((line['stream'], line['data']), ('err', '!wrong\n'))
        self.assertGreater(line['at'], 1.6e12)

    def test_a_line_comes_when_it_is_whole(self):
        self.echo()
        stream = self.open_logs('api')
        self.say('a half and .')
        self.say('a half', 'next')
        self.assertEqual(self.read_until(stream, b'next\n'), b'a half and a half\nnext\n')

    def test_begun_in_the_middle_of_a_line(self):
        path = self.echo()
        self.say('a half and .')
        harness.wait_file(self.client.property(path, 'OutLogPath'), lambda text: text.endswith('half and '))
        stream = self.open_logs('api', lines=5)
        self.say('a half')
        self.assertEqual(self.read_until(stream, b'half\n'), b'begun\na half and a half\n')

    def test_bytes_that_are_no_text(self):
        script = self.script('bytes.sh', '#!/bin/sh\nread x\nprintf \'\\377\\000\\342\\202\\254\\n\'\nexec sleep 1000\n')
        self.client.start_one(script, name='bytes')
        raw, parsed = self.open_logs('bytes'), self.open_logs('bytes', format='json')
        self.say('go')
        self.assertEqual(self.read_until(raw, b'\n'), b'\xff\0\xe2\x82\xac\n')
        self.assertEqual(parsed.next()['data'], '\ufffd\ufffd€\n')

    def test_without_following(self):
        self.echo()
        self.say(*(f'line {number}' for number in range(200)), 'no end.')
        out = os.path.join(self.daemon.logs, 'api-out.log')
        harness.wait_file(out, lambda text: text.endswith('no end'))
        self.assertEqual(self.read_all(self.open_logs('api', lines=3, follow=False, streams=['out'])),
                         b'line 198\nline 199\nno end\n')
        self.assertEqual(self.read_all(self.open_logs('api', lines=0, follow=False)), b'')
        self.client.stop('api')
        self.assertEqual(self.read_all(self.open_logs('api', lines=2, follow=False)), b'line 199\nno end\n')
        everything = self.read_all(self.open_logs('api', lines=1000, follow=False))
        self.assertEqual(len(everything.splitlines()), 202)

    def test_last_words_come_before_the_exit(self):
        path = self.echo(autorestart=False)
        logs, bus = self.open_logs('api'), self.open_bus()
        self.say('end')
        seen = bus.wait_event('exit')
        self.assertEqual([event['data'] for event in seen[:-1] if event['event'] == 'log:out'], ['last words'])
        self.assertEqual(self.read_until(logs, b'\n'), b'last words\n')
        self.client.wait_status(path, 'stopped')

    def test_all_that_a_short_life_has_said(self):
        script = self.script('short.sh', '#!/bin/sh\ni=0\nwhile [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done\n')
        bus = self.open_bus()
        self.client.start(script, name='short', autorestart=False, wait=False)
        seen = bus.wait_event('exit')
        text = ''.join(event['data'] for event in seen if event['event'] == 'log:out')
        self.assertEqual(text, ''.join(f'line {number}\n' for number in range(3000)))

    def test_processes_that_come_later(self):
        self.echo('one', namespace='web')
        stream = self.open_logs('web', format='json', lines=1)
        self.assertEqual(stream.next()['process']['name'], 'one')
        self.echo('two', namespace='web')
        self.echo('other')
        self.assertEqual(stream.next()['process']['name'], 'two')
        self.say('of other', process=2)
        self.say('of two', process=1)
        self.assertEqual(stream.next()['data'], 'of two\n')

    def test_over_restarts(self):
        self.echo()
        stream = self.open_logs('api')
        for number in range(3):
            self.say(f'before {number}')
            self.read_until(stream, b'before %d\n' % number)
            self.client.restart('api')
            self.assertEqual(self.read_until(stream, b'begun\n'), b'begun\n')

    def test_a_log_that_is_emptied(self):
        path = self.echo()
        out = self.client.property(path, 'OutLogPath')
        stream = self.open_logs('api')
        for how in (lambda: os.truncate(out, 0), lambda: self.client.manager_call('Flush', 'sa{sv}', 'api', {})):
            self.say('some words that are gone soon')
            self.read_until(stream, b'soon\n')
            how()
            self.say('more')
            self.assertEqual(self.read_until(stream, b'more\n'), b'more\n')

    def test_a_log_that_is_renamed(self):
        path = self.echo()
        out = self.client.property(path, 'OutLogPath')
        stream = self.open_logs('api')
        os.rename(out, out + '.old')
        self.say('to the old one')
        self.assertEqual(self.read_until(stream, b'one\n'), b'to the old one\n')
        self.client.restart('api')
        self.assertEqual(self.read_until(stream, b'begun\n'), b'begun\n')
        self.say('to the new one')
        self.assertEqual(self.read_until(stream, b'new one\n'), b'to the new one\n')
        self.assertEqual(self.read_logs().count(out), 1)
        self.assertNotIn(out + '.old', self.read_logs())

    def test_one_file_of_several(self):
        out = self.path('shared.log')
        for name in ('one', 'two'):
            self.echo(name, out_file=out, error_file=out)
        harness.wait_file(out, lambda text: text == 'begun\nbegun\n')
        everything, two = self.open_logs(format='json'), self.open_logs('two', format='json')
        self.say('of one')
        self.say('!of two', process=1)
        for stream, name in ((everything, 'one'), (two, 'two')):
            lines = [stream.next(), stream.next()]
            self.assertEqual(sorted((line['process']['name'], line['stream'], line['data']) for line in lines),
                             [(name, 'out', '!of two\n'), (name, 'out', 'of one\n')])

    def test_nobody_listens(self):
        """There is no watch, and no file is read, but while somebody wants it."""
        # such a log is not bounded, so nothing else watches it
        self.echo(log_max_size='0')
        before = self.inotify_watches()
        self.assertEqual(self.read_logs(), [])
        for opened in (lambda: self.open_logs(), lambda: self.open_bus(events=['log:out', 'log:err'])):
            stream = opened()
            self.assertEqual(len(self.read_logs()), 2)
            self.assertEqual(self.inotify_watches(), before + 2)
            null = os.open('/dev/null', os.O_RDONLY)
            os.dup2(null, stream.fd)  # which closes it
            os.close(null)
            harness.wait_until(lambda: not self.read_logs() and self.inotify_watches() == before, 'nothing is read')
        self.open_bus(events=['process:event'])
        self.open_bus(events=['log:*'], target='other')
        self.assertEqual(self.read_logs(), [])
        self.client.manager_call('Subscribe')
        self.assertEqual(len(self.read_logs()), 2)
        self.client.manager_call('Unsubscribe')
        harness.wait_until(lambda: not self.read_logs(), 'nothing is read')

    def test_a_long_line(self):
        script = self.script('long.sh', '#!/bin/sh\nhead -c 300000 /dev/zero | tr "\\0" x; echo; echo short\nexec sleep 1000\n')
        self.client.start_one(script, name='long', start=False)
        stream = self.open_logs('long', format='json')
        self.client.restart('long')
        self.assertEqual([len(stream.next()['data']) for _ in range(2)], [300001, 6])

    def test_errors(self):
        self.echo()
        self.echo('none', out_file='/dev/null', error_file='/dev/null')
        for options, word in (({'lines': V('i', -1)}, 'lines'), ({'lines': V('u', 100001)}, 'lines'), ({'lines': V('s', 'x')}, 'lines'),
                              ({'follow': V('u', 1)}, 'follow'), ({'streams': V('as', [])}, 'streams'),
                              ({'streams': V('as', ['in'])}, 'streams'), ({'streams': V('s', 'out')}, 'streams'),
                              ({'format': V('s', 'xml')}, 'format'), ({'other': V('b', True)}, 'other')):
            with self.subTest(options):
                self.assert_dbus_error('org.freedesktop.DBus.Error.InvalidArgs', self.client.manager_call, 'OpenLogs', 'sa{sv}',
                                       'api', options, mentions=word)
        self.assert_dbus_error('NoSuchProcess', self.open_logs, 'nobody')
        self.assert_dbus_error('NotSupported', self.open_logs, 'none', mentions=("'none'", 'keeps no such log'))
        self.assert_dbus_error('InvalidData', self.open_logs, '/[/')
        self.open_logs('all')


class SmallBacklog(Case):
    settings = 'stream_backlog_max=65536'

    def test_a_slow_reader(self):
        self.echo()
        slow, busy = self.open_logs('api'), self.open_logs('api')
        parsed = self.open_logs('api', format='json')
        line = 'x' * 2000
        for _ in range(50):
            self.say(*([line] * 8))
            self.read_until(busy, (line + '\n').encode() * 8)
        self.say('behind all')
        self.read_until(busy, b'behind all\n')
        text = b''
        while b'lost]\n' not in text:
            slow.read(1)
            text = slow.text
        whole, lost = text.count(line.encode() + b'\n'), re.search(rb'\[pm2d: (\d+) lines lost\]\n', text)
        self.assertEqual(whole + int(lost[1]), 401)
        self.assertNotIn(b'behind', text)
        events = [parsed.next()]
        while events[-1].get('event') != 'lost':
            events.append(parsed.next())
        self.assertEqual(len(events) - 1 + events[-1]['data']['count'], 401)


class Bus(Case):
    def test_open_bus(self):
        path = self.echo()
        stream = self.open_bus(events=['log:*'])
        self.say('one', '!"two"')
        events = {event['event']: event for event in (stream.next(), stream.next())}
        self.assertEqual(events['log:out']['data'], 'one\n')
        self.assertEqual(events['log:err']['data'], '!"two"\n')
        self.assertEqual(list(events['log:out']), ['event', 'at', 'process', 'data'])
        self.assertEqual(events['log:out']['process']['pid'], self.client.property(path, 'Pid'))

    def test_signals_are_for_subscribers(self):
        path = self.echo()
        plain, subscribed = self.daemon.connect(), self.daemon.connect()
        subscribed.manager_call('Subscribe')
        plain.list()
        self.say('one', '!two')
        found = [subscribed.wait_message(lambda m, s=s: m.member == 'Log' and m.body[3] == s, harness.TIMEOUT, 0).body
                 for s in ('out', 'err')]
        self.assertEqual([body[:4] for body in found], [[path, 0, 'api', 'out'], [path, 0, 'api', 'err']])
        self.assertEqual([bytes(body[5]) for body in found], [b'one\n', b'!two\n'])
        self.assertGreater(found[0][4], 1.6e15)
        plain.list()
        self.assertEqual(plain.signals('Log'), [])
        subscribed.manager_call('Unsubscribe')
        self.say('three')
        with self.assertRaises(TimeoutError):
            subscribed.wait_message(lambda m: m.member == 'Log' and b'three' in bytes(m.body[5]), 0.3, 0)


class Library(Case):
    def test_pm2_open_logs(self):
        self.echo()
        self.echo('none', out_file='/dev/null', error_file='/dev/null')
        caller = test_lifeline.Caller(self.daemon)
        self.addCleanup(caller.end)
        caller.order('connect', 0)
        self.assertEqual(caller.order('log', 'api'), len('begun\n'))
        self.assertEqual(caller.call('log', 'nobody')[0], -errno.ESRCH)
        self.assertEqual(caller.call('log', 'none')[0], -errno.EOPNOTSUPP)


class Command(Case):
    """pm2ctl logs."""

    def logs(self, *words):
        return self.pm2ctl('logs', 'api', '--nostream', '--raw', '--out', *words).stdout.splitlines()

    def write(self, *lines):
        """A log as if these lines had been logged."""
        path = self.echo()
        self.client.stop('api')
        self.out = self.client.property(path, 'OutLogPath')
        with open(self.out, 'w', encoding='utf-8') as file:
            file.write(''.join(line + '\n' for line in lines))

    def test_since(self):
        lines = ['2023-11-14T22:13:19Z old', ' of the same', '2023-11-14T22:13:21Z new', '{"timestamp":"2023-11-14T22:13:18Z"}',
                 '2023-11-14 22:13:22.5 +00:00: last', ' and its rest']
        self.write(*lines)
        self.assertEqual(self.logs('--since', '2023-11-14T22:13:20Z'), [lines[2], *lines[4:]])
        self.assertEqual(self.logs('--since', '2023-11-14T22:13:20Z', '-n', '1'), [lines[5]])
        self.assertEqual(self.logs('--since', '@1600000000'), lines)
        os.utime(self.out, (1, 1000000000))
        self.assertEqual(self.logs('--since', '10min'), [])

    def test_grep(self):
        self.write(*(f'line {number}' for number in range(100)))
        self.assertEqual(self.logs('--grep', r'^LINE 1.$'), [])
        self.assertEqual(self.logs('--grep', r'(?i)^LINE 1.$'), [f'line {number}' for number in range(10, 20)])
        self.assertEqual(self.logs('--grep', '9', '-n', '5'), [f'line {number}' for number in range(95, 100)])

    def test_bad_words(self):
        for words in (('--since', 'yesterday'), ('--grep', '('), ('-n', 'x')):
            with self.subTest(words):
                result = self.pm2ctl('logs', '--nostream', *words, status=2)
                self.assertNotEqual(result.stderr, '')

    def follow(self, *words):
        process = subprocess.Popen([harness.pm2ctl_path(), 'logs', 'api', '--raw', '--out', *words], text=True,
                                   env=self.daemon.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process.stdout

    def test_following(self):
        self.echo()
        stamped, parsed, wanted = self.follow('--timestamp'), self.follow('--json'), self.follow('--grep', 'want')
        for stream in (stamped, parsed):
            while 'begun' not in stream.readline():
                pass
        self.say('uninteresting', 'wanted 1')
        self.assertEqual(wanted.readline(), 'wanted 1\n')
        self.assertRegex(self.line_with(stamped, 'wanted'), r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} wanted 1$')
        line = json.loads(self.line_with(parsed, 'wanted'))
        self.assertEqual((line['message'], line['type'], line['process_id'], line['app_name']), ('wanted 1', 'out', 0, 'api'))
        self.assertRegex(line['timestamp'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')

    def line_with(self, stream, word):
        while True:
            line = stream.readline()
            self.assertNotEqual(line, '')
            if word in line:
                return line.rstrip('\n')


if __name__ == '__main__':
    harness.main()
