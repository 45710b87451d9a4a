#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an attribute does, one after the other. docs/attributes.md names a test for each."""

import os
import pathlib
import signal

import harness
from harness import V

# Tells what it got, on standard output.
TELLS = '''#!/usr/bin/python3
import json, os, sys, time
print(json.dumps({'argv': sys.argv, 'cwd': os.getcwd(), 'env': dict(os.environ)}), flush=True)
time.sleep(1000)
'''


class Attributes(harness.Case):
    def start_app(self, text=TELLS, wait=True, **attributes):
        script = self.script('app.py', text)
        values = {'name': 'app', 'cwd': self.daemon.apps, **attributes}
        return self.client.start(script, wait=wait, **values)[0]

    def told(self, path):
        log = self.client.property(path, 'OutLogPath')
        return harness.json.loads(harness.wait_file(log).splitlines()[-1])

    def write_file(self, name, text):
        path = self.path(name)
        pathlib.Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def environment_of(self, path):
        return self.told(path)['env']

    def config(self, path):
        return self.client.call(path, harness.PROCESS, 'GetConfig')

    def test_script(self):
        path = self.start_app()
        self.assertEqual(self.told(path)['argv'], [self.path('app.py')])
        [command] = self.client.start('echo one; exec sleep 1000', name='command')
        self.assertEqual(harness.wait_file(self.client.property(command, 'OutLogPath')), 'one\n')
        [found] = self.client.start('sleep', name='in-path', args=['1000'])
        self.assertEqual(self.client.property(found, 'ExecPath'), '/usr/bin/sleep')

    def test_name(self):
        [path] = self.client.start(self.script('api.v2.sh', '#!/bin/sh\nexec sleep 1000\n'))
        self.assertEqual(self.client.property(path, 'Name'), 'api.v2')
        [other] = self.client.start(self.path('api.v2.sh'), name='mine')
        self.assertEqual(self.client.property(other, 'Name'), 'mine')

    def test_name_prefix(self):
        path = self.start_app(name_prefix='shop')
        self.assertEqual(self.client.property(path, 'Name'), 'shop:app')
        self.client.restart('shop:app')
        self.assertEqual(self.client.property(path, 'Name'), 'shop:app')
        self.assert_dbus_error('InvalidConfig', self.start_app, name_prefix='x' * 255, mentions='name_prefix')

    def test_append_env_to_name(self):
        def start(profile=None, **attributes):
            app = {'name': 'api', 'script': self.sleeper(), 'append_env_to_name': True, 'name_prefix': 'shop', **attributes}
            return self.client.start_json([app], **({'env': profile} if profile else {}))

        [path] = start('production')
        self.assertEqual(self.client.property(path, 'Name'), 'shop:api-production')
        self.assertEqual(start('production'), [path])
        [other] = start()
        self.assertEqual(self.client.property(other, 'Name'), 'shop:api')
        self.assertEqual(self.client.property(start('else')[0], 'Name'), 'shop:api-else')
        self.assertEqual(self.config(path)['append_env_to_name'], True)
        self.client.restart(0)
        self.assertEqual(self.client.property(path, 'Name'), 'shop:api-production')
        self.assert_dbus_error('InvalidConfig', start, 'x' * 250, mentions='append_env_to_name')
        self.assert_dbus_error('InvalidConfig', start, 'a\nb', mentions='append_env_to_name')
        self.assert_dbus_error('InvalidConfig', start, append_env_to_name='perhaps', mentions='append_env_to_name')

    def test_namespace(self):
        path = self.start_app(namespace='shop')
        self.assertEqual(self.client.property(path, 'Namespace'), 'shop')
        self.assertEqual(self.environment_of(path)['namespace'], 'shop')
        self.assertEqual(self.client.stop('shop'), [path])

    def test_cwd(self):
        os.mkdir(self.path('inner'))
        path = self.start_app(cwd=self.path('inner'))
        self.assertEqual(self.told(path)['cwd'], self.path('inner'))

    def test_args(self):
        path = self.start_app(args=['--port', '80', 'a b'])
        self.assertEqual(self.told(path)['argv'][1:], ['--port', '80', 'a b'])
        self.client.restart('app', args="--one 'two three'")
        harness.wait_until(lambda: self.told(path)['argv'][1:] == ['--one', 'two three'], 'it runs with them')

    def test_interpreter(self):
        script = self.script('app.txt', 'echo $0 $1; exec sleep 1000\n', executable=False)
        [path] = self.client.start(script, name='app', interpreter='/bin/sh', args=['one'])
        self.assertEqual(harness.wait_file(self.client.property(path, 'OutLogPath')), f'{script} one\n')
        self.assertEqual(self.client.property(path, 'Interpreter'), '/bin/sh')

    def test_node_args(self):
        path = self.start_app('import sys; print(sys.flags.optimize, flush=True); import time; time.sleep(1000)\n',
                              interpreter='/usr/bin/python3', node_args=['-OO'])
        self.assertEqual(harness.wait_file(self.client.property(path, 'OutLogPath')), '2\n')

    def test_env(self):
        path = self.start_app(env={'MINE': 'yes', 'PATH': '/bin'}, caller_env={'MINE': 'no', 'OTHER': '1'})
        environment = self.environment_of(path)
        self.assertEqual((environment['MINE'], environment['PATH'], environment['OTHER']), ('yes', '/bin', '1'))

    def test_filter_env(self):
        caller = {'PATH': '/usr/bin:/bin', 'DB_SECRET': '1', 'SECRET': '2', 'HOME': '/'}
        cases = ((False, {'DB_SECRET', 'SECRET', 'HOME', 'PATH'}), (True, set()), ('SECRET', {'DB_SECRET', 'HOME', 'PATH'}),
                 (['SECRET', 'HO'], {'PATH'}))
        for number, (filter_env, passed) in enumerate(cases):
            path = self.start_app(name=f'app-{number}', filter_env=filter_env, caller_env=caller, env={'OWN_SECRET': '3'},
                                  interpreter='/usr/bin/python3')
            environment = self.environment_of(path)
            self.assertEqual(environment['OWN_SECRET'], '3')
            self.assertEqual({name for name in caller if name in environment}, passed)
            self.assertEqual(self.config(path)['filter_env'], filter_env)

    def test_env_file(self):
        self.write_file('one.env', 'A=1\nB=1\nOWN=file\nCALLER=file\nexport QUOTED="two\\twords" # yes\n')
        self.write_file('two.env', 'B=2\npm_id=77\nPORT=1\n')
        path = self.start_app(env_file=['one.env', self.path('two.env'), '-none.env'], env={'OWN': 'app'}, port=80,
                              caller_env={'CALLER': 'caller', 'PATH': '/usr/bin:/bin'}, filter_env='A')
        environment = self.environment_of(path)
        expected = {'A': '1', 'B': '2', 'OWN': 'app', 'CALLER': 'file', 'QUOTED': 'two\twords', 'pm_id': '77',
                    'PORT': '80', 'name': 'app'}
        self.assertEqual({name: environment.get(name) for name in expected}, expected)
        self.assertEqual(self.config(path)['env_file'], ['one.env', self.path('two.env'), '-none.env'])
        # what has changed counts at the next start, and what is gone is gone
        self.write_file('one.env', 'A=new\n')
        self.write_file('none.env', 'THERE=now\n')
        self.client.restart('app')
        harness.wait_until(lambda: self.environment_of(path)['A'] == 'new', 'it runs with it')
        environment = self.environment_of(path)
        self.assertNotIn('QUOTED', environment)
        self.assertEqual((environment['THERE'], environment['CALLER'], environment['B']), ('now', 'caller', '2'))

    def test_credentials(self):
        script = '#!/bin/sh\nstat -c "%a %n" $CREDENTIALS_DIRECTORY $CREDENTIALS_DIRECTORY/*\ncat $CREDENTIALS_DIRECTORY/*\n' \
                 'echo done\nexec sleep 1000\n'
        self.write_file('one', 'first\n')
        self.write_file('two', b'\0\xff\n')
        given = {'key.pem': 'one', 'B-2': self.path('two')}
        path = self.start_app(script, credentials=V('a{ss}', given), interpreter='none', filter_env=True,
                              caller_env={'CREDENTIALS_DIRECTORY': '/caller'}, pre_start='cat $CREDENTIALS_DIRECTORY/B-2 >pre')
        folder = self.client.call(path, harness.PROCESS, 'GetEnvironment')['CREDENTIALS_DIRECTORY']
        self.assertEqual(os.path.dirname(folder), os.path.join(self.daemon.runtime, 'pm2', 'credentials'))
        log = self.client.property(path, 'OutLogPath')
        with_done = lambda text: text.endswith('done\n')  # noqa: E731
        harness.wait_file(log, with_done)
        with open(log, 'rb') as file:
            self.assertEqual(file.read().decode('latin-1').replace(folder, ''),
                             '700 \n400 /B-2\n400 /key.pem\n\0\xff\nfirst\ndone\n')
        self.assertEqual(sorted(os.listdir(folder)), ['B-2', 'key.pem'])
        self.assertEqual(os.stat(self.path('pre')).st_size, 3)
        self.assertEqual(self.config(path)['credentials'], given)
        # made anew with each start, and gone with the process
        self.write_file('one', 'second\n')
        os.unlink(log)
        self.client.restart('app')
        self.assertIn('second\n', harness.wait_file(log, with_done))
        self.client.stop('app')
        self.assertFalse(os.path.exists(folder))
        self.client.restart('app', credentials=V('a{ss}', {}), pre_start='true')
        self.assertNotIn('CREDENTIALS_DIRECTORY', self.client.call(path, harness.PROCESS, 'GetEnvironment'))
        self.assertFalse(os.path.exists(folder))

    def test_port(self):
        self.assertEqual(self.environment_of(self.start_app(port=8080, env={'PORT': '1'}))['PORT'], '8080')
        self.assertNotIn('PORT', self.environment_of(self.start_app(name='other', port=0)))
        self.assert_dbus_error('InvalidConfig', self.start_app, name='third', port=65536, mentions='port')

    def test_instance_var(self):
        path = self.start_app(instance_var='WORKER')
        environment = self.environment_of(path)
        self.assertEqual(environment['WORKER'], '0')
        self.assertNotIn('NODE_APP_INSTANCE', environment)
        self.assert_dbus_error('InvalidConfig', self.start_app, name='other', instance_var='A=B',
                               mentions='instance_var')

    def test_autorestart(self):
        path = self.start_app('raise SystemExit(0)\n', wait=False, autorestart=False)
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)

    def test_min_uptime(self):
        for name, min_uptime, unstable in (('stable', '1us', 0), ('unstable', '1h', 1)):
            path = self.start_app('raise SystemExit(0)\n', name=name, wait=False, autorestart=False, min_uptime=min_uptime)
            self.client.wait_status(path, 'stopped')
            self.assertEqual(self.client.property(path, 'UnstableRestarts'), unstable)

    def test_max_restarts(self):
        path = self.start_app('raise SystemExit(0)\n', wait=False, max_restarts=5)
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.client.property(path, 'RestartCount'), 4)

    def test_out_file(self):
        path = self.start_app('#!/bin/sh\necho out; echo err >&2\nexec sleep 1000\n', out_file=self.path('o.log'),
                              interpreter='/bin/sh')
        self.assertEqual(harness.wait_file(self.path('o.log')), 'out\n')
        self.assertEqual(self.client.property(path, 'OutLogPath'), self.path('o.log'))

    def test_error_file(self):
        path = self.start_app('#!/bin/sh\necho out; echo err >&2\nexec sleep 1000\n', error_file=self.path('e.log'),
                              interpreter='/bin/sh')
        self.assertEqual(harness.wait_file(self.path('e.log')), 'err\n')
        self.assertEqual(self.client.property(path, 'ErrorLogPath'), self.path('e.log'))

    def test_pid_file(self):
        path = self.start_app(pid_file=self.path('app.pid'))
        file = self.path('app-0.pid')  # of several instances each has its own
        self.assertEqual(self.client.property(path, 'PidPath'), file)
        self.assertEqual(int(harness.read_file(file)), self.client.property(path, 'Pid'))
        self.client.stop('app')
        self.assertFalse(os.path.exists(file))

    def test_merge_logs(self):
        merged = self.client.property(self.start_app(), 'OutLogPath')
        apart = self.client.property(self.start_app(name='other', merge_logs=False), 'OutLogPath')
        self.assertTrue(merged.endswith('/app-out.log'), merged)
        self.assertTrue(apart.endswith('/other-out-1.log'), apart)

    def test_disable_logs(self):
        for number, attributes in enumerate(({}, {'out_file': self.path('out.log'), 'error_file': self.path('error.log')})):
            talk = ('#!/usr/bin/python3\nimport sys, time\nprint("out", flush=True)\nprint("error", file=sys.stderr)\n'
                    'print(file=open(sys.argv[1], "w"))\ntime.sleep(1000)\n')
            done = self.path(f'done-{number}')
            path = self.start_app(talk, name=f'silent{number}', disable_logs=True, args=[done], **attributes)
            harness.wait_file(done)
            for name in ('OutLogPath', 'ErrorLogPath'):
                self.assertEqual(self.client.property(path, name), '/dev/null')
            self.assertFalse(os.path.exists(self.path('out.log')))
        self.assertFalse(os.path.exists(self.daemon.logs))

    def test_extra(self):
        given = {'who': 'a panel', 'tags': V('av', [V('s', 'x'), V('i', 1)]), 'deep': V('a{sv}', {'on': V('b', True)})}
        path = self.start_app(extra=V('a{sv}', {key: value if isinstance(value, V) else V('s', value)
                                                for key, value in given.items()}))
        expected = {'who': 'a panel', 'tags': ['x', 1], 'deep': {'on': True}}
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['extra'], expected)
        self.client.restart('app')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['extra'], expected)
        self.assert_dbus_error('InvalidConfig', self.start_app, name='b', extra='words', mentions='extra')
        self.assert_dbus_error('InvalidConfig', self.start_app, name='b', mentions=('extra', 'bytes'),
                               extra=V('a{sv}', {'x': V('s', 'x' * 300000)}))


