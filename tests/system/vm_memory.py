#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory controller: a limit on the scope of an app, and figures. Run by vm.py, as root, for tester."""

import glob
import os
import re
import signal
import time

import booted
from booted import wait_until

MIB = 1 << 20
# Takes so many MiB, in pages that are written to, and reads a file, which is no memory of its own.
TAKER = '''#!/usr/bin/python3
import sys, time

taken = bytearray()
for _ in range(int(sys.argv[1])):
    taken += b'x' * (1 << 20)
with open(sys.argv[2], 'rb') as file:
    while file.read(1 << 20):
        pass
with open(sys.argv[3], 'a') as file:
    file.write('taken\\n')
while True:
    time.sleep(1000)
'''

# Takes memory until the kernel ends it.
HOG = '''#!/usr/bin/python3
taken = []
while True:
    taken.append(b'x' * (1 << 20))
'''
# At each word that comes through the FIFO has a child that does so, and notes how it has ended.
PARENT = '''#!/usr/bin/python3
import subprocess, sys

fifo, hog, notes = sys.argv[1:]
while True:
    with open(fifo) as file:
        file.read()
    status = subprocess.run([hog]).returncode
    with open(notes, 'a') as file:
        file.write(f'{status}\\n')
'''

# At each line that comes through the FIFO: takes so many MiB, reads a file, or has a child; and notes it.
GROWER = '''#!/usr/bin/python3
import subprocess, sys

def note(word):
    with open(sys.argv[2], 'a') as file:
        file.write(word + '\\n')

note('run')
taken = []
while True:
    with open(sys.argv[1]) as fifo:
        words = fifo.read().split()
    if words[0] == 'take':
        taken.append(b'x' * (int(words[1]) << 20))
    elif words[0] == 'read':
        with open(words[1], 'rb') as file:
            while file.read(1 << 20):
                pass
    else:
        subprocess.Popen(['sleep', '1000'])
    note(words[0])
'''


