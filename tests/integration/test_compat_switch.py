#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's sockets switched on and off while pm2d runs: EnableCompat, DisableCompat, pm2ctl compat."""

import json
import os
import signal
import socket

import harness
from harness import options
from npm_pm2 import Pm2Case, Rpc


class SwitchCase(harness.Case):
    def setUp(self):
        super().setUp()
        self.home = os.path.join(self.daemon.home, '.pm2')
        self.sockets = [os.path.join(self.home, name) for name in ('rpc.sock', 'pub.sock')]

    def enable(self, home='', **values):
        return self.client.manager_call('EnableCompat', 'sa{sv}', home, options(**values))

    def disable(self, **values):
        return self.client.manager_call('DisableCompat', 'a{sv}', options(**values))

    def served(self, client=None):
        return (client or self.client).get(harness.MANAGER_PATH, harness.MANAGER, 'CompatSocket')

    def assert_answered(self, home=None):
        rpc = Rpc(os.path.join(home or self.home, 'rpc.sock'))
        self.addCleanup(rpc.close)
        self.assertEqual(rpc.call('ping'), {'msg': 'pong'})

    def assert_served(self, home=None, client=None):
        path = os.path.join(home or self.home, 'rpc.sock')
        self.assertEqual(self.served(client), path)
        self.assert_answered(home)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)

    def assert_not_served(self):
        self.assertEqual(self.served(), '')
        for path in self.sockets:
            self.assertFalse(os.path.exists(path), path)


class Switch(SwitchCase):
    def test_on_and_off(self):
        self.assert_not_served()
        for _ in range(2):
            seen = len(self.client.received)
            self.enable()
            told = [m for m in self.client.received[seen:] if m.member == 'PropertiesChanged' and
                    'CompatSocket' in m.body[1]]
            self.assertEqual(len(told), 1, 'told before the reply')
            self.assert_served()
            seen = len(self.client.received)
            self.enable()
            self.enable(self.home)
            self.assert_served()
            self.assertEqual([m for m in self.client.received[seen:] if m.member == 'PropertiesChanged'], [])
            connected = Rpc(self.sockets[0])
            self.addCleanup(connected.close)
            self.disable()
            self.assert_not_served()
            with self.assertRaises(ConnectionError):
                connected.call('ping')
            self.disable()

    def test_another_home(self):
        other = self.path('deep/other home')
        self.enable(other)
        self.assert_served(other)
        self.assertEqual(os.stat(other).st_mode & 0o7777, 0o700)
        self.assert_dbus_error('AlreadyExists', self.enable, mentions=other)
        self.assert_served(other)
        self.disable()
        self.enable()
        self.assert_served()
        self.assertEqual(os.listdir(other), [])

    def test_wrong_homes(self):
        invalid = harness.DBUS_ERROR + 'InvalidArgs'
        for home in ('relative', './.pm2', '~/.pm2'):
            self.assert_dbus_error(invalid, self.enable, home, mentions=['home', home])
        self.assert_dbus_error(invalid, self.enable, '/' + 'x' * 200, mentions='too long')
        self.assert_dbus_error(invalid, self.enable, '/' + 'x/' * 5000, mentions='too long')
        self.assert_dbus_error(invalid, self.enable, mentions='nonsense', nonsense=True)
        self.assert_dbus_error(invalid, self.disable, mentions='nonsense', nonsense=True)
        self.assert_dbus_error('InvalidConfig', self.enable, '/proc/nowhere', mentions='/proc/nowhere')
        file = self.script('file', 'text', executable=False)
        self.assert_dbus_error('InvalidConfig', self.enable, file, mentions=file)
        self.assert_not_served()

    def test_what_is_no_socket_stays(self):
        folder = self.path('home')
        os.mkdir(folder)
        for name in ('rpc.sock', 'pub.sock'):
            path = self.script(f'home/{name}', 'precious', executable=False)
            self.assert_dbus_error('AlreadyExists', self.enable, folder, mentions=path)
            self.assertEqual(harness.read_file(path), 'precious')
            self.assertEqual(os.listdir(folder), [name])
            os.unlink(path)

    def test_somebody_else_stays(self):
        """Whichever of the two sockets is alive: neither is touched."""
        os.mkdir(self.home)
        for alive in self.sockets:
            made = []
            for path in self.sockets:
                listener = socket.socket(socket.AF_UNIX)
                listener.bind(path)
                if path == alive:
                    listener.listen()
                made.append(listener)
            inodes = [os.stat(path).st_ino for path in self.sockets]
            self.assert_dbus_error('AlreadyRunning', self.enable, mentions=alive)
            self.assertEqual([os.stat(path).st_ino for path in self.sockets], inodes)
            for listener, path in zip(made, self.sockets):
                listener.close()
                os.unlink(path)

    def test_what_nobody_serves_is_replaced(self):
        os.mkdir(self.home)
        for path in self.sockets:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen()
        self.enable()
        self.assert_served()

    def test_it_stays_over_a_renewal(self):
        self.enable()
        inode = os.stat(self.sockets[0]).st_ino
        self.pm2ctl('daemon-reexec')
        self.assert_answered()
        client = harness.wait_until(self.daemon.try_connect, 'the new one answers')
        self.assert_served(client=client)
        self.assertEqual(os.stat(self.sockets[0]).st_ino, inode)
        client.manager_call('DisableCompat', 'a{sv}', {})
        self.assertEqual(os.listdir(self.home), [])

    def test_an_ordered_stop_ends_it(self):
        self.enable()
        self.daemon.terminate()
        self.assertEqual(os.listdir(self.home), [])

    def test_one_that_is_there_for_it(self):
        daemon = self.new_daemon()
        daemon.start(['--compat=' + self.path('foreground')])
        client = daemon.connect()
        self.assert_served(self.path('foreground'), client)
        self.assert_dbus_error('NotSupported', client.manager_call, 'DisableCompat', 'a{sv}', {},
                               mentions='--compat')
        client.manager_call('EnableCompat', 'sa{sv}', self.path('foreground'), {})
        self.assert_served(self.path('foreground'), client)


