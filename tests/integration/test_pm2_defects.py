#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong in PM2, each by the number of the list of its observed behaviour, goes right here. The late crash
loop (11.2.5) and what is decided without a process are in tests/unit/test-restart-policy.c too."""

import contextlib
import os
import signal
import socket
import time

import harness

STAYS = '#!/bin/sh\necho run >>runs\nexec sleep 1000\n'
CRASHES = '#!/bin/sh\necho run >>runs\nexit 3\n'
HOUR = 60 * 60 * 1000
# Its child is dead and never waited for.
HAS_ZOMBIE = '''#!/usr/bin/python3
import os, time
if os.fork() == 0:
    os._exit(0)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
with open("ready", "w") as file:
    file.write("ready\\n")
time.sleep(1000)
'''
# The child, a stranger to its grandparent, is dead before anybody could wait for it.
LEAVES_ORPHANS = '''#!/bin/sh
(sleep 1000 & echo $! >>children)
(sleep 1000 & echo $! >>children)
echo ready >ready
exec sleep 1000
'''


class Defects:
    def start_app(self, text, wait=True, name='app', **attributes):
        script = self.script(f'{name}.sh', text)
        values = {'cwd': self.daemon.apps, **attributes}
        return self.client.start(script, name=name, wait=wait, **values)[0]

    def runs(self):
        with contextlib.suppress(FileNotFoundError):
            return harness.read_file(self.path('runs')).count('run')
        return 0

    def events_of(self, start, name='app'):
        self.client.drain()
        return [event for event, _ in self.client.events(name, start)]

    # 11.1: ways to end the daemon

    def test_11_1_1_and_2_calls_of_a_wrong_shape_are_errors(self):
        for member, signature, body in (('Start', '', ()), ('Stop', 's', ('all',)), ('Stop', 'u', (5,)), ('List', 's', ('x',)),
                                        ('Restart', 'sssa{sv}', ('a', 'b', 'c', {})), ('StartJson', 'ss', ('{', '}')),
                                        ('RecentEvents', 's', ('all',))):
            with self.subTest(member):
                self.assert_dbus_error([harness.DBUS_ERROR + 'InvalidArgs', harness.DBUS_ERROR + 'UnknownMethod'],
                                       self.client.manager_call, member, signature, *body)
        self.assertEqual(self.client.list(), [])

    def test_11_1_3_no_target_is_an_error(self):
        for target in ('', 'null', '-1', '4294967296', '//', '/[/'):
            with self.subTest(target):
                self.assert_dbus_error(['NoSuchProcess', 'InvalidData'], self.client.stop, target)
        self.assertEqual(self.client.list(), [])

    def test_11_1_5_a_pattern_that_cannot_be_had_is_refused(self):
        self.assert_dbus_error('InvalidConfig', self.start_app, STAYS, cron_restart='not a pattern',
                               mentions='cron_restart')
        self.assertEqual(self.client.list(), [])

    # 11.2: wrong states and leaks

    def test_11_2_1_stop_during_a_launch_stops(self):
        path = self.start_app(STAYS, wait=False, pre_start='echo $$ >hook; exec sleep 1000')
        hook = int(harness.wait_file(self.path('hook')))
        self.assertEqual(self.client.stop('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assert_gone([hook])
        self.assertEqual(self.runs(), 0)

    def test_11_2_1_delete_during_a_launch_leaves_nothing(self):
        self.start_app(STAYS, wait=False, pre_start='echo $$ >hook; exec sleep 1000')
        hook = int(harness.wait_file(self.path('hook')))
        self.client.delete('app')
        self.assert_gone([hook])
        self.assertEqual((self.client.list(), self.runs()), ([], 0))

    def test_11_2_2_a_waiting_process_has_no_pid_and_can_be_stopped_and_restarted(self):
        path = self.start_app(CRASHES, wait=False, restart_delay=HOUR)
        self.client.wait_status(path, 'waiting-restart')
        self.assertEqual(self.client.property(path, 'Pid'), 0)
        self.assert_dbus_error('NotOnline', self.client.send_signal, 'app', 'TERM')
        self.script('app.sh', STAYS)
        self.assertEqual(self.client.restart('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.script('app.sh', CRASHES)
        self.client.restart('app', wait=False)
        self.client.wait_status(path, 'waiting-restart')
        seen = len(self.client.received)
        self.assertEqual(self.client.stop('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertNotIn('exit', self.events_of(seen))

    def test_11_2_3_what_is_not_restarted_does_not_wait(self):
        for name, attributes, status in (('limit', {'max_restarts': 1}, 'errored'), ('never', {'autorestart': False}, 'stopped'),
                                         ('code', {'stop_exit_codes': 3}, 'stopped')):
            for delay in ('restart_delay', 'exp_backoff_restart_delay'):
                with self.subTest(f'{name} {delay}'):
                    path = self.start_app(CRASHES, wait=False, name=f'{name}-{delay}', **{delay: HOUR}, **attributes)
                    self.client.wait_status(path, status)
                    self.assertEqual(self.client.property(path, 'NextRestart'), 0)

    def test_11_2_4_what_cannot_be_spawned_is_an_error(self):
        self.assert_dbus_error(['InvalidConfig', 'SpawnFailed'], self.start_app, STAYS, cwd='/no/such/folder',
                               mentions='cwd')
        self.assert_dbus_error(['InvalidConfig', 'SpawnFailed'], self.start_app, STAYS, interpreter='/no/such/program',
                               mentions='interpreter')
        path = self.start_app(STAYS, name='other')
        self.assertEqual([process['pm2_env']['status'] for process in self.client.list()], ['online'])
        self.assertGreater(self.client.list()[0]['pid'], 0)
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_11_2_5_a_late_crash_loop_ends(self):
        path = self.start_app('#!/bin/sh\necho run >>runs\ntest ! -e broken || exit 1\nexec sleep 1000\n',
                              min_uptime=300, max_restarts=3)
        pid = self.client.property(path, 'Pid')
        harness.wait_until(lambda: time.time() * 1e6 - self.client.property(path, 'StartTimestamp') > 1.5e6,
                           'it has run for longer than min_uptime * max_restarts')
        self.script('broken', '')
        os.kill(pid, signal.SIGKILL)
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.runs(), 1 + 3)

    def test_11_2_6_a_stop_is_no_unstable_exit(self):
        path = self.start_app(STAYS, min_uptime='1h', max_restarts=0)
        seen = len(self.client.received)
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.client.property(path, 'UnstableRestarts'), 0)
        self.assertEqual(self.events_of(seen), ['exit', 'stop'])

    def test_11_2_7_an_end_by_a_signal_is_not_exit_code_0(self):
        path = self.start_app(STAYS, stop_exit_codes=0)
        seen = len(self.client.received)
        os.kill(self.client.property(path, 'Pid'), signal.SIGSEGV)
        self.client.wait_event('online', 'app', seen)
        self.assertEqual(self.client.property(path, 'ExitCode'), -1)
        self.assertEqual(self.client.property(path, 'ExitSignal'), 'SIGSEGV')

    def test_11_2_8_zombies_do_not_hold_a_stop(self):
        path = self.start_app(HAS_ZOMBIE, kill_timeout=60000, interpreter='/usr/bin/python3')
        harness.wait_file(self.path('ready'))
        started = time.monotonic()
        self.client.stop('app')
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')

    def test_11_2_9_children_of_a_crashed_process_end(self):
        path = self.start_app(LEAVES_ORPHANS, autorestart=False, kill_timeout=500)
        harness.wait_file(self.path('ready'))
        children = [int(pid) for pid in harness.read_file(self.path('children')).split()]
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_status(path, 'stopped')
        self.assert_gone(children)

    def test_11_2_10_a_second_daemon_ends_with_an_error(self):
        pid_of_first = self.daemon.process.pid
        result = self.run_command(harness.pm2d_path(), '--private')
        self.assertEqual(result.returncode, harness.EXIT_RUNS_ALREADY)
        self.assertIn(str(pid_of_first), result.stderr)
        self.assertEqual(self.client.list(), [])

    def test_11_2_11_commands_at_once_end_consistently(self):
        path = self.start_app(STAYS)
        calls = [self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Restart', 'sa{sv}', 'app', {})
                 for _ in range(2)]
        for serial in calls:
            self.assertEqual(self.client.reply_to(serial).body, [[path]])
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        seen = len(self.client.received)
        calls = [self.client.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Stop', 'sa{sv}', 'app', {})
                 for _ in range(2)]
        for serial in calls:
            self.assertEqual(self.client.reply_to(serial).body, [[path]])
        self.assertEqual(self.events_of(seen).count('exit'), 1)

    def test_11_2_12_a_start_that_fails_leaves_no_trace(self):
        os.mkfifo(self.path('fifo'))
        self.assert_dbus_error(['InvalidConfig', 'SpawnFailed'], self.start_app, STAYS, out_file=self.path('fifo'),
                               mentions='out_file')
        self.assertEqual(self.client.list(), [])
        self.assertEqual(self.client.property(self.start_app(STAYS), 'Id'), 0)

    def test_11_2_13_a_client_that_dies_in_a_kill_leaves_no_half_daemon(self):
        path = self.start_app(STAYS)
        pid = self.client.property(path, 'Pid')
        other = self.daemon.connect()
        other.send_call(harness.MANAGER_PATH, harness.MANAGER, 'Kill', 'a{sv}', {})
        other.close()
        self.expected_status = harness.EXIT_KILLED
        self.assertEqual(self.daemon.wait_exit(), harness.EXIT_KILLED)
        self.assert_gone([pid])

    def test_11_2_14_no_socket_is_left_behind(self):
        self.assertEqual(self.client.list(), [])
        self.daemon.terminate()
        self.assertFalse(os.path.exists(self.daemon.socket_path))
        with socket.socket(socket.AF_UNIX) as client, self.assertRaises(FileNotFoundError):
            client.connect(self.daemon.socket_path)

    # 11.3: gaps

    def test_11_3_1_autostart_false_can_be_started(self):
        path = self.start_app(STAYS, autostart=False)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.client.start('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.client.stop('app')
        self.assertEqual(self.client.restart('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')

    def test_11_3_2_every_change_is_one_event(self):
        path = self.start_app(STAYS)
        seen = len(self.client.received)
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)
        self.client.wait_event('online', 'app', seen)
        self.client.stop('app')
        self.client.delete('app')
        self.assertEqual(self.events_of(seen), ['exit', 'crash', 'restart', 'online', 'exit', 'stop', 'delete'])

    def test_11_3_2_online_is_said_of_what_is_online(self):
        path = self.start_app(STAYS)
        online = self.client.wait_message(
            lambda m: m.member == 'ProcessEvent' and m.body[3] == 'online', harness.TIMEOUT, 0)
        told = [message for message in self.client.received[:self.client.received.index(online)]
                if message.member == 'PropertiesChanged' and message.path == path]
        self.assertEqual(told[-1].body[1]['Status'], 'online')

    def test_11_3_6_a_plain_restart_changes_no_attribute(self):
        given = {'instance_var': 'WORKER', 'merge_logs': False, 'kill_retry_time': 250, 'filter_env': ['SECRET']}
        path = self.start_app(STAYS, **given)
        before = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.client.restart('app')
        self.pm2ctl('restart', 'app')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig'), before)
        self.assertEqual({name: before[name] for name in given}, given)

    def test_11_3_7_a_variable_can_be_taken_away(self):
        path = self.start_app(STAYS, env={'KEPT': '1', 'GONE': '2', 'TEXT': 'null'})
        self.client.restart('app', env={'KEPT': '1', 'TEXT': 'null'})
        environment = self.client.call(path, harness.PROCESS, 'GetEnvironment')
        self.assertEqual((environment['KEPT'], environment['TEXT']), ('1', 'null'))
        self.assertNotIn('GONE', environment)

    def test_11_3_9_one_exit_code_stays_a_list(self):
        path = self.start_app(STAYS, stop_exit_codes=harness.V('ai', [0]))
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['stop_exit_codes'], [0])
        self.pm2ctl('restart', 'app')
        self.assertEqual(self.client.call(path, harness.PROCESS, 'GetConfig')['stop_exit_codes'], [0])

    def test_11_3_10_nobody_hears_the_environment(self):
        canary = 'canary-of-this-test'
        listener = self.daemon.connect()
        path = self.start_app(STAYS, env={'SECRET': canary}, caller_env={'OTHER': canary})
        self.client.restart('app')
        self.client.delete('app')
        listener.drain()
        said = [message.body for message in (*listener.received, *self.client.signals('ProcessEvent'))]
        self.assertNotIn(canary, repr(said))
        self.start_app(STAYS, env={'SECRET': canary}, caller_env={'OTHER': canary})
        self.assertNotIn(canary, repr(self.client.list()))
        self.assertNotIn(canary, repr(self.client.properties(path)))
        self.assertEqual(os.stat(self.daemon.socket_path).st_mode & 0o077, 0)


class DefectsCgroup(Defects, harness.Case):
    isolation = 'cgroup'


class DefectsNone(Defects, harness.Case):
    isolation = 'none'


if __name__ == '__main__':
    harness.main()
