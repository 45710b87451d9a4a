#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs that pm2d writes itself: lines with a date, as JSON, in one file for both streams; over kill -9 and re-exec."""

import json
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import harness
import test_log_bounds
import test_takeover

FULL = os.environ.get('PM2D_TEST_FULL') == '1'
DATE = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: ')

# Writes the bytes of a file to a stream in pieces of the given sizes, over and over, then waits or ends.
WRITER = '''#!/usr/bin/python3
import os, sys, time
content = open(sys.argv[1], 'rb').read()
sizes = [int(size) for size in sys.argv[2].split(',')]
stream, stay = int(sys.argv[3]), sys.argv[4] == 'stay'
at = index = 0
while at < len(content):
    n = os.write(stream, content[at:at + sizes[index % len(sizes)]])
    at += n
    index += 1
if stay:
    open(sys.argv[1] + '.done', 'w').close()
    time.sleep(1000)
'''


# Numbered lines, written in pieces of any size, until a file is there; then the end of one, and how many there were.
NUMBERS = '''#!/usr/bin/python3
import os, random, sys, time
stop = sys.argv[1]
choice = random.Random(int(sys.argv[2]))
number, rest = 0, b""
while not os.path.exists(stop):
    size = choice.choice((1, 10, 4096, 65536, 300000))
    while len(rest) < size:
        rest += b"%d %s\\n" % (number, b"\\xc3\\xa4" * (number * 7919 % 67))
        number += 1
    rest = rest[os.write(1, rest[:size]):]
    time.sleep(0.001)
rest += b"no newline"
while rest:
    rest = rest[os.write(1, rest):]
with open(stop + ".count", "w") as file:
    file.write(f"{number}\\n")
time.sleep(1000)
'''


def without_dates(data):
    """The lines without their dates; each must have one."""
    lines = data.split(b'\n')
    assert lines[-1] == b'', data[-80:]
    for line in lines[:-1]:
        assert DATE.match(line), line[:80]
    return b'\n'.join(DATE.sub(b'', line, count=1) for line in lines)


