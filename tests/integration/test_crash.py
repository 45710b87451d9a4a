#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exits that nobody asked for: restart, crash loops, what is known of an exit."""

import os
import signal

import harness

CRASH = '#!/bin/sh\nexit 3\n'
# After each exit it waits to be looked at: only the limit of restarts ends it at once.
SOON_GONE = '#!/bin/sh\necho run >>runs\nexit 0\n'


class Crash:
    def test_kill_9_brings_a_successor(self):
        path = self.client.start_one(self.sleeper(), name='api')
        first = self.client.property(path, 'Pid')
        seen = len(self.client.received)
        os.kill(first, signal.SIGKILL)
        self.client.wait_event('online', 'api', seen)
        properties = self.client.properties(path)
        self.assertEqual(properties['Status'], 'online')
        self.assertEqual(properties['RestartCount'], 1)
        self.assertNotEqual(properties['Pid'], first)
        self.assertTrue(harness.is_alive(properties['Pid']))
        self.assertEqual((properties['ExitCode'], properties['ExitSignal']), (-1, 'SIGKILL'))
        self.assertEqual(self.client.list()[0]['pm2_env']['restart_time'], 1)

    def test_events_of_a_crash_come_once_and_in_order(self):
        path = self.client.start_one(self.sleeper(), name='api')
        for _ in range(3):
            seen = len(self.client.received)
            os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
            self.client.wait_event('online', 'api', seen)
            self.client.drain()
            events = [event for event, _ in self.client.events('api', seen)]
            self.assertEqual(events, ['exit', 'crash', 'restart', 'online'])
            manually = [message.body[4] for message in self.client.signals('ProcessEvent', seen)]
            self.assertEqual(manually, [False] * 4)
            details = self.client.events('api', seen)[0][1]
            self.assertEqual(details['signal'], 'SIGKILL')

    def test_crash_loop_ends_errored(self):
        seen = len(self.client.received)
        path = self.client.start(self.script('crash.sh', CRASH), name='crash', wait=False)[0]
        self.client.wait_status(path, 'errored')
        properties = self.client.properties(path)
        self.assertEqual(properties['RestartCount'], 15)
        self.assertEqual(properties['ExitCode'], 3)
        self.assertEqual(properties['ExitSignal'], '')
        self.assertEqual(properties['Pid'], 0)
        self.assertIn('16', properties['LastReason'])
        self.client.drain()
        events = [event for event, _ in self.client.events('crash', seen)]
        self.assertEqual(events.count('exit'), 16)
        self.assertEqual(events.count('restart'), 15)
        self.assertEqual(events[-1], 'restart overlimit')
        self.assertEqual(events.count('restart overlimit'), 1)

    def test_max_restarts_bounds_the_loop(self):
        path = self.client.start(self.script('crash.sh', CRASH), name='crash', max_restarts=3, wait=False)[0]
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)

    def test_errored_process_starts_again_by_command(self):
        script = self.script('crash.sh', CRASH)
        path = self.client.start(script, name='crash', max_restarts=2, wait=False)[0]
        self.client.wait_status(path, 'errored')
        self.script('crash.sh', '#!/bin/sh\nexec sleep 1000\n')
        self.assertEqual(self.client.restart('crash'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertEqual(self.client.property(path, 'UnstableRestarts'), 0)

    def test_exit_0_restarts_too(self):
        script = self.script('soon.sh', SOON_GONE)
        path = self.client.start(script, name='soon', cwd=self.daemon.apps, max_restarts=4, wait=False)[0]
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.client.property(path, 'ExitCode'), 0)
        self.assertEqual(harness.read_file(self.path('runs')).count('run'), 4)

    def test_without_autorestart_it_stays_down(self):
        script = self.script('soon.sh', SOON_GONE)
        path = self.client.start(script, name='soon', cwd=self.daemon.apps, autorestart=False, wait=False)[0]
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)
        self.assertEqual(harness.read_file(self.path('runs')), 'run\n')

    def test_exit_codes_and_signals_apart(self):
        for name, end, code, signal_name, number in (
                ('seven', 'exit 7', 7, '', 0),
                ('most', 'exit 255', 255, '', 0),
                ('term', 'kill -TERM $$', -1, 'SIGTERM', signal.SIGTERM),
                ('abort', 'kill -ABRT $$', -1, 'SIGABRT', signal.SIGABRT),
                ('real', 'kill -37 $$', -1, 'SIGRTMIN+3', 37)):
            with self.subTest(name):
                script = self.script(f'{name}.sh', f'#!/bin/sh\n{end}\n')
                path = self.client.start(script, name=name, autorestart=False, wait=False)[0]
                self.client.wait_status(path, 'stopped')
                properties = self.client.properties(path)
                self.assertEqual(properties['ExitCode'], code)
                self.assertEqual(properties['ExitSignal'], signal_name)
                self.assertEqual(properties['SignalNumber'], number)

    def test_stable_runs_are_not_counted_as_unstable(self):
        path = self.client.start_one(self.sleeper(), name='api', min_uptime='1us', max_restarts=2)
        for count in range(1, 5):
            seen = len(self.client.received)
            os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
            self.client.wait_event('online', 'api', seen)
            self.assertEqual(self.client.property(path, 'RestartCount'), count)
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_descendants_of_a_crashed_process_end_before_its_successor(self):
        script = self.script('parent.sh', '#!/bin/sh\nsleep 1000 &\necho $! >>children\nwait\n')
        path = self.client.start_one(script, name='parent', cwd=self.daemon.apps)
        first = int(harness.wait_file(self.path('children')))
        seen = len(self.client.received)
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_event('online', 'parent', seen)
        self.assert_gone([first])


class CrashCgroup(Crash, harness.Case):
    isolation = 'cgroup'


class CrashNone(Crash, harness.Case):
    isolation = 'none'


if __name__ == '__main__':
    harness.main()
