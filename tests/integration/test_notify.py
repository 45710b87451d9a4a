#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""sd_notify(3): readiness, status, more time, the watchdog."""

import os
import signal

import harness
from harness import DBusError, wait_until

# Sends what comes to its standard input to NOTIFY_SOCKET; "\\n" stands for a newline.
TALKER = '''#!/usr/bin/python3
import os, signal, socket, sys
signal.signal(signal.SIGINT, signal.SIG_IGN if '--stubborn' in sys.argv else signal.SIG_DFL)
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.connect(os.environ['NOTIFY_SOCKET'])
if '--ready' in sys.argv:
    out.send(b'READY=1\\nSTATUS=up')
for line in sys.stdin:
    out.send(line.strip().replace('\\\\n', '\\n').encode())
'''


class Notify(harness.Case):
    def start_talker(self, *args, wait=True, **attributes):
        attributes = {'notify': 'systemd', 'wait_ready': True, 'listen_timeout': 60000} | attributes
        return self.client.start(self.script('talker.py', TALKER), name='app', args=list(args), wait=wait,
                                 **attributes)[0]

    def say(self, path, *lines):
        self.client.call(path, harness.PROCESS, 'SendLine', 's', '\\n'.join(lines))

    def events(self):
        return [event for event, _ in self.client.events('app')]

    def wait_running(self, path):
        self.client.wait_property(path, 'StartTimestamp', lambda usec: usec > 0)

    def sockets(self):
        folder = os.path.join(os.path.dirname(self.daemon.socket_path), 'notify')
        return sorted(os.listdir(folder))


class Messages(Notify):
    def test_ready(self):
        path = self.start_talker(wait=False)
        self.wait_running(path)
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.say(path, 'STATUS=half way')
        self.client.wait_property(path, 'StatusText', 'half way')
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.say(path, 'READY=1', 'STATUS=listening')
        self.client.wait_status(path, 'online')
        self.assertEqual(self.client.property(path, 'StatusText'), 'listening')

    def test_the_tool_of_systemd(self):
        path = self.client.start(self.script('app.sh', '#!/bin/sh\nsystemd-notify --ready --status="with a tool"\nexec sleep 1000\n'),
                                 name='app', notify='systemd', wait_ready=True, listen_timeout=60000)[0]
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.client.wait_property(path, 'StatusText', 'with a tool')

    def test_without_wait_ready_it_is_online_at_once(self):
        path = self.start_talker(wait_ready=False)
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.say(path, 'STATUS=still')
        self.client.wait_property(path, 'StatusText', 'still')

    def test_a_new_start_has_said_nothing(self):
        path = self.start_talker('--ready')
        self.client.wait_property(path, 'StatusText', 'up')
        first = self.sockets()
        self.client.restart('app')
        second = self.sockets()
        self.assertEqual(len(first), 1)
        self.assertEqual(len(second), 1)
        self.assertNotEqual(first, second)
        self.client.stop('app')
        self.assertEqual(self.sockets(), [])
        self.assertEqual(self.client.property(path, 'StatusText'), 'up')  # the last that it said

    def test_wrong_values_are_told(self):
        path = self.start_talker('--ready')
        self.say(path, 'WATCHDOG_USEC=soon')
        self.client.wait_property(path, 'StatusText', 'sd_notify: WATCHDOG_USEC has a wrong value')
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_what_is_too_long_is_told(self):
        path = self.client.start(self.script('long.py', '#!/usr/bin/python3\nimport os, signal, socket\n'
                                             'out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n'
                                             'out.sendto(b"STATUS=" + b"x" * 4096, os.environ["NOTIFY_SOCKET"])\nsignal.pause()\n'),
                                 name='app', notify='systemd')[0]
        self.client.wait_property(path, 'StatusText', 'sd_notify: a message was too long')

    def test_reloading_and_stopping(self):
        path = self.start_talker('--ready')
        for lines, text in ((('RELOADING=1',), 'reloading'),
                            (('READY=1',), 'up'),
                            (('RELOADING=1', 'STATUS=reads its settings'), 'reads its settings'),
                            (('READY=1', 'STATUS=up again'), 'up again'),
                            (('STOPPING=1',), 'stopping'),
                            (('STATUS=waits for three clients',), 'waits for three clients')):
            self.say(path, *lines)
            self.client.wait_property(path, 'StatusText', text)
            self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertEqual(self.client.property(path, 'RestartCount'), 0)

    def test_what_it_is_at_ends_with_it(self):
        path = self.start_talker('--ready', autorestart=False)
        self.say(path, 'STOPPING=1')
        self.client.wait_property(path, 'StatusText', 'stopping')
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'StatusText'), 'up')  # the last that it said

    def test_more_time_to_be_ready(self):
        path = self.start_talker(wait=False, listen_timeout=700)
        self.wait_running(path)
        self.say(path, 'EXTEND_TIMEOUT_USEC=60000000', 'STATUS=slow')
        self.client.wait_property(path, 'StatusText', 'slow')
        before = self.client.property(path, 'StartTimestamp')
        wait_until(lambda: harness.time.time() * 1000000 > before + 1000000, 'its first time is over')
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.say(path, 'READY=1')
        self.client.wait_status(path, 'online')
        self.assertNotIn('ready-timeout', self.events())

    def test_who_asks_for_none_has_none(self):
        script = self.script('show.sh', '#!/bin/sh\necho "socket=$NOTIFY_SOCKET watchdog=$WATCHDOG_USEC" >"$1"\nexec sleep 1000\n')
        self.client.start(script, name='plain', args=[self.path('plain')])
        harness.wait_file(self.path('plain'))
        self.assertEqual(harness.read_file(self.path('plain')), 'socket= watchdog=\n')
        self.assertEqual(self.sockets(), [])


