#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Isolation "group": one delegated scope for all, with a folder for each start."""

import os
import signal

import booted
from booted import wait_until

# Two grandchildren in sessions of their own, one of which hears nothing.
FAMILY = '''#!/bin/sh
setsid sleep 1000 &
echo $! >>"$1"
setsid sh -c 'trap "" INT TERM HUP; echo $$ >>"$1"; while :; do sleep 1000; done' sh "$1" &
echo $$ >>"$1"
wait
'''


class Group(booted.Case):
    settings = {'isolation': 'group'}

    def keeper(self):
        folder = os.path.dirname(os.path.dirname(self.cgroup('/org/pm2/Process/0')))
        return int(booted.read_file(f'{folder}/keeper/cgroup.procs'))

    def start_family(self, name='family'):
        path = self.client.start_one(self.script('family.sh', FAMILY), args=[self.path(name)], name=name)
        return path, [int(line) for line in self.wait_lines(name, 3)]

    def test_one_scope_for_all(self):
        paths = [self.client.start_one('/usr/bin/sleep', args=['1000'], name=f'app{n}') for n in range(10)]
        units = {self.client.property(path, 'Unit') for path in paths}
        self.assertEqual(self.instance.units(kind='scope'), sorted(units))
        self.assertEqual(len(units), 1)
        unit = units.pop()
        groups = {self.cgroup(path) for path in paths}
        self.assertEqual(len(groups), len(paths))
        for path in paths:
            pids = booted.read_file(f'{self.cgroup(path)}/cgroup.procs').split()
            self.assertEqual(pids, [str(self.client.property(path, 'Pid'))])
        tree = self.instance.systemctl('status', unit).stdout
        self.assertEqual(tree.count('/usr/bin/sleep 1000'), len(paths))
        self.assertEqual(self.instance.show(unit, 'Delegate'), 'yes')
        self.assertIn('pm2.service', self.instance.show(unit, 'Before').split())
        self.assertEqual(self.client.get(booted.MANAGER_PATH, booted.MANAGER, 'Capabilities')['isolation'], 'group')
        self.client.delete('all')
        self.assertEqual([group for group in groups if os.path.exists(group)], [])

    def test_stop_ends_all_descendants(self):
        path, pids = self.start_family()
        folder = self.cgroup(path)
        self.client.stop('family')
        self.assertEqual([pid for pid in pids if booted.is_alive(pid)], [])
        self.assertFalse(os.path.exists(folder))

    def test_crash_ends_all_descendants_and_starts_again(self):
        path, pids = self.start_family()
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_property(path, 'RestartCount', 1)
        self.client.wait_status(path, 'online')
        self.wait_lines('family', 6)
        self.assertEqual([pid for pid in pids if booted.is_alive(pid)], [])

    def test_delete_and_kill(self):
        _, first = self.start_family('one')
        _, second = self.start_family('two')
        self.client.delete('one')
        self.assertEqual([pid for pid in first if booted.is_alive(pid)], [])
        self.client.manager_call('Kill', 'a{sv}', {})
        self.assertEqual([pid for pid in second if booted.is_alive(pid)], [])
        self.instance.wait_state('inactive')
        self.assert_clean()

    def test_killed_keeper(self):
        """Who holds the scope is not needed: what runs stays supervised, what starts gets a new one."""
        path, pids = self.start_family()
        keeper = self.keeper()
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f'/proc/{keeper}'), 'the keeper is reaped')
        other = self.client.start_one('/usr/bin/sleep', args=['1000'], name='other')
        self.assertNotEqual(self.client.property(other, 'Unit'), self.client.property(path, 'Unit'))
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.client.stop('family')
        self.assertEqual([pid for pid in pids if booted.is_alive(pid)], [])
        self.client.start('family')
        self.assertEqual(self.client.property(path, 'Unit'), self.client.property(other, 'Unit'))
        self.client.delete('all')

    def test_scope_killed_from_outside(self):
        """Every process is restarted, once."""
        paths = [self.client.start_one('/usr/bin/sleep', args=['1000'], name=f'app{n}') for n in range(5)]
        pids = [self.client.property(path, 'Pid') for path in paths]
        # systemctl may fail: folders go while the service manager is walking through them
        self.instance.systemctl('kill', '--signal=KILL', self.client.property(paths[0], 'Unit'), check=False)
        for path, pid in zip(paths, pids):
            self.client.wait_property(path, 'Pid', lambda value, old=pid: value not in (0, old))
            self.client.wait_status(path, 'online')
            # one that was restarted at once may have been met by the same kill
            self.assertIn(self.client.property(path, 'RestartCount'), (1, 2))
            group = booted.read_file(f'{self.cgroup(path)}/cgroup.procs').split()
            self.assertEqual(group, [str(self.client.property(path, 'Pid'))])
        self.client.delete('all')

    def test_supervisor_killed(self):
        """Whatever becomes of the processes, none of them is lost from sight or runs twice."""
        notebook = self.notebook()
        for number in range(3):
            self.client.start(notebook, name=f'app{number}', args=[self.path(f'notes{number}')])
            self.wait_lines(f'notes{number}', 1)
        supervisor = self.instance.main_pid()
        os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: self.instance.main_pid() not in (0, supervisor), 'the next supervisor')
        self.instance.wait_state('active')
        client = self.bus_client()
        listed = {item['name']: item['pid'] for item in client.list()}

        def running():
            found = {}
            for pid in filter(str.isdigit, os.listdir('/proc')):
                words = booted.command_line(pid).split()
                if words[:1] and words[-1].startswith(self.path('notes')) and booted.is_alive(pid):
                    found.setdefault('app' + words[-1][-1], []).append(int(pid))
            return found

        wait_until(lambda: running() == {item['name']: [item['pid']] for item in client.list() if item['pid']},
                   f'what runs is what is listed; listed were {listed}', 20)

    def test_a_burst(self):
        count = 200
        document = [{'script': '/usr/bin/sleep', 'args': '1000', 'name': f'b{n}'} for n in range(count)]
        self.assertEqual(len(self.client.start_json(document)), count)
        self.assertEqual(len(self.instance.units(kind='scope')), 1)
        folders = os.path.dirname(self.cgroup('/org/pm2/Process/0'))
        self.client.delete('all')
        self.assertEqual([name for name in os.listdir(folders) if os.path.isdir(f'{folders}/{name}')], [])

    def test_programs_that_end_at_once(self):
        for _ in range(50):
            self.client.start('/bin/true', name='short', force=True, autorestart=False)
        wait_until(lambda: {item['pm2_env']['status'] for item in self.client.list()} == {'stopped'}, 'all have ended')


if __name__ == '__main__':
    booted.main()
