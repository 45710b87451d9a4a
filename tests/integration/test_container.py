#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bare container: no systemd, no bus. pm2ctl starts the supervisor; busctl and gdbus drive it as well.

The cases run in mount and pid namespaces of their own, as its first processes; what is seen there is a system
in which nothing else runs.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import unittest
import urllib.request

import harness

INSIDE = 'PM2D_TEST_IN_CONTAINER'


def unshare_command():
    command = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
    return command if os.geteuid() == 0 else [*command, '--user', '--map-root-user']


class Container(unittest.TestCase):
    def test_in_a_container(self):
        probe = subprocess.run([*unshare_command(), 'true'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if probe.returncode != 0:
            self.skipTest(f'unshare: {probe.stderr.strip()}')
        # nothing of the system's services is to be seen
        command = 'mount -t tmpfs tmpfs /run && exec "$@"'
        inside = ['/usr/bin/python3', os.path.abspath(__file__), 'Inside']
        result = subprocess.run([*unshare_command(), 'sh', '-c', command, 'sh', *inside], capture_output=True, text=True,
                                env={**os.environ, INSIDE: '1'}, stdin=subprocess.DEVNULL)
        print(result.stdout + result.stderr, end='')
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Inside(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.daemon = harness.Daemon(isolation='auto')
        self.addCleanup(self.finish)
        self.node = shutil.which('node', path=self.daemon.environment()['PATH'])
        for name in ('api.js', 'api.py'):
            shutil.copy(os.path.join(harness.APPS, name), self.daemon.apps)
        self.app = 'api.js' if self.node else 'api.py'
        self.port_file = os.path.join(self.daemon.apps, 'port')
        self.environment = {**self.daemon.environment(), 'PORT': '0', 'PORT_FILE': self.port_file, 'TERM': 'dumb'}
        self.assertFalse(os.path.exists('/run/systemd'))
        self.assertFalse(os.path.exists('/run/dbus'))
        self.assertEqual(sorted(entry for entry in os.listdir('/proc') if entry.isdigit()), [str(os.getpid())])

    def finish(self):
        self.reap()
        self.assertEqual(self.daemon.end(), [])

    def reap(self):
        """We are the init of this container: what was left to us has to be waited for."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass

    def run_command(self, *command, status=0):
        result = subprocess.run(command, capture_output=True, text=True, env=self.environment, cwd=self.daemon.apps,
                                stdin=subprocess.DEVNULL, timeout=harness.TIMEOUT)
        self.assertEqual(result.returncode, status, f'{command}\n{result.stdout}\n{result.stderr}')
        for word in harness.SANITIZER_FINDINGS:
            self.assertNotIn(word, result.stderr)
        return result.stdout

    def pm2ctl(self, *arguments, status=0):
        return self.run_command(harness.pm2ctl_path(), *arguments, status=status)

    def curl(self):
        """Ask the app, by curl where there is one."""
        port = harness.wait_file(self.port_file, lambda text: text.isdigit())
        url = f'http://127.0.0.1:{port}/'
        if shutil.which('curl'):
            return self.run_command('curl', '--silent', '--show-error', '--fail', '--max-time', '20', url)
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.read().decode()

    def processes(self):
        self.reap()
        return [int(entry) for entry in os.listdir('/proc') if entry.isdigit() and int(entry) != os.getpid()]

    def kill_and_check(self):
        self.pm2ctl('kill')
        harness.wait_until(lambda: not self.processes(), 'nothing is left')
        self.assertFalse(os.path.exists(self.daemon.socket_path))

    def test_pm2ctl(self):
        self.pm2ctl('start', self.app, '--name', 'api')
        self.assertIn('hello from api', self.curl())
        table = self.pm2ctl('list')
        self.assertIn('api', table)
        self.assertIn('online', table)
        (process,) = json.loads(self.pm2ctl('list', '--json'))
        self.assertEqual((process['name'], process['pm_id'], process['pm2_env']['status']), ('api', 0, 'online'))
        self.assertIn(f'pid {process["pid"]}', self.curl())
        described = self.pm2ctl('describe', 'api')
        for text in ('api', 'online', os.path.join(self.daemon.apps, self.app)):
            self.assertIn(text, described)

        os.unlink(self.port_file)
        self.pm2ctl('restart', 'api')
        self.assertIn('hello from api', self.curl())
        (after,) = json.loads(self.pm2ctl('list', '--json'))
        self.assertNotEqual(after['pid'], process['pid'])
        self.assertEqual(after['pm2_env']['restart_time'], 1)

        self.pm2ctl('stop', 'api')
        (stopped,) = json.loads(self.pm2ctl('list', '--json'))
        self.assertEqual(stopped['pm2_env']['status'], 'stopped')
        self.assertFalse(harness.is_alive(after['pid']))
        self.pm2ctl('delete', 'all')
        self.assertEqual(json.loads(self.pm2ctl('list', '--json')), [])
        self.kill_and_check()

    def start_daemon(self):
        """A supervisor by hand, with what apps need in its environment."""
        self.daemon.extra_environment = {'PORT': '0', 'PORT_FILE': self.port_file}
        self.daemon.start()

    def busctl(self, *arguments):
        return self.run_command('busctl', f'--address={self.daemon.address}', *arguments)

    @unittest.skipUnless(shutil.which('busctl'), 'there is no busctl')
    def test_busctl(self):
        self.start_daemon()
        manager = ('org.pm2.Manager', '/org/pm2/Manager', 'org.pm2.Manager')
        started = self.busctl('call', *manager, 'Start', 'sa{sv}', self.app, '2', 'name', 's', 'api',
                              'cwd', 's', self.daemon.apps)
        self.assertEqual(started.strip(), 'ao 1 "/org/pm2/Process/0"')
        self.assertIn('hello from api', self.curl())
        listed = json.loads(self.busctl('--json=short', 'call', *manager, 'List'))
        self.assertEqual(listed['data'][0][0]['name']['data'], 'api')
        self.assertIn('"api"', self.busctl('call', *manager, 'Describe', 's', 'api'))
        process = ('org.pm2.Manager', '/org/pm2/Process/0')
        self.assertEqual(self.busctl('get-property', *process, 'org.pm2.Process', 'Status').strip(), 's "online"')
        self.assertIn('org.pm2.Process', self.busctl('introspect', *process))
        self.assertIn('/org/pm2/Process/0', self.busctl('tree', 'org.pm2.Manager'))
        self.busctl('call', *manager, 'Restart', 'sa{sv}', 'api', '0')
        self.busctl('call', *manager, 'Stop', 'sa{sv}', 'api', '0')
        self.assertEqual(self.busctl('get-property', *process, 'org.pm2.Process', 'Status').strip(), 's "stopped"')
        self.busctl('call', *manager, 'Delete', 'sa{sv}', 'all', '0')
        self.assertEqual(self.busctl('call', *manager, 'List').strip(), 'aa{sv} 0')
        self.busctl('call', *manager, 'Kill', 'a{sv}', '0')
        self.assertEqual(self.daemon.wait_exit(), harness.EXIT_KILLED)
        self.daemon.process = None
        harness.wait_until(lambda: not self.processes(), 'nothing is left')

    @unittest.skipUnless(shutil.which('gdbus'), 'there is no gdbus')
    def test_gdbus(self):
        self.start_daemon()

        def gdbus(method, *arguments):
            return self.run_command('gdbus', 'call', '--address', self.daemon.address, '--dest', 'org.pm2.Manager',
                                    '--object-path', '/org/pm2/Manager',
                                    '--method', f'org.pm2.Manager.{method}', *arguments)

        started = gdbus('Start', self.app, f'{{"name": <"api">, "cwd": <"{self.daemon.apps}">}}')
        self.assertIn('/org/pm2/Process/0', started)
        self.assertIn('hello from api', self.curl())
        self.assertIn("'name': <'api'>", gdbus('List'))
        self.assertIn('kill_timeout', gdbus('Describe', 'api'))
        introspection = self.run_command('gdbus', 'introspect', '--address', self.daemon.address,
                                         '--dest', 'org.pm2.Manager', '--object-path', '/org/pm2/Manager')
        self.assertIn('interface org.pm2.Manager', introspection)
        for method in ('Restart', 'Stop', 'Delete'):
            self.assertIn('/org/pm2/Process/0', gdbus(method, 'api', '{}'))
        self.assertIn('[]', gdbus('List'))


# each where it belongs
if os.environ.get(INSIDE):
    del Container
else:
    del Inside

if __name__ == '__main__':
    if os.environ.get(INSIDE) and os.getpid() != 1:
        sys.exit('not the first process')
    harness.main()
