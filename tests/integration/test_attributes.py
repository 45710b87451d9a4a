#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an attribute does, one after the other. docs/attributes.md names a test for each."""

import os

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


class Others(harness.Case):
    """What is not supported, what has no effect, and what is not known."""

    def start_app(self, **attributes):
        return self.client.start(self.sleeper(), name='app', **attributes)[0]

    def test_not_supported_is_refused_by_name(self):
        for name, value in (('watch', True), ('cron_restart', '* * * * *'), ('instances', 4), ('instances', 'max'),
                            ('exec_mode', 'cluster'), ('max_memory_restart', '200M'), ('wait_ready', True),
                            ('uid', 'root'), ('log_max_size', '1G'), ('log_date_format', 'YYYY')):
            with self.subTest(name):
                self.assert_dbus_error('NotSupported', self.start_app, mentions=name, **{name: value})
        self.assertEqual(self.client.list(), [])

    def test_off_values_are_taken(self):
        path = self.start_app(watch=False, cron_restart=0, instances=1, exec_mode='fork', max_memory_restart=0,
                              wait_ready=False, ignore_watch=[], log_date_format='')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_kept_attributes_are_told_back(self):
        given = {'vizion': False, 'pmx': 'yes', 'kill_retry_time': 250, 'windowsHide': True,
                 'io': V('a{sv}', {'conf': V('av', [V('s', 'x'), V('i', 1)]), 'on': V('b', True)})}
        path = self.start_app(**given)
        config = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.assertEqual(config['vizion'], False)
        self.assertEqual(config['pmx'], 'yes')
        self.assertEqual(config['kill_retry_time'], 250)
        self.assertEqual(config['windows_hide'], True)
        self.assertEqual(config['io'], {'conf': ['x', 1], 'on': True})
        described = self.client.describe('app')[0]['pm2_env']
        self.assertEqual(described['without_effect'], ['vizion', 'pmx', 'kill_retry_time', 'windows_hide', 'io'])
        self.assertEqual(described['vizion'], False)
        self.assertIn('without effect here: vizion, pmx, kill_retry_time, windows_hide, io', self.daemon.log_text())
        self.client.restart('app')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['io'], config['io'])

    def test_unknown_attribute_says_what_was_meant(self):
        self.assert_dbus_error('InvalidConfig', self.start_app, kil_timeout=5,
                               mentions=('kil_timeout', 'did you mean "kill_timeout"?'))
        self.assert_dbus_error('InvalidConfig', self.start_app, nonsense=5, mentions="'nonsense': unknown attribute")


if __name__ == '__main__':
    harness.main()
