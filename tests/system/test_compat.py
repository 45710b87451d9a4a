#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""npm's pm2, unmodified, and the service: the socket unit, pm2ctl compat, and no moment in which its client starts PM2's
own daemon."""

import contextlib
import json
import os
import shutil
import signal

import booted
import harness
import npm_pm2
from booted import wait_until

UNIT = 'pm2-compat.socket'
SLEEPER = '#!/bin/sh\nexec sleep 100000\n'


class CompatCase(booted.Case):
    def setUp(self):
        super().setUp()
        self.pm2_program = os.path.join(harness.npm_packages(), 'pm2', 'bin', 'pm2')
        self.user = self.tester
        self.home = os.path.join(self.user.home, '.pm2')
        self.sockets = [os.path.join(self.home, name) for name in ('rpc.sock', 'pub.sock')]
        self.addCleanup(self.end_compat)
        shutil.rmtree(self.home, ignore_errors=True)

    def end_compat(self):
        for pid in self.own_daemons():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda gone=pid: not booted.is_alive(gone), "PM2's daemon has ended")
        self.instance.systemctl('disable', '--now', UNIT, check=False)
        self.instance.systemctl('reset-failed', UNIT, check=False)
        self.instance.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def own_daemons(self):
        """Pids of PM2's own daemons."""
        return [int(name) for name in os.listdir('/proc')
                if name.isdigit() and 'God Daemon' in booted.command_line(name) and booted.is_alive(name)]

    def pm2(self, *words, check=True):
        return self.user.run('node', self.pm2_program, *words, check=check)

    def jlist(self):
        """As npm's pm2 shows it; nobody but pm2d may have answered."""
        text = self.pm2('jlist').stdout
        self.assertEqual(self.own_daemons(), [])
        return json.loads(text[text.index('['):])

    def ctl(self, *words, check=True):
        return self.user.run('pm2ctl', *words, check=check)

    def status(self):
        return json.loads(self.ctl('compat', 'status', '--json', check=False).stdout)

    def served(self):
        return self.bus_client(follow=False).get(booted.MANAGER_PATH, booted.MANAGER, 'CompatSocket')

    def ping(self):
        client = npm_pm2.Rpc(self.sockets[0])
        try:
            return client.call('ping')
        finally:
            client.close()

    def unit_states(self):
        return self.instance.show(UNIT, 'UnitFileState'), self.instance.show(UNIT, 'ActiveState')

    def inodes(self):
        return [os.stat(path).st_ino for path in self.sockets]

    def kill_daemon(self):
        """kill -9; who asks at this moment is answered by the next one."""
        pid = self.instance.main_pid()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.ping(), {'msg': 'pong'})
        wait_until(lambda: self.instance.main_pid() not in (0, pid), 'a successor')
        self.instance.wait_state('active')

    def start_app(self, name='web'):
        """By npm's client; its pid."""
        self.pm2('start', self.script(f'{name}.sh', SLEEPER), '--name', name)
        return self.pid_of(name)

    def pid_of(self, name='web'):
        (entry,) = [item for item in self.jlist() if item['name'] == name]
        self.assertEqual(entry['pm2_env']['status'], 'online')
        return entry['pid']


