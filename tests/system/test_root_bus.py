#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus goes and comes back: supervision does not notice, and the name and the objects come back."""

import os
import signal
import unittest
import subprocess

import booted
from booted import wait_until


class BusRestart(booted.Case):
    def start_apps(self):
        client = self.private_client()
        paths = [client.start_one(self.notebook(), name=f'app{n}', args=[self.path(f'notes{n}')]) for n in range(3)]
        for number in range(3):
            self.wait_lines(f'notes{number}', 1)
        return client, paths, [client.property(path, 'Pid') for path in paths]

    def owner(self):
        """Who has the name on the bus, if there is a bus."""
        try:
            client = self.bus_client(follow=False)
            try:
                return client.driver('GetNameOwner', 's', booted.BUS_NAME)
            except booted.DBusError:
                return None
        except (OSError, booted.dbus_wire.Disconnected):
            return None

    def check_back(self, client, paths, pids):
        """All as before the bus went, and seen there again."""
        try:
            wait_until(self.owner, 'the name is back', 20)
        except AssertionError as error:
            status = self.instance.systemctl('status', 'dbus.service', 'dbus.socket', check=False).stdout
            raise AssertionError(f'{error}\n{status}') from None
        self.assertEqual([client.property(path, 'Pid') for path in paths], pids)
        self.assertEqual(sorted(path for path in self.bus_client().managed_objects() if 'Process/' in path), paths)
        again = self.bus_client()
        more = again.start_one('/usr/bin/sleep', args=['1000'], name='after')
        self.assertEqual(again.property(more, 'Status'), 'online')
        again.wait_message(lambda m: m.member == 'InterfacesAdded' and more in m.body)
        again.delete('after')

    def restart_bus(self):
        self.instance.systemctl('reset-failed', 'dbus.service', check=False)  # it may be started five times in 10 s
        self.instance.systemctl('restart', 'dbus.service')

    def kill_bus(self):
        self.instance.systemctl('reset-failed', 'dbus.service', check=False)
        pid = int(self.instance.show('dbus.service', 'MainPID'))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not booted.is_alive(pid), 'the bus is gone')
        # its socket starts it, for the first who comes


    def test_restart(self):
        self.instance.start()
        client, paths, pids = self.start_apps()
        supervisor = self.instance.main_pid()
        for _ in range(3):
            self.restart_bus()
            self.check_back(client, paths, pids)
        self.assertEqual(self.instance.main_pid(), supervisor)

    @unittest.skipUnless(os.environ.get('PM2D_TEST_LONG'), 'with systemd 252 the user bus does not always come back')
    def test_killed(self):
        self.instance.start()
        client, paths, pids = self.start_apps()
        supervisor = self.instance.main_pid()
        for _ in range(3):
            self.kill_bus()
            self.check_back(client, paths, pids)
        self.assertEqual(self.instance.main_pid(), supervisor)
        self.assertEqual([self.lines(f'notes{n}') for n in range(3)], [['start']] * 3)

    def test_crash_while_there_is_no_bus(self):
        """Noticed at once, and restarted as soon as there is who makes its scope."""
        self.instance.start()
        client, paths, pids = self.start_apps()
        self.instance.systemctl('stop', 'dbus.socket', 'dbus.service')
        try:
            os.kill(pids[0], signal.SIGKILL)
            client.wait_event('exit', 'app0')
            self.assertEqual(client.property(paths[1], 'Status'), 'online')
            client.stop('app1')
            self.assertEqual(self.lines('notes1'), ['start', 'SIGINT'])
        finally:
            self.instance.systemctl('reset-failed', 'dbus.service', check=False)
            self.instance.systemctl('start', 'dbus.socket', 'dbus.service')
        client.wait_status(paths[0], 'online')
        self.wait_lines('notes0', 2)
        self.assertEqual(self.lines('notes0'), ['start', 'start'])
        self.assertEqual(client.property(paths[2], 'Pid'), pids[2])
        client.start('app1')
        self.check_back(client, paths, [client.property(path, 'Pid') for path in paths])

    def test_jobs_under_way(self):
        """A bus that goes while scopes are being made: each start ends in its scope."""
        self.instance.start()
        client = self.private_client()
        document = '[' + ','.join(f'{{"script": "/usr/bin/sleep", "args": "1000", "name": "j{n}"}}'
                                  for n in range(100)) + ']'
        serial = client.send_call(booted.MANAGER_PATH, booted.MANAGER, 'StartJson', 'sa{sv}', document, {})
        client.wait_event('online')
        self.restart_bus()
        reply = client.wait_reply(serial)
        self.assertEqual(reply.kind, booted.dbus_wire.METHOD_RETURN, reply.body)
        wait_until(lambda: all(item['pm2_env']['status'] == 'online' for item in client.list()), 'all are online')
        self.assertEqual(len(client.list()), 100)
        for path in client.managed_objects():
            if 'Process/' in path:
                group, pid = client.property(path, 'ControlGroup'), client.property(path, 'Pid')
                self.assertTrue(group.endswith('/' + client.property(path, 'Unit')), group)
                self.assertEqual(booted.read_file(f'{booted.CGROUPS}{group}/cgroup.procs').split(), [str(pid)])
        client.delete('all')
        self.assert_clean()


class SystemBusRestart(BusRestart):
    system = True

    def setUp(self):
        super().setUp()
        # logind and the user managers talk to it too: leave it running
        self.addCleanup(self.start_system_bus)

    def start_system_bus(self):
        units = ['dbus.socket', 'dbus.service', 'systemd-logind.service']
        subprocess.run(['systemctl', 'reset-failed', *units])
        subprocess.run(['systemctl', 'start', *units], check=True)


if __name__ == '__main__':
    booted.main()
