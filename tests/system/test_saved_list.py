#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service brings up the saved list when it starts, once and in order, and not what an earlier supervisor holds."""

import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import time

import booted
from booted import wait_until

SEED = int(os.environ.get('PM2D_TEST_CHAOS_SEED', '7'))
SLEEPER = '#!/bin/sh\nexec sleep 100000\n'


class SavedListCase(booted.Case):
    @property
    def list_path(self):
        return os.path.join(self.instance.user.home, '.local', 'state', 'pm2', 'dump.json')

    def reconnect(self):
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.__dict__.pop('client', None)

    def save(self):
        return self.client.manager_call('Save', 'sa{sv}', '', {})

    def names(self):
        return [(entry['name'], entry['pm2_env']['status']) for entry in self.client.list()]

    def put(self, *apps, name='dump.json'):
        path = pathlib.Path(self.list_path).with_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({'pm2d_saved_list': 1, 'apps': list(apps)}, indent=0), encoding='utf-8')

    def app(self, name, status='online', text=SLEEPER, **config):
        return {'status': status, 'config': {'script': self.script(name, text), 'name': name, 'cwd': self.work,
                                             'interpreter': 'none', **config}}

    def start_service(self):
        self.instance.start()
        self.reconnect()


    def scopes_with_processes(self):
        found = []
        for unit in self.instance.units(kind='scope'):
            group = self.instance.show(unit, 'ControlGroup')
            with contextlib.suppress(OSError):
                if group and booted.read_file(f'{booted.CGROUPS}{group}/cgroup.procs').split():
                    found.append(unit)
        return found


class AtStart(SavedListCase):
    def start_three(self):
        notebook = self.notebook()
        for name in ('one', 'two', 'three'):
            self.client.start_one(notebook, name=name, args=[self.path(name)], cwd=self.work)
            self.wait_lines(name, 1)
        self.client.stop('two')
        self.save()

    def starts(self, name):
        return self.lines(name).count('start')

    def test_up_after_a_stop_in_order(self):
        self.start_three()
        self.instance.stop()
        self.start_service()
        # no waiting: systemctl start has returned, so each is started
        self.assertEqual(self.names(), [('one', 'online'), ('two', 'stopped'), ('three', 'online')])
        for name, count in (('one', 2), ('three', 2)):
            wait_until(lambda n=name, c=count: self.starts(n) == c, f'{name} was started again')
        self.assertEqual(self.starts('two'), 1)

    def test_not_twice_after_a_crash_or_restart(self):
        self.start_three()
        self.instance.stop()
        self.start_service()
        pids = [entry['pid'] for entry in self.client.list()]
        self.client.delete('three')
        for end in (lambda: os.kill(self.instance.main_pid(), signal.SIGKILL),
                    lambda: self.instance.systemctl('restart', 'pm2')):
            before = self.instance.main_pid()
            end()
            wait_until(lambda old=before: self.instance.main_pid() not in (0, old), 'a successor runs')
            self.instance.wait_state('active')
            self.reconnect()
            self.assertEqual(self.names(), [('one', 'online'), ('two', 'stopped')])
            self.assertEqual([entry['pid'] for entry in self.client.list()], pids[:2])

    def test_killed_while_it_loads(self):
        """Whenever that is, each app is there once in the end."""
        apps = [self.app(f'app{i // 2}') for i in range(60)]
        self.put(*apps)
        rng = random.Random(SEED)
        wanted = collections.Counter(app['config']['name'] for app in apps)
        for _ in range(6):
            self.instance.systemctl('start', '--no-block', 'pm2')
            for _ in range(3):
                pid = wait_until(self.instance.main_pid, 'it runs')
                time.sleep(rng.uniform(0, 0.25))  # not to wait for something: to be early or late
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda old=pid: self.instance.main_pid() not in (0, old), 'a successor runs')
            self.instance.wait_state('active')
            self.reconnect()
            found = collections.Counter(entry['name'] for entry in self.client.list())
            self.assertEqual(found, wanted)
            wait_until(lambda: {status for _, status in self.names()} == {'online'}, 'all are online')
            # a start that a kill has met may leave a scope, but nothing in it
            wait_until(lambda: len(self.scopes_with_processes()) == 60, 'a scope for each, and no other')
            self.instance.stop()

    def test_an_app_that_fails_keeps_the_service_from_nothing(self):
        self.put(self.app('good'), self.app('gone', script='/nowhere/at/all'),
                 self.app('bad', text='#!/nowhere/at/all\n'), self.app('last'))
        self.start_service()
        names = dict(self.names())
        self.assertEqual((names['good'], names['last']), ('online', 'online'))
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')
        journal = self.instance.journal()
        self.assertIn("apps[1] 'gone'", journal)

    def test_a_broken_list(self):
        self.put(self.app('old'), name='dump.json.bak')
        pathlib.Path(self.list_path).write_text('{"pm2d_saved', encoding='utf-8')
        self.start_service()
        self.assertEqual(self.names(), [('old', 'online')])
        self.assertIn('the previous list', self.instance.journal())
        self.instance.stop()
        pathlib.Path(self.list_path + '.bak').write_text('', encoding='utf-8')
        self.start_service()
        self.assertEqual(self.names(), [])
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')

    def test_many(self):
        self.put(*[self.app(f'app{i}') for i in range(100)])
        started = time.monotonic()
        self.start_service()
        self.assertEqual([status for _, status in self.names()], ['online'] * 100)
        print(f'# 100 saved apps: started in {time.monotonic() - started:.1f} s')


class NotLoaded(SavedListCase):
    settings = {'load_saved': 'no'}

    def test_the_setting(self):
        self.put(self.app('one'))
        self.start_service()
        self.assertEqual(self.names(), [])
        self.assertEqual(len(self.client.manager_call('Resurrect', 'sa{sv}', '', {})), 1)
        self.assertEqual(self.names(), [('one', 'online')])


if __name__ == '__main__':
    booted.main()
