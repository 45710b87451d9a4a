#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Log files lose their oldest part: nothing is torn, nothing is lost but that, and who follows them sees each line once.

    PM2D_TEST_DISK        a folder on a disk file system that can cut files (default: the first of some that does)
"""

import ctypes
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness

FALLOC_FL_COLLAPSE_RANGE = 8
KIB = 1024
SIZE, BOUND = '64K', 6 * 64 * KIB
# Numbered lines, as fast as they come, until a file is there; then the number of the last one.
COUNTER = '''#!/usr/bin/python3
import os, sys, time
stop, pause = sys.argv[1], float(sys.argv[3])
prefix = sys.argv[2] + (os.environ['NODE_APP_INSTANCE'] if sys.argv[2] == 'i' else '')
number = 0
while not os.path.exists(stop):
    text = b''
    for _ in range(40):
        number += 1
        text = f'{prefix} {number} '.encode() + b'x' * (number * 7919 % 97) + b'\\n'
        os.write(1, text)
    time.sleep(pause)
with open(stop + '.' + prefix, 'w') as file:
    file.write(f'{number}\\n')
time.sleep(1000)
'''


def can_cut(folder):
    """Whether files there can lose their beginning."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b'x' * 3 * 65536)
            file.flush()
            return libc.fallocate(file.fileno(), FALLOC_FL_COLLAPSE_RANGE, ctypes.c_long(0), ctypes.c_long(65536)) == 0
    except OSError:
        return False


@functools.lru_cache(maxsize=None)
def disk():
    """A folder where files can be cut, or None."""
    places = (os.environ.get('PM2D_TEST_DISK'), tempfile.gettempdir(), '/var/tmp', os.path.join(harness.TOP, 'build'))
    return next((place for place in places if place and can_cut(place)), None)


def numbers(path, prefix=None):
    """The numbers of the lines of a counter in a file; each line must be whole. The rest of one may be blanks."""
    with open(path, 'rb') as file:
        text = file.read()
    lines = text.split(b'\n')
    assert lines.pop() == b'', 'the last line has an end'
    found = []
    for at, line in enumerate(lines):
        words = line.split(b' ')
        if at == 0 and line.strip(b' ') == b'':
            continue
        number = int(words[1])
        assert len(words) == 3 and words[2] == b'x' * (number * 7919 % 97), line
        if prefix is None or words[0].decode() == prefix:
            found.append(number)
    return found


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        if not disk():
            self.skipTest('no folder is on a file system that can cut files (PM2D_TEST_DISK)')
        folder = tempfile.TemporaryDirectory(prefix='pm2-logs-', dir=disk())
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, 'out.log')
        self.stop_file = os.path.join(self.folder, 'stop')

    def start_counter(self, prefix='line', pause=0.001, **attributes):
        script = self.script('counter.py', COUNTER)
        values = {'name': prefix, 'out_file': self.out, 'log_max_size': SIZE, 'args': [self.stop_file, prefix, str(pause)],
                  'merge_logs': True, 'interpreter': '/usr/bin/python3', **attributes}
        return self.client.start(script, **values)

    def end_counter(self, prefix='line'):
        """Have it write no more; the number of its last line."""
        open(self.stop_file, 'w', encoding='ascii').close()
        return int(harness.wait_file(f'{self.stop_file}.{prefix}'))

    def cuts(self, daemon=None):
        return (daemon or self.daemon).log_text().count('a log was cut')

    def wait_cuts(self, count, daemon=None):
        harness.wait_until(lambda: self.cuts(daemon) >= count, f'{count} cuts')

    def wait_bounded(self, path):
        harness.wait_until(lambda: os.path.getsize(path) <= BOUND, f'{path} is within its bound')