class Ctl(SwitchCase):
    """Without systemd: the case has a runtime folder of its own, in which no service manager is."""

    def status(self, status=0):
        return json.loads(self.pm2ctl('compat', 'status', '--json', status=status).stdout)

    def test_enable_and_disable(self):
        self.assertEqual(self.status(3)['served_by'], 'nobody')
        result = self.pm2ctl('compat', 'enable')
        self.assertIn(self.sockets[0], result.stdout)
        self.assertIn('until pm2d ends', result.stdout)
        self.assert_served()
        told = self.status()
        self.assertEqual((told['served_by'], told['rpc_socket'], told['pub_socket']), ('pm2d', *self.sockets))
        self.assertEqual(told['unit_file_state'], '')
        self.assertIn('pm2d serves', self.pm2ctl('compat', 'status').stdout)
        self.assertEqual(self.pm2ctl('compat', 'enable', '--silent').stdout, '')
        self.pm2ctl('compat', 'disable')
        self.assert_not_served()
        self.pm2ctl('compat', 'disable')
        self.assertIn('nobody', self.pm2ctl('compat', 'status', status=3).stdout)

    def test_the_home_of_the_caller(self):
        home = self.path('home')
        self.pm2ctl('compat', 'enable', env={'PM2_HOME': home})
        self.assert_served(home)
        self.assertEqual(self.status()['rpc_socket'], os.path.join(home, 'rpc.sock'))

    def test_without_a_supervisor(self):
        self.daemon.terminate()
        result = self.pm2ctl('compat', 'enable', status=3)
        self.assertIn('no pm2d runs', result.stderr)
        self.assertFalse(os.path.exists(self.home))
        self.assertEqual(self.status(3)['served_by'], 'nobody')
        self.pm2ctl('compat', 'disable')

    def test_wrong_words(self):
        self.assertIn('"on"', self.pm2ctl('compat', 'on', status=2).stderr)
        self.pm2ctl('compat', status=2)
        self.pm2ctl('compat', 'enable', 'more', status=2)


class OfNpm(Pm2Case, SwitchCase):
    """With PM2 itself beside."""

    def test_its_clients(self):
        self.enable()
        self.client.start_one(self.sleeper(), name='web')
        self.assertIn('web', self.pm2('ls').stdout)
        self.pm2('stop', 'web')
        self.assertEqual(self.client.list()[0]['pm2_env']['status'], 'stopped')
        self.pm2('delete', 'web')
        self.assertEqual(self.client.list(), [])
        self.assertIsNone(self.own_pid(), "PM2's own daemon was not started")

    def test_its_daemon(self):
        self.pm2('ping')
        pid = self.own_pid()
        self.assertTrue(pid)
        inodes = [os.stat(path).st_ino for path in self.sockets]
        self.assert_dbus_error('AlreadyRunning', self.enable, mentions='pm2 kill')
        result = self.pm2ctl('compat', 'enable', status=1)
        self.assertIn('pm2ctl import', result.stderr)
        told = json.loads(self.pm2ctl('compat', 'status', '--json', status=3).stdout)
        self.assertEqual((told['served_by'], told['version']), ('pm2', '7.0.4'))
        self.pm2ctl('compat', 'disable')
        self.assertEqual([os.stat(path).st_ino for path in self.sockets], inodes)
        self.assertEqual(self.own_pid(), pid)
        self.assertEqual(self.served(), '')
        # one that died leaves sockets behind, which are nobody's then
        os.kill(pid, signal.SIGKILL)
        harness.wait_until(lambda: not harness.is_alive(pid), 'it is dead')
        self.pm2ctl('compat', 'enable')
        self.assert_served()


if __name__ == '__main__':
    harness.main()