class SocketUnit(CompatCase):
    def test_a_client_wakes_the_service(self):
        self.instance.systemctl('enable', '--now', UNIT)
        self.assertEqual(self.unit_states(), ('enabled', 'active'))
        self.assertEqual([os.stat(path).st_mode & 0o7777 for path in self.sockets], [0o600] * 2)
        self.assertEqual(os.stat(self.home).st_mode & 0o7777, 0o700)
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'inactive')
        self.assertEqual(self.status()['served_by'], 'systemd')
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'inactive', 'to ask is not to wake')
        self.assertEqual(self.jlist(), [])
        self.instance.wait_state('active')
        self.assertEqual(self.served(), self.sockets[0])
        told = self.status()
        self.assertEqual((told['served_by'], told['rpc_socket'], told['pub_socket']), ('pm2d', *self.sockets))
        self.assertTrue(booted.is_alive(self.start_app()))
        self.assertEqual([item['name'] for item in self.client.list()], ['web'])
        self.pm2('delete', 'all')

    def test_it_outlives_the_supervisor(self):
        self.instance.systemctl('start', UNIT)
        pid, inodes = self.start_app(), self.inodes()
        self.kill_daemon()
        self.assertEqual(self.pid_of(), pid)
        self.instance.systemctl('restart', 'pm2')
        self.assertEqual(self.pid_of(), pid)
        self.ctl('daemon-reexec')
        self.assertEqual(self.pid_of(), pid)
        self.assertEqual(self.inodes(), inodes)
        # a stop is one: the unit listens on, and the next client wakes the service
        self.instance.stop()
        self.assertFalse(booted.is_alive(pid))
        self.assertEqual(self.inodes(), inodes)
        self.assertEqual(self.jlist(), [])
        self.instance.wait_state('active')

    def test_a_live_daemon_of_pm2_keeps_its_sockets(self):
        self.pm2('ping')
        (pid,) = self.own_daemons()
        inodes = self.inodes()
        result = self.instance.systemctl('start', UNIT, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.instance.show(UNIT, 'ActiveState'), 'failed')
        self.assertEqual(self.inodes(), inodes)
        for running in (False, True):
            with self.subTest(running):
                if running:
                    self.instance.start()
                result = self.ctl('compat', 'enable', check=False)
                self.assertEqual(result.returncode, 1)
                self.assertIn('pm2ctl import', result.stderr)
                self.assertEqual(self.instance.show(UNIT, 'UnitFileState'), 'disabled')
                told = self.status()
                self.assertEqual((told['served_by'], told['version']), ('pm2', '7.0.4'))
        self.assertEqual(self.inodes(), inodes)
        self.assertEqual(self.own_daemons(), [pid])
        self.assertEqual(self.ping(), {'msg': 'pong'})
        # when it is gone the unit starts
        self.pm2('kill')
        wait_until(lambda: not self.own_daemons(), 'it has ended')
        self.instance.stop()
        self.instance.systemctl('start', UNIT)
        self.assertEqual(self.jlist(), [])