class Watchdog(Notify):
    def test_who_is_silent_is_ended_and_restarted(self):
        path = self.start_talker('--ready', watchdog=200)
        self.client.wait_event('watchdog', 'app')
        self.client.wait_property(path, 'RestartCount', lambda count: count >= 1)
        event, details = next((e, d) for e, d in self.client.events('app') if e == 'exit')
        self.assertEqual((event, details['signal']), ('exit', 'SIGABRT'))
        reasons = [entry.get('reason', '') for entry in self.client.manager_call('RecentEvents', 'su', 'app', 0)]
        self.assertTrue(any('gave no sign of life within 200 ms (watchdog)' in reason for reason in reasons), reasons)

    def test_who_gives_signs_lives(self):
        path = self.start_talker('--ready', watchdog=1500)
        pid = self.client.property(path, 'Pid')
        start = harness.time.monotonic()
        while harness.time.monotonic() < start + 4:
            self.say(path, 'WATCHDOG=1')
            wait_until(lambda now=harness.time.monotonic(): harness.time.monotonic() > now + 0.3, 'some time')
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertNotIn('watchdog', self.events())

    def test_it_can_change_its_time_and_ask_for_the_end(self):
        path = self.start_talker('--ready', watchdog=60000, autorestart=False)
        self.say(path, 'WATCHDOG_USEC=100000')
        self.client.wait_event('watchdog', 'app')
        self.client.wait_status(path, 'stopped')
        self.client.manager_call('Start', 'sa{sv}', 'app', {})
        self.say(path, 'WATCHDOG=trigger')
        self.client.wait_status(path, 'stopped')
        self.assertIn('WATCHDOG=trigger', self.client.property(path, 'LastReason'))

    def test_it_is_told_its_time(self):
        script = self.script('show.sh', '#!/bin/sh\necho "$WATCHDOG_USEC" >"$1"\nexec sleep 1000\n')
        self.client.start(script, name='app', args=[self.path('seen')], watchdog='1min')
        harness.wait_file(self.path('seen'))
        self.assertEqual(harness.read_file(self.path('seen')), '60000000\n')


class FrozenWatchdog(Notify):
    isolation = 'cgroup'

    def test_who_stands_still_need_not_give_signs(self):
        path = self.start_talker('--ready', watchdog=700, autorestart=False)
        self.client.manager_call('Freeze', 'sa{sv}', 'app', {})
        start = harness.time.monotonic()
        wait_until(lambda: harness.time.monotonic() > start + 2, 'its time would be over')
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertNotIn('watchdog', self.events())
        self.client.manager_call('Thaw', 'sa{sv}', 'app', {})
        self.client.wait_event('watchdog', 'app')  # and from there on it has to
        self.client.wait_status(path, 'stopped')


class Renewal(Notify):
    def renew(self):
        self.client.manager_call('Reexecute')
        self._client = wait_until(self.daemon.try_connect, 'the successor answers')

    def test_the_socket_goes_on(self):
        path = self.start_talker('--ready')
        self.client.wait_property(path, 'StatusText', 'up')
        self.renew()
        self.assertEqual(self.client.property(path, 'StatusText'), 'up')
        self.say(path, 'STATUS=renewed')
        self.client.wait_property(path, 'StatusText', 'renewed')

    def test_what_it_is_at_goes_on(self):
        path = self.start_talker('--ready')
        self.say(path, 'RELOADING=1')
        self.client.wait_property(path, 'StatusText', 'reloading')
        self.renew()
        self.assertEqual(self.client.property(path, 'StatusText'), 'reloading')
        self.say(path, 'READY=1')
        self.client.wait_property(path, 'StatusText', 'up')

    def test_after_a_crash_it_is_bound_anew(self):
        path = self.start_talker('--ready')
        pid = self.client.property(path, 'Pid')
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.start()
        self._client = self.daemon.connect()
        self.assertEqual(self.client.property(path, 'Pid'), pid)
        self.assertEqual(len(self.sockets()), 1)
        self.run_command('systemd-notify', '--status=anew', env=dict(
            os.environ, NOTIFY_SOCKET=os.path.join(os.path.dirname(self.daemon.socket_path), 'notify', self.sockets()[0])))
        self.client.wait_property(path, 'StatusText', 'anew')


class Bad(Notify):
    def test_attributes(self):
        for name, value in (('notify', 'smoke'), ('notify', 5), ('watchdog', -1), ('watchdog', 'often'),
                            ('ready_timeout_action', 'wait'), ('listen_timeout', 'x')):
            with self.subTest(name), self.assertRaisesRegex(DBusError, f'{name}: '):
                self.client.start(self.sleeper(), name='app', **{name: value})

    def test_a_flood(self):
        script = self.script('flood.py', '#!/usr/bin/python3\nimport os, socket\n'
                             'out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nout.connect(os.environ["NOTIFY_SOCKET"])\n'
                             'number = 0\nwhile True:\n    number += 1\n    out.send(b"STATUS=%d" % number)\n')
        self.client.start(script, name='flood', notify='systemd')
        path = self.start_talker('--ready')
        self.say(path, 'STATUS=heard')
        self.client.wait_property(path, 'StatusText', 'heard')
        self.client.stop('flood')


if __name__ == '__main__':
    harness.main()
