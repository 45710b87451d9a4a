#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The user's service: started by systemctl and by the bus, ended and restarted as its unit says."""

import json
import os
import shutil
import signal
import subprocess
import urllib.request

import booted
from booted import wait_until


class Activation(booted.Case):
    def test_a_web_server_by_plain_tools(self):
        """systemctl start, stop; a call of the bus starts it again; what was started answers."""
        self.instance.start()
        first = self.instance.main_pid()
        self.assertGreater(first, 0)
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')
        self.instance.stop()
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'inactive')
        self.assertEqual(self.instance.show('pm2.service', 'Result'), 'success')
        app = shutil.copy(os.path.join(booted.APPS, 'api.js' if shutil.which('node') else 'api.py'), self.work)
        port_file = self.path('port')
        paths = self.tester.call('user', 'Start', 'sa{sv}', app, '2', 'name', 's', 'web', 'env', 'a{ss}', '2',
                                 'PORT', '0', 'PORT_FILE', port_file)
        self.assertEqual(paths, ['/org/pm2/Process/0'])
        self.assertNotEqual(self.instance.main_pid(), first)
        port = booted.wait_file(port_file, str.strip)
        pid = self.client.property(paths[0], 'Pid')
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=10) as reply:
            self.assertEqual(reply.read().decode(), f'hello from web, pid {pid}\n')
        answer = self.tester.run('curl', '--silent', '--fail', '--max-time', '10', f'http://127.0.0.1:{port}/')
        self.assertEqual(answer.stdout, f'hello from web, pid {pid}\n')

    def test_ready_means_on_the_bus(self):
        self.instance.start()
        self.tester.run('busctl', '--user', '--auto-start=no', 'call', booted.BUS_NAME, booted.MANAGER_PATH,
                        booted.MANAGER, 'List')
        self.assertEqual(self.private_client().list(), [])

    def test_many_callers_wake_one_service(self):
        command = ['busctl', '--user', '--json=short', 'get-property', booted.BUS_NAME, booted.MANAGER_PATH,
                   booted.MANAGER, 'ProcessCount']
        callers = [self.tester.popen(*command, stdout=subprocess.PIPE, text=True) for _ in range(20)]
        answers = [json.loads(caller.communicate(timeout=booted.TIMEOUT)[0])['data'] for caller in callers]
        self.assertEqual(answers, [0] * 20)
        self.assertEqual(self.instance.show('pm2.service', 'NRestarts'), '0')

    def test_kill_is_final(self):
        """Kill: every process ends, exit status 79, systemd starts nothing by itself; a call does."""
        app = self.notebook()
        self.client.start(app, args=[self.path('notes')])
        self.wait_lines('notes', 1)
        pid = self.instance.main_pid()
        self.instance.keep_loaded(self.client)
        self.client.manager_call('Kill', 'a{sv}', {})
        self.instance.wait_state('inactive')
        self.assertFalse(booted.is_alive(pid))
        for name, value in (('ExecMainStatus', '79'), ('Result', 'success'), ('NRestarts', '0'), ('MainPID', '0')):
            self.assertEqual(self.instance.show('pm2.service', name), value, name)
        self.assertEqual(self.lines('notes'), ['start', 'SIGINT'])
        self.assert_clean()
        self.assertEqual(self.client.list(), [])
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')

    def test_a_killed_supervisor_comes_back(self):
        self.instance.start()
        for _ in range(10):
            pid = self.instance.main_pid()
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda old=pid: self.instance.main_pid() not in (0, old), 'another pm2d')
            self.instance.wait_state('active')
        self.assertEqual(self.instance.show('pm2.service', 'NRestarts'), '10')
        self.assertEqual(self.client.list(), [])

    def test_a_call_just_after_a_kill_is_answered(self):
        """By the next one: the bus has the call wait for it."""
        client = self.client
        client.driver('AddMatch', 's', f"type='signal',member='NameOwnerChanged',arg0='{booted.BUS_NAME}'")
        self.assertEqual(client.list(), [])
        for _ in range(10):
            seen = len(client.received)
            os.kill(self.instance.main_pid(), signal.SIGKILL)
            client.wait_message(lambda m: m.member == 'NameOwnerChanged' and m.body[2] == '', start=seen)
            self.assertEqual(client.list(), [])

    def test_one_supervisor_alone(self):
        """A second one, by hand, says who is there and ends with 78."""
        self.instance.start()
        pid = self.instance.main_pid()
        second = self.tester.run('/usr/libexec/pm2d', '--private', check=False)
        self.assertEqual(second.returncode, 78, second.stderr)
        self.assertIn(str(pid), second.stderr)
        self.assertEqual(self.instance.main_pid(), pid)

    def test_a_unit_beside_a_supervisor_by_hand(self):
        """The other way round the unit fails once, with 78, and is not tried again and again."""
        by_hand = self.tester.popen('/usr/libexec/pm2d', '--private', stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.path.exists(self.instance.private_socket), 'its socket')
            result = self.instance.systemctl('start', 'pm2', check=False)
            self.assertNotEqual(result.returncode, 0)
            self.assertEqual(self.instance.show('pm2.service', 'ExecMainStatus'), '78')
            self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'failed')
            self.assertEqual(self.instance.show('pm2.service', 'NRestarts'), '0')
        finally:
            by_hand.terminate()
            by_hand.wait(booted.TIMEOUT)
        self.instance.start()

    def test_restart(self):
        self.instance.start()
        pid = self.instance.main_pid()
        self.instance.systemctl('restart', 'pm2')
        self.assertNotIn(self.instance.main_pid(), (0, pid))
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')


if __name__ == '__main__':
    booted.main()