class Files(harness.Case):
    """What is wrong with the files that an app names, and what is said of it."""

    SECRET = 'hunter2-of-the-file'

    def write_file(self, name, data):
        pathlib.Path(self.path(name)).write_bytes(data)

    def refused(self, error, mentions, **attributes):
        self.assert_dbus_error(error, self.client.start, self.sleeper(), name='app', cwd=self.daemon.apps,
                               mentions=mentions, **attributes)
        self.assertEqual(self.client.list(), [])

    def test_env_file_is_refused(self):
        for value in (5, True, '', '-', ['a', ''], ['x'] * 65, 'a\nb', 'x' * 4096, V('a{ss}', {'a': 'b'}), V('as', ['\x01'])):
            self.refused('InvalidConfig', 'env_file', env_file=value)

    def test_env_files_that_cannot_be_read(self):
        os.mkfifo(self.path('fifo'))
        os.mkdir(self.path('folder'))
        self.write_file('large', b'#' * (1024 * 1024 + 1))
        self.write_file('good', b'A=1\n')
        for name, text in (('none', 'No such file'), ('fifo', 'is not a regular file'), ('folder', 'Is a directory'),
                           ('large', 'too large'), ('good/x', 'Not a directory'), ('/dev/zero', 'is not a regular file'),
                           ('-folder', 'Is a directory')):
            path = os.path.join(self.daemon.apps, name.lstrip('-'))
            self.refused('SpawnFailed', f"env_file: '{path}': {text}" if 'large' != name else 'env_file', env_file=['good', name])

    def test_env_files_with_mistakes(self):
        secret = self.SECRET.encode()
        for data, line, text in ((b'A=1\n\n' + secret, 3, 'is not NAME=value'), (b'1A=' + secret, 1, 'name'),
                                 (b'A=1\nB="' + secret, 2, 'a quote is not closed'), (b"A='x'" + secret, 1, 'closing quote'),
                                 (b'A=1\nB=' + secret + b'\0', 2, 'NUL'), (b'A=' + b'x' * 131072, 1, 'over 131071 bytes'),
                                 (b''.join(b'V%d=1\n' % i for i in range(8193)), 8193, 'over 8192 variables')):
            self.write_file('bad.env', data)
            self.refused('SpawnFailed', (f"env_file: '{self.path('bad.env')}': line {line}: ", text), env_file='bad.env')
        self.assertNotIn(self.SECRET, self.daemon.log_text())

    def test_what_is_in_env_files_is_told_to_nobody(self):
        self.write_file('secret.env', b'SECRET=' + self.SECRET.encode() + b'\n')
        [path] = self.client.start(self.script('app.sh', '#!/bin/sh\necho $SECRET >told\nexec sleep 1000\n'), name='app',
                                   cwd=self.daemon.apps, env_file='secret.env', interpreter='none')
        self.assertEqual(harness.wait_file(self.path('told')), self.SECRET + '\n')
        saved = self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.restart('app')
        told = [self.client.describe('app'), self.client.list(), self.client.properties(path), harness.read_file(saved),
                self.client.call(path, harness.PROCESS, 'GetEnvironment'), self.daemon.log_text(),
                [message.body for message in self.client.received]]
        self.assertNotIn(self.SECRET, repr(told))

    def test_a_restart_whose_env_file_is_gone(self):
        self.write_file('app.env', b'A=1\n')
        [path] = self.client.start(self.sleeper(), name='app', cwd=self.daemon.apps, env_file='app.env')
        os.unlink(self.path('app.env'))
        self.assert_dbus_error('SpawnFailed', self.client.restart, 'app', mentions='app.env')
        self.assertEqual(self.client.property(path, 'Status'), 'errored')
        self.assertIn('env_file: ', self.client.property(path, 'LastReason'))
        self.write_file('app.env', b'A=1\n')
        self.client.restart('app')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_hooks_have_the_variables_too(self):
        self.write_file('app.env', b'A=file\nEXIT_CODE=file\n')
        self.client.start(self.sleeper(), name='app', cwd=self.daemon.apps, env_file='app.env',
                          pre_start='echo $A $EXIT_CODE >pre', post_stop='echo $A $EXIT_CODE >post')
        self.client.stop('app')
        self.assertEqual(harness.wait_file(self.path('pre')), 'file file\n')
        self.assertEqual(harness.wait_file(self.path('post')), 'file killed\n')

    def test_env_file_outlives_the_list_and_the_daemon(self):
        self.write_file('app.env', b'A=1\n')
        script = self.script('app.sh', '#!/bin/sh\necho $A >told.new; mv told.new told\nexec sleep 1000\n')
        [path] = self.client.start(script, name='app', cwd=self.daemon.apps, env_file=['app.env', '-none'], interpreter='none')

        def told():
            text = harness.wait_file(self.path('told'))
            os.unlink(self.path('told'))
            return text

        self.assertEqual(told(), '1\n')
        self.client.manager_call('Reexecute')
        self._client = harness.wait_until(self.daemon.try_connect, 'it is back')
        self.write_file('app.env', b'A=2\n')
        self.client.restart('app')
        self.assertEqual(told(), '2\n')
        saved = self.client.manager_call('Save', 'sa{sv}', '', {})
        self.client.delete('app')
        [path] = self.client.manager_call('Resurrect', 'sa{sv}', saved, {})
        self.assertEqual(told(), '2\n')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['env_file'], ['app.env', '-none'])