class PumpCase:
    """What cases of several kinds of supervisor need."""

    def write(self, name, content):
        path = os.path.join(self.daemon.apps, name)
        with open(path, 'wb') as file:
            file.write(content)
        return path

    def log(self, name='out.log'):
        return os.path.join(self.daemon.apps, name)

    def read(self, name='out.log'):
        try:
            with open(self.log(name), 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return b''

    def start_writer(self, content, sizes, stream=1, stay=False, name='app', **attributes):
        script = self.script('writer.py', WRITER)
        source = self.write(f'{name}.source', content)
        return self.client.start(
            script, name=name, cwd=self.daemon.apps, autorestart=False,
            args=[source, ','.join(map(str, sizes)), str(stream), 'stay' if stay else 'end'],
            out_file=attributes.pop('out_file', 'out.log'), error_file=attributes.pop('error_file', 'err.log'),
            wait=False, **attributes)[0]

    def start_shell(self, text, **attributes):
        script = self.script(f'{attributes.get("name", "app")}.sh', '#!/bin/sh\n' + text)
        attributes = {'name': 'app', 'cwd': self.daemon.apps, 'autorestart': False, 'out_file': 'out.log',
                      'error_file': 'err.log', 'wait': False, **attributes}
        return self.client.start(script, **attributes)[0]

    def wait_log(self, predicate, name='out.log'):
        harness.wait_until(lambda: predicate(self.read(name)), f'{name} has {self.read(name)[-200:]}')
        return self.read(name)


class Lines(PumpCase, harness.Case):
    def test_dates_stand_at_the_beginning_of_lines(self):
        path = self.start_shell('printf "one\\ntw"; sleep 0.1; printf "o\\n\\nthree"', time=True)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(without_dates(self.read()), b'one\ntwo\n\nthree\n')

    def test_random_chunks(self):
        """Of 1 byte to 1 MB, characters cut anywhere, no newline at the end: all bytes come out, and dates at line starts alone."""
        seed = random.getrandbits(32)
        choice = random.Random(seed)
        lines = [''.join(choice.choices('aü漢🎉 ', k=choice.choice((0, 1, 30, 200, 9000)))) for _ in range(3000)]
        content = '\n'.join([*lines, 'no end']).encode()
        sizes = [int(2 ** choice.uniform(0, 20)) for _ in range(300)]
        path = self.start_writer(content, sizes, time=True)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(without_dates(self.read()) == content + b'\n', True, seed)

    def test_date_format(self):
        path = self.start_shell('echo x', log_date_format='[at] YYYY/MM/DD dddd Z', env={'TZ': 'UTC'})
        self.client.wait_status(path, 'stopped')
        self.assertRegex(self.read(), rb'^at \d{4}/\d\d/\d\d [A-Z][a-z]+day [+-]\d\d:\d\d: x\n$')
        config = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.assertEqual(config['log_date_format'], '[at] YYYY/MM/DD dddd Z')

    def test_json_has_an_object_for_each_line(self):
        content = 'plain\nquote " and \\ and \t\nümlaut 漢字 🎉\n'.encode() + b'bad \xff\xc3 byte\nno end'
        path = self.start_writer(content, [1, 2, 3], log_type='json')
        self.client.wait_status(path, 'stopped')
        objects = [json.loads(line) for line in self.read().splitlines()]
        self.assertEqual([entry['message'] for entry in objects],
                         ['plain', 'quote " and \\ and \t', 'ümlaut 漢字 🎉', 'bad \ufffd\ufffd byte', 'no end'])
        self.assertEqual(list(objects[0]), ['message', 'timestamp', 'type', 'process_id', 'app_name'])
        self.assertEqual([entry.get('invalid_utf8') for entry in objects], [None, None, None, True, None])
        self.assertEqual({(entry['type'], entry['process_id'], entry['app_name']) for entry in objects}, {('out', 0, 'app')})
        self.assertRegex(objects[0]['timestamp'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')

    def test_long_lines_go_out_in_parts(self):
        content = ('ä' * 70000 + '\nshort\n').encode()
        path = self.start_writer(content, [65521, 7], log_type='json', time=True)
        self.client.wait_status(path, 'stopped')
        objects = [json.loads(line) for line in self.read().splitlines()]
        self.assertEqual(''.join(entry['message'] for entry in objects), 'ä' * 70000 + 'short')
        self.assertEqual([entry.get('partial') for entry in objects], [True, True, None, None])
        self.assertRegex(objects[0]['timestamp'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$')

    def test_a_long_line_has_one_date(self):
        content = b'x' * 300000 + b'\nshort'
        path = self.start_writer(content, [4099], time=True)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(without_dates(self.read()), content + b'\n')

    def test_combined_file(self):
        path = self.start_shell('echo one; echo two >&2; printf thr; printf four >&2; echo ee; echo >&2', log_file='all.log')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.read(), b'one\nthree\n')
        self.assertEqual(self.read('err.log'), b'two\nfour\n')
        self.assertEqual(sorted(self.read('all.log').splitlines()), [b'four', b'one', b'three', b'two'])
        self.assertEqual(self.client.describe('app')[0]['pm2_env']['pm_log_path'], self.log('all.log'))

    def test_combined_file_alone(self):
        path = self.start_shell('echo one; echo two >&2', out_file='NULL', error_file='/dev/null', log_file='all.log', time=True)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(sorted(without_dates(self.read('all.log')).splitlines()), [b'one', b'two'])
        self.assertFalse(os.path.exists(self.log('NULL')))

    def test_combined_file_by_its_default_name(self):
        path = self.start_shell('echo one', log_file=True, merge_logs=False)
        self.client.wait_status(path, 'stopped')
        where = self.client.describe('app')[0]['pm2_env']['pm_log_path']
        self.assertTrue(where.endswith('/app-0.log'), where)
        with open(where, 'rb') as file:
            self.assertEqual(file.read(), b'one\n')

    def test_disabled_logs_stay_so(self):
        path = self.start_shell('echo one', time=True, log_file='all.log', disable_logs=True)
        self.client.wait_status(path, 'stopped')
        self.assertFalse(os.path.exists(self.log()) or os.path.exists(self.log('all.log')))

    def test_instances_share_a_file_line_by_line(self):
        script = self.script('app.py', '#!/usr/bin/python3\nimport os, sys\nname = os.environ["NODE_APP_INSTANCE"]\n'
                             'for number in range(3000):\n'
                             '    text = f"{name} {number} " + name * (number % 50) + "\\n"\n'
                             '    os.write(1, text[:5].encode()); os.write(1, text[5:].encode())\n')
        paths = self.client.start(script, name='app', cwd=self.daemon.apps, instances=3, merge_logs=True, time=True,
                                  autorestart=False, out_file='out.log', wait=False)
        for path in paths:
            self.client.wait_status(path, 'stopped')
        lines = without_dates(self.read()).decode().splitlines()
        self.assertEqual(len(lines), 9000)
        for name in '012':
            self.assertEqual([line for line in lines if line[0] == name],
                             [f'{name} {number} ' + name * (number % 50) for number in range(3000)])

    def test_what_was_written_last_is_there_before_the_exit(self):
        path = self.start_shell('i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf end; exit 3', time=True)
        self.client.wait_status(path, 'stopped')
        self.assertTrue(without_dates(self.read()).endswith(b'line 1999\nend\n'))

    def test_hooks_have_dates_too(self):
        path = self.start_shell('echo main', time=True, pre_start='echo before', post_stop='echo after')
        self.client.wait_status(path, 'stopped')
        self.wait_log(lambda text: text.count(b'\n') == 3)
        self.assertEqual(without_dates(self.read()), b'before\nmain\nafter\n')

    def test_files_are_opened_as_in_direct_mode(self):
        os.mkfifo(self.log('fifo'))
        for attributes in ({'out_file': 'fifo'}, {'log_file': 'fifo'}):
            with self.subTest(**attributes):
                with self.assertRaises(harness.DBusError) as context:
                    self.start_shell('echo x', **{'time': True, 'wait': True, 'name': 'x', **attributes})
                self.assertIn(next(iter(attributes)), str(context.exception))
                self.assertIn('not a regular file', str(context.exception))
        self.assertEqual(self.client.list(), [])

    def test_flush_and_reopen(self):
        path = self.start_shell('while read line; do echo "$line"; done', time=True, log_file='all.log', wait=True)
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'one')
        self.wait_log(lambda text: text.endswith(b'one\n'), 'all.log')
        self.client.manager_call('Flush', 'sa{sv}', 'app', {})
        self.assertEqual((self.read(), self.read('all.log')), (b'', b''))
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'two')
        self.wait_log(lambda text: text.endswith(b'two\n'), 'all.log')
        os.rename(self.log(), self.log('old.log'))
        self.client.manager_call('ReloadLogs')
        harness.wait_until(lambda: os.path.exists(self.log()), 'the file is opened anew')

        def arrived():
            self.client.call(path, harness.PROCESS, 'SendLine', 's', 'three')
            return self.read().endswith(b'three\n')
        harness.wait_until(arrived, 'its lines come to the new file')
        self.assertEqual(without_dates(self.read('old.log')).splitlines()[0], b'two')

    def test_restart_takes_another_format(self):
        path = self.start_shell('echo hello; sleep 1000', wait=True)
        self.wait_log(lambda text: text == b'hello\n')
        self.client.manager_call('Restart', 'sa{sv}', 'app', {'log_date_format': harness.V('s', 'YYYY')})
        self.wait_log(lambda text: re.fullmatch(rb'hello\n\d{4}: hello\n', text))
        self.client.manager_call('Restart', 'sa{sv}', 'app', {'log_date_format': harness.V('s', '')})
        self.wait_log(lambda text: text.endswith(b': hello\nhello\n'))
        self.assertEqual(self.client.property(path, 'Status'), 'online')


class Survival(PumpCase, harness.Case):
    """With a service manager that keeps descriptors."""

    new_daemon = test_takeover.Takeover.new_daemon
    replace = test_takeover.Takeover.replace
    isolation = 'none'

    def check_kills(self, kills):
        script = self.script('numbers.py', NUMBERS)
        stop = self.log('stop')
        self.client.start(script, name='app', cwd=self.daemon.apps, args=[stop, str(random.getrandbits(32))], autorestart=False,
                          out_file='out.log', log_file='all.log', error_file='NULL', time=True, kill_signal='SIGKILL')
        for _ in range(kills):
            size = len(self.read())
            harness.wait_until(lambda before=size: os.path.getsize(self.log()) > before, 'it goes on')
            time.sleep(random.random() * 0.02)
            self.replace()
        open(stop, 'w', encoding='ascii').close()
        count = int(harness.wait_file(f'{stop}.count'))
        self.client.manager_call('Stop', 'sa{sv}', 'app', {})
        content = b''.join(b'%d %s\n' % (number, b'\xc3\xa4' * (number * 7919 % 67)) for number in range(count)) + b'no newline\n'
        for name in ('out.log', 'all.log'):
            self.assertTrue(without_dates(self.read(name)) == content, f'{name} is not what was written')

    def test_nothing_is_lost_or_doubled_by_kills(self):
        self.check_kills(3)

    @unittest.skipUnless(FULL, 'full tier')
    def test_many_kills(self):
        self.check_kills(30)

    def test_a_bounded_log_is_an_unbroken_end(self):
        if not test_log_bounds.disk():
            self.skipTest('no folder is on a file system that can cut files (PM2D_TEST_DISK)')
        folder = tempfile.TemporaryDirectory(prefix='pm2-logs-', dir=test_log_bounds.disk())
        self.addCleanup(folder.cleanup)
        log, stop = os.path.join(folder.name, 'out.log'), os.path.join(folder.name, 'stop')
        script = self.script('numbers.py', NUMBERS)
        self.client.start(script, name='app', cwd=self.daemon.apps, args=[stop, '1'], autorestart=False, out_file=log,
                          error_file='NULL', time=True, log_max_size='64K', kill_signal='SIGKILL')
        for count in range(1, 4):
            harness.wait_until(lambda wanted=count: self.daemon.log_text().count('a log was cut') >= wanted, 'it was cut')
            self.replace()
        open(stop, 'w', encoding='ascii').close()
        count = int(harness.wait_file(f'{stop}.count'))
        self.client.manager_call('Stop', 'sa{sv}', 'app', {})
        harness.wait_until(lambda: os.path.getsize(log) <= test_log_bounds.BOUND, 'it is within its bound')
        with open(log, 'rb') as file:
            lines = without_dates(file.read().lstrip(b' \n')).splitlines()
        self.assertEqual(lines.pop(), b'no newline')
        found = [int(line.split()[0]) for line in lines]
        self.assertGreater(found[0], 0)
        self.assertEqual(found, list(range(found[0], count)))

    def test_renewal_keeps_the_lines(self):
        path = self.start_shell('while read line; do printf "%s" "$line"; done', time=True, wait=True)
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'one')
        self.client.manager_call('Reexecute')
        self._client = harness.wait_until(self.daemon.try_connect, 'the successor answers')
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'two')
        self.replace()
        self.client.manager_call('Stop', 'sa{sv}', 'app', {})
        self.assertEqual(without_dates(self.read()), b'onetwo\n')


