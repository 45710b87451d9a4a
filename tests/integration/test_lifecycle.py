#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What follows an end: delays, limits, exit codes, hooks, and what is told about it."""

import os
import pathlib
import signal
import time

import harness

STAYS = '#!/bin/sh\necho run >>runs\nexec sleep 1000\n'
CRASHES = '#!/bin/sh\necho run >>runs\nexit 3\n'
LONG = 30 * 60 * 1000


def processor_ticks(pid):
    """What a process and the children that it has waited for have used: utime, stime, cutime, cstime."""
    return sum(int(field) for field in harness.read_file(f'/proc/{pid}/stat').rpartition(')')[2].split()[11:15])


class Base:
    def start_app(self, text, wait=True, **attributes):
        script = self.script('app.sh', text)
        return self.client.start(script, name='app', cwd=self.daemon.apps, wait=wait, **attributes)[0]

    def runs(self):
        try:
            return harness.read_file(self.path('runs')).count('run')
        except FileNotFoundError:
            return 0

    def kill_main(self, path):
        os.kill(self.client.property(path, 'Pid'), signal.SIGKILL)

    def history(self, target='app', count=0):
        return self.client.manager_call('RecentEvents', 'su', target, count)

    def last(self, event):
        return [entry for entry in self.history() if entry['event'] == event][-1]


class Delays(Base):
    def test_restart_delay_is_waited(self):
        path = self.start_app(CRASHES, wait=False, restart_delay=LONG, max_restarts=3)
        self.client.wait_status(path, 'waiting-restart')
        properties = self.client.properties(path)
        self.assertEqual(properties['Pid'], 0)
        self.assertGreater(properties['NextRestart'], (time.time() + 25 * 60) * 1e6)
        self.assertIn('restarted after 1800 s', properties['LastReason'])
        self.assertEqual(self.last('restart')['delay'], LONG * 1000)
        self.assertEqual(self.runs(), 1)

    def test_a_short_restart_delay_passes(self):
        started = time.monotonic()
        path = self.start_app(CRASHES, wait=False, restart_delay=200, max_restarts=3)
        self.client.wait_status(path, 'errored')
        self.assertGreaterEqual(time.monotonic() - started, 0.4)
        self.assertEqual(self.client.property(path, 'RestartCount'), 2)
        self.assertEqual(self.client.property(path, 'NextRestart'), 0)
        self.assertEqual(self.runs(), 3)

    def test_backoff_grows_by_half(self):
        path = self.start_app(CRASHES, wait=False, exp_backoff_restart_delay=4, max_restarts=6)
        self.client.wait_status(path, 'errored')
        delays = [entry['delay'] for entry in self.history() if entry['event'] == 'restart']
        self.assertEqual(delays, [4000, 6000, 9000, 13000, 19000])

    def test_restart_by_command_ends_the_row_of_delays(self):
        path = self.start_app(CRASHES, wait=False, exp_backoff_restart_delay=LONG)
        self.client.wait_status(path, 'waiting-restart')
        self.client.restart('app', wait=False)
        harness.wait_until(lambda: self.runs() == 2, 'it runs again')
        self.client.wait_status(path, 'waiting-restart')
        self.assertEqual({entry['delay'] for entry in self.history() if entry['event'] == 'restart'}, {LONG * 1000})

    def test_command_takes_the_place_of_a_delay(self):
        path = self.start_app(CRASHES, wait=False, restart_delay=LONG)
        self.client.wait_status(path, 'waiting-restart')
        self.script('app.sh', STAYS)
        self.assertEqual(self.client.start('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')
        self.assertEqual(self.client.property(path, 'NextRestart'), 0)

    def test_errored_process_burns_no_processor(self):
        path = self.start_app(CRASHES, wait=False)
        self.client.wait_status(path, 'errored')
        self.client.drain()
        seen, pid = len(self.client.received), self.daemon.process.pid
        before = processor_ticks(pid)
        # Not a wait for something: this is the time that is measured.
        time.sleep(2)
        # A tick may have been all but full before.
        self.assertLessEqual(processor_ticks(pid) - before, 1)
        self.assertEqual(harness.marked_processes(self.daemon.mark), [pid])
        self.client.drain()
        self.assertEqual(self.client.received[seen:], [])
        self.assertEqual(self.runs(), 16)
        properties = self.client.properties(path)
        self.assertEqual((properties['Status'], properties['RestartCount'], properties['NextRestart']), ('errored', 15, 0))

    def test_stop_exit_codes(self):
        path = self.start_app(CRASHES, wait=False, stop_exit_codes=harness.V('ai', [3, 0]))
        self.client.wait_status(path, 'stopped')
        self.assertEqual(self.runs(), 1)
        self.assertIn('exited with code 3, one of stop_exit_codes', self.client.property(path, 'LastReason'))
        config = self.client.call(path, harness.PROCESS, 'GetConfig')
        self.assertEqual(config['stop_exit_codes'], [0, 3])

    def test_autostart_registers_and_a_start_starts(self):
        path = self.start_app(STAYS, autostart=False)
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.runs(), 0)
        self.assertEqual(self.client.start('app'), [path])
        self.assertEqual(self.client.property(path, 'Status'), 'online')


