#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""pm2ctl import: what PM2's own daemon has comes here, app by app, and nothing is lost on the way."""

import contextlib
import json
import os
import socket
import struct
import threading

import harness
from harness import is_alive, wait_until
from load import Load
from npm_pm2 import Pm2Case, frame, read_exactly

APP = '''
require('fs').writeFileSync(process.argv[2], JSON.stringify(
    {args: process.argv.slice(2), env: process.env, pid: process.pid}) + '\\n');
setInterval(() => {}, 1000);
'''


class Import(Pm2Case):
    def ecosystem(self, *apps):
        return self.script('ecosystem.config.json', json.dumps({'apps': list(apps)}), executable=False)

    def app(self, name, **values):
        script = self.script('app.js', APP, executable=False)
        return {'name': name, 'script': script, 'cwd': self.daemon.apps, 'args': [self.path(f'{name}.out')], **values}

    def told(self, name):
        return json.loads(harness.wait_file(self.path(f'{name}.out')))

    def start_four(self):
        """One that runs, one that is stopped, one with all kinds of things, one that is not supported here."""
        self.pm2('start', self.ecosystem(
            self.app('online'), self.app('stopped'),
            self.app('full', args=[self.path('full.out'), '--port', '80 80'], env={'WHERE': 'caf\u00e9 "x"', 'N': '7'},
                     namespace='back', watch=['nothing'], kill_timeout=3000, max_restarts=5),
            self.app('other', uid=os.getuid())))
        self.pm2('stop', 'stopped')
        for name in ('online', 'full', 'other'):
            self.told(name)

    def names_here(self):
        return {item['name']: item['pm2_env']['status'] for item in self.client.list()}

    def test_a_list(self):
        self.start_four()
        before = self.in_pm2()
        self.assertEqual({name: status for name, (_, status, _) in before.items()},
                         {'online': 'online', 'stopped': 'stopped', 'full': 'online', 'other': 'online'})

        # first what would be done, and nothing is
        dry = self.pm2ctl('import', '--dry-run', self.home, status=1)
        rows = {line.split()[1]: line for line in dry.stdout.splitlines() if line.split()[:1] and line.split()[0].isdigit()}
        self.assertEqual(set(rows), set(before))
        self.assertIn('start', rows['online'])
        self.assertIn('register', rows['stopped'])
        self.assertIn('leave', rows['other'])
        self.assertIn('uid', rows['other'])
        planned = json.loads(self.pm2ctl('import', '--dry-run', '--json', self.home, status=1).stdout)
        self.assertEqual({app['name']: (app['result'], [p['action'] for p in app['processes']]) for app in planned},
                         {'online': ('planned', ['start']), 'stopped': ('planned', ['register']),
                          'full': ('planned', ['start']), 'other': ('left', ['leave'])})
        self.assertEqual(self.in_pm2(), before)
        self.assertEqual(self.client.list(), [])

        # then it is
        full = self.told('full')
        for name in ('online', 'full'):
            os.unlink(self.path(f'{name}.out'))
        result = self.pm2ctl('import', self.home, status=1)
        self.assertIn('other: stays in PM2: uid', result.stderr)
        self.assertIn('full (', result.stdout)
        self.assertEqual(self.names_here(), {'online': 'online', 'stopped': 'stopped', 'full': 'online'})
        self.assertEqual(self.in_pm2(), {'other': before['other']})
        for name in ('online', 'full'):
            self.assertFalse(is_alive(before[name][2]), name)
        told = self.told('full')
        self.assertEqual(told['args'], full['args'])
        self.assertEqual((told['env']['WHERE'], told['env']['N']), ('caf\u00e9 "x"', '7'))
        self.assertNotEqual(told['pid'], full['pid'])
        facts = self.client.describe('full')[0]['pm2_env']
        self.assertEqual((facts['namespace'], facts['kill_timeout'], facts['max_restarts'], facts['pm_cwd'], facts['watch']),
                         ('back', 3000, 5, self.daemon.apps, ['nothing']))
        leftover = [name for name in os.listdir(self.daemon.runtime) if name.startswith('pm2ctl-import')]
        self.assertEqual(leftover, [], 'the dump is gone')

        # and again: nothing is left to take
        again = json.loads(self.pm2ctl('import', '--json', self.home, status=1).stdout)
        self.assertEqual([(app['name'], app['result']) for app in again], [('other', 'left')])

    def test_all_of_it(self):
        """Nothing is left: then the status is 0. Processes of one name come together."""
        self.pm2('start', self.ecosystem(self.app('one'), self.app('many', instances=3, exec_mode='fork')))
        self.told('one')
        answer = json.loads(self.pm2ctl('import', '--json', self.home).stdout)
        self.assertEqual([(app['name'], app['result'], len(app['taken'])) for app in answer],
                         [('one', 'taken', 1), ('many', 'taken', 3)])
        self.assertEqual(self.in_pm2(), {})
        self.assertEqual([item['name'] for item in self.client.list()], ['one', 'many', 'many', 'many'])
        self.assertIn('no processes', self.pm2ctl('import', self.home).stdout)

    def test_a_cluster(self):
        """It is one here too: what PM2 was the primary of serves on, and can be reloaded."""
        text = """
            require('http').createServer((request, reply) => {
                require('fs').writeFileSync(`served-${process.pid}`, '');
                reply.end('hello');
            }).listen(process.argv[2]);"""
        script, address = self.script('web.js', text, executable=False), self.path('web.sock')
        self.pm2('start', self.ecosystem(
            {'name': 'web', 'script': script, 'cwd': self.daemon.apps, 'args': [address], 'exec_mode': 'cluster',
             'instances': 3, 'kill_timeout': 4000, 'listen_timeout': 9000, 'merge_logs': True}))
        self.pm2('stop', '2')
        answer = json.loads(self.pm2ctl('import', '--json', self.home).stdout)
        self.assertEqual([(app['name'], app['result'], len(app['taken'])) for app in answer], [('web', 'taken', 3)])
        self.assertEqual(self.in_pm2(), {})
        facts = [item['pm2_env'] for item in self.client.describe('web')]
        self.assertEqual([(one['exec_mode'], one['status'], one['instance'], one['instances'], one['kill_timeout'],
                           one['listen_timeout']) for one in facts],
                         [('cluster_mode', status, i, 3, 4000, 9000) for i, status in enumerate(('online', 'online', 'stopped'))])
        with Load(path=address, mode='close', connections=4, body='hello') as load:
            for _ in range(2):
                pids = [item['pid'] for item in self.client.list()]
                wait_until(lambda now=pids: any(os.path.exists(self.path(f'served-{pid}')) for pid in now), 'they serve')
                self.pm2ctl('reload', 'web')
        self.assertEqual((load.result['failed'], load.result['reasons']), (0, {}))

    def test_a_failing_start_is_undone(self):
        """What cannot be started here runs in PM2 again, and what comes after it is taken all the same."""
        self.pm2('start', self.ecosystem(
            self.app('before'), self.app('unready', wait_ready=True, listen_timeout=300), self.app('after')))
        before = self.in_pm2()
        # PM2 takes an app for ready after its timeout; here that is a failure.
        answer = json.loads(self.pm2ctl('import', '--json', self.home, status=1).stdout)
        results = {app['name']: app for app in answer}
        self.assertEqual({name: app['result'] for name, app in results.items()},
                         {'before': 'taken', 'unready': 'failed', 'after': 'taken'})
        self.assertIn('runs in PM2 again', results['unready']['message'])
        self.assertEqual(self.names_here(), {'before': 'online', 'after': 'online'})
        left = self.in_pm2()
        self.assertEqual(list(left), ['unready'])
        number, status, pid = left['unready']
        self.assertEqual((number, status), (before['unready'][0], 'online'))
        self.assertTrue(is_alive(pid))
        self.assertNotEqual(pid, before['unready'][2])

    def test_a_name_that_is_taken(self):
        self.pm2('start', self.ecosystem(self.app('web')))
        self.told('web')
        before = self.in_pm2()
        self.client.start_one(self.sleeper(), name='web')
        result = self.pm2ctl('import', self.home, status=1)
        self.assertIn('web: stays in PM2: pm2d has an app of this name', result.stderr)
        self.assertEqual(self.in_pm2(), before)


