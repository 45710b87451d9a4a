#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks and delays in scopes, and what a crash or restart of pm2d leaves of them."""

import os

import booted
from booted import V, wait_until
from test_survival import SurvivalCase

HOUR = 60 * 60 * 1000


class Hooks(SurvivalCase):
    def events(self, name):
        return [entry['event'] for entry in self.client.manager_call('RecentEvents', 'su', name, 0)]

    def test_each_hook_has_a_scope_and_ends_with_it(self):
        notebook = self.path('hooks')
        hook = f'sed -n "s,^0::.*/,,p" /proc/self/cgroup >>{notebook}; setsid sleep 100000 & sleep 0.1'
        path = self.start_one('app', '#!/bin/sh\nexec sleep 100000\n', pre_start=hook, post_stop=hook, kill_timeout=300)
        main = self.client.get(path, booted.PROCESS, 'Unit')
        self.client.manager_call('Stop', 'sa{sv}', 'app', {})
        with open(notebook, encoding='ascii') as file:
            hooks = file.read().split()
        self.assertEqual(len(hooks), 2)
        self.assertEqual(len({main, *hooks}), 3, (main, hooks))
        for unit in (main, *hooks):
            self.assertTrue(unit.startswith('app-pm2-app-') and unit.endswith('.scope'), unit)
        self.client.manager_call('Delete', 'sa{sv}', 'app', {})
        self.assert_clean()

    def test_pre_start_goes_on_when_the_supervisor_crashes(self):
        pipe, note = self.path('pipe'), self.path('note')
        os.mkfifo(pipe, 0o666)
        os.chmod(pipe, 0o666)
        script = self.script('app', '#!/bin/sh\nexec sleep 100000\n')
        [path] = self.client.manager_call('Start', 'sa{sv}', script, {
            'name': V('s', 'app'), 'pre_start': V('s', f'echo $$ >{note}; read line <{pipe}'), 'wait': V('b', False)})
        wait_until(lambda: os.path.exists(note) and os.path.getsize(note), 'pre_start runs')
        with open(note, encoding='ascii') as file:
            hook = int(file.read())
        self.end_daemon()
        self.assertTrue(booted.is_alive(hook))
        self.assertEqual(self.state()[path]['Status'], 'launching')

        def goes_on():
            try:
                fd = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                os.write(fd, b'on\n')
                os.close(fd)
            except OSError:
                pass
            return self.state()[path]['Status'] == 'online'

        wait_until(goes_on, 'it is online')
        self.assertIn('taken-over', self.events('app'))

    def test_delay_and_history_outlive_a_restart_of_the_unit(self):
        script = self.script('app', '#!/bin/sh\nexit 3\n')
        [path] = self.client.manager_call('Start', 'sa{sv}', script, {
            'name': V('s', 'app'), 'restart_delay': V('i', HOUR), 'wait': V('b', False)})
        wait_until(lambda: self.state()[path]['Status'] == 'waiting-restart', 'it waits')
        before, events = self.state()[path], self.events('app')
        self.instance.systemctl('restart', 'pm2')
        self.reconnect()
        after = self.state()[path]
        for name in ('Status', 'NextRestart', 'UnstableRestarts', 'LastReason', 'ExitCode'):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual(self.events('app'), [*events, 'taken-over'])

    def test_post_stop_runs_when_the_unit_stops(self):
        note = self.path('note')
        self.start_one('app', '#!/bin/sh\nexec sleep 100000\n', post_stop=f'echo $EXIT_CODE >{note}')
        self.instance.stop()
        with open(note, encoding='ascii') as file:
            self.assertEqual(file.read(), 'killed\n')
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