# pm2d where /run is another one, with the journal's socket in a folder of the test, and a small disk.
APART = '''#!/bin/sh
exec unshare --mount --propagation private sh -c '
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/small &&
mount --bind "$1" /run/systemd/journal && mount -t tmpfs -o size=1M tmpfs /run/small && shift && exec "$@"' sh {journal} {pm2d} "$@"
'''


def cannot_be_apart():
    if os.geteuid() != 0 or not shutil.which('unshare'):
        return 'needs root and unshare'
    command = ['unshare', '--mount', '--propagation', 'private', 'mount', '-t', 'tmpfs', 'tmpfs', '/run']
    return None if subprocess.run(command, capture_output=True, check=False).returncode == 0 else 'nothing can be mounted'


@unittest.skipIf(cannot_be_apart(), cannot_be_apart() or '')
class Apart(PumpCase, harness.Case):
    """With a journal played by the test, on a disk that is soon full and cannot cut files."""

    def new_daemon(self, **values):
        daemon = harness.Daemon(**values)
        self.addCleanup(self._end_daemon, daemon)
        self.journal_folder = daemon.make_folder('journal')
        daemon.program = os.path.join(daemon.root, 'apart')
        with open(daemon.program, 'w', encoding='utf-8') as file:
            file.write(APART.format(journal=self.journal_folder, pm2d=harness.pm2d_path()))
        os.chmod(daemon.program, 0o755)
        return daemon

    def listen(self):
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.settimeout(harness.TIMEOUT)
        journal.bind(os.path.join(self.journal_folder, 'socket'))
        return journal

    @staticmethod
    def receive(journal):
        """One entry (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
        data, fds, _, _ = socket.recv_fds(journal, 1 << 20, 1)
        for fd in fds:
            with os.fdopen(fd, 'rb') as file:
                file.seek(0)
                data = file.read()
        entry = {}
        while data:
            name, _, data = data.partition(b'\n')
            length, = struct.unpack_from('<Q', data)
            entry[name.decode()] = data[8:8 + length]
            data = data[8 + length + 1:]
        return entry

    def test_journal_has_an_entry_for_each_line(self):
        self.client.list()
        journal = self.listen()
        path = self.start_shell('echo one; echo "<4>two"; printf end; echo oops >&2', log_target='journal', namespace='space', wait=True)
        found = [self.receive(journal) for _ in range(4)]
        self.client.wait_status(path, 'stopped')
        self.assertEqual([entry['MESSAGE'] for entry in found if entry['PM2_STREAM'] == b'out'], [b'one', b'two', b'end'])
        self.assertEqual([entry['PRIORITY'] for entry in found if entry['PM2_STREAM'] == b'out'], [b'6', b'4', b'6'])
        other, = [entry for entry in found if entry['PM2_STREAM'] == b'err']
        self.assertGreater(int(other.pop('OBJECT_PID')), 1)
        self.assertEqual(other, {'MESSAGE': b'oops', 'PRIORITY': b'3', 'SYSLOG_IDENTIFIER': b'app', 'PM2_NAME': b'app', 'PM2_ID': b'0',
                                 'PM2_NAMESPACE': b'space', 'PM2_STREAM': b'err'})
        self.assertEqual(self.read(), b'')

    def test_both_and_a_journal_that_is_slow(self):
        """More than its socket holds is waited with, nothing is lost; long lines come in a memfd."""
        self.client.list()
        journal = self.listen()
        lines = [b'%d ' % number + b'x' * (60000 if number % 500 == 0 else number % 90) for number in range(3000)]
        self.start_writer(b'\n'.join(lines), [65536], log_target='both', time=True)
        self.wait_log(lambda text: text)
        found = [self.receive(journal)['MESSAGE'] for _ in lines]
        self.assertEqual(found, lines)
        self.wait_log(lambda text: text.count(b'\n') == len(lines))
        self.assertEqual(without_dates(self.read()), b'\n'.join(lines) + b'\n')

    def test_no_journal_is_said_and_waited_for(self):
        path = self.start_shell('echo one; exec sleep 1000', log_target='journal', wait=True)
        text = self.client.wait_property(path, 'StatusText', lambda text: text)
        self.assertIn('the journal takes nothing: No such file or directory', text)
        journal = self.listen()
        self.assertEqual(self.receive(journal)['MESSAGE'], b'one')
        self.client.wait_property(path, 'StatusText', lambda text: not text)

    def test_a_full_disk_is_said_and_waited_for(self):
        path = self.start_shell('exec 3>/run/small/filler; head -c 1000000 /dev/zero >&3; i=0; '
                                'while [ $i -lt 1500 ]; do echo line $i of many that are written; i=$((i+1)); done; read x; '
                                'rm /run/small/filler; exec 3>&-; read x',
                                out_file='/run/small/out.log', time=True, wait=True)
        self.assertIn('No space left on device', self.client.wait_property(path, 'StatusText', lambda text: text))
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        pid = self.client.property(path, 'Pid')
        log = f'/proc/{pid}/root/run/small/out.log'
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'free')
        self.client.wait_property(path, 'StatusText', lambda text: not text)
        harness.wait_until(lambda: harness.read_file(log).count('\n') == 1500, 'all is written')
        with open(log, 'rb') as file:
            self.assertEqual(without_dates(file.read()),
                             b''.join(b'line %d of many that are written\n' % number for number in range(1500)))

    def test_where_files_cannot_be_cut_they_are_begun_anew(self):
        path = self.start_shell('i=0; while [ $i -lt 8000 ]; do i=$((i+1)); echo line $i of many that are written; done; read x; '
                                'echo last; read x', out_file='/run/small/out.log', time=True, log_max_size='64K', wait=True)
        pid = self.client.property(path, 'Pid')
        folder = f'/proc/{pid}/root/run/small'
        harness.wait_until(lambda: os.path.exists(f'{folder}/out.log.1') and os.path.exists(f'{folder}/out.log'), 'it was moved')

        def arrived():
            text = b''
            for name in ('out.log.1', 'out.log'):
                with open(f'{folder}/{name}', 'rb') as file:
                    text += file.read()
            return without_dates(text) == b''.join(b'line %d of many that are written\n' % number for number in range(1, 8001))
        harness.wait_until(arrived, 'both have all of it')
        self.client.call(path, harness.PROCESS, 'SendLine', 's', 'go on')
        harness.wait_until(lambda: harness.read_file(f'{folder}/out.log').endswith(': last\n'), 'it goes on in the new one')
        self.assertEqual(self.client.property(path, 'StatusText'), '')


if __name__ == '__main__':
    harness.main()
