#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""npm's pm2, unmodified, drives pm2d by its API and by its command: the examples of PM2's documentation as they stand
there, and the verbs that everybody types. It never starts a daemon of its own.

    PM2D_TEST_PEER=pm2            the same with PM2's own daemon: is it what the cases expect?
    PM2D_TEST_PM2_VERSION=5.4.3   another client (tests/pm2-versions.py)
"""

import json
import os
import re
import shutil
import socket
import unittest

import harness
import pm2_home
from harness import wait_until
from load import Load
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

    def test_cluster(self):
        """-i makes a cluster of what Node runs, and both processes serve one port."""
        with open(self.home.path('server.js'), 'w', encoding='utf-8') as file:
            file.write("require('net').createServer((socket) => socket.end(String(process.pid)))"
                       ".listen(require('path').join(__dirname, 'server.sock'), () => process.send('ready'));")
        self.home.pm2('start', 'server.js', '-i', '2', '--wait-ready')
        apps = self.home.jlist()
        self.assertEqual([app['pm2_env']['exec_mode'] for app in apps], ['cluster_mode'] * 2)
        pids, seen = {app['pid'] for app in apps}, set()
        while seen != pids:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(self.home.path('server.sock'))
                seen.add(int(client.recv(100)))
            self.assertLessEqual(seen, pids)
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


SERVER = '''
const server = require('http').createServer((request, reply) => {
  require('fs').writeFileSync(`served-${process.pid}`, '')
  reply.end('hello')
})
server.listen(process.env.PORT || require('path').join(__dirname, 'web.sock'), () => process.send('ready'))
'''
ECOSYSTEM = '''
module.exports = { apps: [{ name: 'web', script: 'server.js', exec_mode: 'cluster', instances: 2, wait_ready: true,
                            listen_timeout: 20000, kill_timeout: 5000, merge_logs: true, env: { PORT: %d } }] }
'''


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Cluster(ClientCase):
    def setUp(self):
        super().setUp()
        self.home.script('server.js', SERVER)

    def load(self, **where):
        return Load(**(where or {'path': self.home.path('web.sock')}), mode='close', connections=4, body='hello')

    def wait_served(self):
        """A request has been answered by who is there now."""
        paths = [self.home.path(f'served-{app["pid"]}') for app in self.home.jlist()]
        wait_until(lambda: any(os.path.exists(path) for path in paths), 'they serve')

    def assert_served(self, load):
        if PEER == 'pm2d':  # PM2 itself loses some
            self.assertEqual((load.result['failed'], load.result['reasons']), (0, {}))

    def facts(self):
        return [(app['pm_id'], app['pm2_env']['status'], app['pm2_env']['exec_mode'], app['pm2_env']['restart_time'])
                for app in self.home.jlist()]

    def test_reload(self):
        """All processes are replaced, and no request is lost."""
        home = self.home
        home.pm2('start', 'server.js', '-i', '2', '--name', 'web')
        before = {app['pid'] for app in home.jlist()}
        wait_until(lambda: os.path.exists(home.path('web.sock')), 'it listens')
        with self.load() as load:
            self.wait_served()
            home.pm2('reload', 'web')
            self.wait_served()
            self.assertEqual(self.facts(), [(0, 'online', 'cluster_mode', 1), (1, 'online', 'cluster_mode', 1)])
            home.pm2('reload', '1')
            home.pm2('reload', 'all', '--update-env', env={'NEW': 'value'})
            self.wait_served()
        self.assert_served(load)
        self.assertEqual(self.facts(), [(0, 'online', 'cluster_mode', 2), (1, 'online', 'cluster_mode', 3)])
        after = home.jlist()
        self.assertEqual({app['pid'] for app in after} & before, set())
        self.assertEqual([app['pm2_env']['NEW'] for app in after], ['value'] * 2)
        for pid in before:
            self.assertFalse(harness.is_alive(pid))
        self.assert_same_server()

    def test_file(self):
        """With wait_ready, by each of the verbs that reload."""
        home = self.home
        port = free_port()
        home.script('ecosystem.config.js', ECOSYSTEM % port)
        home.pm2('start', 'ecosystem.config.js')
        with self.load(port=port) as load:
            for verb in ('reload', 'startOrReload', 'startOrGracefulReload'):
                self.wait_served()
                home.pm2(verb, 'ecosystem.config.js')
            self.wait_served()
        self.assertEqual(self.facts(), [(0, 'online', 'cluster_mode', 3), (1, 'online', 'cluster_mode', 3)])
        logs = {app['pm2_env']['pm_out_log_path'] for app in home.jlist()}
        self.assertEqual(logs, {os.path.join(home.home, 'logs', 'web-out.log')})
        self.assert_served(load)
        self.assert_same_server()

    def test_scale(self):
        home = self.home
        home.pm2('start', 'server.js', '-i', '2', '--name', 'web')
        wait_until(lambda: os.path.exists(home.path('web.sock')), 'it listens')
        with self.load() as load:
            self.wait_served()
            home.pm2('scale', 'web', '4')
            self.assertEqual(len(self.facts()), 4)
            home.pm2('scale', 'web', '+1')
            pids = {app['pid'] for app in home.jlist()}
            self.assertEqual(len(pids), 5)
            home.pm2('reload', 'web')
            self.wait_served()
        self.assert_served(load)
        self.assertEqual([fact[1:] for fact in self.facts()], [('online', 'cluster_mode', 1)] * 5)
        home.pm2('scale', 'web', '1')
        (number, status, _, _), = self.facts()
        self.assertEqual(status, 'online')
        with self.load() as load:
            self.wait_served()
            home.pm2('reload', str(number))
            self.wait_served()
        self.assert_served(load)
        for pid in pids:
            self.assertFalse(harness.is_alive(pid))
        self.assert_same_server()


TICKS = """
let count = 0
setInterval(() => { console.log(`tick ${++count}\\nand more`); console.error('wrong') }, 50)
"""


class Logs(ClientCase):
    """What is logged comes to the command and to the bus as it is written."""

    def setUp(self):
        super().setUp()
        self.home.script('ticks.js', TICKS)
        self.home.pm2('start', 'ticks.js', '--name', 'ticks')

    def follow(self, *words):
        """Lines of pm2 logs, without those that were there and its headings."""
        child = self.home.open_node(self.home.command(), 'logs', 'ticks', '--lines', '0', *words)
        for line in child.stdout:
            line = pm2_home.ANSI.sub('', line).strip()
            if 'tick ' in line or 'and more' in line or 'wrong' in line:
                yield line

    def ticks(self, lines, count=5):
        """The numbers of some ticks."""
        found = []
        while len(found) < count:
            number = re.search(r'tick (\d+)', next(lines))
            found += [int(number[1])] if number else []
        return found

    def test_command(self):
        found = self.ticks(self.follow('--out'))
        self.assertEqual(found, list(range(found[0], found[0] + 5)))
        self.assertIn(next(self.follow('--err', '--raw')), ('wrong',))
        self.assertRegex(next(self.follow('--out')), r'^0\|ticks +\| (tick \d+|and more)$')

    def test_command_json(self):
        line = json.loads(next(self.follow('--json', '--out')))
        self.assertEqual((line['type'], line['process_id'], line['app_name']), ('out', 0, 'ticks'))
        self.assertRegex(line['message'], r'^tick \d+\n?and more')

    def test_bus(self):
        found = {}
        with self.home.bus() as bus:
            while set(found) != {'log:out', 'log:err'}:
                event, packet = bus.receive()
                if event.startswith('log:') and event != 'log:PM2':
                    found[event] = packet
        self.assertEqual({event: sorted(packet) for event, packet in found.items()},
                         {event: ['at', 'data', 'process'] for event in found})
        self.assertEqual(found['log:out']['process'], {'pm_id': 0, 'name': 'ticks', 'rev': None, 'namespace': 'default'})
        self.assertRegex(found['log:out']['data'], r'^tick \d+\nand more\n')
        self.assertRegex(found['log:err']['data'], r'^wrong\n')

    def test_disable_logs(self):
        self.home.pm2('start', 'ticks.js', '--name', 'silent', '--disable-logs')
        with self.home.bus() as bus:
            seen = []
            while seen.count('ticks') < 10:
                event, packet = bus.receive()
                if event.startswith('log:') and event != 'log:PM2':
                    seen.append(packet['process']['name'])
        self.assertNotIn('silent', seen)


if __name__ == '__main__':
    harness.main()
