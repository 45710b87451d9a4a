#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Save and Resurrect: what comes back, and what becomes of lists that are broken, foreign or not to be had."""

import base64
import json
import os
import pathlib
import socket
import stat
import time

import harness
from dbus_wire import V

EMPTY = {'pm2d_saved_list': 1, 'environments': [], 'apps': []}


class SavedListCase(harness.Case):
    @property
    def list_path(self):
        return os.path.join(self.daemon.state, 'pm2', 'dump.json')

    def save(self, path='', **values):
        return self.client.manager_call('Save', 'sa{sv}', path, harness.options(**values))

    def resurrect(self, path='', **values):
        return self.client.manager_call('Resurrect', 'sa{sv}', path, harness.options(**values))

    def saved(self, path=None):
        return json.loads(harness.read_file(path or self.list_path))

    def put(self, content, path=None):
        """A list as somebody else has written it."""
        path = path or self.list_path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = content if isinstance(content, bytes) else (
            content if isinstance(content, str) else json.dumps(content)).encode()
        pathlib.Path(path).write_bytes(data)
        return path

    def app(self, name, status='online', **config):
        return {'status': status, 'config': {'script': self.sleeper(), 'name': name, 'cwd': self.daemon.apps, **config}}

    def document(self, *apps):
        return {**EMPTY, 'apps': list(apps)}

    def names(self):
        return [(entry['name'], entry['pm2_env']['status']) for entry in self.client.list()]

    def delete_all(self):
        if self.client.list():
            self.client.delete('all')

    def config(self, path):
        return self.client.call(path, harness.PROCESS, 'GetConfig')

    def environment(self, path):
        return self.client.call(path, harness.PROCESS, 'GetEnvironment')


