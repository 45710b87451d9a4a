#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is installed works as installed: found where the system looks, and of one piece."""

import glob
import os
import shutil
import subprocess
import unittest
import xml.etree.ElementTree

import booted
from booted import wait_until

CLIENT = '''
#include <pm2/pm2.h>

int main(void) {
        return 0;
}
'''


class Installed(booted.Case):
    def test_units(self):
        """systemd understands the units and has nothing to say about them."""
        for manager in ('user', 'system'):
            unit = f'/usr/lib/systemd/{manager}/pm2.service'
            # of what other packages bring it may have something to say
            result = subprocess.run(['systemd-analyze', f'--{manager}', 'verify', '--man=no', unit],
                                    capture_output=True, text=True, env=self.tester.environment())
            about_us = [line for line in result.stderr.splitlines() if 'pm2' in line]
            self.assertEqual(about_us, [], manager)

    def test_nothing_inherited_is_set(self):
        """Processes inherit what the service has: the units set what is bound to the service's cgroup only."""
        allowed = {'Type', 'BusName', 'NotifyAccess', 'ExecStart', 'FileDescriptorStoreMax', 'Restart', 'RestartSec',
                   'RestartPreventExitStatus', 'SuccessExitStatus', 'OOMPolicy', 'ExecReload', 'TimeoutStopSec',
                   'TimeoutStartSec', 'KillMode', 'WatchdogSec'}
        for manager in ('user', 'system'):
            text = booted.read_file(f'/usr/lib/systemd/{manager}/pm2.service')
            service = text.partition('[Service]')[2].partition('[Install]')[0]
            keys = {line.partition('=')[0] for line in service.splitlines() if '=' in line and line[0] != '#'}
            self.assertEqual(keys - allowed, set(), manager)

    def test_enable(self):
        """Enabled it starts with the user's manager, and with the system."""
        for instance, wants in ((self.instance, f'{self.tester.home}/.config/systemd/user/default.target.wants'),):
            instance.systemctl('enable', 'pm2')
            self.assertEqual(os.listdir(wants), ['pm2.service'])
            instance.systemctl('disable', 'pm2')

    def test_interfaces_are_those_that_are_served(self):
        installed = '/usr/share/dbus-1/interfaces/org.pm2.Manager.xml'
        names = {member.get('name') for member in xml.etree.ElementTree.parse(installed).find('interface')}
        served = self.client.introspect(booted.MANAGER_PATH)
        interface = next(item for item in xml.etree.ElementTree.fromstring(served)
                         if item.get('name') == booted.MANAGER)
        self.assertEqual({member.get('name') for member in interface}, names)

    def test_command_line(self):
        """pm2ctl in PATH, libpm2 found by the linker; the first command wakes the service."""
        path = shutil.which('pm2ctl')
        self.assertEqual(path, '/usr/bin/pm2ctl')
        linked = subprocess.run(['ldd', '/usr/libexec/pm2d', path], capture_output=True, text=True, check=True).stdout
        self.assertNotIn('not found', linked)
        self.assertIn('libpm2.so.0', subprocess.run(['ldconfig', '-p'], capture_output=True, text=True,
                                                    env={'PATH': '/usr/sbin:/sbin:/usr/bin'}).stdout)
        self.tester.run('pm2ctl', 'start', '/usr/bin/sleep', '--name', 'nap', '--', '1000')
        self.assertEqual(self.instance.show('pm2.service', 'ActiveState'), 'active')
        self.assertIn('nap', self.tester.run('pm2ctl', 'list').stdout)
        self.assertEqual([item['name'] for item in self.client.list()], ['nap'])
        self.tester.run('pm2ctl', 'delete', 'nap')
        self.assert_clean()

    def test_library(self):
        """A program compiles and links with what pkg-config says."""
        source = self.script('client.c', CLIENT)
        flags = subprocess.run(['pkg-config', '--cflags', '--libs', 'libpm2'], capture_output=True, text=True,
                               check=True).stdout.split()
        program = self.path('client')
        subprocess.run(['cc', '-Wall', '-Werror', '-o', program, source, *flags], check=True)
        subprocess.run([program], check=True)

    def test_preload(self):
        """What Node apps with pmx=preload load is found where it is installed."""
        path = self.client.start_one(self.script('app.js', 'setInterval(() => {}, 1000);\n'), name='app', pmx='preload')
        wait_until(lambda: self.client.describe('app')[0]['pm2_env']['node_version'], 'it tells the version of Node')
        self.assertEqual(self.client.property(path, 'StatusText'), '')
        self.client.delete('app')

    @unittest.skipUnless(glob.glob('/usr/share/man/man1/pm2ctl.1*'), 'built without manual pages')
    def test_manual(self):
        for page in ('man1/pm2ctl.1', 'man3/libpm2.3'):
            self.assertTrue(glob.glob(f'/usr/share/man/{page}*'), page)


if __name__ == '__main__':
    booted.main()
