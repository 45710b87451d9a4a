#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of an app as properties of its scope. Where the user's manager has no controllers a file over its own says
that it has: what systemd is asked for is the same, and it shows it."""

import os
import resource
import subprocess

import booted
from booted import DBusError, V

LIMITS = {'memory_max': '200M', 'memory_high': 150 << 20, 'cpu_quota': '150%', 'cpu_weight': 50, 'io_weight': 70,
          'tasks_max': 40}
SHOWN = {'MemoryMax': str(200 << 20), 'MemoryHigh': str(150 << 20), 'CPUQuotaPerSecUSec': '1.500000s',
         'CPUWeight': '50', 'IOWeight': '70', 'TasksMax': '40'}
NONE = {'MemoryMax': 'infinity', 'MemoryHigh': 'infinity', 'CPUQuotaPerSecUSec': 'infinity',
        'CPUWeight': '[not set]', 'IOWeight': '[not set]', 'TasksMax': 'infinity'}


class Properties(booted.Case):
    def setUp(self):
        super().setUp()
        group = self.instance.systemctl('show', '--value', '--property=ControlGroup').stdout.strip()
        self.file = f'{booted.CGROUPS}{group}/cgroup.controllers'
        if {'cpu', 'io', 'memory', 'pids'} - set(booted.read_file(self.file).split()):
            pretended = self.path('controllers')
            with open(pretended, 'w', encoding='ascii') as file:
                file.write('cpu io memory pids\n')
            subprocess.run(['mount', '--bind', pretended, self.file], check=True)
            self.addCleanup(subprocess.run, ['umount', self.file], check=True)

    def show(self, path):
        text = self.instance.systemctl('show', self.client.property(path, 'Unit'),
                                       f'--property={",".join(SHOWN)}').stdout
        return dict(line.split('=', 1) for line in text.splitlines())

    def set_properties(self, **values):
        return self.client.manager_call('SetProperties', 'sa{sv}', 'app', booted.options(**values))

    def test_are_those_of_the_scope(self):
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app', **LIMITS)
        self.assertEqual(self.show(path), SHOWN)
        pid = self.client.property(path, 'Pid')
        # also after an exit that nobody asked for
        seen = len(self.client.received)
        os.kill(pid, 9)
        self.client.wait_event('online', 'app', seen)
        self.assertEqual(self.show(path), SHOWN)

    def test_change_while_it_runs(self):
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app', memory_max='1G', cpu_weight=7)
        pid, unit = self.client.property(path, 'Pid'), self.client.property(path, 'Unit')
        self.assertEqual(self.set_properties(**LIMITS), [path])
        self.assertEqual(self.show(path), SHOWN)  # when the reply comes it is done
        self.assertEqual((self.client.property(path, 'Pid'), self.client.property(path, 'Unit')), (pid, unit))
        self.tester.run('pm2ctl', 'set', 'app', 'memory-max=64M')
        self.assertEqual(self.show(path), {**SHOWN, 'MemoryMax': str(64 << 20)})
        self.client.restart('app')
        self.assertNotEqual(self.client.property(path, 'Unit'), unit)
        self.assertEqual(self.show(path), {**SHOWN, 'MemoryMax': str(64 << 20)})
        self.set_properties(**dict.fromkeys(LIMITS, 0))
        self.assertEqual(self.show(path), NONE)

    def test_survive_a_crash_of_the_supervisor(self):
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app', **LIMITS)
        main_pid = self.instance.main_pid()
        self.instance.systemctl('kill', '--signal=KILL', 'pm2.service')
        booted.wait_until(lambda: self.instance.main_pid() not in (0, main_pid), 'the next supervisor')
        self.instance.wait_state('active')
        self.set_properties(tasks_max=41)
        self.assertEqual(self.show(path), {**SHOWN, 'TasksMax': '41'})


class OfOthers(booted.Case):
    """In the instance of the system, which is root: nobody gets more than they may."""

    system = True

    def test_limits_of_a_user(self):
        client = self.bus_client(self.tester)
        path = client.start_one('/usr/bin/sleep', args=['1000'], name='app', oom_score_adjust=333,
                                limits=V('a{sv}', {'nofile': V('s', '50:60')}))
        pid = client.property(path, 'Pid')
        self.assertEqual(os.stat(f'/proc/{pid}').st_uid, self.tester.uid)
        self.assertEqual(booted.read_file(f'/proc/{pid}/oom_score_adj').strip(), '333')
        self.assertRegex(booted.read_file(f'/proc/{pid}/limits'), r'Max open files +50 +60 ')
        hard = resource.prlimit(self.instance.main_pid(), resource.RLIMIT_NOFILE)[1]
        refused = [({'oom_score_adjust': -500}, 'oom_score_adjust: -500: Permission denied'),
                   ({'limits': V('a{sv}', {'nofile': V('t', hard + 1)})}, 'limits.nofile: .*not permitted'),
                   ({'limits': V('a{sv}', {'rtprio': V('i', 50)})}, 'limits.rtprio: 50: .*not permitted')]
        for attributes, text in refused:
            with self.subTest(text), self.assertRaisesRegex(DBusError, text):
                client.start('/usr/bin/sleep', args=['1000'], name='other', **attributes)
        self.assertEqual([entry['name'] for entry in client.list()], ['app'])

    def test_freeze(self):
        client = self.bus_client(self.tester)
        path = client.start_one('/usr/bin/sleep', args=['1000'], name='app')
        other = self.bus_client(self.root)
        other.start_one('/usr/bin/sleep', args=['1000'], name='of-root')
        with self.assertRaises(DBusError):
            client.manager_call('Freeze', 'sa{sv}', 'of-root', {})
        client.manager_call('Freeze', 'sa{sv}', 'app', {})
        booted.wait_until(lambda: 'frozen 1' in booted.read_file(f'{self.cgroup(path)}/cgroup.events'), 'it is frozen')
        client.delete('app')


if __name__ == '__main__':
    booted.main()
