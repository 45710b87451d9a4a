#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listening sockets of the system instance: root binds with the rights of the owner."""

import os
import socket

import booted
from test_root_system import SystemCase



class Rights(SystemCase):
    def refused(self, user, entry, words):
        with self.assertRaises(booted.DBusError) as caught:
            self.start(user, listen=[entry])
        self.assertEqual(caught.exception.name, 'org.pm2.Error.SpawnFailed')
        self.assertIn(words, caught.exception.message)

    def test_ports_of_root(self):
        self.refused(self.tester, 'tcp:127.0.0.1:81', 'listen: tcp:127.0.0.1:81: Permission denied')
        self.refused(self.tester, 'udp:81', 'Permission denied')
        self.start(self.root, 'of-root', listen=['tcp:127.0.0.1:81'])
        socket.create_connection(('127.0.0.1', 81), 60).close()
        self.start(self.tester, 'mine', listen=['tcp:127.0.0.1:0'])

    def test_paths_are_the_owners(self):
        folder = self.path('theirs')
        os.mkdir(folder, 0o700)
        os.chown(folder, self.second.uid, self.second.uid)
        path = os.path.join(folder, 'a.sock')
        self.refused(self.tester, f'unix:{path}', 'Permission denied')
        self.refused(self.tester, 'unix:/run/listen-of-tester.sock', 'Permission denied')
        self.start(self.second, 'second', listen=[f'unix:{path}'])
        self.assertEqual(os.lstat(path).st_uid, self.second.uid)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        self.client.stop('second')
        self.assertFalse(os.path.exists(path))

    def test_two_users_have_apps_of_one_name(self):
        for user in (self.tester, self.second):
            self.start(user, 'app', listen=['tcp:127.0.0.1:0'])
        texts = [entry['pm2_env']['listen_sockets'] for entry in self.client.describe('app')]
        self.assertEqual([len(text) for text in texts], [1, 1])
        self.assertNotEqual(*texts)


if __name__ == '__main__':
    booted.main()