class RoundTrip(SavedListCase):
    def test_what_was_declared_comes_back_in_order(self):
        script = self.sleeper()
        one = self.client.start_one(script, name='zeta', namespace='web', cwd=self.daemon.apps, args=['a b', 'c"\n'],
                                    env={'A': '1', '$bytes': 'x', 'ODD': 'ä"\\\n'}, kill_timeout='2s 500ms',
                                    kill_signal='SIGUSR1', max_restarts=3, autorestart=False, interpreter='none')
        self.client.start_one(script, name='alpha', cwd=self.daemon.apps)
        self.client.start_one(script, name='mid', cwd=self.daemon.apps)
        self.client.stop('alpha')
        config, environment = self.config(one), self.environment(one)
        self.assertEqual(self.save(), self.list_path)
        self.delete_all()
        paths = self.resurrect()
        self.assertEqual(self.names(), [('zeta', 'online'), ('alpha', 'stopped'), ('mid', 'online')])
        self.assertEqual(self.config(paths[0]), config)
        after = self.environment(paths[0])
        for name in ('unique_id', 'created_at', 'pm_uptime', 'PM2D_UNIQUE_ID'):
            environment.pop(name, None)
            after.pop(name, None)
        self.assertEqual(after, environment)
        self.assertEqual(self.client.property(paths[1], 'Pid'), 0)
        self.client.restart('alpha')

    def test_the_file(self):
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        os.umask(0)
        self.save()
        first = harness.read_file(self.list_path)
        self.assertEqual(stat.S_IMODE(os.stat(self.list_path).st_mode), 0o600)
        self.client.start_one(self.sleeper(), name='b', cwd=self.daemon.apps)
        self.save()
        self.assertEqual(harness.read_file(self.list_path + '.bak'), first)
        self.assertEqual([app['config']['name'] for app in self.saved()['apps']], ['a', 'b'])
        self.assertEqual(len(self.saved()['environments']), 1, 'apps of one environment share it')
        self.assertEqual(sorted(name for name in os.listdir(os.path.dirname(self.list_path)) if 'dump' in name),
                         ['dump.json', 'dump.json.bak'])

    def test_bytes_that_are_not_utf8_are_kept(self):
        script = self.script('report.sh', '#!/bin/sh\ntr "\\0" "\\n" </proc/$$/environ >environ.new\n'
                             'printf "%s" "$1" >argument\nmv environ.new environ\nexec sleep 1000\n')
        self.client.manager_call('Start', 'sa{sv}', script, {
            'name': V('s', 'bytes'), 'cwd': V('s', self.daemon.apps), 'interpreter': V('s', 'none'),
            'args': V('aay', [b'\xff\xfe']), 'caller_env': V('a{say}', {
                'BYTES': b'\xf0\x28\x8c\x28', 'PATH': b'/usr/bin:/bin', harness.MARK: self.daemon.mark.encode()})})
        harness.wait_file(self.path('environ'))
        self.save()
        text = harness.read_file(self.list_path)
        self.assertIn(base64.b64encode(b'\xf0\x28\x8c\x28').decode(), text)
        self.delete_all()
        for name in ('environ', 'argument'):
            os.unlink(self.path(name))
        self.resurrect()
        harness.wait_file(self.path('environ'))
        self.assertIn(b'BYTES=\xf0\x28\x8c\x28\n', pathlib.Path(self.path('environ')).read_bytes())
        self.assertEqual(pathlib.Path(self.path('argument')).read_bytes(), b'\xff\xfe')

    def test_names_in_the_list_are_skipped(self):
        script = self.sleeper()
        first = self.client.start_one(script, name='a', cwd=self.daemon.apps)
        self.client.start_one(script, name='b', cwd=self.daemon.apps)
        self.save()
        self.client.delete('b')
        pid = self.client.property(first, 'Pid')
        paths = self.resurrect()
        self.assertEqual(len(paths), 2)
        self.assertIn(first, paths)
        self.assertEqual(self.client.property(first, 'Pid'), pid)
        self.assertEqual(self.names(), [('a', 'online'), ('b', 'online')])
        self.assertEqual(len(self.resurrect()), 2)
        self.assertEqual(len(self.client.list()), 2)

    def test_two_at_once_start_each_app_once(self):
        self.put(self.document(*[self.app(f'app{i % 20}') for i in range(40)]))
        other = self.daemon.connect()
        serials = [client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Resurrect', 'sa{sv}', '', {})
                   for client in (self.client, other, self.client, other)]
        for client, serial in zip((self.client, other, self.client, other), serials):
            self.assertEqual(len(client.reply_to(serial).body[0]), 40)
        self.assertEqual(len(self.client.list()), 40)

    def test_several_instances_of_a_name_come_back(self):
        script = self.sleeper()
        for _ in range(3):
            self.client.start_one(script, name='many', force=True, cwd=self.daemon.apps)
        self.save()
        self.delete_all()
        self.assertEqual(len(self.resurrect()), 3)
        self.assertEqual(len(self.client.list()), 3)

    def test_what_is_being_deleted_or_stopped_is_saved_so(self):
        stubborn = self.script('stubborn.sh', "#!/bin/sh\ntrap '' INT\necho ready\nwhile :; do sleep 0.05; done\n")
        for name in ('stays', 'stops', 'goes'):
            path = self.client.start_one(stubborn, name=name, cwd=self.daemon.apps, kill_timeout='20s')
            harness.wait_file(self.client.property(path, 'OutLogPath'))
        self.client.stop('stops', wait=False)
        self.client.delete('goes', wait=False)
        self.save()
        self.assertEqual([(app['config']['name'], app['status']) for app in self.saved()['apps']],
                         [('stays', 'online'), ('stops', 'stopped')])
        for name in ('stays', 'stops', 'goes'):
            self.client.send_signal(name, 'KILL')
        self.client.delete('stays')

    def test_a_save_behind_a_resurrect_has_what_it_brought(self):
        self.put(self.document(*[self.app(f'app{i}') for i in range(30)]))
        target = self.path('other.json')
        first = self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Resurrect', 'sa{sv}', '', {})
        second = self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Save', 'sa{sv}', target, {})
        self.client.reply_to(second)
        self.client.reply_to(first)
        self.assertEqual(len(self.saved(target)['apps']), 30)

    def test_a_private_instance_loads_when_told(self):
        self.put(self.document(self.app('a')))
        self.daemon.terminate()
        self.daemon.start()
        self._client = None
        self.assertEqual(self.client.list(), [])
        self.resurrect()
        self.assertEqual(self.names(), [('a', 'online')])


