#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's own examples by other means: its quick start and its messages in C, and the messages by busctl and gdbus, all on
the private socket, where there is no message bus."""

import json
import os
import shutil
import subprocess
import unittest

import harness
from harness import read_file, wait_until
from test_message_bus import BusCase

EXAMPLES = os.path.join(harness.TOP, 'docs', 'examples')


def library_folder():
    return os.path.join(os.path.dirname(os.path.dirname(harness.pm2d_path())), 'libpm2')


class Clients(BusCase):
    def compile(self, name):
        """An example linked as its page says, with what was built in place of what is installed."""
        if harness.SANITIZED:
            raise unittest.SkipTest('a sanitized library wants a sanitized program')
        library = os.path.join(library_folder(), 'libpm2.so')
        if not os.path.exists(library):
            raise unittest.SkipTest('libpm2 is not built')
        program = self.path(name)
        subprocess.run(['cc', os.path.join(EXAMPLES, f'{name}.c'), '-o', program, '-I',
                        os.path.join(harness.TOP, 'src', 'libpm2'), library], check=True)
        return program

    def run_client(self, *command):
        environment = {**self.daemon.environment(), 'LD_LIBRARY_PATH': library_folder()}
        result = self.run_command(*command, env=environment, cwd=os.path.dirname(self.path('x')))
        self.assertEqual(result.returncode, 0, f'{command}\n{result.stdout}\n{result.stderr}')
        return result.stdout

    def start_app(self):
        """The app of the example, with the data that it has been sent in its log."""
        self.assertEqual(self.client.list(), [])
        app = shutil.copy(os.path.join(EXAMPLES, 'pm2-app.js'), self.path('pm2-app.js'))
        self.client.start_one(app, wait_ready=True, listen_timeout=60000, out_file=self.path('out'))

    def assert_got(self, data):
        packet = {'id': 0, 'type': 'process:msg', 'topic': True, 'data': data}
        wait_until(lambda: f'got {json.dumps(packet, separators=(",", ":"))}\n' in read_file(self.path('out')),
                   'the app got the data')

    def test_quick_start_in_c(self):
        shutil.copy(os.path.join(EXAMPLES, 'api.js'), self.path('api.js'))
        program = self.compile('control')
        self.client.list()
        said = self.run_client(program)
        self.assertIn('api', said)
        process, = self.client.list()
        self.assertEqual((process['name'], process['pm2_env']['status']), ('api', 'online'))

    def test_messages_in_c(self):
        self.start_app()
        said = self.run_client(self.compile('send'), '0').splitlines()
        self.assertTrue(said[0].startswith('process:msg '), said)
        self.assertEqual(json.loads(said[0].partition(' ')[2])['data'], {'success': True})
        self.assertIn('pong', said[1])
        self.assert_got({'some': 'data'})

    @unittest.skipUnless(shutil.which('busctl'), 'busctl is not installed')
    def test_messages_by_busctl(self):
        self.start_app()
        stream = self.open_bus(events=['process:msg'])
        call = ['busctl', f'--address=unix:path={self.daemon.socket_path}', 'call', 'org.pm2.Manager', '/org/pm2/Manager',
                'org.pm2.Manager']
        self.run_client(*call, 'SendData', 'uss', '0', 'process:msg', '{"some":"data"}')
        self.assertEqual(stream.next()['data'], {'success': True})
        self.assert_got({'some': 'data'})
        self.assertIn('pong', self.run_client(*call, 'Trigger', 'sssa{sv}', 'pm2-app', 'ping', '', '0'))

    @unittest.skipUnless(shutil.which('gdbus'), 'gdbus is not installed')
    def test_messages_by_gdbus(self):
        self.start_app()
        stream = self.open_bus(events=['process:msg'])
        call = ['gdbus', 'call', f'--address=unix:path={self.daemon.socket_path}', '--dest', 'org.pm2.Manager',
                '--object-path', '/org/pm2/Manager', '--method']
        self.run_client(*call, 'org.pm2.Manager.SendData', '0', 'process:msg', '{"some":"data"}')
        self.assertEqual(stream.next()['data'], {'success': True})
        self.assert_got({'some': 'data'})
        self.assertIn('pong', self.run_client(*call, 'org.pm2.Manager.Trigger', 'pm2-app', 'ping', '', '{}'))


if __name__ == '__main__':
    harness.main()
