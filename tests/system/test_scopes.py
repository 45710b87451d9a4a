#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A transient scope for each start: what systemd shows of it, how it and its slice are called, when they go."""

import collections
import os
import re
import time

import booted
from booted import wait_until

SLICE_SCOPES_MAX = 32
BUSY = '''#!/bin/sh
while :; do :; done
'''
FAMILY = '''#!/bin/sh
sleep 1000 &
setsid sleep 1001 &
echo ready >"$1"
wait
'''


class Scopes(booted.Case):
    def unit(self, path):
        return self.client.property(path, 'Unit')

    def test_what_systemd_shows(self):
        """status and cgls of the unit show the process with its children, wherever those went."""
        path = self.client.start_one(self.script('family', FAMILY), args=[self.path('ready')], name='family')
        self.wait_lines('ready', 1)
        unit, pid = self.unit(path), self.client.property(path, 'Pid')
        self.assertRegex(unit, r'^app-pm2-family-0-\d+\.scope$')
        status = self.instance.systemctl('status', unit).stdout
        self.assertIn('Active: active (running)', status)
        self.assertIn('pm2: family (0)', status)
        group = f'/user.slice/user-1500.slice/user@1500.service/app.slice/app-pm2.slice/app-pm2-g1.slice/{unit}'
        self.assertEqual(self.client.property(path, 'ControlGroup'), group)
        tree = self.tester.run('systemd-cgls', '--no-pager', '--full', '--user-unit', unit).stdout
        for text in (status, tree):
            self.assertRegex(text, rf'\b{pid} /bin/sh .*family')
            self.assertIn('sleep 1000', text)
            self.assertIn('sleep 1001', text)
        shown = self.instance.systemctl('show', unit, '--property=Slice,Before,After,CollectMode,ControlGroup').stdout
        properties = dict(line.split('=', 1) for line in shown.splitlines())
        self.assertEqual(properties['Slice'], 'app-pm2-g1.slice')
        self.assertEqual(properties['CollectMode'], 'inactive-or-failed')
        self.assertEqual(properties['ControlGroup'], group)
        # it is stopped after the service; the other way round would be a deadlock
        self.assertIn('pm2.service', properties['Before'].split())
        self.assertNotIn('pm2.service', properties['After'].split())
        self.assertEqual(self.client.manager_call('GetProcessByPid', 'u', pid), path)

    def test_figures_are_those_of_the_cgroup(self):
        path = self.client.start_one(self.script('busy', BUSY))
        folder = self.cgroup(path)

        def used():
            return int(re.search(r'usage_usec (\d+)', booted.read_file(f'{folder}/cpu.stat'))[1])

        wait_until(lambda: used() > 500_000, 'half a second of CPU')
        before = used()
        told = self.client.property(path, 'CpuUsageNSec') / 1000
        after = used()
        self.assertLessEqual(before, told)
        self.assertLessEqual(told, after)
        # Describe: percent of one core between two readings, by the same file
        self.client.describe(0)
        start, start_used = time.monotonic(), used()
        wait_until(lambda: time.monotonic() > start + 1, 'a second', 5)
        percent = self.client.describe(0)[0]['monit']['cpu']
        expected = (used() - start_used) / (time.monotonic() - start) / 10_000
        self.assertAlmostEqual(percent, expected, delta=max(10, expected * 0.2))
        procs = booted.read_file(f'{folder}/cgroup.procs').split()
        self.assertEqual(procs, [str(self.client.property(path, 'Pid'))])
        if os.path.exists(f'{folder}/memory.current'):
            return  # vm_memory_max.py compares it
        resident = int(re.search(r'VmRSS:\s+(\d+) kB', booted.read_file(f'/proc/{procs[0]}/status'))[1]) * 1024
        self.assertAlmostEqual(self.client.describe(0)[0]['monit']['memory'], resident, delta=resident * 0.2)

    def test_names(self):
        """Whatever a name has in it, the unit's is valid and the whole of it is in the description."""
        names = ['plain', 'a b', 'web-1', 'ä/ö:%s\\x2d', '$HOME "quoted" \'q\'', '.hidden', '-dash', '@', 'x' * 48,
                 'y' * 49, 'z' * 240, 'ß' * 120]
        scopes = {}
        for name in names:
            with self.subTest(name=name):
                path = self.client.start_one('/usr/bin/sleep', args=['1000'], name=name)
                scopes[path] = self.unit(path)
                self.assertRegex(scopes[path], r'^app-pm2-[A-Za-z0-9:_.\\]+-\d+-\d+\.scope$')
                self.assertLessEqual(len(scopes[path]), 255)
                description = self.instance.show(scopes[path], 'Description')
                self.assertEqual(description, f'pm2: {name} ({path.rpartition("/")[2]})')
                self.assertEqual(self.client.property(path, 'Name'), name)
        self.assertEqual(sorted(scopes.values()), self.instance.units('app-pm2-*', 'scope'))
        self.assertRegex(scopes['/org/pm2/Process/2'], r'^app-pm2-web\\x2d1-2-\d+\.scope$')
        self.client.delete('all')
        self.assert_clean()

    def test_each_start_has_a_new_scope(self):
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='again')
        seen = [self.unit(path)]
        for _ in range(3):
            self.client.restart('again')
            seen.append(self.unit(path))
        self.client.send_signal('again', 'KILL')
        self.client.wait_property(path, 'RestartCount', 4)
        self.client.wait_status(path, 'online')
        seen.append(self.unit(path))
        first = int(re.match(r'app-pm2-again-0-(\d+)\.scope$', seen[0])[1])
        self.assertEqual(seen, [f'app-pm2-again-0-{first + n}.scope' for n in range(5)])
        wait_until(lambda: self.instance.units(kind='scope') == seen[-1:], 'the old scopes are gone', 10)
        self.client.stop('again')
        self.assertEqual(self.unit(path), '')
        self.assert_clean()

    def test_slices(self):
        """At most 32 scopes in one; each goes about a second after its last scope, and comes back when needed."""
        count = 70
        document = [{'script': '/usr/bin/sleep', 'args': '1000', 'name': f's{n}'} for n in range(count)]
        self.assertEqual(len(self.client.start_json(document)), count)
        slices = collections.Counter(self.instance.show(unit, 'Slice') for unit in self.instance.units(kind='scope'))
        self.assertEqual(sum(slices.values()), count)
        self.assertEqual(sorted(slices.values()), [count % SLICE_SCOPES_MAX, SLICE_SCOPES_MAX, SLICE_SCOPES_MAX])
        for name in slices:
            self.assertRegex(name, r'^app-pm2-g\d+\.slice$')
        # an emptied slice goes while the others stay
        self.client.delete(f'/^s({"|".join(str(n) for n in range(SLICE_SCOPES_MAX))})$/')
        wait_until(lambda: len(self.instance.units('app-pm2-g*', 'slice')) == 2, 'one slice goes', 10)
        self.assertIn('app-pm2.slice', self.instance.units(kind='slice'))
        started = time.monotonic()
        self.client.delete('all')
        self.assert_clean(5)
        self.assertLess(time.monotonic() - started, 5)
        # and again, at once after and while slices are being stopped
        for _ in range(5):
            self.client.start_json(document[:40])
            self.client.delete('all')
        self.client.start('/usr/bin/sleep', args=['1000'])
        self.assertEqual(len(self.instance.units(kind='scope')), 1)

    def test_restarts_around_the_end_of_a_slice(self):
        """A start at the moment in which its slice would go, for some moments around it."""
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='edge')
        for milliseconds in range(940, 1100, 20):
            self.client.stop('edge')
            until = time.monotonic() + milliseconds / 1000
            wait_until(lambda end=until: time.monotonic() >= end, 'the moment', 5)
            self.client.start('edge')
            self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_scope_stopped_from_outside(self):
        """systemctl stop of a scope is an exit like any other: the process is started again."""
        app = self.notebook()
        path = self.client.start_one(app, args=[self.path('notes')], name='mine')
        self.wait_lines('notes', 1)
        self.instance.systemctl('stop', self.unit(path))
        self.client.wait_property(path, 'RestartCount', 1)
        self.client.wait_status(path, 'online')
        self.assertEqual(self.wait_lines('notes', 3), ['start', 'SIGTERM', 'start'])

    def test_daemon_reload_and_reexec(self):
        """What an administrator does to the user's manager changes nothing for a process."""
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='steady')
        pid = self.client.property(path, 'Pid')
        for verb in ('daemon-reload', 'daemon-reexec', 'daemon-reload'):
            self.instance.systemctl(verb)
            self.assertEqual(self.client.property(path, 'Pid'), pid)
            self.client.start_one('/usr/bin/sleep', args=['1000'], name=f'after {verb}', force=True)
        self.assertIn(str(pid), self.instance.systemctl('status', self.unit(path)).stdout)
        self.client.send_signal('steady', 'KILL')
        self.client.wait_property(path, 'RestartCount', 1)
        self.client.wait_status(path, 'online')

    def test_a_burst_that_fails(self):
        """Programs that cannot be executed leave neither scope nor slice."""
        bad = self.script('bad', '\x7fELF, but no program')
        for _ in range(40):
            with self.assertRaises(booted.DBusError) as caught:
                self.client.start(bad, name='bad', force=True, autorestart=False)
            self.assertEqual(caught.exception.name, 'org.pm2.Error.SpawnFailed')
        self.client.delete('all')
        self.assert_clean()

    def test_programs_that_end_at_once(self):
        for _ in range(50):
            self.client.start('/bin/true', name='short', force=True, autorestart=False)
        wait_until(lambda: {item['pm2_env']['status'] for item in self.client.list()} == {'stopped'}, 'all have ended')
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