class Guards(SavedListCase):
    def test_an_empty_list_needs_force(self):
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        self.save()
        before = harness.read_file(self.list_path)
        self.delete_all()
        self.assert_dbus_error('NoSuchProcess', self.save, mentions='force')
        self.assertEqual(harness.read_file(self.list_path), before)
        self.save(force=True)
        self.assertEqual(self.saved()['apps'], [])
        self.assertEqual(harness.read_file(self.list_path + '.bak'), before)
        self.assertEqual(self.resurrect(), [])

    def test_paths_that_are_refused(self):
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        folder = self.path('folder')
        os.mkdir(folder)
        target = self.put('kept', self.path('target'))
        os.symlink(target, self.path('link'))
        os.mkfifo(self.path('fifo'))
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(self.path('socket'))
        long_name = self.path('x' * 250)
        for function in (self.save, self.resurrect):
            self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', function, 'relative.json', mentions='absolute')
            self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', function, '/tmp/', mentions='no file name')
            self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', function, long_name, mentions='too long')
            for name, word in (('folder', 'regular'), ('fifo', 'regular'), ('link', 'symbolic link')):
                self.assert_dbus_error('InvalidData', function, self.path(name), mentions=[self.path(name), word])
            self.assert_dbus_error('InvalidData', function, self.path('socket'))
            self.assert_dbus_error('InvalidData', function, '/nowhere/at/all', mentions='No such file')
            self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', function, nonsense=1, mentions='nonsense')
        self.assertEqual(harness.read_file(target), 'kept')
        self.assertTrue(os.path.islink(self.path('link')))

    def test_what_lies_in_wait_is_not_written(self):
        """A temporary file that somebody else prepared, as a link or with a second name, gets nothing."""
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        victim = self.put('kept', self.path('victim'))
        trap = self.path('.list.json.new')
        os.symlink(victim, trap)
        self.assert_dbus_error('InvalidData', self.save, self.path('list.json'), mentions='symbolic link')
        os.unlink(trap)
        os.link(victim, trap)
        self.assert_dbus_error(harness.DBUS_ERROR + 'AccessDenied', self.save, self.path('list.json'))
        self.assertEqual(harness.read_file(victim), 'kept')
        os.unlink(trap)
        self.put('of a writer that was killed', trap)
        self.save(self.path('list.json'))
        self.assertFalse(os.path.exists(trap))

    def test_no_room_is_an_error_and_the_old_list_stays(self):
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        self.assert_dbus_error('InvalidData', self.save, '/dev/full')
        self.assert_dbus_error(['InvalidData', harness.DBUS_ERROR + 'AccessDenied'], self.save, '/proc/list.json')


class Killed(SavedListCase):
    expected_status = -9

    def test_the_supervisor_is_killed_while_it_saves(self):
        """Whenever: the list before or the list after it is there, and can be loaded."""
        names = [f'app{i}' for i in range(40)]
        self.put(self.document(*[self.app(name, 'stopped', env={'LONG': 'x' * 20000}) for name in names]))
        self.resurrect()
        self.save()
        lists = [names]
        for round_number in range(30):
            name = f'more{round_number}'
            self.client.start(self.sleeper(), name=name, start=False, cwd=self.daemon.apps)
            lists.append(lists[-1] + [name])
            self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Save', 'sa{sv}', '', {})
            # not to wait for something: the kill comes earlier or later in the save
            time.sleep(round_number / 30 * 0.03)
            self.daemon.process.kill()
            self.daemon.wait_exit()
            found = [app['config']['name'] for app in self.saved()['apps']]
            self.assertIn(found, lists[-2:])
            lists = [found]
            for state in ('state-slots', 'state-blobs'):  # as after a boot
                os.unlink(os.path.join(self.daemon.runtime, 'pm2', state))
            self.daemon.start()
            self._client = None
            self.assertEqual(len(self.resurrect()), len(found))
        self.daemon.process.kill()
        self.daemon.wait_exit()


