#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stop: what ends, when the reply comes, and what may pre-empt what."""

import os
import signal
import time

import harness

# A process whose three grandchildren have left its session and parent; the last ignores what is polite.
FAMILY = '''#!/usr/bin/python3
import os, signal, sys, time

def detach(number):
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    if number == 2:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while True:
        time.sleep(1000)

for number in range(3):
    detach(number)
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\\n")
while True:
    time.sleep(1000)
'''
GRACEFUL = '''#!/usr/bin/python3
import signal, sys, time

def end(*_):
    time.sleep(1.0)
    with open("ended", "w") as file:
        file.write("in peace\\n")
    sys.exit(0)

signal.signal(signal.SIGINT, end)
with open("ready", "w") as file:
    file.write("ready\\n")
while True:
    time.sleep(1000)
'''
STUBBORN = '''#!/usr/bin/python3
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("ready", "w") as file:
    file.write("ready\\n")
while True:
    time.sleep(1000)
'''


class Stop:
    def family(self, **attributes):
        """Start the family and return its path and the pids, the main process last."""
        script = self.script('family.py', FAMILY)
        path = self.client.start_one(script, name='family', cwd=self.daemon.apps, **attributes)
        text = harness.wait_file(self.path('pids'), lambda content: content.count('\n') == 4)
        main = self.client.property(path, 'Pid')
        return path, sorted((int(pid) for pid in text.split()), key=lambda pid: (pid == main, pid))

    def ready_app(self, text, **attributes):
        script = self.script('app.py', text)
        path = self.client.start_one(script, name='app', cwd=self.daemon.apps, **attributes)
        harness.wait_file(self.path('ready'))
        return path

    def test_stop_ends_detached_grandchildren_before_it_replies(self):
        path, pids = self.family(kill_timeout=500)
        self.assertEqual(sorted(pid for pid in pids if harness.is_alive(pid)), sorted(pids))
        self.assertEqual(self.client.stop('family'), [path])
        self.assert_gone(pids)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.client.property(path, 'Pid'), 0)

    def test_delete_ends_them_too(self):
        path, pids = self.family(kill_timeout=500)
        self.assertEqual(self.client.delete('family'), [path])
        self.assert_gone(pids)
        self.assertEqual(self.client.list(), [])

    def test_restart_ends_them_before_the_successor(self):
        path, pids = self.family(kill_timeout=500)
        os.unlink(self.path('pids'))
        self.assertEqual(self.client.restart('family'), [path])
        self.assert_gone(pids)
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        harness.wait_file(self.path('pids'), lambda content: content.count('\n') == 4)

    def test_termination_of_the_daemon_ends_them(self):
        _, pids = self.family(kill_timeout=500)
        self.daemon.terminate()
        self.assert_gone(pids)

    def test_kill_timeout_is_kept(self):
        path = self.ready_app(STUBBORN, kill_timeout=700)
        pid = self.client.property(path, 'Pid')
        started = time.monotonic()
        self.client.stop('app')
        took = time.monotonic() - started
        self.assertGreaterEqual(took, 0.65)
        self.assertLess(took, 20)
        self.assert_gone([pid])
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGKILL')

    def test_app_that_catches_the_signal_gets_its_time(self):
        path = self.ready_app(GRACEFUL, kill_timeout=30000)
        self.client.stop('app')
        self.assertEqual(harness.read_file(self.path('ended')), 'in peace\n')
        self.assertEqual(self.client.property(path, 'ExitCode'), 0)

    def test_kill_signal_is_used(self):
        script = self.script('term.sh', '#!/bin/bash\ntrap "echo TERM >got; exit 5" TERM\necho >ready\n'
                                        'while :; do sleep 0.05; done\n')
        path = self.client.start_one(script, name='app', cwd=self.daemon.apps, kill_signal='SIGTERM',
                                     kill_timeout=30000)
        harness.wait_file(self.path('ready'))
        self.client.stop('app')
        self.assertEqual(harness.read_file(self.path('got')), 'TERM\n')
        self.assertEqual(self.client.property(path, 'ExitCode'), 5)

    def test_without_treekill_children_live_on(self):
        path, pids = self.family(treekill=False)
        try:
            self.client.stop('family')
            self.assert_gone(pids[3:])
            self.assertEqual(self.client.property(path, 'Status'), 'stopped')
            self.assertTrue(all(harness.is_alive(pid) for pid in pids[:3]))
        finally:
            for pid in pids[:3]:
                os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: not any(map(harness.is_alive, pids)), 'the children are gone')

    def test_stop_without_wait_replies_at_once(self):
        path = self.ready_app(STUBBORN, kill_timeout=30000)
        self.assertEqual(self.client.stop('app', wait=False), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'stopping')
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_status(path, 'stopped')

    def test_timeout_replies_and_the_work_goes_on(self):
        path = self.ready_app(STUBBORN, kill_timeout=1500)
        self.assert_dbus_error('Timeout', self.client.stop, 'app', timeout=harness.V('t', 200000))
        self.client.wait_status(path, 'stopped')

    def test_stop_of_a_stopped_process_is_no_error(self):
        path = self.client.start_one(self.sleeper(), name='api')
        self.assertEqual(self.client.stop('api'), [path])
        self.assertEqual(self.client.stop('api'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')

    def test_two_stops_at_once_both_get_their_reply(self):
        path = self.ready_app(STUBBORN, kill_timeout=500)
        calls = [self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Stop', 'sa{sv}', 'app', {})
                 for _ in range(2)]
        for serial in calls:
            self.assertEqual(self.client.reply_to(serial).body, [[path]])

    def test_stop_cancels_a_start_in_progress(self):
        # one connection, one burst: the stop is read before the start can have ended
        script = self.sleeper()
        body = [script, harness.options(name='api')]
        start = self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Start', 'sa{sv}', *body)
        stop = self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Stop', 'sa{sv}', 'api', {})
        stopped = self.client.reply_to(stop).body[0]
        reply = self.client.wait_reply(start)
        self.assertIn(reply.error_name, (None, 'org.pm2.Error.Cancelled'))
        if stopped:
            self.assertEqual(self.client.property(stopped[0], 'Status'), 'stopped')
            self.assertEqual(self.client.property(stopped[0], 'Pid'), 0)

    def test_stop_ends_a_crash_loop(self):
        script = self.script('crash.sh', '#!/bin/sh\nexit 1\n')
        path = self.client.start(script, name='crash', max_restarts=100000, wait=False)[0]
        self.client.wait_property(path, 'RestartCount', lambda count: count >= 2)
        self.client.stop('crash')
        properties = self.client.properties(path)
        self.assertEqual((properties['Status'], properties['Pid']), ('stopped', 0))
        count = properties['RestartCount']
        self.client.start_one(self.sleeper(), name='other')
        self.assertEqual(self.client.property(path, 'RestartCount'), count)

    def test_stop_all_of_many(self):
        script = self.sleeper()
        paths = [self.client.start_one(script, name=f'app-{number}') for number in range(10)]
        pids = [self.client.property(path, 'Pid') for path in paths]
        self.assertEqual(sorted(self.client.stop('all')), sorted(paths))
        self.assert_gone(pids)


class StopCgroup(Stop, harness.Case):
    isolation = 'cgroup'


class StopNone(Stop, harness.Case):
    isolation = 'none'


if __name__ == '__main__':
    harness.main()