class Memory(booted.Case):
    def start_taker(self, megabytes, data='/dev/null', **attributes):
        return self.client.start_one(self.script('taker', TAKER), args=[str(megabytes), data, self.path('notes')],
                                     name='taker', **attributes)

    def test_controllers(self):
        capabilities = self.client.get(booted.MANAGER_PATH, booted.MANAGER, 'Capabilities')
        self.assertIn('memory', capabilities['controllers'])

    def test_figures(self):
        """memory is what the cgroup is charged for, less the cache that can go at any time."""
        # a file that comes from a disk, as far as the machine knows, and that nobody has read before
        files = [path for path in glob.glob('/usr/lib/*/lib*.so.*') if os.path.getsize(path) < 48 * MIB]
        path = self.start_taker(64, max(files, key=os.path.getsize))
        self.wait_lines('notes', 1)
        folder = self.cgroup(path)

        def figures():
            current = int(booted.read_file(f'{folder}/memory.current'))
            inactive = int(re.search(r'^inactive_file (\d+)$', booted.read_file(f'{folder}/memory.stat'), re.M)[1])
            return current, inactive

        current, inactive = figures()
        told = self.client.describe('taker')[0]['monit']['memory']
        self.assertGreater(inactive, 0)
        print(f'memory.current {current}, inactive_file {inactive}, told {told}', flush=True)
        self.assertAlmostEqual(told, current - inactive, delta=2 * MIB)
        self.assertGreater(told, 64 * MIB)
        self.assertAlmostEqual(self.client.property(path, 'MemoryBytes'), told, delta=2 * MIB)
        self.assertEqual(self.client.property(path, 'Tasks'), int(booted.read_file(f'{folder}/pids.current')))
        self.assertEqual(self.client.list()[0]['monit']['memory'] // (4 * MIB), told // (4 * MIB))

    def test_maximum_of_a_scope(self):
        """MemoryMax= of a bare scope and of an app's scope: who takes more is ended, and nobody else."""
        allocate = ['/usr/bin/python3', '-c', 'x = bytearray(256 << 20); print(len(x))']
        limited = self.tester.run('systemd-run', '--user', '--scope', '--quiet', '--collect', '-p', 'MemoryMax=64M',
                                  '-p', 'MemorySwapMax=0', *allocate, check=False)
        self.assertEqual(limited.stdout, '')
        self.assertNotEqual(limited.returncode, 0)
        # the app waits for its limit
        gate = self.path('gate')
        os.mkfifo(gate)
        os.chmod(gate, 0o666)
        app = self.script('waits', '#!/bin/sh\nread line <"$1"\nexec /usr/bin/python3 -c "x = bytearray(256 << 20)"\n')
        path = self.client.start_one(app, args=[gate], name='limited', autorestart=False)
        pid = self.instance.main_pid()
        unit = self.client.property(path, 'Unit')
        self.instance.systemctl('set-property', '--runtime', unit, 'MemoryMax=64M', 'MemorySwapMax=0')
        self.assertEqual(booted.read_file(f'{self.cgroup(path)}/memory.max').strip(), str(64 * MIB))
        with open(gate, 'w', encoding='ascii') as file:
            file.write('go\n')
        self.client.wait_event('exit', 'limited')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')
        self.assertEqual(self.instance.main_pid(), pid)
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')

    def test_crash_by_the_limit_is_restarted(self):
        path = self.start_taker(16, max_restarts=1000)
        self.wait_lines('notes', 1)
        # less than it has: the kernel ends it
        limit = booted.read_file(f'{self.cgroup(path)}/memory.current')
        self.instance.systemctl('set-property', '--runtime', self.client.property(path, 'Unit'), 'MemorySwapMax=0',
                                f'MemoryMax={int(limit) // 8}')
        self.client.wait_property(path, 'RestartCount', 1)
        wait_until(lambda: len(self.lines('notes')) >= 2, 'it runs again, without that limit')
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')

    def test_memory_max_of_an_app(self):
        """The attribute: at the start, and when it changes. Who takes more is ended, and nobody else."""
        other = self.client.start_one('/usr/bin/sleep', args=['1000'], name='other', memory_max='64M')
        other_pid = self.client.property(other, 'Pid')
        path = self.start_taker(16, memory_max='1G', tasks_max=20, cpu_quota='50%', autorestart=False)
        self.wait_lines('notes', 1)
        for name, text in (('memory.max', str(1 << 30)), ('pids.max', '20'), ('cpu.max', '50000 100000')):
            self.assertEqual(booted.read_file(f'{self.cgroup(path)}/{name}').strip(), text)
        self.tester.run('pm2ctl', 'set', 'taker', 'memory_max=512M', 'tasks_max=0')
        for name, text in (('memory.max', str(512 * MIB)), ('pids.max', 'max')):
            self.assertEqual(booted.read_file(f'{self.cgroup(path)}/{name}').strip(), text)
        # the kernel ends it where it cannot bring it below the limit, and there is no swap here
        self.tester.run('pm2ctl', 'set', 'taker', 'memory_max=4M')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')
        self.assertEqual(self.client.property(other, 'Pid'), other_pid)
        self.assertEqual(self.client.property(other, 'RestartCount'), 0)

    def test_a_controller_that_is_not_delegated_is_named(self):
        group = self.instance.systemctl('show', '--value', '--property=ControlGroup').stdout.strip()
        if 'io' in booted.read_file(f'{booted.CGROUPS}{group}/cgroup.controllers').split():
            self.skipTest('the user has the io controller')
        with self.assertRaisesRegex(booted.DBusError, 'io_weight: .*"io"'):
            self.client.start('/usr/bin/sleep', args=['1000'], name='app', io_weight=50)


class MaxMemoryRestart(booted.Case):
    """The figure is that of the memory controller, and it is looked at often enough."""

    def start_grower(self, **attributes):
        os.mkfifo(self.path('fifo'))
        os.chmod(self.path('fifo'), 0o666)
        path = self.client.start_one(self.script('grower', GROWER), name='grower',
                                     args=[self.path('fifo'), self.path('notes')], **attributes)
        self.wait_lines('notes', 1)
        return path

    def tell(self, words):
        with open(self.path('fifo'), 'w', encoding='ascii') as file:
            file.write(words)

    def test_it_acts_within_3_s(self):
        path = self.start_grower(max_memory_restart='100M')
        times = []
        for count in range(3):
            pid, seen = self.client.property(path, 'Pid'), len(self.client.received)
            # it has stood still for a while, so that it is looked at as seldom as can be
            time.sleep(2)
            self.client.drain()
            self.assertEqual(self.client.property(path, 'Pid'), pid)
            before = time.monotonic()
            self.tell('take 120')
            details = self.client.wait_event('memory', 'grower', seen)[5]
            seen_after = time.monotonic() - before
            self.client.wait_event('restart', 'grower', seen)
            times.append(time.monotonic() - before)
            print(f'max_memory_restart: {details["memory"]} bytes, limit {details["limit"]}: seen after {seen_after:.2f} s, '
                  f'restarted after {times[-1]:.2f} s', flush=True)
            self.assertGreater(details['memory'], 100 * MIB)
            self.assertNotEqual(self.client.property(path, 'Pid'), pid)
            self.wait_lines('notes', 2 * count + 2)
        self.assertLess(sorted(times)[1], 3)
        self.assertIn('max_memory_restart', self.client.property(path, 'LastReason'))

    def test_page_cache_is_not_counted(self):
        files = [path for path in glob.glob('/usr/lib/*/lib*.so.*') if 24 * MIB < os.path.getsize(path)]
        self.assertTrue(files, 'there is no file of some size')
        path = self.start_grower(max_memory_restart='30M')
        pid = self.client.property(path, 'Pid')
        self.tell(f'read {max(files, key=os.path.getsize)}')
        self.wait_lines('notes', 2)
        self.assertGreater(int(booted.read_file(f'{self.cgroup(path)}/memory.current')), 30 * MIB)
        other = self.client.start_one(self.script('taker', TAKER), args=['120', '/dev/null', self.path('others')],
                                      name='other', max_memory_restart='60M')
        self.client.wait_property(other, 'RestartCount', lambda count: count >= 2)
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'RestartCount')), (pid, 0))

    def test_peak_and_curve_of_a_crash(self):
        """The kernel's own maximum, where its folder is still there: a child keeps it."""
        path = self.start_grower(max_memory_restart='1G', treekill=True)
        self.tell('take 80')
        self.wait_lines('notes', 2)
        self.tell('child')
        self.wait_lines('notes', 3)
        self.client.send_signal('grower', 'SIGKILL')
        self.client.wait_property(path, 'RestartCount', 1)
        crash = [entry for entry in self.client.manager_call('RecentEvents', 'su', 'grower', 0) if entry['event'] == 'exit'][-1]['crash']
        print({key: value for key, value in crash.items() if key.startswith('memory')}, flush=True)
        self.assertGreater(crash['memory_peak'], 80 * MIB)
        self.assertTrue(crash['memory_curve'])

    def test_core(self):
        """What systemd-coredump has stored is found, and told of when it is."""
        self.assertIn('systemd-coredump', booted.read_file('/proc/sys/kernel/core_pattern'))
        path = self.start_grower(restart_delay='1h')
        pid = self.client.property(path, 'Pid')
        before = time.monotonic()
        self.client.send_signal('grower', 'SIGSEGV')
        details = self.client.wait_event('core', 'grower')[5]
        crash = [entry for entry in self.client.manager_call('RecentEvents', 'su', 'grower', 0) if entry['event'] == 'exit'][-1]['crash']
        print(f'core after {time.monotonic() - before:.1f} s: {details}, {crash["core"]}', flush=True)
        self.assertTrue(crash['core_dumped'])
        self.assertEqual((crash['core']['pid'], crash['core']['state'], details['pid']), (pid, 'present', pid))
        self.assertIn(f'coredumpctl info {pid}', self.tester.run('pm2ctl', 'why', 'grower').stdout)