class Broken(SavedListCase):
    def test_the_previous_list_is_taken_and_that_is_said(self):
        good = self.document(self.app('old'))
        for broken in ('', '{', '[{]', '{"pm2d_saved_list": 1, "apps": [', 'garbage', b'\xff\xfe', '[' * 100000,
                       '{"pm2d_saved_list": 2, "apps": []}', '{"apps": []}', '{"pm2d_saved_list": 1, "apps": 5}',
                       '{"pm2d_saved_list": 1, "apps": [], "apps": []}', '{"pm2d_saved_list": 1, "apps": []} 5',
                       '{"pm2d_saved_list": 1, "apps": [5]}', '{"pm2d_saved_list": 1, "apps": [{"status": "x"}]}',
                       '{"pm2d_saved_list": 1, "apps": [{"config": {}, "environment": 0}]}', b'{"a": "\0"}', None):
            with self.subTest(broken):
                if broken is None:
                    os.unlink(self.list_path)
                else:
                    self.put(broken)
                self.put(good, self.list_path + '.bak')
                self.assert_dbus_error('PartialFailure', self.resurrect,
                                       mentions=[self.list_path, 'the previous list', '.bak'])
                self.assertEqual(self.names(), [('old', 'online')])
                self.delete_all()

    def test_both_broken(self):
        self.put('{"pm2d_saved_list": 1,\n\n "apps": [{}, \n nothing]}')
        self.put('broken', self.list_path + '.bak')
        error = self.assert_dbus_error('InvalidData', self.resurrect)
        self.assertIn(f'{self.list_path}, line ', error.message)
        self.assertEqual(self.client.list(), [])

    def test_line_and_key_are_named(self):
        for text, words in (
                ('{"pm2d_saved_list": 1,\n"apps": [\n{"config": {}},\n{"confi": 5}]}', ('line 4', "'confi'")),
                ('{"pm2d_saved_list": 1,\n"apps": [\n\n{"config": {"a": }}]}', ('line 4',)),
                ('{"pm2d_saved_list": 1,\n\n"app": []}', ('line 3', "'app'")),
                ('{"pm2d_saved_list": 1,\n"environments": [{"A":\n5}],\n"apps": []}', ('line 2', 'environments'))):
            with self.subTest(text):
                self.assert_dbus_error('InvalidData', self.resurrect, self.put(text, self.path('list.json')),
                                       mentions=words)

    def test_one_app_that_cannot_be_had_keeps_no_other(self):
        self.put(json.dumps(self.document(
            self.app('first'), self.app('gone', script='/nowhere/at/all'), self.app('odd', nonsense=1),
            self.app('wrong', kill_timeout='soon'), self.app('last')), indent=0))
        error = self.assert_dbus_error('PartialFailure', self.resurrect)
        lines = error.message.splitlines()
        self.assertEqual(len(lines), 3, lines)
        for line, words in zip(lines, (("apps[1] 'gone'", 'script'), ("apps[2] 'odd'", 'nonsense'),
                                       ("apps[3] 'wrong'", 'kill_timeout'))):
            self.assertIn(self.list_path + ', line ', line)
            for word in words:
                self.assertIn(word, line)
        self.assertEqual(self.names(), [('first', 'online'), ('gone', 'errored'), ('last', 'online')])

    def test_what_is_missing_stays_in_the_list(self):
        """A disk that comes after the boot: nothing is lost by a save, and a restart brings the app."""
        path = self.path('later.sh')
        self.put(self.document(self.app('later', script=path), self.app('stopped', 'stopped', script=path)))
        self.assert_dbus_error('PartialFailure', self.resurrect)
        self.assertEqual(self.names(), [('later', 'errored'), ('stopped', 'stopped')])
        self.assertIn(path, self.client.property('/org/pm2/Process/0', 'LastReason'))
        self.assert_dbus_error('InvalidConfig', self.client.restart, 'later', mentions=path)
        self.save()
        self.assertEqual([(app['config']['name'], app['status']) for app in self.saved()['apps']],
                         [('later', 'online'), ('stopped', 'stopped')])
        self.sleeper('later.sh')
        self.client.restart('all')
        self.assertEqual(self.names(), [('later', 'online'), ('stopped', 'online')])
        self.assertEqual(self.client.property('/org/pm2/Process/0', 'OutLogPath'), f'{self.daemon.logs}/later-out.log')

    def test_a_script_that_fails_to_start_is_told(self):
        self.put(self.document(self.app('bad', out_file='/proc/nowhere/out.log'), self.app('good')))
        self.assert_dbus_error('PartialFailure', self.resurrect, mentions=['/org/pm2/Process/0', 'out_file'])
        self.assertEqual(self.names(), [('bad', 'errored'), ('good', 'online')])

    def test_too_large(self):
        self.put(b' ' * (32 * 1024 * 1024 + 1))
        self.assert_dbus_error('InvalidData', self.resurrect, mentions='too large')

    def test_the_loop_turns_meanwhile(self):
        self.put(self.document(*[self.app(f'stopped{i}', 'stopped') for i in range(3000)]))
        serial = self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Resurrect', 'sa{sv}', '', {})
        other = self.daemon.connect()
        counts = set()
        while not any(m.reply_serial == serial for m in self.client.received if m.kind == 2):
            counts.add(other.get(harness.MANAGER_PATH, harness.MANAGER, 'ProcessCount'))
            if 3000 in counts:
                break
        self.assertEqual(len(self.client.reply_to(serial).body[0]), 3000)
        self.assertGreater(len(counts), 3, 'answers came while it was loading')


