#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""PM2's sockets of the system instance: root's, and nobody else's to switch."""

import json
import os
import shutil
import signal

import booted
import harness
import npm_pm2
from booted import wait_until

UNIT = 'pm2-compat.socket'
HOME = '/root/.pm2'
PATH = HOME + '/rpc.sock'


class RootCompat(booted.Case):
    system = True

    def setUp(self):
        super().setUp()
        self.addCleanup(self.end_compat)
        shutil.rmtree(HOME, ignore_errors=True)

    def end_compat(self):
        self.instance.systemctl('disable', '--now', UNIT, check=False)
        self.instance.systemctl('reset-failed', UNIT, check=False)
        self.instance.stop()
        shutil.rmtree(HOME, ignore_errors=True)

    def ctl(self, *words, check=True, user=None):
        return (user or self.root).run('pm2ctl', '--system', *words, check=check)

    def status(self):
        return json.loads(self.ctl('compat', 'status', '--json', check=False).stdout)

    def ping(self):
        client = npm_pm2.Rpc(PATH)
        try:
            return client.call('ping')
        finally:
            client.close()

    def test_the_unit_and_the_service(self):
        self.ctl('compat', 'enable')
        told = self.status()
        self.assertEqual((told['served_by'], told['rpc_socket'], told['unit_file_state']), ('systemd', PATH, 'enabled'))
        listed = self.root.run('node', os.path.join(harness.npm_packages(), 'pm2', 'bin', 'pm2'), 'jlist').stdout
        self.assertEqual(json.loads(listed[listed.index('['):]), [])
        self.instance.wait_state('active')
        self.ctl('compat', 'disable')
        self.assertFalse(os.path.exists(PATH))
        self.ctl('compat', 'enable')
        self.assertEqual(self.status()['served_by'], 'pm2d')
        pid = self.instance.main_pid()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.ping(), {'msg': 'pong'})
        wait_until(lambda: self.instance.main_pid() not in (0, pid), 'a successor')

    def test_an_ordinary_user(self):
        self.instance.start()
        user = self.tester
        for member, signature, words in (('EnableCompat', 'sa{sv}', (user.home + '/.pm2', '0')),
                                         ('DisableCompat', 'a{sv}', ('0',))):
            result = user.call('system', member, signature, *words, check=False)
            self.assertNotEqual(result.returncode, 0, member)
            self.assertIn('Access denied', result.stderr, member)
        result = self.ctl('compat', 'enable', user=user, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.status()['served_by'], 'nobody')


if __name__ == '__main__':
    booted.main()