class Bounds(Case):
    def test_what_is_left_is_an_unbroken_end(self):
        path, = self.start_counter()
        self.wait_cuts(5)
        last = self.end_counter()
        self.wait_bounded(self.out)
        found = numbers(self.out)
        self.assertGreater(found[0], 1)
        self.assertEqual(found, list(range(found[0], last + 1)))
        self.assertGreater(os.path.getsize(self.out), BOUND // 2)
        self.assertEqual(self.client.property(path, 'StatusText'), '')

    def test_zero_is_no_bound_and_a_bound_can_come_later(self):
        self.start_counter(log_max_size='0')
        harness.wait_until(lambda: os.path.getsize(self.out) > 3 * BOUND, 'it has grown')
        self.assertEqual(self.cuts(), 0)
        self.client.manager_call('SetProperties', 'sa{sv}', 'line', harness.options(log_max_size=SIZE))
        self.wait_cuts(1)
        last = self.end_counter()
        self.wait_bounded(self.out)
        found = numbers(self.out)
        self.assertEqual(found, list(range(found[0], last + 1)))

    def test_several_instances_write_one_file(self):
        self.start_counter(prefix='i', instances=4, pause=0.004)
        self.wait_cuts(5)
        lasts = {f'i{number}': self.end_counter(f'i{number}') for number in range(4)}
        self.wait_bounded(self.out)
        for prefix, last in lasts.items():
            found = numbers(self.out, prefix)
            self.assertEqual(found, list(range(found[0], last + 1)), prefix)

    def test_renamed_and_truncated_by_others(self):
        self.start_counter()
        self.wait_cuts(1)
        older = self.out + '.old'
        os.rename(self.out, older)
        seen = self.cuts()
        self.wait_cuts(seen + 2)  # where the app goes on writing
        os.truncate(older, 0)
        seen = self.cuts()
        self.wait_cuts(seen + 2)
        last = self.end_counter()
        self.wait_bounded(older)
        with open(older, 'rb') as file:
            lines = file.read().split(b'\n')
        self.assertTrue(lines[-2].startswith(f'line {last} '.encode()))
        self.assertNotIn(b'\0', b''.join(lines))
        self.assertFalse(os.path.exists(self.out))

    def test_what_is_written_last_is_bounded_too(self):
        script = self.script('burst.sh', '#!/bin/sh\nseq 1 400000\n')
        path = self.client.start(script, name='burst', out_file=self.out, log_max_size=SIZE, autorestart=False, wait=False)[0]
        self.client.wait_status(path, 'stopped')
        self.wait_bounded(self.out)
        lines = harness.wait_file(self.out).split()
        self.assertEqual([int(line) for line in lines], list(range(int(lines[0]), 400001)))

    def test_lines_without_an_end(self):
        script = self.script('endless.sh', f'#!/bin/sh\nhead -c {8 * BOUND} /dev/zero | tr "\\0" x\nexec sleep 1000\n')
        self.client.start_one(script, name='endless', out_file=self.out, log_max_size=SIZE)
        self.wait_cuts(1)
        self.wait_bounded(self.out)
        with open(self.out, 'rb') as file:
            self.assertEqual(set(file.read()), {ord('x')})

    def test_a_line_that_is_cut_through_becomes_blanks(self):
        # no line begins at a boundary of a block
        script = self.script('odd.sh', '#!/bin/sh\nprintf "one\\n"; seq -f "%063.0f" 1 40000\nexec sleep 1000\n')
        self.client.start_one(script, name='odd', out_file=self.out, log_max_size=SIZE)
        self.wait_cuts(1)
        self.wait_bounded(self.out)
        first, *lines = harness.wait_file(self.out, lambda text: text.endswith('40000\n')).splitlines()
        self.assertEqual(first, ' ' * len(first))
        self.assertEqual([int(line) for line in lines], list(range(int(lines[0]), 40001)))


class Together(Case):
    """A cap for all of them."""
    CAP = 1024 * KIB
    settings = 'logs_max=1M'

    def used(self, name):
        return sum(os.path.getsize(os.path.join(self.folder, file)) for file in os.listdir(self.folder)
                   if file.startswith(f'{name}.log'))

    def begins_with(self, path, start):
        with open(path, 'rb') as file:
            return start.startswith(file.read(len(start)))

    def test_the_largest_gives_way(self):
        names = {'unbounded': {'log_max_size': 0}, 'large': {'log_max_size': '10M'}, 'parts': {'log_retain': 1000}}
        small = os.path.join(self.folder, 'small.log')
        script = self.script('small.sh', '#!/bin/sh\nseq 1 5000\nexec sleep 1000\n')
        self.client.start_one(script, name='small', out_file=small)
        for name, attributes in names.items():
            self.start_counter(prefix=name, out_file=os.path.join(self.folder, f'{name}.log'), **attributes)
        for name in ('unbounded', 'large'):
            start, path = f'{name} 1 '.encode(), os.path.join(self.folder, f'{name}.log')
            harness.wait_until(lambda: not self.begins_with(path, start), f'{name} was cut')
        parts = os.path.join(self.folder, 'parts.log.1')
        harness.wait_until(lambda: self.used('parts') > os.path.getsize(parts[:-2]), 'there are parts')
        harness.wait_until(lambda: not os.path.exists(parts), 'the oldest part is gone')
        lasts = {name: self.end_counter(name) for name in names}
        harness.wait_until(lambda: sum(map(self.used, [*names, 'small'])) <= self.CAP, 'all are within their cap')
        for name, last in lasts.items():
            found = numbers(os.path.join(self.folder, f'{name}.log'))
            self.assertEqual(found, list(range(found[0], last + 1)))
        with open(small, encoding='ascii') as file:
            self.assertEqual(len(file.readlines()), 5000)


class LeftAlone(Case):
    def test_an_app_that_does_not_append(self):
        script = self.script('over.sh', f'#!/bin/sh\nexec > {self.out}\nseq 1 400000\nexec sleep 1000\n')
        path = self.client.start_one(script, name='over', out_file=self.out, log_max_size=SIZE, wait=False)
        text = self.client.wait_property(path, 'StatusText', lambda value: value)
        self.assertEqual(text, f'log_max_size: {self.out}: the app writes to it, but does not append')
        lines = harness.wait_file(self.out, lambda content: content.endswith('\n400000\n')).split()
        self.assertEqual([int(line) for line in lines], list(range(1, 400001)))

    def test_another_program_that_does_not_append(self):
        path, = self.start_counter()
        other = os.open(self.out, os.O_WRONLY)
        self.addCleanup(os.close, other)
        self.wait_cuts(1)
        # at an offset of its own, which is behind the end now
        os.pwrite(other, b'other\n', 2 * BOUND)
        text = self.client.wait_property(path, 'StatusText', lambda value: value)
        self.assertEqual(text, f'log_max_size: {self.out}: a program writes to it, but does not append')

    def test_another_file_in_the_place_of_the_log(self):
        """What a program makes its standard output is its own business."""
        other = os.path.join(self.folder, 'important')
        script = self.script('own.sh', f'#!/bin/sh\nexec >> {other}\nseq 1 400000\necho done >&2\nexec sleep 1000\n')
        error = os.path.join(self.folder, 'error.log')
        path = self.client.start_one(script, name='own', out_file=self.out, error_file=error, log_max_size=SIZE)
        harness.wait_file(error)
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        client = self.daemon.connect()
        # it has been looked at when a log of another app was cut, which started later
        script = self.script('burst.sh', '#!/bin/sh\nseq 1 400000\nexec sleep 1000\n')
        client.start_one(script, name='burst', out_file=error + '2', log_max_size=SIZE)
        self.wait_cuts(1)
        self.assertEqual(harness.read_file(other).count('\n'), 400000)
        self.assertEqual(client.property(path, 'StatusText'), '')

    @unittest.skipIf(can_cut('/dev/shm') or not os.access('/dev/shm', os.W_OK), '/dev/shm is no tmpfs')
    def test_a_file_system_that_cannot(self):
        with tempfile.TemporaryDirectory(prefix='pm2-logs-', dir='/dev/shm') as folder:
            out = os.path.join(folder, 'out.log')
            path, = self.start_counter(out_file=out)
            text = self.client.wait_property(path, 'StatusText', lambda value: value)
            self.assertEqual(text, f'log_max_size: {out}: its file system cannot cut a file')
            last = self.end_counter()
            self.assertEqual(numbers(out), list(range(1, last + 1)))
            self.client.delete('all')


class Survival(Case):
    def test_killed_in_the_middle(self):
        self.start_counter()
        for _ in range(3):
            seen = self.cuts()
            self.wait_cuts(seen + 1)
            self.daemon.process.kill()
            self.daemon.process.wait()
            self.daemon.start()
        seen = self.cuts()
        self.wait_cuts(seen + 1)
        last = self.end_counter()
        self.wait_bounded(self.out)
        found = numbers(self.out)
        self.assertEqual(found, list(range(found[0], last + 1)))

    def test_renewed(self):
        path, = self.start_counter()
        self.wait_cuts(1)
        pid = self.client.property(path, 'Pid')
        self.client.manager_call('Reexecute')
        seen = self.cuts()
        self.wait_cuts(seen + 2)
        last = self.end_counter()
        client = self.daemon.connect()
        self.assertEqual(client.property(path, 'Pid'), pid)
        self.wait_bounded(self.out)
        found = numbers(self.out)
        self.assertEqual(found, list(range(found[0], last + 1)))

    def test_nothing_is_done_while_nothing_is_written(self):
        self.start_counter()
        self.wait_cuts(1)
        self.end_counter()
        self.wait_bounded(self.out)
        self.client.close()

        def switches():
            text = harness.read_file(f'/proc/{self.daemon.process.pid}/status')
            return [line for line in text.splitlines() if 'voluntary' in line]

        def quiet():
            before = switches()
            time.sleep(2.5)  # longer than any interval
            return before == switches()

        harness.wait_until(quiet, 'nothing happens')


class SeparateCase(Case):
    """With log_retain or log_compress older parts are kept in files of their own."""

    def parts(self):
        """The files, the oldest first, as (number, path)."""
        found = []
        for name in os.listdir(self.folder):
            if name.startswith('out.log.'):
                found.append((int(name.split('.')[2]), os.path.join(self.folder, name)))
        return sorted(found)

    def read(self):
        """All lines of all files, and of the log."""
        text = b''
        for _, path in self.parts():
            command = {'.gz': ['gzip', '-dc', path], '.zst': ['zstd', '-dcq', path]}.get(os.path.splitext(path)[1], ['cat', path])
            part = subprocess.run(command, check=True, capture_output=True).stdout
            self.assertLessEqual(len(part), 64 * KIB)
            self.assertTrue(part.endswith(b'\n'))
            text += part
        with open(self.out, 'rb') as file:
            return [line for line in (text + file.read()).split(b'\n') if line.strip(b' ')]

    def wait_parts(self, count):
        harness.wait_until(lambda: self.parts() and self.parts()[-1][0] >= count, f'{count} files')

    def wait_quiet(self):
        harness.wait_until(lambda: os.path.getsize(self.out) <= 64 * KIB, 'the log is within its size')
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith('.')], [])

    def numbers(self):
        return [int(line.split(b' ')[1]) for line in self.read()]

    def run_and_read(self, **attributes):
        path, = self.start_counter(**attributes)
        self.wait_parts(5)
        last = self.end_counter()
        self.wait_quiet()
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        return self.numbers(), last

    def kill_in_the_middle(self, count):
        self.start_counter(log_retain=1000)
        for _ in range(count):
            self.wait_parts(len(self.parts()) + 1)
            self.daemon.process.kill()
            self.daemon.process.wait()
            self.daemon.start()
        self.wait_parts(len(self.parts()) + 2)
        last = self.end_counter()
        self.wait_quiet()
        self.assertEqual(self.numbers(), list(range(1, last + 1)))