class OfPm2(SavedListCase):
    """dump.pm2 as PM2 7.0.4 writes it."""

    def entry(self, name, status='online', **values):
        script = self.sleeper()
        env = {'PATH': '/usr/bin:/bin', 'HOME': self.daemon.home, 'PM2_HOME': self.daemon.home + '/.pm2', 'PORT': '18444',
               'PM2_USAGE': 'CLI', name: {}, 'unique_id': '7afbcb21', harness.MARK: self.daemon.mark, **values.pop('env', {})}
        return {'name': name, 'filter_env': [], 'namespace': 'default', 'env': env, 'vizion': True, 'autostart': True,
                'autorestart': True, 'watch': False, 'instance_var': 'NODE_APP_INSTANCE', 'pmx': True, 'automation': True,
                'treekill': True, 'username': 'root', 'windowsHide': True, 'kill_retry_time': 100, 'node_args': [],
                'pm_exec_path': script, 'pm_cwd': self.daemon.apps, 'exec_interpreter': 'none', 'exec_mode': 'fork_mode',
                'pm_out_log_path': f'{self.daemon.home}/.pm2/logs/{name}-out-0.log',
                'pm_err_log_path': f'{self.daemon.apps}/{name}-err-0.log',
                'pm_pid_path': f'{self.daemon.home}/.pm2/pids/{name}-0.pid', 'km_link': False, 'vizion_running': False,
                'NODE_APP_INSTANCE': 0, **{key: value for key, value in env.items() if isinstance(value, str)},
                'status': status, 'pm_uptime': 1795330341395, 'axm_actions': [], 'axm_monitor': {}, 'axm_options': {},
                'axm_dynamic': {}, 'created_at': 1795330341395, 'restart_time': 7, 'unstable_restarts': 0, 'version': '1.2.3',
                'node_version': '20.20.2', 'exit_code': 0, '_tree_pids': [1, 2], **values}

    def dump(self, *entries, indent=2):
        return self.put(json.dumps(entries, indent=indent), self.path('dump.pm2'))

    def test_a_dump(self):
        path = self.dump(self.entry('web', args=['--port', '8080'], min_uptime=2000, max_restarts=5, env={'LANG': 'C'}),
                         self.entry('worker', 'stopped'), self.entry('odd', 'one-launch-status', kill_timeout=3000))
        paths = self.resurrect(path)
        self.assertEqual(self.names(), [('web', 'online'), ('worker', 'stopped'), ('odd', 'online')])
        config, environment = self.config(paths[0]), self.environment(paths[0])
        self.assertEqual((config['args'], config['min_uptime'], config['max_restarts']), (['--port', '8080'], 2000, 5))
        self.assertEqual((environment['PORT'], environment['LANG']), ('18444', 'C'))
        self.assertNotIn('PM2_USAGE', environment)
        self.assertNotEqual(environment['unique_id'], '7afbcb21')
        properties = self.client.properties(paths[0])
        self.assertEqual(properties['OutLogPath'], f'{self.daemon.logs}/web-out.log')
        self.assertEqual(properties['ErrorLogPath'], f'{self.daemon.apps}/web-err.log')
        self.assertEqual(properties['RestartCount'], 0)
        self.assertEqual(properties['Cwd'], self.daemon.apps)

    def test_variables_named_as_attributes_are_none(self):
        entry = self.entry('web', env={'out': 'x', 'cron': '* * * * *', 'cwd': '/nowhere', 'args': 'no'})
        paths = self.resurrect(self.dump(entry))
        self.assertEqual(self.config(paths[0])['args'], [])
        self.assertEqual(self.client.property(paths[0], 'Cwd'), self.daemon.apps)

    def test_what_is_not_supported_is_said(self):
        path = self.dump(self.entry('other', uid='nobody'), self.entry('good'), {'name': 'none'})
        error = self.assert_dbus_error('PartialFailure', self.resurrect, path)
        lines = error.message.splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertIn('uid: ', lines[0])
        self.assertIn('pm_exec_path', lines[1])
        self.assertEqual(self.names(), [('good', 'online')])

    def validate(self, text, **values):
        return self.client.manager_call('Validate', 'sa{sv}', text, harness.options(saved=True, **values))

    def test_what_a_list_would_do(self):
        """Validate with "saved": what Resurrect does, and nothing of it."""
        self.client.start_one(self.sleeper(), name='here')
        entries = [self.entry('web'), self.entry('worker', 'stopped'), self.entry('cluster', exec_mode='cluster_mode'),
                   self.entry('here'), self.entry('gone', pm_exec_path='/nowhere/app.js'), {'name': 'none'}]
        result = self.validate(json.dumps(entries))
        self.assertEqual([app['action'] for app in result['apps']],
                         ['start', 'register', 'fail', 'skip', 'fail', 'fail'])
        self.assertFalse(result['ok'])
        for text, error in zip(('exec_mode', '/nowhere/app.js', 'pm_exec_path'), result['errors']):
            self.assertIn(text, error)
        self.assertEqual(result['apps'][3]['ids'], [0])
        self.assertEqual(self.names(), [('here', 'online')])
        self.client.manager_call('Save', 'sa{sv}', '', {})
        self.assertEqual([app['action'] for app in self.validate(harness.read_file(self.list_path))['apps']], ['skip'])
        self.assertTrue(self.validate('[]')['ok'])
        self.assert_dbus_error('InvalidData', self.validate, '[')
        self.assert_dbus_error('InvalidData', self.validate, '[' * 100000)
        self.assert_dbus_error('LimitExceeded', self.validate, '[' + ' ' * 1024 * 1024 + ']')
        self.assert_dbus_error(harness.DBUS_ERROR + 'InvalidArgs', self.validate, '[]', mentions='force', force=True)
        document = self.client.manager_call('Validate', 'sa{sv}', '{"script": "/bin/true"}',
                                            harness.options(saved=False))
        self.assertTrue(document['ok'])

    def test_compact_and_empty(self):
        self.assertEqual(len(self.resurrect(self.dump(self.entry('a'), indent=None))), 1)
        self.assertEqual(self.resurrect(self.put('[]', self.path('empty.pm2'))), [])


