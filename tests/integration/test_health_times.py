#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What hangs is found within interval x retries + timeout + 1 s, for each kind of probe; what is slow is not."""

import os
import pathlib
import socket
import time
import unittest

import harness
import test_health
from harness import V, wait_until
from test_cluster import free_port

INTERVAL, TIMEOUT, RETRIES = 0.6, 0.5, 3  # seconds
BOUND = INTERVAL * RETRIES + TIMEOUT + 1
# It asks the server as "mode" says.
COMMAND = 'case $(cat mode) in hang) exec sleep 1000;; slow) sleep 0.3;; esac'


@unittest.skipUnless(os.environ.get('PM2D_TEST_FULL'), 'figures of time: PM2D_TEST_FULL=1')
class Times(test_health.Base, harness.Case):
    def health(self, **members):
        return V('a{sv}', harness.options(interval=int(INTERVAL * 1000), timeout=int(TIMEOUT * 1000), retries=RETRIES, **members))

    def find(self, path, hang):
        """Seconds from when it hangs until that is found."""
        self.wait_health(path, 'healthy')
        begun = time.monotonic()
        hang()
        self.client.wait_event('unhealthy', 'app')
        return time.monotonic() - begun

    def check_slow(self, path):
        self.mode('slow')
        time.sleep(2 * BOUND)  # the bound is what is tested
        self.assertEqual(self.client.property(path, 'Health'), 'healthy')
        self.assertNotIn('unhealthy', self.events())

    def check(self, path):
        self.wait_health(path, 'healthy')
        self.check_slow(path)
        self.assertLess(self.find(path, lambda: self.mode('hang')), BOUND)
        self.assertIn(f'no answer within {int(TIMEOUT * 1000)} ms', self.client.property(path, 'LastReason'))

    def fill(self, make_socket, address):
        """Nobody accepts any more, and no more wait than may."""
        self.mode('deaf')
        for _ in range(8):
            client = make_socket()
            client.setblocking(False)
            try:
                client.connect(address)
            except BlockingIOError:
                pass
            self.addCleanup(client.close)

    def server(self, address, **health):
        self.mode('accept')
        return self.client.start(self.script('server.py', test_health.SERVER), name='app', args=[address],
                                 cwd=self.daemon.apps, health=self.health(**health))[0]

    def test_http(self):
        self.mode('ok')
        self.check(test_health.Base.server(self))

    def test_exec(self):
        self.mode('ok')
        self.check(self.commanded(COMMAND))

    def test_tcp(self):
        port = free_port()
        path = self.server(str(port), tcp=port)
        self.assertLess(self.find(path, lambda: self.fill(socket.socket, ('127.0.0.1', port))), BOUND)

    def test_unix(self):
        address = self.path('app.socket')
        path = self.server(address, unix=address)
        self.assertLess(self.find(path, lambda: self.fill(lambda: socket.socket(socket.AF_UNIX), address)), BOUND)

    def test_http_over_unix(self):
        address = self.path('app.socket')
        self.mode('ok')
        path = self.client.start(self.script('server.py', test_health.SERVER), name='app', args=[address], cwd=self.daemon.apps,
                                 health=self.health(http=f'http://unix:{address}:/'))[0]
        self.check(path)

    def test_from_the_start(self):
        """What hangs from its first moment is found as soon."""
        self.mode('hang')
        pathlib.Path(self.path('up')).unlink(missing_ok=True)
        path = test_health.Base.server(self, mode='hang')
        begun = time.monotonic()
        self.wait_health(path, 'unhealthy')
        self.assertLess(time.monotonic() - begun, BOUND)
        wait_until(lambda: os.path.exists(self.path('up')), 'it is up')


if __name__ == '__main__':
    harness.main()
