#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""npm's pm2, unmodified, drives pm2d by its API and by its command: the examples of PM2's documentation as they stand
there, and the verbs that everybody types. It never starts a daemon of its own.

    PM2D_TEST_PEER=pm2            the same with PM2's own daemon: is it what the cases expect?
    PM2D_TEST_PM2_VERSION=5.4.3   another client (tests/pm2-versions.py)
"""

import os
import shutil
import unittest

import harness
import pm2_home
from harness import wait_until
from pm2_home import HOMES, NEWEST

PEER = os.environ.get('PM2D_TEST_PEER', 'pm2d')
VERSION = os.environ.get('PM2D_TEST_PM2_VERSION', NEWEST)
EXAMPLES = os.path.join(harness.APPS, 'pm2')


class ClientCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.home = HOMES[PEER](VERSION)
        self.addCleanup(self.end_home)
        self.home.start()
        for name in ('pm2-control.js', 'pm2-call.js', 'pm2-app.js', '../api.js'):
            shutil.copy(os.path.join(EXAMPLES, name), self.home.apps)
        self.server = self.home.pid

    def end_home(self):
        found = self.home.end()
        if found:
            self.fail('\n'.join(found))

    def assert_same_server(self):
        """Nobody but who was there from the beginning serves the folder."""
        self.assertEqual(self.home.pid, self.server, 'pm2.pid')
        daemons = pm2_home.node_daemons(self.home.home)
        if PEER == 'pm2d':
            self.assertEqual(self.home.daemon.process.pid, self.server)
            self.assertEqual(daemons, [])
        else:
            self.assertEqual(daemons, [self.server])

    def statuses(self):
        return {one['name']: one['pm2_env']['status'] for one in self.home.jlist()}


class Examples(ClientCase):
    def test_quickstart(self):
        result = self.home.node('pm2-control.js')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        # console.log(err, list)
        self.assertTrue(result.stdout.startswith('null [\n'), result.stdout)
        for text in ("name: 'api',", 'pm_id: 0,', "status: 'online',", 'restart_time: 0,', "namespace: 'default',",
                     f"pm_exec_path: '{self.home.path('api.js')}',", "exec_mode: 'fork_mode',"):
            self.assertIn(text, result.stdout)
        app, = self.home.jlist()
        self.assertEqual((app['name'], app['pm_id'], app['pm2_env']['status'], app['pm2_env']['restart_time']),
                         ('api', 0, 'online', 1))
        self.assertTrue(harness.is_alive(app['pid']))
        self.assertIn(f'pid: {int(result.stdout.partition("pid: ")[2].partition(",")[0])},', result.stdout)
        self.assert_same_server()

    def test_message(self):
        """Its id is 1 in the example."""
        self.home.pm2('start', 'api.js')
        self.home.pm2('start', 'pm2-app.js')
        wait_until(lambda: 'node_version' in self.home.rpc_list()[1]['pm2_env'], 'the app listens')
        caller = self.home.open_node('pm2-call.js')
        text = ''
        while text.count('{') == 0 or text.count('{') > text.count('}'):
            line = caller.stdout.readline()
            self.assertTrue(line, f'the example ended after: {text}')
            text += line
        # console.log(packet)
        self.assertIn('data: { success: true }', text)
        for part in ('pm_id: 1', "name: 'pm2-app'", "namespace: 'default'"):
            self.assertIn(part, text.partition('process: {')[2].partition('}')[0])
        self.assertRegex(text, r'\bat: 1\d{12}\b')
        self.assertIsNone(caller.poll(), 'it goes on listening')
        self.assert_same_server()


class Command(ClientCase):
    def test_life(self):
        home = self.home
        self.assertIn('[PM2] Done.', home.pm2('start', 'api.js', '--name', 'api', '--', 'an', 'argument'))
        self.assertIn('[PM2] Done.', home.pm2('start', 'pm2-app.js', '--namespace', 'space'))
        table = home.pm2('list')
        for text in ('api', 'pm2-app', 'space', 'online', 'fork'):
            self.assertIn(text, table)
        first, second = home.jlist()
        self.assertEqual((first['pm2_env']['args'], second['pm2_env']['namespace']), (['an', 'argument'], 'space'))
        home.pm2('stop', 'api')
        self.assertEqual(self.statuses(), {'api': 'stopped', 'pm2-app': 'online'})
        self.assertFalse(harness.is_alive(first['pid']))
        home.pm2('restart', 'all')
        self.assertEqual(self.statuses(), {'api': 'online', 'pm2-app': 'online'})
        home.pm2('reload', 'api')
        self.assertIn('api.js', home.pm2('describe', 'api'))
        self.assertEqual(int(home.pm2('pid', 'api')), home.jlist()[0]['pid'])
        home.pm2('stop', 'nothing', status=1)
        home.pm2('delete', 'space')
        self.assertEqual(self.statuses(), {'api': 'online'})
        home.pm2('delete', 'all')
        self.assertEqual(home.jlist(), [])
        self.assertFalse(harness.is_alive(second['pid']))
        self.assert_same_server()

    def test_save_and_resurrect(self):
        home = self.home
        home.pm2('start', 'api.js')
        home.pm2('start', 'pm2-app.js', '--no-autorestart', '--', 'x')
        home.pm2('stop', 'pm2-app')
        home.pm2('save')
        self.assertTrue(os.path.exists(os.path.join(home.home, 'dump.pm2')))
        home.pm2('delete', 'all')
        home.pm2('resurrect')
        found = {one['name']: one for one in home.jlist()}
        self.assertEqual({name: one['pm2_env']['status'] for name, one in found.items()},
                         {'api': 'online', 'pm2-app': 'stopped'})
        self.assertEqual((found['pm2-app']['pm2_env']['args'], found['pm2-app']['pm2_env']['autorestart']), (['x'], False))
        home.pm2('restart', 'pm2-app')
        self.assertEqual(self.statuses(), {'api': 'online', 'pm2-app': 'online'})
        self.assert_same_server()

    def test_update(self):
        """pm2d is updated in place: the client is told so, the apps are as they were, and no daemon of PM2's own runs."""
        home = self.home
        home.pm2('start', 'api.js')
        home.pm2('start', 'pm2-app.js')
        home.pm2('stop', 'pm2-app')
        before = {one['name']: one['pid'] for one in home.jlist()}
        result = home.node(home.command(), 'update')
        self.assertEqual(self.statuses(), {'api': 'online', 'pm2-app': 'stopped'})
        if PEER == 'pm2d':
            self.assertIn('pm2ctl daemon-reexec', result.stderr)
            self.assertEqual({one['name']: one['pid'] for one in home.jlist()}, before)
            self.assert_same_server()
        # what was said of a kill holds no longer
        home.pm2('restart', 'all')
        self.assertEqual(self.statuses(), {'api': 'online', 'pm2-app': 'online'})

    def test_kill(self):
        """Who serves it is gone, and so is what a client would look for."""
        home = self.home
        home.pm2('start', 'api.js')
        pid = home.jlist()[0]['pid']
        self.assertIn('PM2 Daemon Stopped', home.pm2('kill'))
        wait_until(lambda: not harness.is_alive(self.server), 'who served it ended')
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(pm2_home.node_daemons(home.home), [])
        self.assertEqual([name for name in ('rpc.sock', 'pub.sock', 'pm2.pid') if os.path.exists(os.path.join(home.home, name))],
                         [])


if __name__ == '__main__':
    harness.main()
