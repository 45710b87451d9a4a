#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Readiness: an app with wait_ready is online when it says so, and not before."""

import harness
from harness import DBusError

# Says that it is ready when a line comes to its standard input.
ON_DEMAND = '''
require('readline').createInterface({input: process.stdin}).on('line', () => process.send('ready'));
process.on('message', () => {});
'''
AT_ONCE = "process.send('ready'); process.on('message', () => {});\n"
NEVER = "process.on('message', () => {});\n"


class Ready(harness.Case):
    def app(self, text, name='app', **attributes):
        return self.client.start(self.script(f'{name}.js', text, executable=False), name=name, wait_ready=True,
                                 **attributes)

    def begin(self, text, name='app', **attributes):
        """Started, and not waited for; its path."""
        return self.app(text, name, wait=False, **attributes)[0]

    def events(self, name='app'):
        return [event for event, _ in self.client.events(name)]

    def send_line(self, path, line=''):
        return self.client.call(path, harness.PROCESS, 'SendLine', 's', line)

    def test_online_when_it_says_so(self):
        path = self.begin(ON_DEMAND, listen_timeout=60000)
        self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.send_line(path, 'now')
        self.client.wait_status(path, 'online')
        self.assertEqual(self.events().count('online'), 1)

    def test_the_start_waits_for_it(self):
        path = self.app(AT_ONCE)[0]
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_a_message_before_the_start_is_seen_through(self):
        """All is said and done before the supervisor looks."""
        path = self.app("process.send('ready', () => process.exit(0));", autorestart=False)[0]
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.events().count('online'), 1)
        self.assertEqual(self.client.property(path, 'LastReason'), 'exited with code 0; autorestart is off')

    def test_not_ready_in_time_fails(self):
        with self.assertRaisesRegex(DBusError, r"'app': was not ready within 200 ms \(listen_timeout\)") as caught:
            self.app(NEVER, listen_timeout=200, max_restarts=1)
        self.assertIn('Timeout', caught.exception.name)
        path = '/org/pm2/Process/0'
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.events().count('ready-timeout'), 1)
        self.assertNotIn('online', self.events())
        self.assertIn('was not ready within 200 ms', self.client.property(path, 'LastReason'))

    def test_not_ready_in_time_is_restarted_and_given_up(self):
        path = self.begin(NEVER, listen_timeout=100, max_restarts=3)
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)
        self.assertEqual(self.events().count('ready-timeout'), 3)

    def test_online_without_a_word_where_that_is_wanted(self):
        path = self.app(NEVER, listen_timeout=200, ready_timeout_action='online')[0]
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertEqual(self.events().count('ready-timeout'), 1)

    def test_an_exit_before_it_is_an_unstable_one(self):
        with self.assertRaisesRegex(DBusError, "'app': exited with code 3 before it was ready"):
            self.app('process.exit(3)', max_restarts=2, min_uptime=0)
        self.client.wait_status('/org/pm2/Process/0', 'errored')
        self.assertNotIn('online', self.events())

    def test_a_stop_ends_it(self):
        """Unlike with PM2, where the exit counts as readiness and it is started again."""
        path = self.begin(NEVER, listen_timeout=60000)
        self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)

    def test_zero_is_the_default_time(self):
        path = self.app(AT_ONCE, listen_timeout=0)[0]
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_any_program_can_say_it(self):
        path = self.client.start(self.script('app.sh', '#!/bin/sh\necho \'"ready"\' >&$NODE_CHANNEL_FD\nread line\n'),
                                 name='app', wait_ready=True)[0]
        self.assertEqual(self.client.property(path, 'Status'), 'online')


if __name__ == '__main__':
    harness.main()
