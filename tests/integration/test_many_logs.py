#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs that are bounded, at length.

    PM2D_TEST_LOG_BYTES   how much the long case writes (default: 2000000000)
"""

import os
import select
import time

import harness
import test_log_bounds as bounds
from test_log_bounds import KIB


def figures(samples):
    samples.sort()
    return f'p99 {1000 * samples[len(samples) * 99 // 100]:.2f} ms, max {1000 * samples[-1]:.2f} ms of {len(samples)}'


class Much(bounds.Case):
    """Two gigabytes through one child, at the default bound; what it costs is printed."""

    def cpu_seconds(self):
        fields = harness.read_file(f'/proc/{self.daemon.process.pid}/stat').rpartition(')')[2].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf('SC_CLK_TCK')

    def test_two_gigabytes(self):
        lines = self.write(6 * 10 * KIB * KIB)
        with open(self.out, 'rb') as file:
            found = [int(line) for line in file]
        self.assertEqual(found, list(range(found[0], lines + 1)))
        self.assertGreater(len(found) * 20, 3 * 10 * KIB * KIB)

    def test_two_gigabytes_that_are_kept(self):
        lines = self.write(10 * KIB * KIB, log_retain=1000)
        names = sorted((name for name in os.listdir(self.folder) if name.startswith('out.log.')), key=lambda name: int(name[8:]))
        expected = 0
        for name in [*names, 'out.log']:
            with open(os.path.join(self.folder, name), 'rb') as file:
                for line in file:
                    expected += 1
                    self.assertEqual(int(line), expected, name)
        self.assertEqual(expected, lines)

    def write(self, bound, **attributes):
        """Have it written, and print what that was like; the number of lines."""
        total = int(os.environ.get('PM2D_TEST_LOG_BYTES', '2000000000'))
        lines = total // 20
        script = self.script('much.sh', '#!/bin/sh\nseq -f "%019.0f" 1 $1\necho written >&2\nexec sleep 1000\n')
        error = os.path.join(self.folder, 'error.log')
        self.client.start_one(script, name='much', args=[str(lines)], out_file=self.out, error_file=error, **attributes)
        largest, delays = 0, []
        client = self.daemon.connect()
        before, began = self.cpu_seconds(), time.monotonic()
        while not os.path.getsize(error):
            asked = time.monotonic()
            client.get(harness.MANAGER_PATH, harness.MANAGER, 'ProcessCount')
            delays.append(time.monotonic() - asked)
            largest = max(largest, os.path.getsize(self.out))
            select.select([], [], [], 0.01)
        seconds = time.monotonic() - began
        harness.wait_until(lambda: os.path.getsize(self.out) <= bound, 'it is within its bound')
        spent = self.cpu_seconds() - before
        print(f'\n{total / 1e6:.0f} MB in {seconds:.1f} s, {self.cuts()} cuts; overshoot '
              f'{(largest - bound) / 1e6:.1f} MB; trimming {spent * 1e9 / total:.2f} s of CPU a GB (pings included); '
              f'latency of the loop {figures(delays)}')
        return lines


class Killed(bounds.SeparateCase):
    def test_30_times(self):
        self.kill_in_the_middle(30)


class Followed(bounds.FollowingCase):
    def test_over_100_cuts(self):
        """Each line is seen once."""
        self.follow(100, 0.004)  # a reader that is half a second late has not lost anything yet

    def test_four_instances_over_100_cuts(self):
        self.follow_four(100, 0.016)


if __name__ == '__main__':
    harness.main()