class Refused(Pm2Case):
    def test_our_own_sockets(self):
        self.client.start_one(self.sleeper(), name='web')
        self.pm2ctl('compat', 'enable')
        result = self.pm2ctl('import', self.home, status=1)
        self.assertIn('is served by pm2d', result.stderr)
        self.assertEqual([item['name'] for item in self.client.list()], ['web'])

    def test_nobody(self):
        result = self.pm2ctl('import', self.home, status=1)
        self.assertIn(f'{self.rpc_path}: no daemon of PM2', result.stderr)
        self.pm2ctl('import', 'a' * 200, status=1)
        self.pm2ctl('import', 'one', 'two', status=2)


class Broken(harness.Case):
    """Something that is no PM2, at the place of one: a clear error, and an end."""

    def serve(self, *answers, close=True):
        """Answer each request with the next of these: bytes, or a JSON text in a frame with its id."""
        folder = self.path('home')
        os.mkdir(folder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(folder, 'rpc.sock'))
        listener.listen()

        def run():
            with contextlib.suppress(OSError, ConnectionError):
                connection = listener.accept()[0]
                with connection:
                    for answer in answers:
                        count = read_exactly(connection, 1)[0] & 15
                        parts = [read_exactly(connection, struct.unpack('>I', read_exactly(connection, 4))[0])
                                 for _ in range(count)]
                        connection.sendall(answer if isinstance(answer, bytes)
                                           else frame(b'j:' + answer.encode(), parts[1]))
                    if not close:
                        connection.recv(1)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, harness.TIMEOUT)
        self.addCleanup(listener.close)
        return folder

    VERSION = '{"args":["5.4.3"]}'
    NO_REPORT = '{"error":"method \\"getReport\\" does not exist"}'

    def assert_refused(self, text, *answers, **values):
        result = self.pm2ctl('import', self.serve(*answers, **values), status=1)
        self.assertIn(text, result.stderr)
        self.assertEqual(self.client.list(), [])

    def test_no_answer_at_all(self):
        self.assert_refused('it has ended', b'')

    def test_no_json(self):
        self.assert_refused('makes no sense', 'nonsense')

    def test_an_answer_that_is_too_large(self):
        self.assert_refused('too large', b'\x12' + struct.pack('>I', 0xffffffff), close=False)

    def test_no_version(self):
        self.assert_refused('makes no sense', '{"args":[{"pid":1}]}')

    def test_no_list(self):
        self.assert_refused('makes no sense', self.VERSION, self.NO_REPORT, '{"args":[{"pid":1}]}')

    def test_no_process_in_the_list(self):
        self.assert_refused('no process', self.VERSION, self.NO_REPORT, '{"args":[[1]]}')

    def test_processes_that_are_none(self):
        """Each is left where it is, with the reason."""
        listed = json.dumps({'args': [[{'name': 'a', 'pm2_env': {'pm_id': 0, 'status': 'online'}},
                                       {'name': 'b', 'pm2_env': {'pm_id': '_old_1', 'pm_exec_path': '/bin/true'}},
                                       {'name': 'c', 'pm2_env': {'pm_id': 2, 'pm_exec_path': '/nowhere', 'env': 7}},
                                       {'name': '\x1b[2J', 'pm2_env': {'pm_id': 3, 'pmx_module': True}}]]})
        result = self.pm2ctl('import', self.serve(self.VERSION, self.NO_REPORT, listed), status=1)
        for text in ('a: stays in PM2: ', 'pm_exec_path', 'b: stays in PM2: PM2 is reloading it', 'c: stays in PM2: ',
                     'a module of PM2'):
            self.assertIn(text, result.stderr)
        self.assertNotIn('\x1b', result.stderr)
        self.assertEqual(self.client.list(), [])

    def test_it_ends_on_the_way(self):
        """Nothing was stopped, so nothing is started."""
        script = self.sleeper()
        listed = json.dumps({'args': [[{'name': name, 'pm2_env': {
            'pm_id': i, 'status': 'online', 'name': name, 'pm_exec_path': script, 'pm_cwd': self.daemon.apps,
            'exec_interpreter': 'none', 'exec_mode': 'fork_mode', 'env': {}}} for i, name in enumerate('ab')]]})
        result = self.pm2ctl('import', self.serve(self.VERSION, self.NO_REPORT, listed, b''), status=1)
        self.assertIn('a: ', result.stderr)
        self.assertIn('it has ended', result.stderr)
        self.assertIn('b: it was not tried any more', result.stderr)
        self.assertEqual(self.client.list(), [])


if __name__ == '__main__':
    harness.main()