class Credentials(harness.Case):
    """What can be wrong with them, and when their folder goes."""

    def put(self, name, data):
        pathlib.Path(self.path(name)).write_bytes(data)

    def start_app(self, credentials=None, **attributes):
        return self.client.start(self.sleeper(), name='app', cwd=self.daemon.apps,
                                 credentials=V('a{ss}', credentials or {'word': 'word'}), **attributes)[0]

    @property
    def parent(self):
        return os.path.join(self.daemon.runtime, 'pm2', 'credentials')

    def test_what_is_refused(self):
        for value in (5, 'word', ['word'], V('a{sv}', {'word': V('i', 5)}), V('a{ss}', {'../word': 'word'}),
                      V('a{ss}', {'': 'word'}), V('a{ss}', {'word': ''}), V('a{ss}', {'x' * 256: 'word'}),
                      V('a{ss}', {f'w{i}': 'word' for i in range(65)}), V('a{ss}', {'word': 'a\nb'})):
            self.assert_dbus_error('InvalidConfig', self.client.start, self.sleeper(), name='app', credentials=value,
                                   mentions='credentials')
        self.assertEqual(self.client.list(), [])

    def test_files_that_cannot_be_read(self):
        os.mkfifo(self.path('fifo'))
        os.mkdir(self.path('folder'))
        self.put('large', b'x' * (1024 * 1024 + 1))
        self.put('word', b'1')
        for name, text in (('none', 'No such file'), ('fifo', 'is not a regular file'), ('folder', 'Is a directory'),
                           ('large', 'too large'), ('word/x', 'Not a directory')):
            self.assert_dbus_error('SpawnFailed', self.start_app, {'a': 'word', 'word': name},
                                   mentions=(f"credentials.word: '{self.path(name)}': ", text))
            self.assertEqual(os.listdir(self.parent), [])
        self.assertEqual(self.client.list(), [])

    def test_the_folder_cannot_be_made(self):
        self.put('word', b'1')
        self.assertEqual(self.client.list(), [])
        pathlib.Path(self.parent).write_bytes(b'')
        self.assert_dbus_error('SpawnFailed', self.start_app, mentions=("credentials: '", 'Not a directory'))

    def test_it_goes_with_a_crash_and_comes_with_the_restart(self):
        self.put('word', b'1')
        path = self.start_app(restart_delay=1000)
        [name] = os.listdir(self.parent)
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_status(path, 'waiting-restart')
        self.assertEqual(os.listdir(self.parent), [])
        self.client.wait_status(path, 'online')
        self.assertEqual(os.listdir(os.path.join(self.parent, name)), ['word'])
        self.client.delete('app')
        self.assertEqual(os.listdir(self.parent), [])

    def test_what_the_app_puts_there(self):
        self.put('word', b'1')
        self.start_app()
        [name] = os.listdir(self.parent)
        pathlib.Path(self.parent, name, 'more').write_bytes(b'')
        os.symlink(self.path('word'), os.path.join(self.parent, name, 'link'))
        self.client.restart('app')
        self.assertEqual(os.listdir(os.path.join(self.parent, name)), ['word'])
        # a folder is not looked into; the app can be started all the same
        os.mkdir(os.path.join(self.parent, name, 'inner'))
        self.put('word', b'2')
        self.client.restart('app')
        self.assertEqual(sorted(os.listdir(os.path.join(self.parent, name))), ['inner', 'word'])
        self.assertEqual(harness.read_file(os.path.join(self.parent, name, 'word')), '2')
        self.client.stop('app')
        self.assertIn(f'credentials/{name} cannot be removed', self.daemon.log_text())
        self.assertTrue(os.path.exists(self.path('word')))

    def test_after_a_crash_of_the_supervisor(self):
        self.put('word', b'1')
        path = self.start_app()
        for name in ('0' * 32, 'not-of-ours'):
            os.mkdir(os.path.join(self.parent, name))
            pathlib.Path(self.parent, name, 'word').write_bytes(b'')
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        if self.client.property(path, 'Status') != 'online':
            self.skipTest('the process is not found again here')
        [name] = set(os.listdir(self.parent)) - {'not-of-ours'}
        self.assertEqual(os.listdir(os.path.join(self.parent, name)), ['word'])
        self.client.stop('app')
        self.assertEqual(os.listdir(self.parent), ['not-of-ours'])

    def test_it_ends_while_the_supervisor_is_away(self):
        self.put('word', b'1')
        path = self.start_app(autorestart=False)
        pid = self.client.property(path, 'Pid')
        self.daemon.process.kill()
        self.daemon.process.wait()
        os.kill(pid, signal.SIGKILL)
        self.daemon.start()
        self._client = self.daemon.connect()
        self.client.wait_status(path, 'stopped')
        self.assertEqual(os.listdir(self.parent), [])