class OutOfMemory(booted.Case):
    """What the kernel ends for want of memory is told, and nobody else has any part in it."""

    def setUp(self):
        super().setUp()
        self.quiet = [self.client.start_one('/usr/bin/sleep', args=['1000'], name=name, **limits)
                      for name, limits in (('quiet', {}), ('bounded', {'memory_max': '64M'}))]
        self.before = self.others()

    def others(self):
        return [self.instance.main_pid(), *((self.client.property(path, 'Pid'), self.client.property(path, 'Status'))
                                            for path in self.quiet)]

    def assert_others_untouched(self):
        self.assertEqual(self.others(), self.before)
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')
        for name in ('quiet', 'bounded'):
            self.assertEqual(self.events(name), ['command', 'online'])

    def events(self, name):
        return [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', name, 0)]

    def start_parent(self):
        os.mkfifo(self.path('fifo'))
        os.chmod(self.path('fifo'), 0o666)
        return self.client.start_one(self.script('parent', PARENT), name='parent', memory_max='64M',
                                     args=[self.path('fifo'), self.script('hog', HOG), self.path('notes')])

    def let_a_child_take_all(self, pid, count):
        """The child number so many has been ended when this returns, and its parent has seen it."""
        with open(self.path('fifo'), 'w', encoding='ascii') as file:
            file.write('go\n')
        wait_until(lambda: len(self.lines('notes')) >= count or not booted.is_alive(pid), 'a child has been ended')
        self.assertEqual(self.lines('notes'), ['-9'] * count, 'the app was ended with its child')

    def test_an_app(self):
        path = self.client.start_one(self.script('hog', HOG), name='hog', memory_max='64M', autorestart=False)
        self.client.wait_event('oom', 'hog')
        self.client.wait_event('exit', 'hog')
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.events('hog')[:4], ['command', 'online', 'oom', 'exit'])
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')
        self.assertIn('out of memory', self.client.property(path, 'LastReason'))
        why = self.tester.run('pm2ctl', 'why', 'hog').stdout
        print(why, flush=True)
        self.assertRegex(why, r'(?m)^hog \(\d+\) is stopped: .*out of memory')
        self.assertRegex(why, r'(?m)^ .* oom ')
        self.assert_others_untouched()

    def test_an_app_that_is_restarted(self):
        path = self.client.start_one(self.script('hog', HOG), name='hog', memory_max='64M', restart_delay='1h')
        self.client.wait_status(path, 'waiting-restart')
        self.assertIn('out of memory', self.client.property(path, 'LastReason'))
        self.assertEqual(self.events('hog').count('oom'), 1)
        self.client.stop('hog')
        self.assert_others_untouched()

    def test_a_child_of_an_app(self):
        """The app itself goes on, and what it says of its end is not about memory."""
        path = self.start_parent()
        pid, unit = self.client.property(path, 'Pid'), self.client.property(path, 'Unit')
        for count in (1, 2):
            seen = len(self.client.received)
            self.let_a_child_take_all(pid, count)
            self.client.wait_event('oom', 'parent', seen)
        self.assertEqual(self.events('parent'), ['command', 'online', 'oom', 'oom'])
        self.assertEqual([self.client.property(path, name) for name in ('Status', 'Pid', 'RestartCount', 'Unit')],
                         ['online', pid, 0, unit])
        if unit:
            self.assertEqual(self.instance.show(unit, 'ActiveState'), 'active')
        self.assert_others_untouched()
        self.client.stop('parent')
        self.assertNotIn('memory', self.client.property(path, 'LastReason'))

    def test_while_no_supervisor_looks(self):
        """The next one tells it, once."""
        path = self.start_parent()
        pid, daemon = self.client.property(path, 'Pid'), self.instance.main_pid()
        self.let_a_child_take_all(pid, 1)
        self.client.wait_event('oom', 'parent')
        os.kill(daemon, signal.SIGSTOP)
        self.let_a_child_take_all(pid, 2)
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: self.instance.main_pid() not in (0, daemon), 'a successor runs')
        self.instance.wait_state('active')
        for client in self.clients:
            client.close()
        self.clients.clear()
        del self.client
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.events('parent').count('oom'), 2)


class OutOfMemoryInFolders(OutOfMemory):
    settings = {'isolation': 'group'}


class Folders(booted.Case):
    """The same in folders of a delegated scope, which pm2d writes itself."""

    settings = {'isolation': 'group'}

    def test_limits(self):
        first = self.client.start_one('/usr/bin/sleep', args=['1000'], name='first', memory_max='64M')
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app', memory_high='32M', cpu_weight=50,
                                     cpu_quota='150%', tasks_max=30)
        expected = {'memory.high': str(32 * MIB), 'memory.max': 'max', 'cpu.weight': '50', 'cpu.max': '150000 100000',
                    'pids.max': '30'}
        for _ in range(2):
            found = {name: booted.read_file(f'{self.cgroup(path)}/{name}').strip() for name in expected}
            self.assertEqual(found, expected)
            self.client.manager_call('SetProperties', 'sa{sv}', 'app', booted.options(memory_max='128M', cpu_weight=0,
                                                                                      tasks_max=0))
            expected |= {'memory.max': str(128 * MIB), 'cpu.weight': '100', 'pids.max': 'max'}
        self.assertEqual(booted.read_file(f'{self.cgroup(first)}/memory.max').strip(), str(64 * MIB))


if __name__ == '__main__':
    booted.main()