class Ctl(SavedListCase):
    def test_save_and_resurrect(self):
        self.client.start_one(self.sleeper(), name='a', cwd=self.daemon.apps)
        self.assertIn(self.list_path, self.pm2ctl('save').stdout)
        self.delete_all()
        self.assertIn('force', self.pm2ctl('save', status=4).stderr)
        self.assertIn('a (0) is in the list', self.pm2ctl('resurrect').stdout)
        result = self.pm2ctl('dump', 'here.json', '--json')
        self.assertEqual(json.loads(result.stdout), {'saved': self.path('here.json')})
        self.delete_all()
        self.pm2ctl('save', '--force')
        self.assertEqual(self.saved()['apps'], [])
        self.pm2ctl('resurrect', 'here.json')
        self.assertEqual(self.names(), [('a', 'online')])
        self.assertIn('No such file', self.pm2ctl('resurrect', 'nowhere.json', status=1).stderr)

    def test_update_env_says_what_changed(self):
        script = self.sleeper()
        self.pm2ctl('start', script, '--name', 'a', '--env', 'DECLARED=1', env={'OLD': 'x', 'SECRET': 'one', 'SAME': 's'})
        result = self.pm2ctl('restart', 'a', '--update-env', env={'NEW': 'y', 'SECRET': 'two', 'SAME': 's'})
        line = next(line for line in result.stdout.splitlines() if 'environment:' in line)
        self.assertEqual(line, 'a (0) environment: added NEW, changed SECRET, removed OLD')
        for secret in ('one', 'two'):
            self.assertNotIn(secret, line)
        environment = self.environment('/org/pm2/Process/0')
        self.assertNotIn('OLD', environment)
        self.assertEqual((environment['NEW'], environment['SECRET'], environment['DECLARED']), ('y', 'two', '1'))
        again = self.pm2ctl('restart', 'a', '--update-env', env={'NEW': 'y', 'SECRET': 'two', 'SAME': 's'})
        self.assertIn('a (0) environment: unchanged', again.stdout)
        self.assertNotIn('environment:', self.pm2ctl('restart', 'a').stdout)
        pid = self.client.property('/org/pm2/Process/0', 'Pid')
        # empty while it executes the next program
        real = harness.wait_until(lambda: pathlib.Path(f'/proc/{pid}/environ').read_bytes(), 'it has one').split(b'\0')
        self.assertNotIn(b'OLD=x', real)
        self.assertIn(b'NEW=y', real)

    def test_without_update_env_nothing_changes(self):
        self.pm2ctl('start', self.sleeper(), '--name', 'a', env={'OLD': 'x'})
        self.pm2ctl('restart', 'a', env={'NEW': 'y'})
        environment = self.environment('/org/pm2/Process/0')
        self.assertEqual(environment['OLD'], 'x')
        self.assertNotIn('NEW', environment)


if __name__ == '__main__':
    harness.main()
