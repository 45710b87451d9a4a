#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lists of the system instance: each user's own, with that user's rights."""

import json
import os
import pathlib
import stat

import booted
from booted import DBusError


class OfUsers(booted.Case):
    system = True

    def setUp(self):
        super().setUp()
        self.second = booted.User(booted.SECOND_USER)

    def start(self, user, name):
        return self.bus_client(user).start_one('/usr/bin/sleep', name=name, args=['1000'])

    def save(self, user, path='', client=None):
        return (client or self.bus_client(user)).manager_call('Save', 'sa{sv}', path, {})

    def resurrect(self, user, path=''):
        return self.bus_client(user).manager_call('Resurrect', 'sa{sv}', path, {})

    def reconnect(self):
        for client in self.clients:
            client.close()
        self.clients.clear()
        self.__dict__.pop('client', None)

    def test_each_list_comes_back_as_its_owners(self):
        users = (self.tester, self.second, self.root)
        for user in users:
            self.start(user, f'of-{user.name}')
            path = self.save(user)
            self.assertEqual(path, f'/var/lib/pm2/{user.uid}/dump.json')
            status = os.stat(path)
            self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (0, 0o600))
            names = [app['config']['name'] for app in json.loads(booted.read_file(path))['apps']]
            self.assertEqual(names, [f'of-{user.name}'])
        pathlib.Path('/var/lib/pm2/4242424').mkdir()
        self.instance.stop()
        self.instance.start()
        self.reconnect()
        found = {entry['name']: (entry['pm2_env']['status'], entry['pm2_env']['username'])
                 for entry in self.bus_client(self.root).list()}
        self.assertEqual(found, {f'of-{user.name}': ('online', user.name) for user in users})
        for entry in self.bus_client(self.root).list():
            self.assertEqual(f'of-{booted.pwd.getpwuid(os.stat("/proc/" + str(entry["pid"])).st_uid).pw_name}',
                             entry['name'])
        self.assertIn('there is no such user', self.instance.journal())

    def test_files_are_touched_with_the_callers_rights(self):
        self.start(self.tester, 'mine')
        for path in ('/root/list.json', '/etc/pm2d-test.json', f'/var/lib/pm2/{self.second.uid}/dump.json',
                     '/var/lib/pm2/0/dump.json'):
            with self.subTest(path):
                with self.assertRaises(DBusError) as caught:
                    self.save(self.tester, path)
                self.assertEqual(caught.exception.name, 'org.freedesktop.DBus.Error.AccessDenied', str(caught.exception))
                self.assertFalse(os.path.exists(path))
        for path in ('/etc/shadow', '/root/list.json'):
            with self.subTest(path):
                with self.assertRaises(DBusError) as caught:
                    self.resurrect(self.tester, path)
                self.assertEqual(caught.exception.name, 'org.freedesktop.DBus.Error.AccessDenied', str(caught.exception))
                self.assertNotIn('root:', caught.exception.message)
        path = self.path('list.json')
        self.assertEqual(self.save(self.tester, path), path)
        status = os.stat(path)
        self.assertEqual((status.st_uid, stat.S_IMODE(status.st_mode)), (self.tester.uid, 0o600))
        with self.assertRaises(DBusError):
            self.resurrect(self.second, path)

    def test_a_list_brings_apps_of_its_caller_alone(self):
        """Whoever wrote it: what is in it runs as the one who loads it."""
        self.start(self.tester, 'mine')
        path = self.save(self.tester, self.path('list.json'))
        os.chmod(path, 0o644)
        paths = self.resurrect(self.second, path)
        self.assertEqual(self.bus_client(self.root).property(paths[0], 'Owner'), self.second.uid)


if __name__ == '__main__':
    booted.main()