class Hooks(Base):
    def wait_log(self, *lines):
        def complete(text):
            return text.splitlines() == list(lines)

        harness.wait_file(self.path('order'), complete)

    def order(self):
        return harness.read_file(self.path('order')).splitlines()

    def test_pre_start_runs_before_as_the_app_would(self):
        path = self.start_app('#!/bin/sh\necho main $OWN >>order\nexec sleep 1000\n', env={'OWN': 'own'},
                              pre_start='echo pre $OWN $pm_id; echo pre >>order')
        self.wait_log('pre', 'main own')
        log = self.client.property(path, 'OutLogPath')
        self.assertEqual(harness.read_file(log), 'pre own 0\n')
        self.client.restart('app')
        self.wait_log('pre', 'main own', 'pre', 'main own')

    def test_failing_pre_start_fails_the_start(self):
        script = self.script('app.sh', STAYS)
        self.assert_dbus_error('SpawnFailed', self.client.start, script, name='app', cwd=self.daemon.apps,
                               pre_start='exit 7', mentions=('pre_start', 'exited with code 7'))
        self.assertEqual(self.runs(), 0)
        self.assertEqual(self.client.list(), [])

    def test_pre_start_that_is_killed_fails_the_start(self):
        script = self.script('app.sh', STAYS)
        self.assert_dbus_error('SpawnFailed', self.client.start, script, name='app', cwd=self.daemon.apps,
                               pre_start='kill -KILL $$', mentions=('pre_start', 'SIGKILL'))

    def test_pre_start_has_a_timeout(self):
        script = self.script('app.sh', STAYS)
        self.assert_dbus_error('SpawnFailed', self.client.start, script, name='app', cwd=self.daemon.apps,
                               pre_start='exec sleep 1000', pre_start_timeout=200,
                               mentions=('pre_start', 'pre_start_timeout'))
        self.assertEqual(self.runs(), 0)

    def test_failing_pre_start_of_a_restart_follows_the_policy(self):
        path = self.start_app(STAYS, pre_start='test ! -e broken', max_restarts=3, min_uptime='1us')
        harness.wait_file(self.path('runs'))
        pathlib.Path(self.path('broken')).touch()
        self.kill_main(path)
        self.client.wait_status(path, 'errored')
        self.assertIn('pre_start: exited with code 1', self.client.property(path, 'LastReason'))
        self.assertEqual(self.runs(), 1)
        self.assertEqual(self.client.property(path, 'RestartCount'), 3)

    def test_what_pre_start_leaves_behind_is_ended(self):
        self.start_app(STAYS, pre_start='sleep 1000 & echo $! >child', kill_timeout=300)
        child = int(harness.wait_file(self.path('child')))
        self.assertFalse(harness.is_alive(child))
        harness.wait_file(self.path('runs'))

    def test_post_stop_runs_after_a_stop_and_before_its_reply(self):
        path = self.start_app('#!/bin/sh\necho main >>order\nexec sleep 1000\n',
                              post_stop='echo post $EXIT_CODE $EXIT_STATUS >>order')
        self.wait_log('main')
        self.client.stop('app')
        self.assertEqual(self.order(), ['main', 'post killed SIGINT'])
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.client.stop('app')
        self.assertEqual(len(self.order()), 2)

    def test_post_stop_runs_after_a_crash_and_before_the_restart(self):
        path = self.start_app('#!/bin/sh\necho main >>order\nexit 4\n', wait=False, max_restarts=2,
                              post_stop='echo post $EXIT_CODE $EXIT_STATUS >>order; exit 1')
        self.client.wait_status(path, 'errored')
        self.assertEqual(self.order(), ['main', 'post exited 4'] * 2)
        self.assertIn('post_stop: exited with code 1', self.last('hook')['reason'])
        self.assertEqual(self.client.property(path, 'ExitCode'), 4)

    def test_post_stop_runs_after_a_failed_pre_start(self):
        script = self.script('app.sh', STAYS)
        self.assert_dbus_error('SpawnFailed', self.client.start, script, name='app', cwd=self.daemon.apps,
                               pre_start='exit 7', post_stop='echo post $EXIT_CODE >>order',
                               mentions='pre_start: exited with code 7')
        self.assertEqual(self.order(), ['post unknown'])

    def test_post_stop_has_a_timeout(self):
        path = self.start_app(STAYS, post_stop='exec sleep 1000', post_stop_timeout=200)
        self.client.stop('app')
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertIn('post_stop_timeout', self.last('hook')['reason'])

    def test_post_stop_runs_when_the_supervisor_ends(self):
        self.start_app('#!/bin/sh\necho main >>order\nexec sleep 1000\n', post_stop='echo post >>order')
        self.wait_log('main')
        self.daemon.terminate()
        self.assertEqual(self.order(), ['main', 'post'])

    def test_stop_during_pre_start(self):
        path = self.start_app(STAYS, wait=False, pre_start='echo $$ >hook; exec sleep 1000')
        hook = int(harness.wait_file(self.path('hook')))
        self.assertEqual(self.client.property(path, 'Status'), 'launching')
        self.assertEqual(self.client.property(path, 'Pid'), 0)
        self.assert_dbus_error('NotOnline', self.client.send_signal, 'app', 'TERM')
        self.client.stop('app')
        self.assert_gone([hook])
        self.assertEqual(self.client.property(path, 'Status'), 'stopped')
        self.assertEqual(self.runs(), 0)

    def test_delete_runs_post_stop(self):
        self.start_app('#!/bin/sh\necho main >>order\nexec sleep 1000\n', post_stop='echo post >>order')
        self.wait_log('main')
        self.client.delete('app')
        self.assertEqual(self.order(), ['main', 'post'])
        self.assertEqual(self.client.list(), [])


