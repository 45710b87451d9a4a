#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory controller: a limit on the scope of an app, and figures. Run by vm.py, as root, for tester."""

import glob
import os
import re

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