class Ctl(CompatCase):
    def test_enable_on_a_running_service(self):
        self.instance.start()
        self.ctl('compat', 'enable')
        self.assertEqual(self.unit_states(), ('enabled', 'inactive'))
        self.assertEqual(self.served(), self.sockets[0])
        pid, inodes = self.start_app(), self.inodes()
        for _ in range(3):
            self.kill_daemon()
            self.assertEqual(self.pid_of(), pid)
        self.instance.systemctl('restart', 'pm2')
        self.assertEqual(self.ping(), {'msg': 'pong'})
        self.assertEqual(self.pid_of(), pid)
        self.ctl('daemon-reexec')
        self.assertEqual(self.pid_of(), pid)
        self.kill_daemon()
        self.assertEqual(self.pid_of(), pid)
        self.assertEqual(self.inodes(), inodes)
        self.assertEqual(self.served(), self.sockets[0])
        self.ctl('compat', 'enable')
        self.assertEqual(self.inodes(), inodes)
        self.assertEqual(self.status()['unit_file_state'], 'enabled')

        self.ctl('compat', 'disable')
        self.assertEqual(self.unit_states(), ('disabled', 'inactive'))
        self.assertEqual(os.listdir(self.home).count('rpc.sock') + os.listdir(self.home).count('pub.sock'), 0)
        self.assertEqual(self.served(), '')
        self.assertTrue(booted.is_alive(pid))
        self.instance.systemctl('restart', 'pm2')
        self.assertEqual(self.served(), '', 'nobody keeps them')
        self.assertEqual(self.client.list()[0]['pid'], pid)

    def test_enable_without_a_service(self):
        self.ctl('compat', 'enable')
        self.assertEqual(self.unit_states(), ('enabled', 'active'))
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'inactive')
        self.ctl('compat', 'enable')
        self.assertEqual(self.jlist(), [])
        # what the unit has bound is given up as well
        self.ctl('compat', 'disable')
        self.assertEqual(self.unit_states(), ('disabled', 'inactive'))
        self.assertFalse(any(os.path.exists(path) for path in self.sockets))
        self.assertEqual(self.served(), '')
        self.assertEqual(self.ctl('compat', 'status', check=False).returncode, 3)
        # and comes back, bound by the service that still runs
        self.ctl('compat', 'enable')
        self.assertEqual(self.served(), self.sockets[0])
        self.assertEqual(self.jlist(), [])

    def test_a_stop_ends_what_the_service_has_bound(self):
        self.instance.start()
        self.ctl('compat', 'enable')
        self.instance.stop()
        self.assertFalse(any(os.path.exists(path) for path in self.sockets))
        self.instance.start()
        self.assertEqual(self.served(), '')
        self.instance.stop()
        self.ctl('compat', 'enable')
        self.assertEqual(self.unit_states(), ('enabled', 'active'))

    def test_another_home(self):
        """The unit and the clients must mean the same: then a drop-in says so."""
        home = self.path('other home')
        folder = os.path.join(self.user.home, '.config', 'systemd', 'user', f'{UNIT}.d')
        environment = ['env', f'PM2_HOME={home}']
        result = self.user.run(*environment, 'pm2ctl', 'compat', 'enable', check=False)
        self.assertEqual(result.returncode, 1)
        for text in (home, self.home, 'systemctl edit'):
            self.assertIn(text, result.stderr)
        self.assertEqual(self.unit_states(), ('disabled', 'inactive'))
        self.addCleanup(self.instance.systemctl, 'daemon-reload')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.makedirs(folder)
        with open(os.path.join(folder, 'home.conf'), 'w', encoding='utf-8') as file:
            file.write('[Socket]\nExecStartPre=\nListenStream=\n'
                       f'ListenStream={home}/rpc.sock\nListenStream={home}/pub.sock\n')
        self.instance.systemctl('daemon-reload')
        for running in (False, True):
            with self.subTest(running):
                if running:
                    self.instance.start()
                self.user.run(*environment, 'pm2ctl', 'compat', 'enable')
                told = self.status()
                self.assertEqual((told['served_by'], told['rpc_socket'], told['pub_socket']),
                                 ('pm2d' if running else 'systemd', f'{home}/rpc.sock', f'{home}/pub.sock'))
                listed = self.user.run(*environment, 'node', self.pm2_program, 'ls')
                self.assertIn('status', listed.stdout)
                self.assertEqual(self.own_daemons(), [])
                self.ctl('compat', 'disable')
                self.instance.stop()

    def test_a_move(self):
        """From PM2's own daemon to the service, and its clients notice no more than a new pid."""
        self.pm2('start', self.script('web.sh', SLEEPER), '--name', 'web')
        self.pm2('start', self.script('idle.sh', SLEEPER), '--name', 'idle')
        self.pm2('stop', 'idle')
        self.ctl('import')
        self.assertEqual([(item['name'], item['pm2_env']['status']) for item in self.client.list()],
                         [('web', 'online'), ('idle', 'stopped')])
        self.pm2('kill')
        wait_until(lambda: not self.own_daemons(), 'it has ended')
        self.ctl('compat', 'enable')
        self.assertEqual([(item['name'], item['pm2_env']['status']) for item in self.jlist()],
                         [('web', 'online'), ('idle', 'stopped')])
        self.assertEqual(self.ctl('import', check=False).returncode, 1)


if __name__ == '__main__':
    booted.main()
