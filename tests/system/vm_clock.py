#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clock of the machine is set: cron_restart follows it. Run by vm.py, as root, for tester."""

import time

import booted
from booted import wait_until

HOUR, DAY = 3600, 86400
NOON = 20000 * DAY + DAY // 2  # of some day


def set_clock(seconds):
    time.clock_settime(time.CLOCK_REALTIME, seconds)


class Clock(booted.Case):
    def setUp(self):
        now, uptime = time.time(), time.monotonic()
        self.addCleanup(lambda: set_clock(now + time.monotonic() - uptime))
        set_clock(NOON)
        super().setUp()

    def start_daily(self, at):
        """One that is due each day at that time of it; only once it is known is it over."""
        hour, rest = divmod(at % DAY, HOUR)
        return self.client.start_one('/bin/sleep', args=['10000'], name='app', cwd='/', cron_timezone='UTC',
                                     cron_restart=f'{rest % 60} {rest // 60} {hour} * * *')

    def next_run(self):
        return self.client.describe('app')[0]['pm2_env']['next_cron_run'] // 1000000

    def restarts(self, path):
        return self.client.property(path, 'RestartCount')

    def test_it_is_due_by_the_clock(self):
        path = self.start_daily(NOON + HOUR)
        self.assertEqual(self.next_run(), NOON + HOUR)
        set_clock(NOON + HOUR - 1)
        self.client.wait_property(path, 'RestartCount', 1)
        self.assertEqual(self.next_run(), NOON + HOUR + DAY)

    def test_what_the_clock_was_put_on_over_is_not_made_up_for(self):
        path = self.start_daily(NOON + HOUR)
        set_clock(NOON + 2 * HOUR)
        wait_until(lambda: self.next_run() == NOON + HOUR + DAY, 'it is reckoned anew')
        self.assertEqual(self.restarts(path), 0)

    def test_put_back_by_a_day(self):
        path = self.start_daily(NOON + HOUR)
        set_clock(NOON + HOUR - 1)
        self.client.wait_property(path, 'RestartCount', 1)
        set_clock(NOON - DAY)
        wait_until(lambda: self.next_run() == NOON + HOUR - DAY, 'it is reckoned anew')
        set_clock(NOON + HOUR - DAY - 1)
        self.client.wait_property(path, 'RestartCount', 2)

    def test_a_correction_does_nothing_twice(self):
        path = self.start_daily(NOON + HOUR)
        set_clock(NOON + HOUR - 1)
        self.client.wait_property(path, 'RestartCount', 1)
        set_clock(NOON + HOUR - 2)
        wait_until(lambda: time.time() > NOON + HOUR + 1, 'the clock shows it again')
        self.assertEqual((self.restarts(path), self.next_run()), (1, NOON + HOUR + DAY))


if __name__ == '__main__':
    booted.main()
