#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs on a disk that is full: a small ext4 and a small tmpfs, mounted where nobody else sees them. The app goes on, we
answer, emptying the logs frees the disk, and logging goes on by itself."""

import ctypes
import os
import subprocess
import tempfile
import unittest

import harness
from harness import wait_until

CLONE_NEWNS = 0x00020000
# Numbered lines for ever, 4 MB a second at most. Files elsewhere tell by their sizes how many there were, and how many
# could not be written.
WRITER = '''#!/usr/bin/python3
import os, sys, time
number = 0
written, failed = (os.open(sys.argv[1] + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ('.written', '.failed'))
while True:
    number += 1
    try:
        os.write(1, f'{number} '.encode() + b'x' * 4000 + b'\\n')
    except OSError:
        os.write(failed, b'.')
    os.write(written, b'.')
    time.sleep(0.001)
'''


def own_mounts():
    """Mounts of this process, and of what it starts, are seen by nobody else, and end with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    subprocess.run(['mount', '--make-rprivate', '/'], check=True)


@unittest.skipUnless(os.geteuid() == 0, 'mounting needs root')
class FullCase(harness.Case):
    attributes = {}

    def setUp(self):
        super().setUp()
        self.folder = self.path('disk')
        os.mkdir(self.folder)
        self.mount()
        self.addCleanup(subprocess.run, ['umount', '--lazy', self.folder], check=False)
        self.out, self.told = os.path.join(self.folder, 'out.log'), self.path('told')

    def start(self, **attributes):
        script = self.script('writer.py', WRITER)
        path = self.client.start_one(script, name='writer', args=[self.told], out_file=self.out, error_file='/dev/null',
                                     **{**self.attributes, **attributes})
        self.pid = self.client.property(path, 'Pid')
        return path

    def failures(self):
        return os.path.getsize(self.told + '.failed')

    def written(self):
        return os.path.getsize(self.told + '.written')

    def free_bytes(self):
        figures = os.statvfs(self.folder)
        return figures.f_bavail * figures.f_bsize

    def is_full(self):
        return self.free_bytes() < 65536

    def wait_full(self):
        """Full, and the app goes on all the same."""
        wait_until(self.is_full, 'the disk is full')
        before = self.written()
        wait_until(lambda: self.written() > before + 100, 'the app is not held')

    def assert_goes_on(self, path):
        """The same process, and it logs: there is a whole line that is new."""
        self.assertEqual(self.client.property(path, 'Pid'), self.pid)
        self.assertEqual((self.client.property(path, 'Status'), self.client.property(path, 'RestartCount')), ('online', 0))
        wait_until(lambda: os.path.getsize(self.out) > 8192, 'it logs again')
        with open(self.out, 'rb') as file:
            lines = file.read().split(b'\n')
        self.assertTrue(any(line.endswith(b'x' * 4000) and line.split(b' ')[-2].isdigit() for line in lines))

    def assert_trouble(self, path):
        self.assertGreater(self.failures(), 10)  # it is told itself

    def full_and_emptied(self):
        path = self.start(log_max_size=0)
        for _ in range(2):
            self.wait_full()
            self.assert_trouble(path)
            self.client.manager_call('Flush', 'sa{sv}', 'writer', harness.options())
            self.assert_goes_on(path)
        self.client.restart('writer')
        self.client.stop('writer')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')


class Ext4(FullCase):
    def mount(self):
        image = tempfile.NamedTemporaryFile(dir=self.daemon.apps)
        self.addCleanup(image.close)
        image.truncate(14 << 20)
        subprocess.run(['mkfs.ext4', '-q', '-F', '-m', '0', image.name], check=True,
                       env=dict(os.environ, PATH=os.environ['PATH'] + ':/usr/sbin:/sbin'))
        subprocess.run(['mount', '-o', 'loop', image.name, self.folder], check=True)

    def test_full_and_emptied(self):
        self.full_and_emptied()

    def test_a_bound_keeps_it_from_being_full(self):
        path = self.start(log_max_size='1M')
        wait_until(lambda: self.cuts() >= 4, 'the log was cut, and written at length')
        self.assertEqual(self.failures(), 0)
        self.assert_goes_on(path)

    def cuts(self):
        return self.daemon.log_text().count('a log was cut')


class Tmpfs(FullCase):
    def mount(self):
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', self.folder], check=True)

    def test_full_and_emptied(self):
        self.full_and_emptied()


class PumpCase(FullCase):
    """Where we write: it waits a while, and goes on; the status text says so as long as nothing can be written."""
    attributes = {'log_date_format': 'HH'}

    def assert_trouble(self, path):
        self.assertIn('No space left on device', self.client.wait_property(path, 'StatusText', lambda text: text))
        self.assertEqual(self.failures(), 0)

    def assert_goes_on(self, path):
        super().assert_goes_on(path)
        self.client.wait_property(path, 'StatusText', lambda text: not text)
        self.assertIn(' bytes of its standard output are lost', self.daemon.log_text())


class Ext4Pump(PumpCase, Ext4):
    test_a_bound_keeps_it_from_being_full = None


class TmpfsPump(PumpCase, Tmpfs):
    pass


if __name__ == '__main__':
    if os.geteuid() == 0:
        own_mounts()
    harness.main()
