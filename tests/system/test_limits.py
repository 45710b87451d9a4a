#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Limits of an app as systemd knows them, and standing still, where each app has a scope of its own. What the kernel
makes of the limits needs controllers: vm_memory.py."""

import os
import re

import booted
from booted import DBusError, V, wait_until

COUNTER = '#!/bin/sh\ni=0\nwhile :; do i=$((i+1)); echo $i >"$1"; sleep 0.01; done\n'


class Limits(booted.Case):
    def set_properties(self, **values):
        return self.client.manager_call('SetProperties', 'sa{sv}', 'app', booted.options(**values))

    def controllers(self):
        """What the user's manager has for its units."""
        group = self.instance.systemctl('show', '--value', '--property=ControlGroup').stdout.strip()
        return booted.read_file(f'{booted.CGROUPS}{group}/cgroup.controllers').split()

    def test_without_the_controller_nothing_is_touched(self):
        if 'memory' in self.controllers():
            self.skipTest('the memory controller is there: see test_root_limits.py')
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app')
        pid = self.client.property(path, 'Pid')
        calls = [lambda: self.client.start('/usr/bin/sleep', args=['1000'], name='other', memory_max='1G'),
                 lambda: self.client.restart('app', memory_max='1G'), lambda: self.set_properties(memory_max='1G')]
        for call in calls:
            with self.assertRaises(DBusError) as caught:
                call()
            self.assertTrue(caught.exception.name.endswith('.NotSupported'), caught.exception)
            self.assertRegex(str(caught.exception), r'memory_max: .*"memory".*"scope"')
        self.assertEqual([entry['name'] for entry in self.client.list()], ['app'])
        self.assertEqual(self.client.property(path, 'Pid'), pid)

    def test_limits_of_a_process_need_no_controller(self):
        path = self.client.start_one('/usr/bin/sleep', args=['1000'], name='app', oom_score_adjust=555,
                                     limits=V('a{sv}', {'nofile': V('i', 77)}))
        pid = self.client.property(path, 'Pid')
        self.assertEqual(booted.read_file(f'/proc/{pid}/oom_score_adj').strip(), '555')
        self.assertRegex(booted.read_file(f'/proc/{pid}/limits'), r'Max open files +77 +77 ')


class Freeze(booted.Case):
    def call(self, member):
        return self.client.manager_call(member, 'sa{sv}', 'counter', {})

    def start_counter(self):
        path = self.client.start_one(self.script('counter', COUNTER), args=[self.path('count')], name='counter')
        wait_until(self.count, 'it counts')
        return path

    def count(self):
        try:
            return int(booted.read_file(self.path('count')))
        except (FileNotFoundError, ValueError):
            return 0

    def assert_frozen(self, path):
        self.assertEqual(self.client.property(path, 'StatusText'), 'frozen')
        wait_until(lambda: re.search('^frozen 1$', booted.read_file(f'{self.cgroup(path)}/cgroup.events'), re.M),
                   'the kernel has frozen it')

    def test_survives_a_crash_of_the_supervisor(self):
        path = self.start_counter()
        self.call('Freeze')
        self.assert_frozen(path)
        pid, before = self.client.property(path, 'Pid'), self.count()
        main_pid = self.instance.main_pid()
        self.instance.systemctl('kill', '--signal=KILL', 'pm2.service')
        wait_until(lambda: self.instance.main_pid() not in (0, main_pid), 'the next supervisor')
        self.instance.wait_state('active')
        self.assert_frozen(path)
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(self.count(), before)
        self.call('Thaw')
        wait_until(lambda: self.count() > before, 'it goes on')
        self.assertEqual(self.client.property(path, 'StatusText'), '')

    def test_the_service_stops_what_is_frozen(self):
        path = self.start_counter()
        self.call('Freeze')
        self.assert_frozen(path)
        self.instance.stop()
        self.assert_clean()


class FreezeGroup(Freeze):
    settings = {'isolation': 'group'}


if __name__ == '__main__':
    booted.main()