class Separate(SeparateCase):
    def test_all_is_there_once(self):
        found, last = self.run_and_read(log_retain=1000)
        self.assertEqual(found, list(range(1, last + 1)))
        sizes = [os.path.getsize(path) for _, path in self.parts()]
        self.assertGreater(min(sizes), 32 * KIB)

    def test_older_ones_are_deleted(self):
        found, last = self.run_and_read(log_retain=2)
        self.assertEqual(found, list(range(found[0], last + 1)))
        self.assertEqual(len(self.parts()), 2)
        self.assertGreater(found[0], 1)

    def test_compressed(self):
        for program, suffix in (('gzip', '.gz'), ('zstd', '.zst')):
            if not shutil.which(program, path='/usr/local/bin:/usr/bin:/bin'):
                self.assert_dbus_error('NotSupported', self.start_counter, log_compress=program, mentions='log_compress')
                continue
            with self.subTest(program):
                found, last = self.run_and_read(log_compress=program, log_retain=1000)
                self.assertEqual(found, list(range(1, last + 1)))
                self.assertEqual({os.path.splitext(path)[1] for _, path in self.parts()}, {suffix})
                self.client.delete('line')
                for name in os.listdir(self.folder):
                    os.unlink(os.path.join(self.folder, name))

    def test_log_compress_alone_keeps_five(self):
        found, last = self.run_and_read(log_compress='none')
        self.assertEqual(found, list(range(found[0], last + 1)))
        self.assertEqual(len(self.parts()), 5)

    def test_killed_in_the_middle(self):
        self.kill_in_the_middle(5)

    def test_a_folder_that_cannot_be_written(self):
        path, = self.start_counter(log_retain=1000)
        self.wait_parts(1)
        # also root cannot make a file there
        hidden = self.folder + '.hidden'
        os.rename(self.folder, hidden)
        try:
            text = self.client.wait_property(path, 'StatusText', lambda value: value)
        finally:
            os.rename(hidden, self.folder)
        self.assertEqual(text, f'log_max_size: {self.out}: it cannot be cut: No such file or directory')
        self.client.wait_property(path, 'StatusText', '')
        last = self.end_counter()
        self.wait_quiet()
        self.assertEqual(self.numbers(), list(range(1, last + 1)))