class Told(Base):
    def test_history_says_who_asked_and_why(self):
        path = self.start_app(STAYS)
        seen = len(self.client.received)
        self.kill_main(path)
        self.client.wait_event('online', 'app', seen)
        self.client.send_signal('app', 'CONT')
        self.client.stop('app')
        events = self.history()
        self.assertEqual([entry['event'] for entry in events],
                         ['command', 'online', 'exit', 'restart', 'online', 'signal', 'command', 'exit', 'stopped'])
        self.assertEqual((events[0]['verb'], events[0]['uid']), ('start', os.getuid()))
        self.assertEqual((events[2]['exit_code'], events[2]['signal']), (-1, 'SIGKILL'))
        self.assertIn('was ended by SIGKILL; restarted', events[3]['reason'])
        self.assertEqual((events[5]['verb'], events[5]['reason']), ('signal', 'SIGCONT'))
        self.assertEqual((events[6]['verb'], events[6]['uid']), ('stop', os.getuid()))
        self.assertEqual(events[8]['reason'], 'stopped by command')
        self.assertEqual(sorted(entry['at'] for entry in events), [entry['at'] for entry in events])
        self.assertEqual(self.history(count=2), events[-2:])

    def test_history_is_bounded(self):
        path = self.start_app(CRASHES, wait=False, max_restarts=40)
        self.client.wait_status(path, 'errored')
        events = self.history()
        self.assertEqual(len(events), 50)
        self.assertEqual(events[-1]['event'], 'errored')

    def test_history_of_nobody(self):
        self.assert_dbus_error('NoSuchProcess', self.history, 'nobody')

    def test_why(self):
        path = self.start_app(CRASHES, wait=False, max_restarts=2)
        self.client.wait_status(path, 'errored')
        text = self.pm2ctl('why', 'app').stdout
        for part in ('app (0) is errored', 'exited with code 3', 'given up after 2 unstable exits in a row', 'start'):
            self.assertIn(part, text)
        answer = harness.json.loads(self.pm2ctl('why', 'app', '--json').stdout)
        self.assertEqual((answer[0]['name'], answer[0]['status']), ('app', 'errored'))
        self.assertEqual([entry['event'] for entry in answer[0]['events']],
                         [entry['event'] for entry in self.history()])
        self.pm2ctl('why', 'nobody', status=4)


class DelaysNone(Delays, harness.Case):
    pass


class HooksNone(Hooks, harness.Case):
    pass


class HooksCgroup(Hooks, harness.Case):
    isolation = 'cgroup'


class ToldNone(Told, harness.Case):
    pass


if __name__ == '__main__':
    harness.main()
