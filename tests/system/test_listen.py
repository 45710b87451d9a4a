#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening sockets outlive the supervisor: the service manager keeps them."""

import json
import os
import signal
import socket

import booted
import test_survival
from booted import wait_until

SERVER = '''#!/usr/bin/python3
import json, os, socket
FACTS = {'pid': os.getpid(), 'inode': os.readlink('/proc/self/fd/3'), 'pid_is_right': os.environ['LISTEN_PID'] == str(os.getpid())}
server = socket.socket(fileno=3)
while True:
    connection, _ = server.accept()
    connection.sendall(json.dumps(FACTS).encode() + b'\\n')
    connection.close()
'''
STATE_FDS = 3


class Listen(test_survival.SurvivalCase):
    def start(self, *listen, **attributes):
        return self.start_one('server', SERVER, listen=list(listen), **attributes)

    def chosen_port(self):
        text = self.client.describe('server')[0]['pm2_env']['listen_sockets'][0]
        return int(text.rpartition(':')[2])

    def connect(self, port):
        client = socket.create_connection(('127.0.0.1', port), 60)
        self.addCleanup(client.close)
        return client

    def kept(self):
        return int(self.instance.show('pm2.service', 'NFileDescriptorStore'))

    def test_kill_keeps_what_is_queued(self):
        path = self.start('tcp:127.0.0.1:0', f'unix:{self.path("a.sock")}')
        port = self.chosen_port()
        before = json.loads(self.connect(port).makefile().readline())
        self.assertTrue(before['pid_is_right'])
        for number in range(3):
            with self.subTest(number):
                pid = self.state()[path]['Pid']
                os.kill(pid, signal.SIGSTOP)
                wait_until(lambda pid=pid: self.is_stopped(pid), 'it stands still')
                client = self.connect(port)
                self.end_daemon()
                self.assertEqual(self.state()[path]['Pid'], pid)
                self.assertEqual(self.chosen_port(), port)
                os.kill(pid, signal.SIGKILL)
                after = json.loads(client.makefile().readline())
                self.assertEqual(after['inode'], before['inode'])
                self.assertNotEqual(after['pid'], pid)
                self.assertTrue(after['pid_is_right'])
                wait_until(lambda: self.state()[path]['Status'] == 'online', 'it is online')
        self.assertEqual(self.kept(), STATE_FDS + 1 + 2)
        self.client.stop('server')
        self.assertFalse(os.path.exists(self.path('a.sock')))
        self.assert_closed(port)
        wait_until(lambda: self.kept() == STATE_FDS, 'nothing of it is kept')

    def is_stopped(self, pid):
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            return file.read().rpartition(')')[2].split()[0] == 'T'

    def assert_closed(self, port):
        with self.assertRaises(ConnectionRefusedError):
            self.connect(port)

    def test_reexec_and_restart_of_the_unit(self):
        self.start('tcp:127.0.0.1:0')
        port = self.chosen_port()
        before = json.loads(self.connect(port).makefile().readline())
        self.client.manager_call('Reexecute')
        self.reconnect()
        self.instance.systemctl('restart', 'pm2')
        self.reconnect()
        self.assertEqual(json.loads(self.connect(port).makefile().readline()), before)
        self.client.restart('server')
        self.assertEqual(json.loads(self.connect(port).makefile().readline())['inode'], before['inode'])
        self.client.delete('server')
        self.assert_closed(port)

    def test_stop_of_the_unit_closes(self):
        self.start('tcp:127.0.0.1:0', f'unix:{self.path("a.sock")}')
        port = self.chosen_port()
        self.instance.stop()
        self.assert_closed(port)
        self.assertFalse(os.path.exists(self.path('a.sock')))
        self.assert_clean()


if __name__ == '__main__':
    booted.main()