class Others(harness.Case):
    """What is not supported, what has no effect, and what is not known."""

    def start_app(self, **attributes):
        return self.client.start(self.sleeper(), name='app', **attributes)[0]

    def test_not_supported_is_refused_by_name(self):
        for name, value in (('uid', 'root'), ('gid', 'root')):
            with self.subTest(name):
                self.assert_dbus_error('NotSupported', self.start_app, mentions=name, **{name: value})
        self.assertEqual(self.client.list(), [])

    def test_off_values_are_taken(self):
        path = self.start_app(watch=False, cron_restart=0, instances=1, exec_mode='fork', max_memory_restart=0,
                              time=False, ignore_watch=[], log_date_format='')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_kept_attributes_are_told_back(self):
        given = {'vizion': False, 'trace': 'yes', 'kill_retry_time': 250, 'windowsHide': True,
                 'io': V('a{sv}', {'conf': V('av', [V('s', 'x'), V('i', 1)]), 'on': V('b', True)})}
        path = self.start_app(**given)
        config = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.assertEqual(config['vizion'], False)
        self.assertEqual(config['trace'], 'yes')
        self.assertEqual(config['kill_retry_time'], 250)
        self.assertEqual(config['windows_hide'], True)
        self.assertEqual(config['io'], {'conf': ['x', 1], 'on': True})
        described = self.client.describe('app')[0]['pm2_env']
        self.assertEqual(described['without_effect'], ['vizion', 'trace', 'kill_retry_time', 'windows_hide', 'io'])
        self.assertEqual(described['vizion'], False)
        self.assertIn('without effect here: vizion, trace, kill_retry_time, windows_hide, io', self.daemon.log_text())
        self.client.restart('app')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['io'], config['io'])

    def test_unknown_attribute_says_what_was_meant(self):
        self.assert_dbus_error('InvalidConfig', self.start_app, kil_timeout=5,
                               mentions=('kil_timeout', 'did you mean "kill_timeout"?'))
        self.assert_dbus_error('InvalidConfig', self.start_app, nonsense=5, mentions="'nonsense': unknown attribute")


if __name__ == '__main__':
    harness.main()