class Follower:
    """pm2ctl logs -f; its lines are read all the time."""

    def __init__(self, case, name):
        environment = case.daemon.environment()
        self.process = subprocess.Popen([harness.pm2ctl_path(), 'logs', name, '--raw', '--lines', '0', '--out'],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
        self.text = bytearray()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while True:
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                return
            self.text += chunk

    def wait(self, last):
        needle = f' {last} '.encode()
        harness.wait_until(lambda: needle in self.text[-1000:], f'line {last} was seen')

    def end(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()

    def numbers(self):
        return [int(line.split(b' ')[1]) for line in self.text.split(b'\n')[:-1]]


class Stream(Follower):
    """The same of OpenLogs."""

    def __init__(self, case, name):
        case.client.manager_call('OpenLogs', 'sa{sv}', name, {})
        self.fd = case.client.fds.pop()
        self.text = bytearray()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while chunk := os.read(self.fd, 1 << 20):
            self.text += chunk

    def end(self):
        socket.socket(fileno=os.dup(self.fd)).shutdown(socket.SHUT_RD)
        self.thread.join()
        os.close(self.fd)


class FollowingCase(Case):
    def follow(self, cuts, pause, kinds=(Follower, Stream), **attributes):
        """Each line is seen once, by pm2ctl and by who has called OpenLogs."""
        self.start_counter(pause=pause, **attributes)
        harness.wait_until(lambda: os.path.exists(self.out) and os.path.getsize(self.out), 'it writes')
        followers = []
        for kind in kinds:
            followers.append(kind(self, 'line'))
            self.addCleanup(followers[-1].end)
        for follower in followers:
            harness.wait_until(lambda follower=follower: follower.text, 'the follower follows')
        self.wait_cuts(cuts)
        last = self.end_counter()
        for follower in followers:
            follower.wait(last)
            found = follower.numbers()
            self.assertEqual(found, list(range(found[0], last + 1)), type(follower).__name__)

    def follow_four(self, cuts, pause):
        """Four instances write one file: every line comes whole, and once."""
        self.start_counter(prefix='i', instances=4, pause=pause)
        follower = Stream(self, 'i')
        self.addCleanup(follower.end)
        harness.wait_until(lambda: follower.text, 'the follower follows')
        self.wait_cuts(cuts)
        lasts = {f'i{number}': self.end_counter(f'i{number}') for number in range(4)}
        for prefix, last in lasts.items():
            needle = f'{prefix} {last} '.encode()
            harness.wait_until(lambda needle=needle: needle in follower.text, f'{needle} was seen')
        found = {prefix: [] for prefix in lasts}
        harness.wait_until(lambda: follower.text.endswith(b'\n'), 'the last line is whole')
        for line in follower.text.split(b'\n')[:-1]:
            prefix, number, rest = line.split(b' ')
            self.assertEqual(rest, b'x' * (int(number) * 7919 % 97))
            found[prefix.decode()].append(int(number))
        for prefix, last in lasts.items():
            self.assertEqual(found[prefix], list(range(found[prefix][0], last + 1)), prefix)


class Following(FollowingCase):
    def test_each_line_is_seen_once_where_parts_are_kept(self):
        self.follow(5, 0.002, log_retain=2)

    def test_each_line_is_seen_once_where_more_than_a_part_comes_during_a_cut(self):
        self.follow(12, 0.0005, (Stream,), log_retain=2)  # pm2ctl reads by itself, as fast as it can
        harness.wait_until(lambda: os.path.getsize(self.out) <= 64 * KIB, 'there is nothing left to be cut')

    def test_each_line_is_seen_once(self):
        self.follow(5, 0.002)

    def test_four_instances_write_one_file(self):
        self.follow_four(3, 0.008)


if __name__ == '__main__':
    harness.main()
