#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The order of ends: however the supervisor or its manager is stopped, each app is told once, by its kill signal, and
nothing starts again."""

import os
import pathlib
import subprocess

import booted
from booted import wait_until

# Needs some seconds to end, and says so.
SLOW = '''#!/usr/bin/python3
import signal, sys, time

def note(word):
    with open(sys.argv[1], 'a') as file:
        file.write(word + '\\n')

def end(*_):
    note('told')
    signal.signal(signal.SIGALRM, lambda *_: (note('ended'), sys.exit(0)))
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[2]))

signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, lambda *_: note('SIGTERM'))
note('start')
while True:
    signal.pause()
'''
CRASHES_WHEN_TOLD = '''#!/bin/bash
trap 'echo told >>"$1"; exit 7' INT
echo start >>"$1"
while :; do read -t 1000 <>/dev/ptmx; done
'''
LOOPS = '''#!/bin/sh
echo start >>"$1"
'''


class End(booted.Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.boot_manager)

    def boot_manager(self):
        """The user's manager, if it is not there."""
        subprocess.run(['systemctl', 'start', f'user@{booted.TESTER_UID}.service'], check=True)
        wait_until(lambda: self.tester.run('systemctl', '--user', 'is-active', 'basic.target',
                                           check=False).returncode == 0, 'the user manager')

    def start_apps(self, client):
        """Of several kinds. Returns a function that checks what each of them was told."""
        notebook = self.notebook()
        expected = {}
        for number in range(5):
            client.start(notebook, name=f'plain{number}', args=[self.path(f'plain{number}')])
            expected[f'plain{number}'] = ['start', 'SIGINT']
        client.start(notebook, name='other-signal', args=[self.path('other-signal')], kill_signal='SIGTERM')
        expected['other-signal'] = ['start', 'SIGTERM']
        client.start(self.script('slow', SLOW), name='slow', args=[self.path('slow.notes'), '3'], kill_timeout=10000)
        expected['slow.notes'] = ['start', 'told', 'ended']
        client.start(self.script('crashes', CRASHES_WHEN_TOLD), name='crashes', args=[self.path('crashes.notes')])
        expected['crashes.notes'] = ['start', 'told']
        client.start(self.script('loops', LOOPS), name='loops', args=[self.path('loops.notes')], max_restarts=1000000)
        for name in expected:
            self.wait_lines(name, 1)

        def check():
            self.assertEqual({name: self.lines(name) for name in expected}, expected)

        return check

    def test_service_is_stopped(self):
        check = self.start_apps(self.client)
        self.instance.stop()
        check()
        self.assert_clean()

    def test_user_manager_is_stopped(self):
        """As at a logout and a shutdown."""
        check = self.start_apps(self.client)
        subprocess.run(['systemctl', 'stop', f'user@{booted.TESTER_UID}.service'], check=True)
        check()
        self.boot_manager()
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'inactive')
        check()

    def test_user_manager_exits(self):
        check = self.start_apps(self.client)
        # the connection may go before the answer comes
        self.tester.run('systemctl', '--user', 'exit', check=False)
        wait_until(lambda: subprocess.run(['systemctl', 'is-active', f'user@{booted.TESTER_UID}.service'],
                                          stdout=subprocess.DEVNULL).returncode != 0, 'the user manager ends')
        check()
        self.boot_manager()
        check()

    def test_a_long_stop(self):
        """Longer than the unit allows: systemd is asked for more time."""
        folder = pathlib.Path(self.tester.home, '.config/systemd/user/pm2.service.d')
        with booted.acting_as(self.tester.uid, self.tester.gid):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / 'short.conf').write_text('[Service]\nTimeoutStopSec=2s\n', encoding='ascii')
        self.addCleanup(self.instance.systemctl, 'daemon-reload')
        self.addCleanup((folder / 'short.conf').unlink)
        self.instance.systemctl('daemon-reload')
        self.instance.keep_loaded(self.client)
        self.client.start(self.script('slow', SLOW), name='slow', args=[self.path('notes'), '8'], kill_timeout=30000)
        self.wait_lines('notes', 1)
        self.instance.stop()
        self.assertEqual(self.lines('notes'), ['start', 'told', 'ended'])
        self.assertEqual(self.instance.show('pm2.service', 'Result'), 'success')

    def test_commands_while_it_ends(self):
        """Refused, and said why; nothing is started any more."""
        self.client.start(self.script('slow', SLOW), name='slow', args=[self.path('notes'), '3'], kill_timeout=10000)
        self.wait_lines('notes', 1)
        private = self.private_client()
        stopping = self.tester.popen('systemctl', '--user', 'stop', 'pm2')
        self.wait_lines('notes', 2)
        for client in (private, self.client):
            self.assertTrue(client.get(booted.MANAGER_PATH, booted.MANAGER, 'ShuttingDown'))
            with self.assertRaises(booted.DBusError) as caught:
                client.start('/usr/bin/sleep', args=['1000'])
            self.assertEqual(caught.exception.name, 'org.pm2.Error.ShuttingDown')
        self.assertEqual(stopping.wait(booted.TIMEOUT), 0)
        self.assertEqual(self.lines('notes'), ['start', 'told', 'ended'])


class EndOfGroup(End):
    settings = {'isolation': 'group'}


class EndOfSystem(booted.Case):
    system = True
    start_apps = End.start_apps

    def test_service_is_stopped(self):
        check = self.start_apps(self.bus_client(self.tester))
        second = booted.User(booted.SECOND_USER)
        self.bus_client(second).start(self.notebook('second-app'), args=[self.path('second')])
        self.wait_lines('second', 1)
        self.instance.stop()
        check()
        self.assertEqual(self.lines('second'), ['start', 'SIGINT'])
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
